"""How far apart the rows of a series are, which step of the service suits them, and both for people."""

import numpy as np
import pandas as pd

from pipeline.frequency import Frequency, Grid

STEPS = {  # seconds of a regular step, and its name
    **{60 * n: f"{n}min" for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{3600 * n: "H" if n == 1 else f"{n}H" for n in (1, 2, 3, 4, 6, 8, 12)},
    **{86400 * n: "D" if n == 1 else f"{n}D" for n in range(1, 7)},
    **{604800 * n: "W" if n == 1 else f"{n}W" for n in range(1, 5)},
}
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))  # seconds
CALENDAR_STEPS = ((28, 31, "M"), (59, 62, "2M"), (89, 92, "3M"), (181, 184, "6M"), (365, 366, "Y"))  # days
HOUR_MINUTES = 60
EVEN = 0.25  # of the typical distance: months, and instruments that are a little late, are regular
LATE = 0.02  # of the typical distance: clocks that are not exact
MOST = 0.5
FEWEST_STEPS = 8  # of a history, for a coarser step to be proposed


def typical_s(moments: pd.Series, series: pd.Series) -> float | None:
    """The typical distance of two rows of a series, in seconds; None if each has one row only.

    Args:
        moments: the time of each row. series: the number of its series.
    """
    distances = _distances_s(moments, series)
    return float(distances.median()) if len(distances) else None


def is_regular(moments: pd.Series, series: pd.Series) -> bool:
    """Whether most rows of a series come at about the same distance; those of orders or of faults do not."""
    distances = _distances_s(moments, series)
    typical = distances.median()
    return bool(((distances - typical).abs() <= EVEN * typical).mean() >= MOST)


def suiting(moments: pd.Series, series: pd.Series, steps: tuple[str, ...]) -> tuple[Frequency, float]:
    """The step for rows that come at irregular times, and the share of its steps that have a row.

    It is the first of `steps`, the finest first, most of which have a row; or else the coarsest. Steps that
    are too few to forecast from do not count.
    """
    found: tuple[Frequency, float] | None = None
    for name in steps:
        frequency = Frequency.parse(name)
        covered, all_of_them = _steps_with_rows(moments, series, frequency)
        if found and frequency.steps(moments.min(), moments.max()) < FEWEST_STEPS:
            break
        found = frequency, covered / all_of_them
        if found[1] >= MOST:
            break
    assert found is not None
    return found


def _steps_with_rows(moments: pd.Series, series: pd.Series, frequency: Frequency) -> tuple[int, int]:
    times = moments.astype("datetime64[us]").astype(np.int64)
    numbers = pd.Series(Grid(frequency, int(times.min())).steps(times.to_numpy()), index=times.index)
    grouped = numbers.groupby(series[times.index])
    return int(grouped.nunique().sum()), int((grouped.max() - grouped.min() + 1).sum())


def _distances_s(moments: pd.Series, series: pd.Series) -> pd.Series:
    """Between rows that follow each other in a series, in seconds; rows of one time are one."""
    ordered = moments.sort_values(kind="stable")
    seconds = ordered.groupby(series[ordered.index]).diff().dt.total_seconds()
    return seconds[seconds > 0]


def step_name(seconds: float) -> str:
    """The frequency whose step is about this long; for odd ones the next finer that the service knows."""
    days = seconds / 86400
    calendar = next((name for low, high, name in CALENDAR_STEPS if low <= days <= high), None)
    if calendar and seconds not in STEPS:
        return calendar
    if 27.9 < days < 28.1:
        return "4W"
    return STEPS[max((step for step in STEPS if step <= seconds * (1 + LATE)), default=60)]


def apart(seconds: float, frequency: Frequency) -> str:
    """How far apart rows are, and what of it if the service has no such step."""
    step = frequency.minutes * 60
    if frequency.unit in ("M", "Y") or seconds == step:
        return f"{frequency.span(1)} apart"
    if abs(seconds - step) <= LATE * step:
        return f"about {frequency.span(1)} apart"
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
