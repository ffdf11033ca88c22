import numpy as np
import pandas as pd
import pytest

from forecastd.models import calendar
from forecastd.models.history import History
from forecastd.models.quantiles import MEDIAN
from forecastd.models.regression import Regression
from forecastd.series.frequency import Frequency

DAYS = 14


def forecast(values: np.ndarray, times: pd.DatetimeIndex, frequency: str, horizon: int) -> pd.Series:
    """The median of the regression with the holidays of the United States, by time."""
    seen = History(
        values[None, :-horizon],
        times,
        horizon,
        Frequency.parse(frequency),
        {},
        np.zeros((1, 0), int),
        holiday_country="US",
    )
    return pd.Series(Regression().forecast(seen, 1)[0, :, MEDIAN], times[-horizon:])


def holidays(times: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    return calendar.holiday_names(times, Frequency.parse(frequency), "US") != ""


def test_a_holiday_on_a_sunday_changes_little_where_holidays_are_like_sundays() -> None:
    times = pd.date_range("2017-07-05", "2021-07-05")
    quiet = holidays(times, "D") | (times.dayofweek == 6)
    noise = np.random.default_rng(0).normal(0, 1, len(times))
    found = forecast(np.where(quiet, 50.0, 100.0) + noise, times, "D", DAYS)
    assert found["2021-07-04"] == pytest.approx(50, abs=12)  # a Sunday
    assert found["2021-07-05"] == pytest.approx(50, abs=20)  # the Monday in its place
    assert found["2021-07-02"] == pytest.approx(100, abs=8)


def test_holidays_may_have_another_day_than_others() -> None:
    times = pd.date_range("2019-07-01", "2021-07-04 23:00", freq="h")
    busy = (times.hour >= 8) & (times.hour < 18)
    usual = np.where(busy, 100.0, 40.0)
    noise = np.random.default_rng(0).normal(0, 1, len(times))
    found = forecast(np.where(holidays(times, "H"), 40.0, usual) + noise, times, "H", 24 * 4)
    holiday = found["2021-07-04"]
    assert holiday.max() - holiday.min() < 30
    assert np.ptp(found["2021-07-02"]) > 50
