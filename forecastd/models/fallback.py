"""A forecast for every series that the models cannot serve, with a label that says how it was made.

label               series                              method
model               at least 5 values                   the trained models
seasonal naive      the same, but they have no answer   the last season again, spread as it usually errs
short history       1 to 4 values                       their mean, spread as is usual off zero in the panel
cold start          no value, others have some          mixture of the forecasts of the items most alike
no data             no value anywhere                   zero
"""

from __future__ import annotations

import numpy as np

from forecastd.models.history import History
from forecastd.models.naive import SeasonalNaive
from forecastd.models.quantiles import GRID, MEDIAN, normal, ordered

ENOUGH_VALUES = 5
MODEL, NAIVE, SHORT, COLD, NOTHING = "model", "seasonal naive", "short history", "cold start", "no data"
USUAL_SPREAD = 0.5  # of the level, where no other series tells
LEAST_SPREAD = 0.05
MOST_MIXED = 500  # series in a mixture; more change nothing


def has_enough(values: np.ndarray) -> np.ndarray:
    """Which series have enough values to be modelled, bool [N]."""
    return (~np.isnan(values)).sum(axis=1) >= ENOUGH_VALUES


def completed(history: History, forecast: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The forecast [N, H, K] with every missing series filled in, ordered and finite, and a label per
    series; one that has never been negative is not forecast to be.
    """
    result, naive = with_naive(history, np.array(forecast, np.float64))
    counts = (~np.isnan(history.values)).sum(axis=1)
    missing = ~np.isfinite(result).all(axis=(1, 2))
    labels = np.where(naive, NAIVE, np.where(missing, SHORT, MODEL)).astype(object)
    short = missing & (counts > 0)
    if short.any():
        result[short] = _short(history, short, result[~missing])
    cold = missing & (counts == 0)
    if cold.any():
        labels[cold] = NOTHING if cold.all() else COLD
        result[cold] = 0.0 if cold.all() else _alike(history.static, cold, result)
    never_negative = (counts > 0) & (np.where(np.isnan(history.values), 0.0, history.values).min(axis=1) >= 0)
    result[never_negative] = np.maximum(result[never_negative], 0.0)
    return ordered(result), list(labels)


def with_naive(history: History, forecast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The forecast [N, H, K] in which series with enough values, but no answer, got the seasonal naive one;
    and which those are, bool [N].
    """
    naive = has_enough(history.values) & ~np.isfinite(forecast).all(axis=(1, 2))
    if naive.any():
        forecast = forecast.copy()
        forecast[naive] = SeasonalNaive().forecast(history.only(naive), threads=1)
    return forecast, naive


def _short(history: History, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    values = history.values[rows]
    known = ~np.isnan(values)
    level = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    deviation = np.where(known, np.abs(values - level[:, None]), 0.0).max(axis=1)
    spread = np.maximum(deviation, _relative_spread(others) * np.abs(level))
    shape = (len(level), history.horizon)
    return normal(np.broadcast_to(level[:, None], shape), np.broadcast_to(spread[:, None], shape))


def _relative_spread(others: np.ndarray) -> float:
    """The usual width of a forecast against its level, as a standard deviation: the median over series.

    Those that are mostly near zero do not count: against a level of next to nothing any width is enormous,
    and a short history that lies far from zero has nothing to do with it.
    """
    if not len(others):
        return USUAL_SPREAD
    p10, p90 = int(np.flatnonzero(GRID == 0.1)[0]), int(np.flatnonzero(GRID == 0.9)[0])
    width = (others[..., p90] - others[..., p10]).mean(axis=1) / 2.56
    level = np.abs(others[..., MEDIAN]).mean(axis=1)
    is_off_zero = (level > 0) & (level >= width)
    share = width[is_off_zero] / level[is_off_zero]
    return max(float(np.median(share)), LEAST_SPREAD) if share.size else USUAL_SPREAD


def _alike(static: np.ndarray, cold: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """For each cold series the mixture of all series with the same metadata, of all series where none has
    it.
    """
    profiles, group = np.unique(static, axis=0, return_inverse=True) if static.shape[1] else (None, None)
    group = np.zeros(len(static), int) if profiles is None else np.asarray(group).ravel()
    warm = np.flatnonzero(~cold)
    warm = warm[np.argsort(group[warm], kind="stable")]
    wanted, place = np.unique(group[cold], return_inverse=True)
    begins, ends = (np.searchsorted(group[warm], wanted, side=side) for side in ("left", "right"))
    of_all = _mixture(forecast, np.sort(warm))
    mixtures = [
        _mixture(forecast, warm[low:high]) if low < high else of_all
        for low, high in zip(begins, ends, strict=True)
    ]
    return np.stack(mixtures)[place]


def _mixture(forecasts: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Quantiles [H, K] of the equal mixture of some of the forecasts [N, H, K]."""
    some = forecasts[members[np.linspace(0, len(members) - 1, min(len(members), MOST_MIXED)).astype(int)]]
    levels = np.linspace(0.02, 0.98, 25)
    fine = np.stack([_interpolate(some, level) for level in levels], axis=-1)  # [M, H, 25]
    pooled = np.moveaxis(fine, 1, 0).reshape(fine.shape[1], -1)
    return np.quantile(pooled, GRID, axis=1).T


def _interpolate(forecast: np.ndarray, level: float) -> np.ndarray:
    right = int(np.clip(np.searchsorted(GRID, level), 1, len(GRID) - 1))
    share = (level - GRID[right - 1]) / (GRID[right] - GRID[right - 1])
    return forecast[..., right - 1] * (1 - share) + forecast[..., right] * share
