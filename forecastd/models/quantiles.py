"""Quantile forecasts on one internal grid, and how any other quantile is read from it.

Every model forecasts the quantiles of ``GRID``. Others are interpolated on the scale of a normal
distribution's quantiles (z), on which the quantile function of a normal forecast is a straight line;
beyond the ends of the grid the last piece is extended.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

GRID = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
Z = ndtri(GRID)
MEDIAN = int(np.flatnonzero(GRID == 0.5)[0])


def at(forecast: np.ndarray, quantiles: Sequence[float], grid: np.ndarray = GRID) -> np.ndarray:
    """The asked quantiles [N, H, Q] of a forecast [N, H, K] on ``grid``."""
    return np.stack([_one(forecast, float(q), grid) for q in quantiles], axis=-1)


def told(forecast: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """The asked quantiles [N, H, Q] as people get them: in ascending order, none of them below zero where
    the forecast [N, H, K] does not reach below zero on the grid.
    """
    if not quantiles:
        return forecast[..., :0]
    read = at(forecast, quantiles)
    return ordered(np.where(forecast[..., :1] >= 0, np.maximum(read, 0.0), read))


def _one(forecast: np.ndarray, quantile: float, grid: np.ndarray) -> np.ndarray:
    exact = np.flatnonzero(np.isclose(grid, quantile, atol=1e-9))
    if exact.size:
        return forecast[..., exact[0]]
    z, knots = ndtri(quantile), ndtri(grid)
    right = int(np.clip(np.searchsorted(knots, z), 1, len(knots) - 1))
    share = (z - knots[right - 1]) / (knots[right] - knots[right - 1])
    return forecast[..., right - 1] * (1 - share) + forecast[..., right] * share


def mean(forecast: np.ndarray) -> np.ndarray:
    """The mean [N, H] of a forecast [N, H, K] on the grid: the area under its quantile function."""
    fine = (np.arange(50) + 0.5) / 50
    return np.einsum("...k,k->...", forecast, _weights(fine))


def _weights(levels: np.ndarray) -> np.ndarray:
    """How much each grid quantile adds to the average over ``levels``, [K]."""
    unit = np.eye(len(GRID))[None]  # as if each grid quantile alone were 1
    return at(unit, list(levels))[0].mean(axis=-1)


def ordered(forecast: np.ndarray) -> np.ndarray:
    """The forecast with its quantiles, the last axis, in ascending order."""
    return np.sort(forecast, axis=-1)


def pinball(actual: np.ndarray, forecast: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """Quantile loss [N, H, K] of a forecast [N, H, K]; NaN where the actual [N, H] is missing."""
    error = actual[..., None] - forecast
    return np.maximum(grid * error, (grid - 1) * error)


def normal(centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Quantiles [N, H, K] of normal distributions with the given mean and standard deviation [N, H]."""
    return centre[..., None] + spread[..., None] * Z


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: np.ndarray = GRID) -> np.ndarray:
    """Quantiles [N, K] of each row of ``values`` [N, S], whose columns weigh ``weights`` [S] or [N, S].

    Missing values weigh nothing; a row without any value gives NaN.
    """
    weights = np.where(np.isnan(values), 0.0, np.broadcast_to(weights, values.shape))
    order = np.argsort(values, axis=1)  # NaN last
    values = np.take_along_axis(values, order, axis=1)
    weights = np.take_along_axis(weights, order, axis=1)
    total = weights.sum(axis=1, keepdims=True)
    share = (np.cumsum(weights, axis=1) - 0.5 * weights) / np.where(total > 0, total, 1.0)
    columns = [_crossing(values, share, float(level)) for level in levels]
    return np.where(total > 0, np.stack(columns, axis=1), np.nan)


def _crossing(values: np.ndarray, share: np.ndarray, level: float) -> np.ndarray:
    """Each row's value where its share of weight passes ``level``, interpolated between neighbours."""
    rows = np.arange(len(values))
    usable = ~np.isnan(values)
    last = np.maximum(usable.sum(axis=1) - 1, 0)
    right = np.minimum((share < level).sum(axis=1), last)
    left = np.maximum(right - 1, 0)
    low, high = share[rows, left], share[rows, right]
    span = np.where(high > low, high - low, 1.0)
    fraction = np.clip(np.where(high > low, (level - low) / span, 1.0), 0.0, 1.0)
    return values[rows, left] * (1 - fraction) + values[rows, right] * fraction
