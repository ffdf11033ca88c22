"""How far apart the rows of a series are, which step of the service suits them, and both for people."""

import pandas as pd

from pipeline.frequency import Frequency

STEPS = {  # seconds of a regular step, and its name
    **{60 * n: f"{n}min" for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{3600 * n: "H" if n == 1 else f"{n}H" for n in (1, 2, 3, 4, 6, 8, 12)},
    **{86400 * n: "D" if n == 1 else f"{n}D" for n in range(1, 7)},
    **{604800 * n: "W" if n == 1 else f"{n}W" for n in range(1, 5)},
}
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))  # seconds
CALENDAR_STEPS = ((28, 31, "M"), (59, 62, "2M"), (89, 92, "3M"), (181, 184, "6M"), (365, 366, "Y"))  # days
HOUR_MINUTES = 60


def typical_s(moments: pd.Series, series: pd.Series) -> float | None:
    """The typical distance of two rows of a series, in seconds; None if each has one row only.

    Args:
        moments: the time of each row. series: the number of its series.
    """
    distances = _distances_s(moments, series)
    return float(distances.median()) if len(distances) else None


def _distances_s(moments: pd.Series, series: pd.Series) -> pd.Series:
    """Between rows that follow each other in a series, in seconds; rows of one time are one."""
    ordered = moments.sort_values(kind="stable")
    seconds = ordered.groupby(series[ordered.index]).diff().dt.total_seconds()
    return seconds[seconds > 0]


def step_name(seconds: float) -> str:
    """The frequency whose step is this long; for odd ones the next finer that the service knows."""
    days = seconds / 86400
    calendar = next((name for low, high, name in CALENDAR_STEPS if low <= days <= high), None)
    if calendar and seconds not in STEPS:
        return calendar
    if 27.9 < days < 28.1:
        return "4W"
    return STEPS[max((step for step in STEPS if step <= seconds), default=60)]


def apart(seconds: float, frequency: Frequency) -> str:
    """How far apart rows are, and what of it if the service has no such step."""
    step = frequency.minutes * 60
    if frequency.unit in ("M", "Y") or seconds == step:
        return f"{frequency.span(1)} apart"
    how = "next finer" if step < seconds else "finest"
    return f"{distance(seconds)} apart; the {how} step of the service is {frequency.span(1)}"


def distance(seconds: float) -> str:
    """A time for people, in the largest unit of which there is one: `7 minutes`, `about 2.4 hours`."""
    length, name = next((unit for unit in UNITS if seconds >= unit[0]), UNITS[-1])
    count = float(f"{seconds / length:.2g}") if seconds < 100 * length else round(seconds / length)
    is_rounded = abs(count * length - seconds) > 0.001 * seconds
    return f"{'about ' if is_rounded else ''}{count:g} {name}{'' if count == 1 else 's'}"


def ahead(frequency: Frequency, steps: int) -> str:
    """So many steps for people: whole hours rather than minutes."""
    minutes = steps * frequency.count
    is_hours = frequency.unit == "min" and minutes % HOUR_MINUTES == 0
    return Frequency(1, "H").span(minutes // HOUR_MINUTES) if is_hours else frequency.span(steps)
