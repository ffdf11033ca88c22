"""ARIMA, ETS and Theta by the statsforecast library, one series at a time.

Long histories are cut to their newest part, where the present model is estimated best and in bounded
time. Season lengths are those of the R package that Amazon's ARIMA and ETS were built on. Where the main
rhythm has 24 steps or more, an ARIMA describes each rhythm that the history holds twice by four pairs of
Fourier terms, and is itself without a season. These terms are estimated first, by least squares, on
differences if the rest wanders: estimated together with the ARIMA they cost two to six times as much.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from forecastd.models.per_series import Method, OneSeries, PerSeries
from forecastd.models.quantiles import GRID, MEDIAN

LEVELS = [50, 80, 96]  # central intervals whose ends are the quantiles of the grid
WILDEST = 1.0  # of the range seen: how far an ETS forecast may leave it before it is taken as run away
LONG_SEASON = 24  # steps, from which on a season is a curve to ARIMA, and additive to ETS
FOURIER_PAIRS = 4
NOISE_STEPS = 1000  # newest steps, from which an ARIMA is estimated
FREE_STEPS = 300  # of history, up to which ETS tries all of its thirty models


class Arima(PerSeries):
    """ARIMA with orders chosen step by step by information criterion."""

    name = "ARIMA"
    longest: ClassVar[dict[str, int]] = {"min": 3000, "H": 1000, "D": 365, "W": 320, "M": 240, "Y": 100}

    @property
    def method(self) -> Method:
        """See ``PerSeries.method``."""
        return arima


class Ets(PerSeries):
    """AutoETS: exponential smoothing with error, trend and season chosen by information criterion."""

    name = "ETS"
    longest: ClassVar[dict[str, int]] = {"min": 504, "H": 504, "D": 750, "W": 320, "M": 240, "Y": 100}

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

    seasons = _long_seasons(series)
    if seasons:
        return _arima_on_waves(series, seasons)
    season = _season(series)
    model = AutoARIMA(
        season_length=season, approximation=True, max_p=3, max_q=3, max_P=1, max_Q=1, nmodels=12
    )
    return _grid(model.forecast(series.values[-NOISE_STEPS:], series.horizon, level=LEVELS))


def _long_seasons(series: OneSeries) -> list[int]:
    """The lengths of the rhythms that Fourier terms describe: none where the main rhythm is short."""
    if max(series.rhythms[:1], default=1) < LONG_SEASON:
        return []
    lengths = {series.period, *series.rhythms}
    return sorted(n for n in lengths if LONG_SEASON <= n <= len(series.values) / 2)


def _arima_on_waves(series: OneSeries, seasons: list[int]) -> np.ndarray:
    from statsforecast.arima import ndiffs
    from statsforecast.models import AutoARIMA

    length = len(series.values)
    waves = _fourier(length + series.horizon, seasons)
    wandering = 0
    curve = waves @ _heights(series.values, waves[:length], wandering)
    if ndiffs((series.values - curve[:length])[-NOISE_STEPS:], max_d=1):
        wandering = 1
        curve = waves @ _heights(series.values, waves[:length], wandering)
    rest = (series.values - curve[:length])[-NOISE_STEPS:]
    model = AutoARIMA(d=wandering, season_length=1, approximation=True, nmodels=20)
    return _grid(model.forecast(rest, series.horizon, level=LEVELS)) + curve[length:, None]


def _heights(values: np.ndarray, waves: np.ndarray, differences: int) -> np.ndarray:
    """The least squares heights of ``waves`` [T, W] in ``values`` [T], beside a constant."""
    moves, level = np.diff(waves, differences, axis=0), np.ones((len(values) - differences, 1))
    terms = np.concatenate([moves, level], axis=1)
    return np.linalg.lstsq(terms, np.diff(values, differences), rcond=None)[0][:-1]


def ets(series: OneSeries) -> np.ndarray:
    """Quantiles [H, K] of one series."""
    season = _season(series)
    if season >= LONG_SEASON:
        return _ets(series, "AAA", damped=True)  # free, it takes multiplicative errors and runs away
    if len(series.values) > FREE_STEPS:
        return _ets(series, "AZA")
    answer = _ets(series, "ZZZ")
    room = WILDEST * np.ptp(series.values)
    if answer.max() <= series.values.max() + room and answer.min() >= series.values.min() - room:
        return answer
    return _ets(series, "AZA")  # multiplicative errors have run away


def _ets(series: OneSeries, model: str, damped: bool | None = None) -> np.ndarray:
    from statsforecast.models import AutoETS

    chosen = AutoETS(season_length=_season(series), model=model, damped=damped)
    return _grid(chosen.forecast(series.values, series.horizon, level=LEVELS))


def theta(series: OneSeries) -> np.ndarray:
    """Quantiles [H, K] of one series."""
    from statsforecast.models import DynamicOptimizedTheta

    model = DynamicOptimizedTheta(season_length=_season(series))
    return _grid(model.forecast(series.values, series.horizon, level=LEVELS))


def _season(series: OneSeries) -> int:
    """The season length, or 1 where the history holds no two seasons."""
    return series.period if len(series.values) >= 2 * series.period else 1


def _fourier(steps: int, seasons: list[int]) -> np.ndarray:
    """Sines and cosines [steps, 2 × pairs × seasons]."""
    rates = np.outer(1 / np.array(seasons), np.arange(1, FOURIER_PAIRS + 1)).ravel()
    turn = 2 * np.pi * np.arange(steps)[:, None] * rates
    return np.concatenate([np.sin(turn), np.cos(turn)], axis=1)


def _grid(answer: dict[str, Any]) -> np.ndarray:
    """The grid's quantiles from the mean and the ends of the intervals."""
    grid = np.empty((len(answer["mean"]), len(GRID)))
    grid[:, MEDIAN] = answer["mean"]
    for distance, interval in enumerate(LEVELS, start=1):
        grid[:, MEDIAN - distance] = answer[f"lo-{interval}"]
        grid[:, MEDIAN + distance] = answer[f"hi-{interval}"]
    return np.sort(grid, axis=1)
