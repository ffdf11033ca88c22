"""Forecasts of every candidate from moments in the past.

    |------------------------- history -------------------------|
    |     |  y  |                      |  s  |  s  |  e1  |  e0  |

    e: evaluated windows    s: windows before them, for selection    y: the same time of the year before

A candidate that learns is fitted anew before each evaluated window, and once before the oldest window of
each other group. The mixture that is measured on window e0 is chosen on the windows before it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecastd.models import candidates
from forecastd.models.quantiles import GRID
from forecastd.models.stretch import Candidate, Stretch, levels, together
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

SELECTION_POINTS = 2000  # series × steps that a selection should rest on
LONGEST_SELECTION = 6  # horizons: what is older tells less of the present
MOST_WINDOWS = 16  # that overlap, of a single series
CHEAP_POINTS = 200_000  # series × steps, up to which a second window is worth its time
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
    """Windows before the evaluated ones, newest first: few for many series, more for few.

    They follow each other without overlapping. A single series has so few that it is forecast from moments
    in between as well.
    """
    oldest = min(window.start for window in evaluated)
    points = max(panel.size * horizon, 1)
    least = 2 if points <= CHEAP_POINTS else 1  # two tell what is luck
    wanted = int(np.clip(-(-SELECTION_POINTS // points), least, LONGEST_SELECTION))
    room = min(panel.length // LARGEST_SHARE, oldest // 2) // horizon
    count, apart = min(wanted, room), horizon
    if panel.size == 1 and count > 1:
        apart = -(-horizon * (count - 1) // (MOST_WINDOWS - 1))
        count = horizon * (count - 1) // apart + 1
    return [Window(oldest - n * apart - horizon, oldest - n * apart) for n in range(count)]


def looks(windows: Sequence[Window], size: int, season: int) -> float:
    """How many independent looks at the candidates some windows of so many series are.

    Errors of one window hang together, but for no longer than a rhythm of ``season`` steps; what windows
    share counts once.
    """
    steps = {step for window in windows for step in range(window.start, window.end)}
    horizon = max(window.end - window.start for window in windows)
    return size * len(steps) / min(horizon, season)


@dataclass
class Backtest:
    """The forecasts of candidates from each window's start, kept as distances from ``levels``.

    All losses stay the same when actual and forecasts are moved alike, so candidates are compared and mixed
    as they are kept.
    """

    panel: Panel  # as the models see it
    recorded: np.ndarray  # [N, T] the values that count when accuracy is measured
    horizon: int
    evaluated: list[Window]
    selecting: list[Window]
    yearly: list[Window]
    hyperparameters: Mapping[str, str]
    seed: int
    threads: int
    fit_limit_s: float | None = None
    forecasts: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)  # (name, start) -> [N, H, K]
    _levels: dict[int, np.ndarray] = field(default_factory=dict)  # start -> [N, 1]

    @property
    def windows(self) -> list[Window]:
        """All windows, newest first."""
        return [*self.evaluated, *self.selecting, *self.yearly]

    def candidate(self, name: str) -> Candidate:
        """A candidate as it is to be tried here."""
        return Candidate(name, self.hyperparameters, self.horizon, self.seed, self.threads, self.fit_limit_s)

    def stretches(self, name: str) -> list[Stretch]:
        """What has to be forecast with one candidate."""
        candidate, algorithm = self.candidate(name), candidates.make(name, self.hyperparameters)
        return [
            Stretch(candidate, windows, rows)
            for windows in self._windows_by_fit(name)
            for rows in together(algorithm, self.panel.size)
        ]

    def take(self, stretch: Stretch, forecasts: Sequence[np.ndarray]) -> None:
        """Keep the forecasts of a stretch, one [rows, H, K] per window."""
        shape = (self.panel.size, self.horizon, len(GRID))
        for window, forecast in zip(stretch.windows, forecasts, strict=True):
            key = stretch.candidate.name, window.start
            if key not in self.forecasts:
                self.forecasts[key] = np.full(shape, np.nan, np.float32)
            self.forecasts[key][stretch.rows] = forecast

    def sort(self, names: Sequence[str]) -> None:
        """Put the forecasts into the order of the candidates, whichever was done first."""
        order = {name: place for place, name in enumerate(names)}
        self.forecasts = dict(
            sorted(self.forecasts.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        )

    def _windows_by_fit(self, name: str) -> list[tuple[Window, ...]]:
        """The windows in the order of time, cut before each at which the candidate is fitted anew."""
        groups: list[list[Window]] = []
        learns = candidates.make(name).learns
        for window in sorted(self.windows, key=lambda one: one.start):
            if not groups or not learns or self._fits_at(window):
                groups.append([])
            groups[-1].append(window)
        return [tuple(group) for group in groups]

    def _fits_at(self, window: Window) -> bool:
        """Whether it is evaluated, or the oldest of a group that shares a fit."""
        return window in self.evaluated or window in (*self.selecting[-1:], *self.yearly[-1:])

    def actual(self, window: Window) -> np.ndarray:
        """The actuals of a window [N, H]."""
        return self.recorded[:, window.start : window.end]

    def levels(self, window: Window) -> np.ndarray:
        """What the forecasts of a window are distances from: each series' newest value, about, [N, 1]."""
        if window.start not in self._levels:
            self._levels[window.start] = levels(self.panel.values[:, : window.start])[:, None]
        return self._levels[window.start]

    def modelled(self, window: Window) -> np.ndarray:
        """The actuals of a window [N, H] as distances, without those that no model should follow."""
        return self.panel.values[:, window.start : window.end] - self.levels(window)

    def at(self, window: Window) -> dict[str, np.ndarray]:
        """Every candidate's forecast of one window, as distances."""
        return {name: forecast for (name, start), forecast in self.forecasts.items() if start == window.start}
