"""Exponential smoothing of many series at once, and the errors it would have made in the past.

The level after step t is ``l_t = a * x_t + (1 - a) * l_{t-1}``; the forecast of every later step is the
level, plus a damped slope where that has helped. The smoothing weight *a* and the slope are chosen per
series by the absolute error over the whole horizon, measured from origins all over the recent history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 0.95)
SLOPES = (0.0, 0.5, 1.0)  # share of the smoothed slope that is followed
DAMPING = 0.97  # of the slope, per step
LARGEST_ERRORS = 20_000_000  # numbers in a table of errors; 160 MB
MOST_ORIGINS = 200
ERRORS_AT_A_TIME = 100_000  # numbers; 0.8 MB, which stay in the processor's cache while all is tried

Surprise = Callable[[np.ndarray], np.ndarray]  # origins [S] -> [N, S, H]


@dataclass(frozen=True)
class Smoothed:
    """Forecasts and past errors."""

    centre: np.ndarray  # [N, H]
    errors: np.ndarray  # [N, S, H] actual minus forecast, from S past origins


def level(series: np.ndarray, weight: float) -> np.ndarray:
    """The level after each step, [N, T]."""
    start = series[:, : max(1, min(series.shape[1], round(1 / weight)))].mean(axis=1, keepdims=True)
    return lfilter([weight], [1, weight - 1], series, axis=1, zi=start * (1 - weight))[0]


def past_origins(size: int, length: int, horizon: int, first: int) -> np.ndarray:
    """Steps from which errors over the whole horizon can be measured, evenly over what is affordable."""
    last = length - horizon
    room = last - first + 1
    if room < 1:
        return np.zeros(0, int)
    count = int(np.clip(LARGEST_ERRORS // max(size * horizon, 1), 1, min(MOST_ORIGINS, room)))
    return np.unique(last - np.round(np.linspace(0, room - 1, count)).astype(int))


def smooth(series: np.ndarray, horizon: int, surprise: Surprise | None = None, first: int = 2) -> Smoothed:
    """Forecast each row of ``series`` [N, T], without gaps, by its best smoothing weight and slope.

    Args:
        series: [N, T].
        horizon: H.
        surprise: What came on top of the series after past origins [S], [N, S, H]: such as the error of a
            rhythm that is forecast apart.
        first: The step from which errors can be measured.
    """
    first = max(first, series.shape[1] // 3)
    origins = past_origins(len(series), series.shape[1], horizon, first)
    if not origins.size:
        return _last_level(series, horizon)
    on_top = surprise(origins) if surprise else np.zeros((len(series), 1, 1))
    centre = np.empty((len(series), horizon))
    errors = np.empty((len(series), len(origins), horizon))
    step = max(1, ERRORS_AT_A_TIME // (len(origins) * horizon))
    for low in range(0, len(series), step):
        rows = slice(low, low + step)
        centre[rows], errors[rows] = _smooth_some(series[rows], origins, horizon, on_top[rows])
    return Smoothed(centre, errors)


def _smooth_some(
    series: np.ndarray, origins: np.ndarray, horizon: int, on_top: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast [N, H] and past errors [N, S, H] of so few series that all tables stay in the cache."""
    best_loss = np.full(len(series), np.inf)
    centre = np.empty((len(series), horizon))
    actual = series[:, origins[:, None] + np.arange(horizon)] + on_top  # [N, S, H]
    errors = np.empty_like(actual)
    for weight in WEIGHTS:
        levels = level(series, weight)
        slopes = level(np.diff(levels, axis=1, prepend=levels[:, :1]), min(weight, 0.1))
        flat = actual - levels[:, origins - 1, None]
        for share in SLOPES:
            reach = share * np.cumsum(DAMPING ** np.arange(1, horizon + 1))
            wrong = flat - slopes[:, origins - 1, None] * reach if share else flat
            loss = np.abs(wrong).mean(axis=(1, 2)) * (1 + 0.02 * (share > 0))  # a slope has to earn its place
            better = loss < best_loss
            best_loss[better] = loss[better]
            errors[better] = wrong[better]
            centre[better] = levels[better, -1:] + slopes[better, -1:] * reach
    return centre, errors


def _last_level(series: np.ndarray, horizon: int) -> Smoothed:
    """For histories too short to measure anything: the mean, and the deviations from it as errors."""
    middle = series.mean(axis=1, keepdims=True)
    deviations = np.repeat((series - middle)[:, :, None], horizon, axis=2)
    return Smoothed(np.repeat(middle, horizon, axis=1), deviations)
