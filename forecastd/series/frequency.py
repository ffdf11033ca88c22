"""Data and forecast frequencies: which exist, how time is cut into buckets, and how the year and day repeat.

A frequency is ``<count><unit>``. Seasonality, in steps of one unit (a multiple divides it if even):

    unit   one rhythm (``seasonality``)   all rhythms (``seasonalities``)   ARIMA and ETS (``period``)
    min    a day, 1440                    day 1440, week 10080              1: 60, 5: 12, 10: 6, 15: 4, 30: 2
    H      a day, 24                      day 24, week 168                  24
    D      a week, 7                      week 7                            7
    W      a year, 52                     year 52                           52
    M      a year, 12                     year 12                           12
    Y      none, 1                        none                              1

A multiple that does not divide a rhythm (5H in a day) has no such rhythm. Only single units have an ARIMA
and ETS period beside the minutes listed; other multiples use the one rhythm. The yearly rhythm of days and
hours is not a lag but a calendar effect, and is handled by the calendar features of the models.

Buckets bear the time at which they start. Single units start at natural boundaries (hour, midnight,
Monday, the first of the month, January), or where a custom boundary says; multiples are counted from the
first bucket of the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

UNITS = ("min", "H", "D", "W", "M", "Y")
LARGEST_COUNT = {"min": 59, "H": 23, "D": 6, "W": 4, "M": 11, "Y": 1}
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE",
    "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip
BOUNDARY_OF_UNIT = {"D": "Hour", "W": "DayOfWeek", "M": "DayOfMonth", "Y": "Month"}

EARLIEST, LATEST = pd.Timestamp(1678, 1, 1), pd.Timestamp(2261, 12, 31, 23, 59, 59)  # nanoseconds hold these

_RHYTHMS = {"min": (1440, 10080), "H": (24, 168), "D": (7,), "W": (52,), "M": (12,), "Y": ()}
_R_PERIODS = {
    "Y": 1, "M": 12, "W": 52, "D": 7, "H": 24,
    "30min": 2, "15min": 4, "10min": 6, "5min": 12, "1min": 60,
}  # fmt: skip
_MINUTES = {"min": 1, "H": 60, "D": 1440, "W": 10080, "M": 43830, "Y": 525960}  # mean length of a unit
_EPOCH_MONDAY = np.datetime64("1970-01-05", "D")
_STRING = re.compile(r"([0-9]*)(min|H|D|W|M|Y)")


@dataclass(frozen=True)
class Boundary:
    """Where a bucket starts in its unit: hour of day, weekday, day of month, or month of year."""

    hour: int = 0
    weekday: int = 0  # Monday = 0
    day_of_month: int = 1
    month: int = 1

    @classmethod
    def parse(cls, boundary: Mapping[str, object] | None, unit: str) -> Boundary:
        """The boundary that Amazon's ``TimeAlignmentBoundary`` describes.

        Raises:
            ValueError: Another member than the one that is one unit finer than ``unit``, or out of range.
        """
        if not boundary:
            return cls()
        allowed = BOUNDARY_OF_UNIT.get(unit)
        if set(boundary) != {allowed}:
            raise ValueError(
                f"TimeAlignmentBoundary {sorted(boundary)} does not fit frequency unit {unit}: "
                + (f"give {allowed} alone." if allowed else "this unit has no custom boundary.")
            )
        return cls._of(str(allowed), boundary[str(allowed)])

    @classmethod
    def _of(cls, member: str, value: object) -> Boundary:
        if member == "Hour" and _whole_number(value, 0, 23):
            return cls(hour=int(str(value)))
        if member == "DayOfMonth" and _whole_number(value, 1, 28):
            return cls(day_of_month=int(str(value)))
        if member == "DayOfWeek" and value in WEEKDAYS:
            return cls(weekday=WEEKDAYS.index(str(value)))
        if member == "Month" and value in MONTHS:
            return cls(month=MONTHS.index(str(value)) + 1)
        ranges = {
            "Hour": "0 to 23",
            "DayOfMonth": "1 to 28",
            "DayOfWeek": "MONDAY to SUNDAY",
            "Month": "JANUARY to DECEMBER",
        }
        raise ValueError(f"TimeAlignmentBoundary {member} is {value!r}: give {ranges[member]}.")


def _whole_number(value: object, low: int, high: int) -> bool:
    return str(value).isdigit() and low <= int(str(value)) <= high


@dataclass(frozen=True, order=False)
class Frequency:
    """A forecast or data frequency such as 15min, H, D, 2W, 3M or Y."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Frequency:
        """The frequency that ``text`` names; a bare unit counts as one.

        Raises:
            ValueError: A sentence with the value and what is allowed.
        """
        match = _STRING.fullmatch(text or "")
        if not match:
            raise ValueError(
                f"Frequency {text!r} is not valid: give a whole number and one of the units "
                "min, H, D, W, M, Y, such as 15min, H, D, 2W, 3M or Y."
            )
        count, unit = int(match[1] or 1), match[2]
        if not 1 <= count <= LARGEST_COUNT[unit]:
            limit = LARGEST_COUNT[unit]
            remedy = "only Y itself is allowed" if unit == "Y" else f"{unit} takes 1 to {limit}"
            raise ValueError(
                f"Frequency {text!r} is not valid: {remedy}; use the next larger unit beyond that."
            )
        return cls(count, unit)

    def __str__(self) -> str:
        return self.unit if self.count == 1 else f"{self.count}{self.unit}"

    @property
    def minutes(self) -> float:
        """Length of one step in minutes (of an average month or year); orders frequencies by coarseness."""
        return self.count * _MINUTES[self.unit]

    @property
    def offset(self) -> pd.DateOffset:
        """One step as a pandas offset that keeps any boundary (a 15th stays a 15th)."""
        argument = {"min": "minutes", "H": "hours", "D": "days", "W": "weeks", "M": "months", "Y": "years"}
        step: dict[str, Any] = {argument[self.unit]: self.count}
        return pd.DateOffset(**step)

    @property
    def seasonalities(self) -> tuple[int, ...]:
        """Lengths in steps of the rhythms that repeat evenly, shortest first; see the table above."""
        rhythms = (rhythm // self.count for rhythm in _RHYTHMS[self.unit] if rhythm % self.count == 0)
        return tuple(steps for steps in rhythms if steps > 1)

    @property
    def seasonality(self) -> int:
        """Length in steps of the main rhythm, 1 where there is none."""
        return self.seasonalities[0] if self.seasonalities else 1

    @property
    def period(self) -> int:
        """Season length for ARIMA and ETS: the table of the R package that Amazon builds on."""
        name = "1min" if (self.count, self.unit) == (1, "min") else str(self)
        return _R_PERIODS.get(name, self.seasonality if self.unit != "min" else 1)

    @property
    def is_within_day(self) -> bool:
        """Whether a day has several steps."""
        return self.unit in ("min", "H")

    def steps_of(self, usual: Mapping[str, int]) -> int:
        """A number of steps that is given for each unit; of a multiple, the part that lasts as long. Minutes
        are given for any multiple.
        """
        return usual[self.unit] // (self.count if self.unit != "min" else 1)

    @property
    def steps_per_year(self) -> float:
        """Mean number of steps in a year."""
        return _MINUTES["Y"] / self.minutes

    def unit_numbers(self, times: pd.DatetimeIndex, boundary: Boundary) -> np.ndarray:
        """The running number of the unit that each time falls into, int64 [len(times)]."""
        if self.unit in ("M", "Y"):
            return self._calendar_numbers(times, boundary)
        minutes = times.to_numpy().astype("datetime64[m]").astype(np.int64)
        if self.unit == "D":
            minutes = minutes - 60 * boundary.hour
        if self.unit == "W":
            minutes = (
                minutes - _EPOCH_MONDAY.astype("datetime64[m]").astype(np.int64) - 1440 * boundary.weekday
            )
        return np.floor_divide(minutes, _MINUTES[self.unit])

    def _calendar_numbers(self, times: pd.DatetimeIndex, boundary: Boundary) -> np.ndarray:
        shifted = times - pd.Timedelta(days=boundary.day_of_month - 1) if self.unit == "M" else times
        months = shifted.year.to_numpy(np.int64) * 12 + shifted.month.to_numpy(np.int64) - 1
        return months if self.unit == "M" else np.floor_divide(months - (boundary.month - 1), 12)

    def unit_starts(self, numbers: np.ndarray, boundary: Boundary) -> pd.DatetimeIndex:
        """The time at which each unit starts: the inverse of ``unit_numbers``."""
        if self.unit in ("M", "Y"):
            months = numbers if self.unit == "M" else numbers * 12 + boundary.month - 1
            days = (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
            return pd.DatetimeIndex((days + (boundary.day_of_month - 1)).astype("datetime64[ns]"))
        minutes = numbers * _MINUTES[self.unit]
        if self.unit == "D":
            minutes = minutes + 60 * boundary.hour
        if self.unit == "W":
            minutes = (
                minutes + _EPOCH_MONDAY.astype("datetime64[m]").astype(np.int64) + 1440 * boundary.weekday
            )
        return pd.DatetimeIndex(minutes.astype("datetime64[m]").astype("datetime64[ns]"))

    def after(self, last: pd.Timestamp, steps: int) -> pd.DatetimeIndex:
        """The ``steps`` bucket starts that follow the bucket starting at ``last``."""
        return pd.DatetimeIndex([last + self.offset * step for step in range(1, steps + 1)])
