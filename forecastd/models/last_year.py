"""Last year: what a year of weeks, of which the history holds only one, tells of the same weeks to come.

One year is too little to tell the rhythm of a single series from chance, and models of level and rhythm leave
it alone. But many series show what a week was like for all of them, and the weeks that have come round a
second time show how much of that comes back:

    common[t]   how far the series stood off their own levels at t: the median over all, as a share
    back        how much of common[t - year] came back in common[t], measured and drawn towards nothing
    forecast of t × (1 + back × common[t - year])

So Christmas is forecast from one Christmas where other holidays came back before, and nothing happens where
the weeks of a year have nothing in common.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from forecastd.models.history import LEAST_CYCLES, History

AROUND = 9  # steps whose median is the level of the one in the middle
EDGE = AROUND // 2  # steps at both ends of a history, whose level is not known well
LEAST_PAIRS = 8  # weeks that have come round
PROOF = 2.0  # squared standard errors by which what came back is drawn towards nothing
MOST_SERIES = 2000  # more do not change what they have in common


def repeated(history: History, forecast: np.ndarray) -> np.ndarray:
    """A forecast [N, H, K] that knows no rhythm of the year, with what comes back of the last year."""
    factor = _factor(history)
    return forecast if factor is None else forecast * factor[None, :, None]


def _factor(history: History) -> np.ndarray | None:
    """By how much all series stand higher at each step of the horizon, [H]; None where nothing is known."""
    year, length = history.frequency.seasonality, history.length
    pairs = length - year - 2 * EDGE
    if history.frequency.unit != "W" or pairs < LEAST_PAIRS or length >= LEAST_CYCLES * year:
        return None
    common = _common(history)
    now, then = common[year + EDGE : length - EDGE], common[EDGE : length - year - EDGE]
    back = _share(now, then)
    ahead = common[length - year + np.arange(history.horizon) % year]
    return 1 + back * ahead


def _common(history: History) -> np.ndarray:
    """How far the series stand off their own levels at each step, as a share: the median over all, [T]."""
    some = np.linspace(0, history.size - 1, min(history.size, MOST_SERIES)).astype(int)
    values = history.filled[some]
    usual = np.abs(values).mean(axis=1, keepdims=True)
    off = (values - median_filter(values, size=(1, AROUND), mode="nearest")) / np.where(usual > 0, usual, 1.0)
    begun = np.arange(history.length) >= history.first[some, None]
    counts = begun.any(axis=0)
    common = np.zeros(history.length)
    common[counts] = np.nanmedian(np.where(begun, off, np.nan)[:, counts].clip(-1, 1), axis=0)
    return common


def _share(now: np.ndarray, then: np.ndarray) -> float:
    """How much of ``then`` [S] is in ``now`` [S], 0 to 1: by least squares, less by what may be chance.

    Source: the positive part estimator of W. James and C. Stein (1961).
    """
    size = float(then @ then)
    slope = float(now @ then) / size if size > 0 else 0.0
    if slope <= 0:
        return 0.0
    chance = float(np.sum((now - slope * then) ** 2)) / (len(now) - 1) / size
    return min(slope * max(0.0, 1 - PROOF * chance / slope**2), 1.0)
