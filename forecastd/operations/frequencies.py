"""Frequencies and horizons as Create requests give them: what is legal, and how long the data is."""

import datetime as dt
import math
from typing import Any

from forecastd.errors import InvalidInput
from forecastd.series.frequency import Frequency

_SECONDS = {"min": 60, "H": 3600, "D": 86400, "W": 7 * 86400, "M": 30 * 86400, "Y": 365 * 86400}
MOST_STEPS = 500

_BOUNDARY_MEMBERS = {"D": "Hour", "W": "DayOfWeek", "M": "DayOfMonth", "Y": "Month"}


def parse_frequency(text: str, member: str) -> Frequency:
    """Read a frequency.

    Raises:
        InvalidInput: it is not one of 1-59min, 1-23H, 1-6D, 1-4W, 1-11M or Y.
    """
    try:
        return Frequency.parse(text)
    except ValueError as error:
        raise InvalidInput(f"{member}: {error}") from None


def rough_seconds(frequency: Frequency) -> int:
    """Give the length of a step in seconds, with months of 30 and years of 365 days: good for comparing."""
    return frequency.count * _SECONDS[frequency.unit]


def count_steps(start: str, end: str, frequency: Frequency) -> int:
    """Count the time steps between two ISO times, both included: the length of the data at a frequency."""
    first, last = (dt.datetime.fromisoformat(text.rstrip("Z")) for text in (start, end))
    if frequency.unit in ("M", "Y"):
        months = (last.year - first.year) * 12 + last.month - first.month
        return months // (frequency.count * (12 if frequency.unit == "Y" else 1)) + 1
    span = _floor(last, frequency.unit) - _floor(first, frequency.unit)
    return math.floor(span.total_seconds() / rough_seconds(frequency)) + 1


def check_horizon(horizon: int, length: int, most: int, frequency: str) -> None:
    """Check a forecast horizon against the length of the data.

    Args:
        length: time steps in the target time series.
        most: the longest horizon that the data is enough for.

    Raises:
        InvalidInput: it is not positive, or too long.
    """
    if horizon < 1:
        raise InvalidInput(f"The ForecastHorizon is {horizon}; it must be at least 1.")
    limit = min(MOST_STEPS, most)
    if horizon > limit:
        raise InvalidInput(
            f"The ForecastHorizon is {horizon}, but can be at most {limit}: the target time series has"
            f" {length} time steps at the frequency {frequency}. Ask for a shorter horizon or import a longer history."
        )


def check_boundary(boundary: dict[str, Any] | None, frequency: Frequency) -> None:
    """Check that a TimeAlignmentBoundary has the one member that fits the frequency.

    Raises:
        InvalidInput: it has another member, or several.
    """
    if boundary is None:
        return
    fitting = _BOUNDARY_MEMBERS.get(frequency.unit)
    if fitting is None:
        raise InvalidInput("TimeAlignmentBoundary can be given for daily and coarser frequencies only.")
    if list(boundary) != [fitting]:
        raise InvalidInput(
            f"TimeAlignmentBoundary has {', '.join(boundary) or 'nothing'}; with the ForecastFrequency"
            f" {frequency.count}{frequency.unit} it must have {fitting} and nothing else."
        )


def _floor(time: dt.datetime, unit: str) -> dt.datetime:
    if unit == "W":
        return (time - dt.timedelta(days=time.weekday())).replace(hour=0, minute=0, second=0)
    if unit == "D":
        return time.replace(hour=0, minute=0, second=0)
    return time.replace(minute=0, second=0) if unit == "H" else time.replace(second=0)
