"""Series of different ages: each is forecast among those that are about as old.

What looks at many series at once looks at all of their steps. Steps before a series began are made up, and a
method that measures its own errors there finds none: its forecasts come out far too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from forecastd.models.fallback import has_enough
from forecastd.models.history import History
from forecastd.models.quantiles import GRID
from forecastd.models.transform import Plain
from forecastd.series.frequency import Frequency

ALIKE = 1.25  # so many times as old as the youngest of its class may a series be

# Series without gaps [N, T], their frequency and the horizon -> quantiles [N, H, K].
Forecast = Callable[[np.ndarray, Frequency, int], np.ndarray]


def classes(history: History, first: np.ndarray) -> Iterator[tuple[np.ndarray | slice, int]]:
    """The series of each class, bool [N] or a slice of all, and the step at which the oldest of them begins.

    Those that are nearly as old as the history see all of it, and so do those with too few values to tell.

    Args:
        history: The series.
        first: The step at which each begins, int [N].
    """
    age = np.where(has_enough(history.values), np.maximum(history.length - first, 1), history.length)
    grade = np.floor(np.log(history.length / age) / np.log(ALIKE)).astype(int)
    grades = np.unique(grade)
    for one in grades:
        rows = grade == one if len(grades) > 1 else slice(None)
        yield rows, 0 if one == 0 else int(first[rows].min())


def by_age(history: History, longest: int, transform: type[Plain], forecast: Forecast) -> np.ndarray:
    """Quantiles [N, H, K] that ``forecast`` gives on the scale of ``transform``, class by class.

    Args:
        history: The series.
        longest: Steps of history that are used.
        transform: The scale; each series' own.
        forecast: Sees series of about the same age without gaps, up to the end of the history.
    """
    seen = history.last_steps(longest)
    cut = history.length - seen.length
    values, first = history.carried[0][:, cut:], np.maximum(history.carried[1] - cut, 0)
    known = seen.values
    if history.is_moved.any():
        since = np.where(np.arange(seen.length) < first[:, None], np.nan, values)
        known = np.where(history.is_moved[:, None], since, known)
    scale = transform(known)
    series = scale.forward(values)
    result = np.empty((seen.size, seen.horizon, len(GRID)))
    for rows, start in classes(seen, first):
        result[rows] = forecast(series[rows, start:], seen.frequency, seen.horizon)
    return scale.backward(result)
