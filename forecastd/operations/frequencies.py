"""Frequencies and horizons as Create requests give them: what is legal, and how long the data is."""

from typing import Any

import pandas as pd

from forecastd.errors import InvalidInput
from forecastd.series.frequency import Boundary, Frequency

MOST_STEPS = 500


def parse_frequency(text: str, member: str) -> Frequency:
    """Read a frequency.

    Raises:
        InvalidInput: it is not one of 1-59min, 1-23H, 1-6D, 1-4W, 1-11M or Y.
    """
    try:
        return Frequency.parse(text)
    except ValueError as error:
        raise InvalidInput(f"{member}: {error}") from None


def count_steps(start: str, end: str, frequency: Frequency, boundary: Boundary) -> int:
    """Count the time steps between two ISO times, both included: the length of the data at a frequency."""
    times = pd.DatetimeIndex([start.rstrip("Z"), end.rstrip("Z")])
    first, last = frequency.unit_numbers(times, boundary)
    return int(last - first) // frequency.count + 1


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
            f" {length} time steps at the frequency {frequency}. Shorten it, or import a longer history."
        )


def parse_boundary(boundary: dict[str, Any] | None, frequency: Frequency) -> Boundary:
    """Read a TimeAlignmentBoundary, which has the one member that fits the frequency.

    Raises:
        InvalidInput: it has another member, or several.
    """
    try:
        return Boundary.parse(boundary, frequency.unit)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
