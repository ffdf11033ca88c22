"""Frequencies as the forecasting API writes them: `15min`, `2H`, `D`, `3M`."""

import datetime as dt
import re
from dataclasses import dataclass

# Unit: the largest count (a larger one would be the next unit), and its length in minutes for comparisons.
UNITS = {
    "min": (59, 1),
    "H": (23, 60),
    "D": (6, 24 * 60),
    "W": (4, 7 * 24 * 60),
    "M": (11, 30.4375 * 24 * 60),
    "Y": (1, 365.25 * 24 * 60),
}
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
        match = re.fullmatch(r"(\d{0,2})(min|[HDWMY])", text)
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
