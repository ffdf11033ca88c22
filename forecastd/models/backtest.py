"""Forecasts of every candidate from moments in the past.

    |------------------------- history -------------------------|
    |     |  y  |                      |  s  |  s  |  e1  |  e0  |

    e: evaluated windows    s: windows before them, for selection    y: the same time of the year before

A candidate that learns is fitted anew before each evaluated window, and once before the oldest window of
each other group. The mixture that is measured on window e0 is chosen on the windows before it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecastd.models import candidates
from forecastd.models.fallback import has_enough
from forecastd.models.history import History
from forecastd.models.progress import Progress
from forecastd.models.quantiles import GRID, ordered
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

SELECTION_POINTS = 2000  # series × steps that a selection should rest on
MOST_SELECTION_WINDOWS = 6
YEARS_BEFORE = 1.9  # years of history before a window that lies a year back
LARGEST_SHARE = 3  # selection may take a third of the history


def yearly_windows(panel: Panel, horizon: int, evaluated: list[Window]) -> list[Window]:
    """The windows a year before the horizon and before each evaluated one, newest first.

    They show what this time of the year holds, such as a holiday that the newest windows do not have.
    There are none where that would leave too little history to know a yearly rhythm from.
    """
    year = panel.frequency.steps_per_year
    oldest = min(window.start for window in evaluated) - year
    if panel.frequency.unit in ("M", "Y") or oldest < YEARS_BEFORE * year or horizon > year / 4:
        return []
    moments = [panel.future_times(1)[0], *(panel.times[window.start] for window in evaluated)]
    starts = [int(panel.times.searchsorted(moment - pd.DateOffset(years=1))) for moment in moments]
    return [Window(start, start + horizon) for start in starts]


def selection_windows(panel: Panel, horizon: int, evaluated: list[Window]) -> list[Window]:
    """Windows before the evaluated ones, newest first: few for many series, more for few."""
    oldest = min(window.start for window in evaluated)
    wanted = int(np.clip(-(-SELECTION_POINTS // max(panel.size * horizon, 1)), 1, MOST_SELECTION_WINDOWS))
    room = min(panel.length // LARGEST_SHARE, oldest // 2) // horizon
    count = min(wanted, room)
    return [Window(oldest - (n + 1) * horizon, oldest - n * horizon) for n in range(count)]


@dataclass
class Backtest:
    """The forecasts of candidates from each window's start."""

    panel: Panel
    horizon: int
    evaluated: list[Window]
    selecting: list[Window]
    yearly: list[Window]
    hyperparameters: Mapping[str, str]
    seed: int
    threads: int
    forecasts: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)  # (name, start) -> [N, H, K]

    @property
    def windows(self) -> list[Window]:
        """All windows, newest first."""
        return [*self.evaluated, *self.selecting, *self.yearly]

    def history(self, start: int) -> tuple[History, np.ndarray]:
        """The view from a window's start on the series that can be modelled there, and which those are."""
        rows = has_enough(self.panel.values[:, :start])
        return History.of(self.panel.only(rows), self.horizon, start), rows

    def run(self, name: str, progress: Progress) -> None:
        """Forecast every window with one candidate."""
        algorithm = candidates.make(name, self.hyperparameters)
        for window in sorted(self.windows, key=lambda one: one.start):
            with progress.step(name):
                history, rows = self.history(window.start)
                if self._fits_at(window):
                    algorithm.fit(history, self.seed, self.threads)
                forecast = np.full((self.panel.size, self.horizon, len(GRID)), np.nan, np.float32)
                if rows.any():
                    forecast[rows] = ordered(algorithm.forecast(history, self.threads))
                self.forecasts[name, window.start] = forecast

    def _fits_at(self, window: Window) -> bool:
        """Whether it is evaluated, or the oldest of a group that shares a fit."""
        return window in self.evaluated or window in (*self.selecting[-1:], *self.yearly[-1:])

    def actual(self, window: Window) -> np.ndarray:
        """The actuals of a window [N, H]."""
        return self.panel.values[:, window.start : window.end]

    def at(self, window: Window) -> dict[str, np.ndarray]:
        """Every candidate's forecast of one window."""
        return {name: forecast for (name, start), forecast in self.forecasts.items() if start == window.start}
