"""The interface of every algorithm.

An algorithm may first ``fit``: learn across all series, once. It then forecasts any history, also a newer
one or one with other series. Those that work on each series alone have nothing to fit. One that was not
fitted, because there was no series to learn from, has a state like any other, and no answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from forecastd.models.history import History

FEW_SERIES = 30  # so many or fewer are worth more time for each

State = dict[str, Any]  # JSON values and numpy arrays, by name


class Algorithm:
    """A forecasting method."""

    name: str
    learns = False  # whether `fit` learns something that is worth keeping
    limit_s: float | None = None  # seconds after which a fit that goes on in small steps should end

    def fit(self, history: History, seed: int, threads: int) -> None:
        """Learn from all series of ``history``; the same seed learns the same on any number of threads."""

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """Quantiles of the horizon on the internal grid, [N, H, K]; NaN where the method has no answer."""
        raise NotImplementedError

    def effective(self) -> dict[str, str]:
        """The hyperparameters after ``fit``, those chosen from the data included."""
        return {}

    def state(self) -> State:
        """What was learnt."""
        return {}

    def restore(self, state: State) -> None:
        """Take up what was learnt before."""
