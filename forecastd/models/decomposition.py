"""Decomposition: each rhythm of a series is taken out, the rest is smoothed, and the rhythms are put back.

    values = level, slowly moving + rhythm of the day + rhythm of the week + … + noise

A rhythm is the weighted mean, newest cycles first, of what remains of the values at each phase after a
moving average and the other rhythms are subtracted. On the logarithmic scale the same rhythms multiply.
"""

from __future__ import annotations

import numpy as np

from forecastd.models.ages import by_age
from forecastd.models.algorithm import Algorithm
from forecastd.models.earlier_years import repeated
from forecastd.models.history import LEAST_CYCLES, History
from forecastd.models.residuals import error_quantiles
from forecastd.models.smoothing import smooth
from forecastd.models.transform import Plain
from forecastd.series.frequency import Frequency

ROUNDS = 2  # passes over all rhythms
NEWEST_CYCLES = {"short": 0.9, "long": 0.75}  # weight of a cycle against the next newer one
LONG_CYCLE = 40  # steps
LONGEST = {"min": 4032, "H": 4032, "D": 1500, "W": 780, "M": 360, "Y": 100}  # steps of history that are used


class Decomposition(Algorithm):
    """Rhythms plus a smoothed level."""

    name = "Decomposition"

    def __init__(self, transform: type[Plain] = Plain) -> None:
        self.name = "Decomposition" + transform.suffix
        self.transform = transform

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        forecast = by_age(history, LONGEST[history.frequency.unit], self.transform, _forecast)
        return repeated(history.last_steps(LONGEST[history.frequency.unit]), forecast)


def _forecast(series: np.ndarray, frequency: Frequency, horizon: int) -> np.ndarray:
    """Quantiles [N, H, K] of series without gaps [N, T]."""
    length = series.shape[1]
    rhythm = seasonal(series, fitting_periods(frequency, length), horizon)  # [N, T + H]
    smoothed = smooth(series - rhythm[:, :length], horizon)
    centre = smoothed.centre + rhythm[:, length:]
    return centre[..., None] + error_quantiles(smoothed.errors)


def fitting_periods(frequency: Frequency, length: int) -> list[int]:
    """The rhythms that so many steps hold often enough."""
    return [period for period in frequency.seasonalities if LEAST_CYCLES * period <= length]


def seasonal(series: np.ndarray, periods: list[int], horizon: int) -> np.ndarray:
    """The sum of all rhythms of each row, over history and horizon, [N, T + H]."""
    length = series.shape[1]
    parts = {period: np.zeros((len(series), length + horizon)) for period in periods}
    for _ in range(ROUNDS if len(periods) > 1 else 1):
        for period in periods:
            others = sum((part for other, part in parts.items() if other != period), np.zeros((1, 1)))
            rest = series - (others[:, :length] if others.shape[1] > 1 else others)
            parts[period] = _rhythm(rest - moving_average(rest, period), period, horizon)
    return sum(parts.values(), np.zeros((len(series), length + horizon)))


def _rhythm(detrended: np.ndarray, period: int, horizon: int) -> np.ndarray:
    """The mean at each phase, newer cycles weighing more, repeated over history and horizon."""
    size, length = detrended.shape
    cycles = -(-length // period)
    padded = np.pad(detrended, ((0, 0), (cycles * period - length, 0)), constant_values=np.nan)
    table = padded.reshape(size, cycles, period)  # ends at the end of the history
    keep = NEWEST_CYCLES["long" if period > LONG_CYCLE else "short"]
    weight = np.where(np.isnan(table), 0.0, keep ** np.arange(cycles - 1, -1, -1)[None, :, None])
    phase = np.nan_to_num(table * 1.0) * weight
    mean = phase.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)  # [N, period]
    mean = mean - mean.mean(axis=1, keepdims=True)
    return mean[:, (np.arange(length + horizon) - length) % period]


def moving_average(series: np.ndarray, width: int) -> np.ndarray:
    """Centred moving average [N, T] over one full cycle; at the ends over the nearest full cycle."""
    length = series.shape[1]
    if width >= length:
        return np.repeat(series.mean(axis=1, keepdims=True), length, axis=1)
    total = np.cumsum(np.pad(series, ((0, 0), (1, 0))), axis=1)
    means = (total[:, width:] - total[:, :-width]) / width  # [N, T - width + 1]
    position = np.clip(np.arange(length) - width // 2, 0, length - width)
    return means[:, position]
