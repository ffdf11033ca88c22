"""Seasonal-trend: rhythms by loess (STL), which may change their shape slowly, and a smoothed level.

    values = level and slope, smoothed + rhythm of the day + rhythm of the week + … + noise

The last cycle of each rhythm is carried on. Past errors are measured as if the cycle before each origin had
been carried on, and the smoothing weight is the one that had the least of them.
"""

from __future__ import annotations

import numpy as np

from forecastd.models.ages import by_age
from forecastd.models.algorithm import Algorithm
from forecastd.models.decomposition import LONGEST, fitting_periods
from forecastd.models.earlier_years import repeated
from forecastd.models.history import History
from forecastd.models.loess import rhythms
from forecastd.models.quantiles import GRID
from forecastd.models.residuals import error_quantiles
from forecastd.models.smoothing import smooth
from forecastd.models.transform import Plain
from forecastd.series.frequency import Frequency

SERIES_AT_A_TIME = 2000


class SeasonalTrend(Algorithm):
    """STL rhythms, the last cycle carried on, plus a smoothed level."""

    def __init__(self, transform: type[Plain] = Plain) -> None:
        self.name = "SeasonalTrend" + transform.suffix
        self.transform = transform

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        forecast = by_age(history, LONGEST[history.frequency.unit], self.transform, _forecast)
        return repeated(history.last_steps(LONGEST[history.frequency.unit]), forecast)


def _forecast(series: np.ndarray, frequency: Frequency, horizon: int) -> np.ndarray:
    """Quantiles [N, H, K] of series without gaps [N, T], some at a time."""
    periods = fitting_periods(frequency, series.shape[1])
    parts = [
        _forecast_some(series[low : low + SERIES_AT_A_TIME], periods, horizon)
        for low in range(0, len(series), SERIES_AT_A_TIME)
    ]
    return np.concatenate(parts) if parts else np.empty((0, horizon, len(GRID)))


def _forecast_some(series: np.ndarray, periods: list[int], horizon: int) -> np.ndarray:
    parts = rhythms(series, periods)
    rhythm = sum(parts.values(), np.zeros(series.shape))
    steps = np.arange(horizon)

    def surprise(origins: np.ndarray) -> np.ndarray:
        return rhythm[:, origins[:, None] + steps] - _carried(parts, origins, steps)

    smoothed = smooth(series - rhythm, horizon, surprise, first=max(periods, default=2))
    centre = smoothed.centre + _carried(parts, np.array([series.shape[1]]), steps)[:, 0]
    return centre[..., None] + error_quantiles(smoothed.errors)


def _carried(parts: dict[int, np.ndarray], origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The last cycle before each origin, repeated over the horizon, [N, S, H]; 0 without rhythms."""
    carried = [part[:, origins[:, None] - period + steps % period] for period, part in parts.items()]
    return np.sum(carried, axis=0) if carried else np.zeros((1, len(origins), len(steps)))
