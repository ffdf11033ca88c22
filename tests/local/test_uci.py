"""The converter, on small files in the form of the UCI one."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from local.uci import FIRST_LINE, NotThatFile, convert, hourly, is_uci


def minute(hour: int, minute: int, power: str = "1.200", day: str = "16/12/2006", sub: str = "1.000") -> str:
    return f"{day};{hour:02d}:{minute:02d}:00;{power};0.418;234.840;18.400;0.000;{sub};17.000\n"


def missing(hour: int, minute: int) -> str:
    return f"16/12/2006;{hour:02d}:{minute:02d}:00;?;?;?;?;?;?;\n"


def converted(*lines: str) -> dict[tuple[str, str], float]:
    return {(time, item): float(kwh) for time, kwh, item in hourly([FIRST_LINE + "\n", *lines])}


def test_an_hour_of_minutes_becomes_its_energy() -> None:
    found = converted(*[minute(17, each) for each in range(60)])
    assert found == {
        ("2006-12-16 17:00:00", "whole_house"): 1.2,
        ("2006-12-16 17:00:00", "kitchen"): 0.0,
        ("2006-12-16 17:00:00", "laundry"): 0.06,
        ("2006-12-16 17:00:00", "water_heater_and_ac"): 1.02,
    }


def test_missing_minutes_are_taken_to_be_like_the_others() -> None:
    lines = [minute(1, each, power=f"{each % 2}") if each < 40 else missing(1, each) for each in range(60)]
    assert converted(*lines)["2006-12-16 01:00:00", "whole_house"] == 0.5


@pytest.mark.parametrize(("read", "counts"), [(30, True), (29, False), (0, False)])
def test_an_hour_counts_only_with_enough_minutes(read: int, counts: bool) -> None:
    lines = [minute(1, each) if each < read else missing(1, each) for each in range(60)]
    assert bool(converted(*lines)) is counts


def test_day_comes_before_month() -> None:
    found = converted(*[minute(0, each, day="2/1/2007") for each in range(60)])
    assert {time for time, _ in found} == {"2007-01-02 00:00:00"}


def test_hours_come_in_order_and_gaps_stay_gaps() -> None:
    lines = [minute(hour, each) for hour in (1, 2, 5) for each in range(60)]
    times = list(dict.fromkeys(time for time, _ in converted(*lines)))
    assert times == [f"2006-12-16 0{hour}:00:00" for hour in (1, 2, 5)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("16/12/2006;17:24:00;4.216\n", "line 2 has 3 fields, 9 are expected"),
        (minute(1, 1, power="much"), "line 2: could not convert"),
        (minute(1, 1, day="2006-12-16"), "line 2"),
    ],
)
def test_a_line_that_does_not_fit_is_named(line: str, said: str) -> None:
    with pytest.raises(NotThatFile, match=said):
        converted(line)


def test_another_first_line_is_not_that_file() -> None:
    with pytest.raises(NotThatFile, match="line 1"):
        list(hourly(["timestamp,target_value,item_id\n"]))


def test_the_file_is_recognised_by_its_first_line(tmp_path: Path, write: Callable[[str, str], Path]) -> None:
    assert is_uci(write("a.txt", FIRST_LINE + "\r\n" + minute(0, 0)))
    assert is_uci(write("b.txt", "\ufeff" + FIRST_LINE + "\n"))
    assert not is_uci(write("c.csv", "timestamp,target_value,item_id\n"))
    assert not is_uci(write("d.csv", ""))


def test_the_result_is_a_csv_in_the_training_format(write: Callable[[str, str], Path]) -> None:
    source = write("household.txt", FIRST_LINE + "\n" + "".join(minute(3, each) for each in range(60)))
    out = io.StringIO()
    assert convert(source, out) == 4
    table = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert table[0] == {
        "timestamp": "2006-12-16 03:00:00",
        "target_value": "1.2000",
        "item_id": "whole_house",
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def writer(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return writer
