"""What the calendar says about each step: phases of day, week, month and year, and public holidays.

All times are taken as local time in the one country of the predictor.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecastd.series import public_holidays
from forecastd.series.frequency import Frequency

FAR_DAYS = 15  # distances to holidays beyond this are all the same
MOST_STEPS_IN_A_DAY = 96  # finer phases of the day are merged to quarters of an hour


def day_phase(times: pd.DatetimeIndex) -> np.ndarray:
    """The quarter of an hour of the day, 0 to 95."""
    return np.asarray(times.hour * 4 + times.minute // 15, int)


def waves(turn: np.ndarray, count: int) -> np.ndarray:
    """The sine and the cosine of an angle [S], and of 2 to ``count`` times it, [S, 2 × count]."""
    table = [wave(times * turn) for times in range(1, count + 1) for wave in (np.sin, np.cos)]
    return np.stack(table, axis=1) if table else np.zeros((len(turn), 0))


def week_of_year(times: pd.DatetimeIndex) -> np.ndarray:
    """The running week of the year, 0 to 52, that always starts on January 1."""
    return np.asarray((times.dayofyear - 1) // 7, int)


def year_steps(frequency: Frequency) -> int:
    """A year in steps, in whole weeks where days are told apart, so that weekdays fall on weekdays."""
    week = round(10080 / frequency.minutes) if frequency.unit in ("min", "H", "D") else 1
    return round(frequency.steps_per_year / max(week, 1)) * max(week, 1)


def columns(times: pd.DatetimeIndex, frequency: Frequency) -> dict[str, np.ndarray]:
    """The phases that mean something at this frequency, each int [len(times)]."""
    unit = frequency.unit
    phases: dict[str, np.ndarray] = {}
    if frequency.is_within_day:
        phases["day_phase"] = day_phase(times)
    if unit in ("min", "H", "D"):
        phases["weekday"] = np.asarray(times.dayofweek, int)
        phases["day_of_month"] = np.asarray(times.day, int)
    if unit in ("min", "H", "D", "W"):
        phases["day_of_year"] = np.asarray(times.dayofyear, int)
    if unit in ("W", "M"):
        phases["month"] = np.asarray(times.month, int)
    return phases


def holiday_names(times: pd.DatetimeIndex, frequency: Frequency, country: str | None) -> np.ndarray:
    """The holiday that falls into each step, or an empty text; object [len(times)]."""
    names = np.full(len(times), "", object)
    if country is None or not len(times) or frequency.unit == "Y":
        return names
    if frequency.minutes <= 1440:
        return names_of_days(times.normalize(), country)
    dates = public_holidays.names_by_date(country, times[0].year, times[-1].year + 1)
    starts = times.to_numpy()
    for date, name in dates.items():
        position = int(np.searchsorted(starts, np.datetime64(date), side="right")) - 1
        inside = position >= 0 and date < times[position] + frequency.offset
        if inside:
            names[position] = name
    return names


def names_of_days(days: pd.DatetimeIndex, country: str) -> np.ndarray:
    """The holiday on each date, ascending, or an empty text; object [len(days)]."""
    dates = public_holidays.names_by_date(country, days[0].year, days[-1].year + 1)
    return np.array([dates.get(day, "") for day in days], object)


def days_to_holidays(times: pd.DatetimeIndex, country: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Days since the last and until the next holiday, each int [len(times)] from 0 to ``FAR_DAYS``."""
    far = np.full(len(times), FAR_DAYS)
    if country is None or not len(times):
        return far, far
    dates = sorted(public_holidays.names_by_date(country, times[0].year - 1, times[-1].year + 1))
    if not dates:
        return far, far
    holidays = np.array(dates, "datetime64[D]").astype(int)
    days = times.to_numpy().astype("datetime64[D]").astype(int)
    after = np.searchsorted(holidays, days, side="left")
    until = np.where(after < len(holidays), holidays[np.minimum(after, len(holidays) - 1)] - days, FAR_DAYS)
    before = np.searchsorted(holidays, days, side="right") - 1
    since = np.where(before >= 0, days - holidays[np.maximum(before, 0)], FAR_DAYS)
    return np.clip(since, 0, FAR_DAYS), np.clip(until, 0, FAR_DAYS)
