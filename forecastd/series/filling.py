"""Filling of missing values: gaps inside a series, after its last value, and in the horizon.

    front fill     middle fill            back fill        future fill
    |  (never)  x x x . . x x x . x x x | . . . . . . . . | (related series only)
    global start    first own value      last own value     global end        end of horizon

``mean``, ``median``, ``min`` and ``max`` look at the 64 most recent values before the gap.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from forecastd.errors import JobFailed

LOOK_BACK = 64  # entries that the rolling statistics see
TARGET_DEFAULTS = {"frontfill": "none", "middlefill": "zero", "backfill": "zero"}
_STATISTICS: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.nanmean,
    "median": np.nanmedian,
    "min": np.nanmin,
    "max": np.nanmax,
}
METHODS = ("zero", "nan", "value", *_STATISTICS)
_CHUNK = 1 << 16  # gaps worked on at a time; bounds memory


def fill(
    values: np.ndarray, known: np.ndarray, missing: np.ndarray, method: str, value: str | None = None
) -> None:
    """Fill ``values[missing]`` in place.

    Args:
        values: [N, T], NaN where nothing is known.
        known: Which cells are the series' own values, not filled in, bool [N, T].
        missing: Which cells to fill, bool [N, T]; the other NaN cells stay.
        method: One of ``METHODS``; ``nan`` leaves the cells missing.
        value: The number, as a string, that method ``value`` fills in.

    Raises:
        JobFailed: Unknown method, or a value that is no number.
    """
    if method == "nan" or not missing.any():
        return
    if method in ("zero", "value"):
        values[missing] = 0.0 if method == "zero" else _number(value)
    elif method in _STATISTICS:
        _fill_from_the_past(values, known, missing, method)
    else:
        raise JobFailed(f"Filling method {method!r} is unknown: give one of {', '.join(METHODS)}.")


def _number(value: str | None) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise JobFailed(
            f"Filling method value needs a number, not {value!r}: give middlefill_value and the like."
        ) from None


def _fill_from_the_past(values: np.ndarray, known: np.ndarray, missing: np.ndarray, method: str) -> None:
    """One statistic for each gap, of the values known before it in its own row."""
    flat = values[known]
    before = np.cumsum(known, axis=1)  # [N, T] known values up to and with this column
    first_of_row = np.concatenate([[0], np.cumsum(before[:, -1])[:-1]])
    starts = missing.copy()
    starts[:, 1:] &= ~missing[:, :-1]
    gap_rows, gap_columns = np.nonzero(starts)
    filled = np.empty(len(gap_rows))
    for low in range(0, len(gap_rows), _CHUNK):
        part = slice(low, low + _CHUNK)
        end = first_of_row[gap_rows[part]] + before[gap_rows[part], gap_columns[part]]
        filled[part] = _statistic(flat, first_of_row[gap_rows[part]], end, method)
    gap_of_cell = np.cumsum(starts.ravel())[missing.ravel()] - 1
    values[missing] = filled[gap_of_cell]


def _statistic(flat: np.ndarray, low: np.ndarray, end: np.ndarray, method: str) -> np.ndarray:
    """The statistic over ``flat[max(low, end - 64) : end]`` for each gap; NaN where that is empty."""
    index = end[:, None] - 1 - np.arange(LOOK_BACK)[None, :]  # [gaps, 64]
    inside = index >= low[:, None]
    window = np.where(inside, flat[np.clip(index, 0, None)] if flat.size else 0.0, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a gap with nothing before it stays missing
        return _STATISTICS[method](window, axis=1)


def spans(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last known step of each row, int [N]; rows without any have first = T and last = -1."""
    length = known.shape[1]
    some = known.any(axis=1)
    first = np.where(some, known.argmax(axis=1), length)
    last = np.where(some, length - 1 - known[:, ::-1].argmax(axis=1), -1)
    return first, last


def fill_series(values: np.ndarray, rules: Mapping[str, str], global_steps: int) -> None:
    """Apply ``middlefill``, ``backfill`` and ``futurefill`` of ``rules`` to a [N, T or T+H] array, in place.

    Args:
        values: NaN where nothing is known.
        rules: Method per filling, and ``<filling>_value`` for method ``value``; absent means leave missing.
        global_steps: T, the number of steps up to the global end of the target.
    """
    known = ~np.isnan(values)
    first, last = spans(known)
    step = np.arange(values.shape[1])[None, :]
    started = step > first[:, None]
    before_last = step < last[:, None]
    areas = {
        "middlefill": started & before_last & ~known,
        "backfill": started & ~before_last & ~known & (step < global_steps),
        "futurefill": started & ~before_last & ~known & (step >= global_steps),
    }
    for name, area in areas.items():
        if name in rules:
            fill(values, known, area, rules[name], rules.get(f"{name}_value"))
