import numpy as np
import pandas as pd

from forecastd.models.history import History
from forecastd.models.prophet import Prophet
from forecastd.models.quantiles import MEDIAN
from forecastd.series.frequency import Frequency

HORIZON = 3


def holidays(frequency: str, times: pd.DatetimeIndex) -> dict[str, list[str]]:
    """What Prophet is told of the public holidays of the United States: names by date."""
    values = np.arange(float(len(times) - HORIZON))[None]
    history = History(
        values, times, HORIZON, Frequency.parse(frequency), {}, np.zeros((1, 0), int), holiday_country="US"
    )
    told: dict[str, list[str]] = {}
    for step, name in Prophet().one(history, 0).holidays:
        told.setdefault(str(step.date()), []).append(name)
    return told


def weeks(first: str, count: int) -> pd.DatetimeIndex:
    return pd.date_range(first, periods=count, freq="7D")


def test_a_week_has_the_holidays_of_its_seven_days_and_no_others() -> None:
    told = holidays("W", weeks("2023-10-02", 9))  # until December 3
    assert told == {
        "2023-10-09": ["Columbus Day"],
        "2023-11-06": ["Veterans Day (observed)", "Veterans Day"],
        "2023-11-20": ["Thanksgiving Day"],
    }


def test_holidays_after_the_horizon_do_not_fall_into_its_last_week() -> None:
    assert "2023-03-20" not in holidays("W", weeks("2023-01-02", 12))


def test_a_holiday_on_the_last_day_of_the_last_week_is_known() -> None:
    told = holidays("W", weeks("2023-05-02", 10))  # until Monday, July 10
    assert told["2023-07-04"] == ["Independence Day"]
    assert holidays("W", weeks("2023-04-26", 10))["2023-06-28"] == ["Independence Day"]


def test_two_holidays_of_a_week_are_both_told() -> None:
    told = holidays("W", weeks("2021-11-01", 12))
    assert told["2021-12-27"] == ["New Year's Day (observed)", "New Year's Day"]


def test_a_day_has_its_own_holiday() -> None:
    told = holidays("D", pd.date_range("2023-11-20", periods=10))
    assert told["2023-11-23"] == ["Thanksgiving Day"]


def test_a_short_straight_line_is_continued() -> None:
    """The library's own choice of optimizer takes half a minute for it, and is seven units off."""
    times = pd.date_range("2020-01-01", periods=36 + HORIZON, freq="MS")
    line = 1000 - 7.0 * np.arange(36 + HORIZON)
    history = History(line[None, :36], times, HORIZON, Frequency.parse("M"), {}, np.zeros((1, 0), int))
    median = Prophet().forecast(history, 1)[0, :, MEDIAN]
    np.testing.assert_allclose(median, line[36:], atol=1)
