"""ARIMA, ETS and Theta by the statsforecast library, one series at a time.

Long histories are cut to their newest part, where the present model is estimated best and in bounded
time. Season lengths are those of the R package that Amazon's ARIMA and ETS were built on. An ARIMA with a
season of 24 steps or more describes it by four pairs of Fourier terms.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from forecastd.models.per_series import Method, OneSeries, PerSeries
from forecastd.models.quantiles import GRID, MEDIAN

LONGEST = {"min": 1000, "H": 1000, "D": 750, "W": 320, "M": 240, "Y": 100}
LEVELS = [50, 80, 96]  # central intervals whose ends are the quantiles of the grid
WILDEST = 1.0  # of the range seen: how far an ETS forecast may leave it before it is taken as run away
FOURIER_FROM = 24  # steps in a season
FOURIER_PAIRS = 4


class Arima(PerSeries):
    """AutoARIMA."""

    name = "ARIMA"
    longest = LONGEST

    @property
    def method(self) -> Method:
        """See ``PerSeries.method``."""
        return arima


class Ets(PerSeries):
    """AutoETS: exponential smoothing with error, trend and season chosen by information criterion."""

    name = "ETS"
    longest = LONGEST

    @property
    def method(self) -> Method:
        """See ``PerSeries.method``."""
        return ets


class Theta(PerSeries):
    """Dynamic optimised theta method."""

    name = "Theta"
    longest: ClassVar[dict[str, int]] = {"min": 400, "H": 400, "D": 300, "W": 210, "M": 240, "Y": 100}

    @property
    def method(self) -> Method:
        """See ``PerSeries.method``."""
        return theta


def arima(series: OneSeries) -> np.ndarray:
    """Quantiles [H, K] of one series."""
    from statsforecast.models import AutoARIMA

    long = series.period >= FOURIER_FROM and len(series.values) >= 2 * series.period
    model = AutoARIMA(season_length=1 if long else _season(series), approximation=True)
    if not long:
        return _grid(model.forecast(series.values, series.horizon, level=LEVELS))
    waves = _fourier(len(series.values) + series.horizon, series.period)
    past, future = waves[: len(series.values)], waves[len(series.values) :]
    return _grid(model.forecast(series.values, series.horizon, X=past, X_future=future, level=LEVELS))


def ets(series: OneSeries) -> np.ndarray:
    """Quantiles [H, K] of one series."""
    from statsforecast.models import AutoETS

    free = AutoETS(season_length=_season(series))
    answer = _grid(free.forecast(series.values, series.horizon, level=LEVELS))
    room = WILDEST * np.ptp(series.values)
    if answer.max() <= series.values.max() + room and answer.min() >= series.values.min() - room:
        return answer
    additive = AutoETS(season_length=_season(series), model="AZA")  # multiplicative errors have run away
    return _grid(additive.forecast(series.values, series.horizon, level=LEVELS))


def theta(series: OneSeries) -> np.ndarray:
    """Quantiles [H, K] of one series."""
    from statsforecast.models import DynamicOptimizedTheta

    model = DynamicOptimizedTheta(season_length=_season(series))
    return _grid(model.forecast(series.values, series.horizon, level=LEVELS))


def _season(series: OneSeries) -> int:
    """The season length, or 1 where the history holds no two seasons."""
    return series.period if len(series.values) >= 2 * series.period else 1


def _fourier(steps: int, period: int) -> np.ndarray:
    turn = 2 * np.pi * np.arange(steps)[:, None] / period * np.arange(1, FOURIER_PAIRS + 1)
    return np.concatenate([np.sin(turn), np.cos(turn)], axis=1)


def _grid(answer: dict[str, Any]) -> np.ndarray:
    """The grid's quantiles from the mean and the ends of the intervals."""
    grid = np.empty((len(answer["mean"]), len(GRID)))
    grid[:, MEDIAN] = answer["mean"]
    for distance, interval in enumerate(LEVELS, start=1):
        grid[:, MEDIAN - distance] = answer[f"lo-{interval}"]
        grid[:, MEDIAN + distance] = answer[f"hi-{interval}"]
    return np.sort(grid, axis=1)
