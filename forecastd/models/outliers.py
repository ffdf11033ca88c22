"""Single values so far outside of everything else of their series that they must be slips.

A price in the column of quantities, a comma in the wrong place: one such value decides the scale, the trend
and the width of whatever is learnt from it. The models see it as a gap. Where accuracy is measured it
counts as it was recorded.

    recorded   99 104 97 100000 101 98        recorded   99 104 97 2000 101 98
    modelled   99 104 97      – 101 98        modelled   99 104 97 2000 101 98

What may be an event stays: what came three times, or on two steps in a row, and what is not even fifty times
as far from the middle of the series as the rest of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forecastd.series.panel import Panel
from forecastd.series.windows import parts

FAR = 50.0  # times the distance of everything else from the median, and times the median
RARE = 0.01  # of a series' values, but at least one
MOST = 2  # in a series: what comes more often is a kind of event
LEAST_VALUES = 20  # of a series, to know what it is like
SUSPECT = FAR / 2 - 1  # times the third largest size; whatever is FAR is beyond it
SERIES_AT_A_TIME = 10_000  # bounds the memory of the look at them


def without_outliers(panel: Panel, origins: Sequence[int] = ()) -> Panel:
    """The panel with slips as gaps.

    Args:
        panel: All series.
        origins: Steps from which on backtests hold the values back: the values before each are judged
            without them.
    """
    slips = np.zeros(panel.values.shape, bool)
    for begin, end in parts(panel.length, origins):
        for low in range(0, panel.size, SERIES_AT_A_TIME):
            values = panel.values[low : low + SERIES_AT_A_TIME, :end]
            rows = _suspects(values)
            slips[low + rows, begin:end] = _outliers(values[rows])[:, begin:]
    slips &= panel.observed
    if not slips.any():
        return panel
    return replace(panel, values=np.where(slips, np.nan, panel.values))


def _suspects(values: np.ndarray) -> np.ndarray:
    """Positions of the series [N, T] that may have an outlier: a quick look at all of them."""
    if values.shape[1] < LEAST_VALUES:
        return np.zeros(0, int)
    known = ~np.isnan(values)
    largest = np.partition(np.where(known, np.abs(values), 0.0), [-MOST - 1, -1], axis=1)
    lonely = largest[:, -1] > SUSPECT * largest[:, -MOST - 1]
    return np.flatnonzero(lonely & (known.sum(axis=1) >= LEAST_VALUES))


def _outliers(values: np.ndarray) -> np.ndarray:
    """Which values [N, T] are outliers of their series."""
    middle = np.nanmedian(values, axis=1, keepdims=True)
    distance = np.nan_to_num(np.abs(values - middle), nan=0.0)
    count = np.sum(~np.isnan(values), axis=1)
    allowed = np.clip(RARE * count, 1, MOST).astype(int)
    rest = np.take_along_axis(-np.sort(-distance, axis=1), allowed[:, None], 1)  # the farthest of it
    unit = np.maximum(rest, np.abs(middle))
    far = (distance > FAR * unit) & (unit > 0)
    lasting = far[:, 1:] & far[:, :-1]
    far[:, 1:][lasting] = far[:, :-1][lasting] = False
    return far
