import numpy as np
import pandas as pd
import pytest

from forecastd.models import moving_days
from forecastd.models.earlier_years import repeated
from forecastd.models.history import History
from forecastd.models.quantiles import GRID
from forecastd.series.frequency import Frequency

AHEAD = 28
# The Korean new year, each with the day before and the day after.
SEOLLAL = [
    *("2017-01-27", "2017-01-28", "2017-01-29"),
    *("2018-02-15", "2018-02-16", "2018-02-17"),
    *("2019-02-04", "2019-02-05", "2019-02-06"),
]
DAYS = pd.date_range("2017-01-02", "2019-02-20")


def history(times: pd.DatetimeIndex, country: str | None, frequency: str = "D") -> History:
    """A hundred series with a weekly rhythm, which stand at a third on the Korean new year."""
    random = np.random.default_rng(0)
    level = np.exp(random.normal(3, 1, (100, 1))) * np.where(times.dayofweek < 5, 1.0, 0.7)
    lowered = np.where(times.isin(pd.to_datetime(SEOLLAL)), 0.35, 1.0)
    values = level * lowered * (1 + random.normal(0, 0.05, (100, len(times))))
    kind = Frequency.parse(frequency)
    return History(
        values[:, :-AHEAD], times, AHEAD, kind, {}, np.zeros((100, 0), int), holiday_country=country
    )


def before(country: str | None, date: str) -> list[str]:
    """The dates that a date comes from, newest first."""
    seen = history(DAYS, country)
    start, at = DAYS[0], DAYS.get_loc(date)
    dates = np.stack([np.arange(len(DAYS)) - 365 * ago for ago in (1, 2)])
    found = moving_days.from_their_own(dates, moving_days.of_days(seen))[:, at]
    return [str((start + pd.Timedelta(days=int(step))).date()) for step in found if 0 <= step < len(DAYS)]


def test_a_holiday_of_the_moon_comes_from_its_own_days_of_the_year_before() -> None:
    assert before("KR", "2019-02-05") == ["2018-02-16", "2017-01-28"]
    assert before("KR", "2019-02-04") == ["2018-02-15", "2017-01-27"]  # a holiday, too
    assert before("KR", "2019-02-07") == ["2018-02-18", "2017-01-30"]  # the day after all of them


def test_no_other_day_comes_from_a_holiday_that_moves() -> None:
    assert before("KR", "2019-02-16") == ["2017-02-16"]
    assert before("KR", "2019-02-14") == ["2017-02-14"]  # nor from the day before the holidays
    assert before("KR", "2019-02-20") == ["2018-02-20", "2017-02-20"]


def test_without_a_country_easter_alone_moves() -> None:
    assert before(None, "2019-02-16") == ["2018-02-16", "2017-02-16"]
    assert before(None, "2018-04-01") == ["2017-04-16"]  # Easter


def test_new_year_is_expected_when_it_comes_and_not_on_last_years_date() -> None:
    flat = np.ones((100, AHEAD, len(GRID)))
    told, untold = (
        pd.Series(repeated(history(DAYS, country), flat)[0, :, 0], DAYS[-AHEAD:]) for country in ("KR", None)
    )
    assert told["2019-02-05"] < 0.6 < untold["2019-02-05"]
    assert told["2019-02-15":"2019-02-17"].between(0.9, 1.1).all()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("country", "moving"),
    [
        ("US", 0),  # dates and weekdays of months
        ("DE", 0),  # the same, and Easter's, which move in every country
        ("JP", 0),  # days off in place of others come when they come
        ("TR", 2),
        ("GR", 4),  # the Orthodox Easter's
        ("KR", 7),
    ],
)
def test_what_moves_is_told_by_the_calendar(country: str, moving: int) -> None:
    assert len(moving_days.of_days(history(DAYS, country))) == 1 + moving


def test_a_feast_of_several_days_has_all_of_them() -> None:
    feast = moving_days.of_days(history(DAYS, "TR"))[1]
    assert list(feast.days) == [0, 1, 2]  # Eid al-Fitr
    assert "2018-06-15" in {str((DAYS[0] + pd.Timedelta(days=int(step))).date()) for step in feast.steps}


def test_a_week_that_holds_a_moving_holiday_comes_from_one_that_held_it() -> None:
    weeks = pd.date_range("2017-06-05", periods=90, freq="W-MON")
    seen = history(weeks, "KR", "W")
    dates = (np.arange(90) - 52)[None]
    found = moving_days.from_their_own(dates, moving_days.of_days(seen))[0]
    assert weeks[found[weeks.get_loc("2019-02-04")]] == pd.Timestamp("2018-02-12")
