"""Prophet by the prophet library, one series at a time, with related features and holidays as regressors."""

from __future__ import annotations

import logging
import zlib
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd

from forecastd.models.history import History, interpolated
from forecastd.models.per_series import Holidays, Method, OneSeries, PerSeries
from forecastd.models.quantiles import GRID
from forecastd.series import public_holidays

SAMPLES = 300  # of the future, from which the quantiles are read

# Below 100 values the library takes Newton's method, which crawls for half a minute where a straight line
# leaves nothing unexplained, and ends further from it. Fits of other series end within the limit of steps.
OPTIMIZER = {"algorithm": "LBFGS", "iter": 2000}


class Prophet(PerSeries):
    """Trend with change points, yearly, weekly and daily rhythm, holidays and related features."""

    name = "Prophet"
    longest: ClassVar[dict[str, int]] = {"min": 6000, "H": 9000, "D": 2200, "W": 600, "M": 300, "Y": 100}

    @property
    def method(self) -> Method:
        """See ``PerSeries.method``."""
        return prophet

    def one(self, history: History, row: int) -> OneSeries:
        """See ``PerSeries.one``."""
        plain = super().one(history, row)
        start = len(history.times) - len(plain.times)
        features = [
            interpolated(history.features[name][row : row + 1])[0, start:]
            for name in sorted(history.features)
        ]
        return replace(
            plain,
            features=np.stack(features, axis=1) if features else plain.features,
            holidays=_holidays(history),
        )


def _holidays(history: History) -> Holidays:
    """The holidays within the history and the horizon, each at the day or at the start of its week."""
    if history.holiday_country is None or history.frequency.unit not in ("min", "H", "D", "W"):
        return []
    times = history.times
    days = public_holidays.names_by_date(history.holiday_country, times[0].year, times[-1].year + 1)
    if history.frequency.unit != "W":
        return list(days.items())
    end = times[-1] + history.frequency.offset
    inside = {day: name for day, name in days.items() if times[0] <= day < end}
    weeks = times[times.searchsorted(pd.DatetimeIndex(list(inside)), side="right") - 1]
    return list(dict.fromkeys(zip(weeks, inside.values(), strict=True)))


def prophet(series: OneSeries) -> np.ndarray:
    """Quantiles [H, K] of one series."""
    logging.getLogger("prophet").setLevel(logging.CRITICAL)
    from prophet import Prophet as Library

    logging.getLogger("cmdstanpy").setLevel(logging.CRITICAL)  # importing it sets its own level

    model = Library(holidays=_holiday_frame(series), uncertainty_samples=SAMPLES)
    names = [f"feature_{number}" for number in range(series.features.shape[1])]
    for name in names:
        model.add_regressor(name)
    frame = pd.DataFrame({"ds": series.times, **dict(zip(names, series.features.T, strict=True))})
    length = len(series.values)
    seed = zlib.crc32(series.values.tobytes()) & 0x7FFFFFFF
    model.fit(frame[:length].assign(y=series.values), seed=seed, **OPTIMIZER)
    state = np.random.get_state()  # the library draws from numpy's global generator
    np.random.seed(seed)
    try:
        samples = model.predictive_samples(frame[length:])["yhat"]  # [H, samples]
    finally:
        np.random.set_state(state)
    return np.quantile(samples, GRID, axis=1).T


def _holiday_frame(series: OneSeries) -> pd.DataFrame | None:
    """Prophet's table of holidays: those that the history has seen, so that an effect can be learnt."""
    last = series.times[len(series.values) - 1]
    seen = {name for day, name in series.holidays if series.times[0] <= day <= last}
    rows = [(name, day) for day, name in series.holidays if name in seen]
    return pd.DataFrame(rows, columns=["holiday", "ds"]) if rows else None
