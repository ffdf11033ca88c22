import pandas as pd
import pytest

from forecastd.series.frequency import LARGEST_COUNT, UNITS, Boundary, Frequency


@pytest.mark.parametrize(
    ("text", "count", "unit"), [("H", 1, "H"), ("15min", 15, "min"), ("3M", 3, "M"), ("1D", 1, "D")]
)
def test_a_frequency_is_a_count_and_a_unit(text: str, count: int, unit: str) -> None:
    assert (Frequency.parse(text).count, Frequency.parse(text).unit) == (count, unit)


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_takes_its_documented_range(unit: str) -> None:
    limit = LARGEST_COUNT[unit]
    assert Frequency.parse(f"{limit}{unit}").count == limit
    with pytest.raises(ValueError, match="not valid"):
        Frequency.parse(f"{limit + 1}{unit}")


@pytest.mark.parametrize(
    "text", ["", "60min", "24H", "7D", "5W", "12M", "2Y", "0H", "h", "-1D", "1.5H", "QH", "D\n", "٣D"]
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Frequency .* is not valid"):
        Frequency.parse(text)


@pytest.mark.parametrize(
    ("text", "seasons", "period"),
    [
        ("15min", (96, 672), 4), ("1min", (1440, 10080), 60), ("30min", (48, 336), 2), ("H", (24, 168), 24),
        ("6H", (4, 28), 4), ("5H", (), 1), ("D", (7,), 7), ("2D", (), 1), ("W", (52,), 52), ("M", (12,), 12),
        ("3M", (4,), 4), ("Y", (), 1),
    ],
)  # fmt: skip
def test_the_table_of_seasonality(text: str, seasons: tuple[int, ...], period: int) -> None:
    frequency = Frequency.parse(text)
    assert frequency.seasonalities == seasons
    assert frequency.seasonality == (seasons[0] if seasons else 1)
    assert frequency.period == period


@pytest.mark.parametrize(
    ("text", "boundary", "time", "start"),
    [
        ("H", None, "2019-01-31 02:45", "2019-01-31 02:00"),
        ("D", None, "2019-01-31 23:59", "2019-01-31"),
        ("D", {"Hour": 9}, "2019-01-31 08:59", "2019-01-30 09:00"),
        ("W", None, "2019-01-31", "2019-01-28"),
        ("W", {"DayOfWeek": "SUNDAY"}, "2019-01-31", "2019-01-27"),
        ("M", None, "2019-01-31", "2019-01-01"),
        ("M", {"DayOfMonth": "15"}, "2019-01-14", "2018-12-15"),
        ("Y", None, "2019-06-30", "2019-01-01"),
        ("Y", {"Month": "JULY"}, "2019-06-30", "2018-07-01"),
    ],
)
def test_a_time_belongs_to_the_bucket_that_starts_at_or_before_it(
    text: str, boundary: dict[str, object] | None, time: str, start: str
) -> None:
    frequency = Frequency.parse(text)
    limits = Boundary.parse(boundary, frequency.unit)
    number = frequency.unit_numbers(pd.DatetimeIndex([time]), limits)
    assert frequency.unit_starts(number, limits)[0] == pd.Timestamp(start)


@pytest.mark.parametrize(
    ("boundary", "unit"),
    [
        ({"Hour": 9}, "W"),
        ({"Hour": 24}, "D"),
        ({"DayOfMonth": 29}, "M"),
        ({"DayOfWeek": "Sunday"}, "W"),
        ({"Hour": 1}, "min"),
    ],
)
def test_a_boundary_that_does_not_fit_is_refused(boundary: dict[str, object], unit: str) -> None:
    with pytest.raises(ValueError, match="TimeAlignmentBoundary"):
        Boundary.parse(boundary, unit)


def test_steps_after_a_monthly_boundary_keep_their_day() -> None:
    after = Frequency.parse("M").after(pd.Timestamp("2019-01-28"), 2)
    assert list(after) == [pd.Timestamp("2019-02-28"), pd.Timestamp("2019-03-28")]
