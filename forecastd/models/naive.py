"""Seasonal naive: the last full season again; the floor that every other algorithm has to beat."""

from __future__ import annotations

import numpy as np

from forecastd.models.algorithm import Algorithm
from forecastd.models.history import History
from forecastd.models.quantiles import normal
from forecastd.models.residuals import scales


class SeasonalNaive(Algorithm):
    """The value one season earlier; the spread is that of seasonal differences and grows with each season
    ahead.
    """

    name = "SeasonalNaive"

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        season = longest_season(history)
        step = np.arange(history.horizon)
        source = history.length - season + step % season
        centre = history.filled[:, source]
        values = history.values
        if history.is_moved.any():
            values = np.where(history.is_moved[:, None], history.carried[0], values)
        recent = values[:, -8 * season :] if season > 1 else values[:, -200:]
        spread = 1.25 * scales(recent, season)[:, None] * np.sqrt(step // season + 1)[None, :]
        return normal(centre, spread)


def longest_season(history: History) -> int:
    """The longest rhythm of the frequency that fits into the history twice, else the shortest usable,
    else 1.
    """
    fitting = [season for season in history.frequency.seasonalities if 2 * season <= history.length]
    return fitting[-1] if fitting else 1
