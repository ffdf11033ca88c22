"""The demo's data set: the same every time, and like real households."""

import hashlib
import io
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import numpy as np
import pytest

from local.household import DAYS, HEADER, HOUSEHOLDS, SEED, START, TIME_FORMAT, rows, write

Series = dict[str, dict[datetime, float]]


@pytest.fixture(scope="module")
def series() -> Series:
    found: Series = defaultdict(dict)
    for time, kwh, item in rows():
        found[item][datetime.strptime(time, TIME_FORMAT)] = float(kwh)
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    def digest(seed: int) -> str:
        out = io.StringIO()
        write(out, count=3, days=30, seed=seed)
        return hashlib.sha256(out.getvalue().encode()).hexdigest()

    assert digest(SEED) == digest(SEED)
    assert digest(SEED) != digest(SEED + 1)


def test_the_file_has_the_training_format() -> None:
    out = io.StringIO()
    count = write(out, count=2, days=20)
    lines = out.getvalue().splitlines()
    assert lines[0] == ",".join(HEADER) == "timestamp,target_value,item_id"
    assert len(lines) == count + 1
    time, kwh, item = lines[1].split(",")
    assert (time, item) == ("2024-11-04 00:00:00", "home_01")
    assert float(kwh) > 0


def test_some_twenty_households_over_two_years(series: Series) -> None:
    assert len(series) == HOUSEHOLDS == 20
    last = START + timedelta(days=DAYS) - timedelta(hours=1)
    assert all(max(values) == last for values in series.values())
    assert DAYS >= 730


def test_consumption_is_never_negative_and_of_a_homes_size(series: Series) -> None:
    for values in series.values():
        numbers = np.array(list(values.values()))
        assert numbers.min() > 0
        assert numbers.max() < 12
        assert 0.05 < numbers.mean() < 2.5


def test_evenings_are_higher_than_nights_and_winters_than_summers(series: Series) -> None:
    values = series["home_01"]
    by_hour = {hour: np.mean([v for t, v in values.items() if t.hour == hour]) for hour in (3, 20)}
    assert by_hour[20] > 2 * by_hour[3]
    by_month = {month: np.mean([v for t, v in values.items() if t.month == month]) for month in (1, 7)}
    assert by_month[1] > 1.2 * by_month[7]


def test_free_days_differ_from_work_days_and_holidays_are_free(series: Series) -> None:
    values = series["home_01"]
    noons = {t.date(): v for t, v in values.items() if t.hour == 12}
    free = np.mean([v for day, v in noons.items() if day.weekday() >= 5])
    work = np.mean([v for day, v in noons.items() if day.weekday() < 5])
    assert free > 1.25 * work
    holidays = [(1, 1), (5, 1), (12, 25)]
    of_all = [v for values in series.values() for t, v in values.items() if (t.month, t.day) in holidays]
    assert len(of_all) > 1000


def test_neighbouring_hours_are_alike_beyond_their_rhythm(series: Series) -> None:
    values = series["home_05"]
    rhythm: dict[tuple[int, bool], list[float]] = defaultdict(list)
    for time, value in values.items():
        rhythm[time.hour, time.weekday() >= 5].append(value)
    means = {key: np.mean(found) for key, found in rhythm.items()}
    rest = {t: v / means[t.hour, t.weekday() >= 5] for t, v in values.items()}
    pairs = [(rest[t], rest[t + timedelta(hours=1)]) for t in rest if t + timedelta(hours=1) in rest]
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.3


def test_every_meter_has_gaps_but_none_at_the_end(series: Series) -> None:
    for values in series.values():
        times = sorted(values)
        missing = (times[-1] - times[0]) // timedelta(hours=1) + 1 - len(times)
        assert missing > 0
        assert (times[-1] - times[-200]) < timedelta(hours=230)


def test_the_odd_households_are_odd(series: Series) -> None:
    first = {item: min(values) for item, values in series.items()}
    assert [item for item, time in first.items() if time > START + timedelta(days=300)] == ["home_12"]
    daily = Counter(t.hour for t, v in series["home_03"].items() if v < 0.15 and 4 < t.month < 9)
    assert daily.most_common(1)[0][0] in range(9, 17)  # the sun is up
    empty = np.array(list(series["home_06"].values()))
    assert np.median(empty) < 0.13
    night = series["home_09"]
    at = {hour: np.mean([v for t, v in night.items() if t.hour == hour]) for hour in (4, 12)}
    assert at[4] > 2 * at[12]
