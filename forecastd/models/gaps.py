"""Gaps that were filled with a value which the series cannot have had.

Amazon's rules fill a gap with zero, and a zero counts when accuracy is measured. A model would take it for
a collapse. So where gaps are rare and the value that fills them lies far outside of all that was observed,
the models see the gap as a gap. Where it is common, or near to what was observed, it is demand of nothing;
where it falls on a holiday, it is what a holiday does.

In a backtest, a gap before a window is judged on what was known at the start of that window.

    observed   8.1 8.3 7.9  –  8.2        observed   2 1  –  3  –  –  1
    filled     8.1 8.3 7.9  0  8.2        filled     2 1  0  3  0  0  1
    modelled   8.1 8.3 7.9  –  8.2        modelled   2 1  0  3  0  0  1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forecastd.models.calendar import holiday_names
from forecastd.series.filling import spans
from forecastd.series.panel import Panel
from forecastd.series.windows import parts

RARE = 0.05  # of a series' steps
FAR = 1.0  # times the range of its middle nine tenths, beyond its least and largest value


def reopened(panel: Panel, origins: Sequence[int] = ()) -> Panel:
    """The panel with impossible fillings as gaps again.

    Args:
        panel: All series.
        origins: Steps from which on backtests hold the values back: the gaps before each are judged without
            them.
    """
    filled = ~panel.observed & ~np.isnan(panel.values)
    if not filled.any():
        return panel
    ordinary = holiday_names(panel.times, panel.frequency, panel.holiday_country) == ""
    impossible = np.zeros(filled.shape, bool)
    for begin, end in parts(panel.length, origins):
        gaps = filled[:, :end]
        judged = gaps & ordinary[:end] & (np.arange(end) >= begin)
        suspects = judged.any(axis=1) & _rare(panel.observed[:, :end], gaps)
        for row in np.flatnonzero(suspects):
            far = _far(panel.values[row, :end], panel.observed[row, :end])
            impossible[row, :end] |= judged[row] & far
    if not impossible.any():
        return panel
    return replace(panel, values=np.where(impossible, np.nan, panel.values))


def _rare(observed: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Whether a series has few gaps between its first and its last row, bool [N]."""
    first, last = spans(observed)
    return filled.sum(axis=1) <= RARE * np.maximum(last - first + 1, 1)


def _far(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Which steps lie far outside of the observed values, bool [T]."""
    known = values[observed & ~np.isnan(values)]
    if not known.size:
        return np.zeros(len(values), bool)
    low, high = np.quantile(known, [0.05, 0.95])
    room = FAR * (high - low)
    return (values < known.min() - room) | (values > known.max() + room)
