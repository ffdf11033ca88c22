"""Seasonal-trend decomposition by loess (STL) of many series at once.

On an even grid of steps a local regression is a fixed weighted average: a banded matrix, the same for every
series of one length. So the whole method of Cleveland et al. (1990) is a handful of matrix products. With
several rhythms each is estimated on what the others leave, twice over (MSTL, Bandara et al. 2021). The
cycles of a rhythm are averaged locally, without a slope: carried forward, a slope costs more than it gains.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

INNER = 2  # passes between one rhythm and its trend
ROUNDS = 2  # passes over all rhythms
WINDOWS = (7, 11, 15)  # cycles that a rhythm is averaged over: the first, the second, further ones


def rhythms(series: np.ndarray, periods: list[int]) -> dict[int, np.ndarray]:
    """Each rhythm [N, T] of each row without gaps, by its period.

    Args:
        series: [N, T].
        periods: Lengths of the rhythms in steps, shortest first, each at least twice in T.
    """
    parts = {period: np.zeros(series.shape) for period in periods}
    for _ in range(ROUNDS if len(periods) > 1 else 1):
        for number, period in enumerate(periods):
            others = sum((part for other, part in parts.items() if other != period), np.zeros(series.shape))
            parts[period] = _rhythm(series - others, period, WINDOWS[min(number, len(WINDOWS) - 1)])
    return parts


def _rhythm(series: np.ndarray, period: int, window: int) -> np.ndarray:
    """One rhythm [N, T]."""
    length = series.shape[1]
    trend = np.zeros(series.shape)
    trend_window = _odd(1.5 * period / (1 - 1.5 / window))
    for _ in range(INNER):
        cycles = _cycles_smoothed(series - trend, period, window)  # [N, T + 2 periods]
        low = _moving(_moving(_moving(cycles, period), period), 3)
        seasonal = cycles[:, period : period + length] - smoothed(low, _odd(period))
        trend = smoothed(series - seasonal, trend_window)
    return seasonal


def _cycles_smoothed(detrended: np.ndarray, period: int, window: int) -> np.ndarray:
    """Each phase smoothed over its cycles, from one cycle before the history to one after, [N, T + 2P]."""
    size, length = detrended.shape
    cycles = -(-length // period)
    lead = cycles * period - length  # an incomplete first cycle is completed with the second
    padded = np.concatenate([detrended[:, period - lead : period], detrended], axis=1)
    table = padded.reshape(size, cycles, period).transpose(0, 2, 1).reshape(-1, cycles)
    smooth = (_weights(cycles, window, beyond=1, degree=0) @ table.T).T
    return smooth.reshape(size, period, cycles + 2).transpose(0, 2, 1).reshape(size, -1)[:, lead:]


def smoothed(series: np.ndarray, window: int) -> np.ndarray:
    """Local linear regression of each row [N, T] over its ``window`` nearest steps."""
    return (_weights(series.shape[1], window, beyond=0, degree=1) @ series.T).T


@lru_cache(maxsize=32)
def _weights(length: int, window: int, beyond: int, degree: int) -> csr_array:
    """What a local regression of degree 0 or 1 makes of each of ``length`` steps, and ``beyond`` further
    ones on either side, [length + 2 beyond, length].
    """
    at = np.arange(-beyond, length + beyond)
    count = min(window, length)
    first = np.clip(at - count // 2, 0, length - count)
    columns = first[:, None] + np.arange(count)
    distance = columns - at[:, None]
    reach = np.maximum(np.abs(distance).max(axis=1, keepdims=True), 1) + max(0, window - length) // 2
    weight = (1 - (np.abs(distance) / (reach + 0.001)) ** 3) ** 3
    weight /= weight.sum(axis=1, keepdims=True)
    if degree:
        middle = (weight * distance).sum(axis=1, keepdims=True)
        spread = (weight * (distance - middle) ** 2).sum(axis=1, keepdims=True)
        tilt = -middle * (distance - middle) / np.maximum(spread, 1e-9)
        weight = weight * (1 + tilt)
    rows = np.repeat(np.arange(len(at)), count)
    return csr_array((weight.ravel(), (rows, columns.ravel())), shape=(len(at), length))


def _moving(series: np.ndarray, width: int) -> np.ndarray:
    total = np.cumsum(np.pad(series, ((0, 0), (1, 0))), axis=1)
    return (total[:, width:] - total[:, :-width]) / width


def _odd(number: float) -> int:
    whole = int(np.ceil(number))
    return whole + 1 - whole % 2
