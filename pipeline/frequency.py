"""Frequencies as the forecasting API writes them: `15min`, `2H`, `D`, `3M`."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Unit: the largest count (a larger one would be the next unit), and its length in minutes for comparisons.
UNITS = {
    "min": (59, 1),
    "H": (23, 60),
    "D": (6, 24 * 60),
    "W": (4, 7 * 24 * 60),
    "M": (11, 30.4375 * 24 * 60),
    "Y": (1, 365.25 * 24 * 60),
}
MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
_LENGTH_US = {"min": MINUTE_US, "H": 60 * MINUTE_US, "D": DAY_US, "W": 7 * DAY_US}
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE",
    "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip
RULE = "use a whole number and a unit: 1-59 min, 1-23 H, 1-6 D, 1-4 W, 1-11 M, or Y"


@dataclass(frozen=True)
class Frequency:
    """A step in time: a count of `min`, `H`, `D`, `W`, `M` or `Y`."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Frequency":
        """The frequency that the text names.

        Raises:
            ValueError: with a sentence that says what is allowed.
        """
        match = re.fullmatch(r"([0-9]{0,2})(min|[HDWMY])", text)
        if not match:
            raise ValueError(f"{text!r} is no frequency; {RULE}")
        count, unit = int(match.group(1) or 1), match.group(2)
        if not 1 <= count <= UNITS[unit][0]:
            raise ValueError(f"{text!r} is out of range; {RULE}")
        return cls(count, unit)

    def __str__(self) -> str:
        return self.unit if self.count == 1 and self.unit != "min" else f"{self.count}{self.unit}"

    @property
    def minutes(self) -> float:
        """Its (mean) length."""
        return self.count * UNITS[self.unit][1]

    @property
    def needs_time_of_day(self) -> bool:
        return self.unit in ("min", "H")

    @property
    def words(self) -> str:
        """The step for people: `hour`, `15 minutes`, `day`."""
        name = {"min": "minute", "H": "hour", "D": "day", "W": "week", "M": "month", "Y": "year"}[self.unit]
        return name if self.count == 1 else f"{self.count} {name}s"

    def span(self, steps: int) -> str:
        """So many steps for people: `24 hours`, `8 weeks`."""
        name = Frequency(1, self.unit).words
        total = steps * self.count
        return f"{total} {name}{'' if total == 1 else 's'}"

    def steps(self, first: dt.datetime, last: dt.datetime) -> int:
        """How many steps the time from first to last covers, both included."""
        if self.unit in ("M", "Y"):
            months = (last.year - first.year) * 12 + last.month - first.month
            return months // (self.count * (12 if self.unit == "Y" else 1)) + 1
        step_s = self.minutes * 60
        return int((last - first).total_seconds() // step_s) + 1


@dataclass(frozen=True)
class Grid:
    """The steps into which the service sorts times: by default from midnight, Monday, the first of a month.

    Times are microseconds since 1970 without a zone; steps of several units are counted from the first time.
    """

    frequency: Frequency
    first_us: int
    boundary: Mapping[str, Any] = field(default_factory=dict)  # the API's TimeAlignmentBoundary

    def steps(self, times_us: np.ndarray) -> np.ndarray:
        """The number of the step that each time belongs to, from the step of the first time on."""
        origin = self._units(np.array([self.first_us]))[0]
        return (self._units(times_us) - origin) // self._count

    def is_on(self, times_us: np.ndarray) -> np.ndarray:
        """Which times are the very beginning of a unit, and of a step of several units."""
        begins = self._unit_starts(times_us) == times_us
        origin = self._units(np.array([self.first_us]))[0]
        return begins & ((self._units(times_us) - origin) % self._count == 0)

    @property
    def _count(self) -> int:
        return self.frequency.count * (12 if self.frequency.unit == "Y" else 1)

    @property
    def _offset_us(self) -> int:
        """How much later than by default a day or a week begins, or a month."""
        given, unit = self.boundary, self.frequency.unit
        if unit == "D" and "Hour" in given:
            return int(given["Hour"]) * 60 * MINUTE_US
        if unit == "M" and "DayOfMonth" in given:
            return (int(given["DayOfMonth"]) - 1) * DAY_US
        if unit == "W":  # 1970 began on a Thursday
            return (WEEKDAYS.index(given.get("DayOfWeek", "MONDAY")) - 3) * DAY_US
        return 0

    def _units(self, times_us: np.ndarray) -> np.ndarray:
        """Whole units since 1970; a year counts as twelve months, from its first month on."""
        shifted = times_us - self._offset_us
        if self.frequency.unit not in ("M", "Y"):
            return shifted // _LENGTH_US[self.frequency.unit]
        months = shifted.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        if self.frequency.unit == "M":
            return months
        begin = MONTHS.index(self.boundary.get("Month", "JANUARY"))
        return (months - begin) // 12 * 12

    def _unit_starts(self, times_us: np.ndarray) -> np.ndarray:
        units = self._units(times_us)
        if self.frequency.unit not in ("M", "Y"):
            return units * _LENGTH_US[self.frequency.unit] + self._offset_us
        begin = MONTHS.index(self.boundary.get("Month", "JANUARY")) if self.frequency.unit == "Y" else 0
        starts = (units + begin).astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
        return starts + self._offset_us
