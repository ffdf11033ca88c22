"""NPTS: the non-parametric time series forecaster, which draws the future from the item's own past.

The forecast of a step is the distribution of past values, weighted by an exponentially decaying (or
uniform) kernel of their age. The seasonal variant looks only at values at the same phase as the step:
minute of hour, hour of day, day of week, day of month or month of year. So forecasts stay within what was
observed.

    kernel        use_seasonal_model   variant
    exponential   True                 seasonal NPTS (default)
    exponential   False                NPTS
    uniform       True                 seasonal climatological
    uniform       False                climatological
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecastd.models.algorithm import Algorithm
from forecastd.models.earlier_years import repeated
from forecastd.models.history import History
from forecastd.models.quantiles import GRID, weighted_quantiles
from forecastd.series.algorithms import effective_hyperparameters

LONGEST = 20_000  # steps; with the default kernel anything older weighs nothing, and memory stays bounded


class Npts(Algorithm):
    """Weighted quantiles of past values at the same phase."""

    name = "NPTS"

    def __init__(self, hyperparameters: Mapping[str, str] | None = None) -> None:
        chosen = effective_hyperparameters("NPTS", hyperparameters or {})
        self.context = int(float(chosen["context_length"])) if "context_length" in chosen else None
        self.uniform = chosen["kernel_type"] == "uniform"
        self.decay = float(chosen["exp_kernel_weights"])
        self.seasonal = (
            chosen["use_seasonal_model"] == "True" and chosen["use_default_time_features"] == "True"
        )

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        seen = history.last_steps(min(self.context or LONGEST, LONGEST))
        phase = phase_of(seen.times, seen.frequency.unit) if self.seasonal else np.zeros(len(seen.times), int)
        age = seen.length - np.arange(seen.length)
        weight = np.ones(seen.length) if self.uniform else np.exp(-self.decay * age)
        return by_phase(seen, phase, np.maximum(weight, 1e-12))


class NptsYears(Npts):
    """NPTS, and what comes back of earlier years on top of it: it may leave what was observed."""

    name = "NPTSYears"

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        return repeated(history, super().forecast(history, threads))


def by_phase(history: History, phase: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Quantiles [N, H, K] of past values at each future step's phase.

    Args:
        history: The series.
        phase: Of every step of history and horizon, int [T + H].
        weight: Of every step of history, [T]; all steps count where a phase never occurred.
    """
    past, future = phase[: history.length], phase[history.length :]
    forecast = np.empty((history.size, history.horizon, len(GRID)))
    for one in np.unique(future):
        columns = np.flatnonzero(past == one)
        columns = columns if columns.size else np.arange(history.length)
        quantiles = weighted_quantiles(history.values[:, columns], weight[columns])
        forecast[:, future == one] = quantiles[:, None, :]
    return forecast


def phase_of(times: pd.DatetimeIndex, unit: str) -> np.ndarray:
    """The seasonal phase of each time, as the documentation of NPTS lists it for the unit of the
    frequency.
    """
    phases = {
        "min": times.minute,
        "H": times.hour,
        "D": times.dayofweek,
        "W": times.day,
        "M": times.month,
        "Y": times.year * 0,
    }
    return np.asarray(phases[unit], dtype=int)
