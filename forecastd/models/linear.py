"""Direct global linear model: one ridge regression from a series' recent values to all steps of the horizon.

    window of L values ──(minus its level, over its spread)──▶ ridge ──▶ H steps, scaled back

Windows are cut from all series together, so short histories borrow from the others. The penalty is the
one that forecasts the newest windows best when they are held back; one eigendecomposition serves every
penalty. The errors on these windows, pooled over neighbouring steps, give the quantiles.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecastd.models.algorithm import Algorithm, State
from forecastd.models.earlier_years import repeated
from forecastd.models.history import History
from forecastd.models.quantiles import MEDIAN
from forecastd.models.residuals import pooled_quantiles

CONTEXT = {
    "min": 336,
    "H": 336,
    "D": 84,
    "W": 104,
    "M": 36,
    "Y": 12,
}  # steps: two weeks, 12 weeks, 2 and 3 years
PENALTIES = 10.0 ** np.arange(-4, 4)  # times the number of rows
LARGEST_CELLS = 12_000_000  # float32 cells of inputs and outputs together; 48 MB, and as many again at work
MOST_ROWS = 60_000
MOST_MISSING = 0.3  # share of a window that may be bridged gaps
HELD_BACK = 0.2  # share of the origins, the newest


class Linear(Algorithm):
    """Ridge regression from the last values to the whole horizon, shared by all series."""

    name = "Linear"
    learns = True

    def __init__(self) -> None:
        self.weights = np.zeros((0, 0))  # [L + 1, H]
        self.errors = np.zeros((0, 0))  # [H, K] quantiles of scaled errors
        self.season = 1

    def fit(self, history: History, seed: int, threads: int) -> None:
        """See ``Algorithm.fit``."""
        context = context_steps(history)
        self.season = max(1, min(history.frequency.seasonality, context))
        origins = _origins(history, context, seed)
        inputs, outputs, when = _windows(history, context, origins, self.season)
        if len(inputs) < 8:
            self.weights = np.zeros((0, 0))
            return
        held = when > np.quantile(when, 1 - HELD_BACK)
        if held.all() or not held.any():
            held = np.arange(len(inputs)) % 5 == 4  # one origin only: hold back every fifth series
        penalty, errors = _choose_penalty(inputs, outputs, held)
        self.weights = _Ridge(inputs, outputs).solve(penalty)
        self.errors = pooled_quantiles(errors, neighbours=max(1, history.horizon // 24))

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        context = self.weights.shape[0] - 1
        if context < 1 or context > history.length:
            return np.full((history.size, history.horizon, self.errors.shape[1] or 7), np.nan)
        recent = history.filled[:, -context:]
        level, spread = level_and_spread(recent, self.season)
        centre = _with_constant((recent - level) / spread) @ self.weights
        quantiles = centre[..., None] + self.errors[None]
        return repeated(history, level[..., None] + spread[..., None] * quantiles)

    def centre(self, windows: np.ndarray) -> np.ndarray:
        """The scaled median forecast [rows, H] of scaled windows [rows, L]."""
        return _with_constant(windows) @ self.weights + self.errors[:, MEDIAN]

    def state(self) -> State:
        """See ``Algorithm.state``."""
        return {"weights": self.weights, "errors": self.errors, "season": self.season}

    def restore(self, state: State) -> None:
        """See ``Algorithm.restore``."""
        self.weights, self.errors = np.asarray(state["weights"]), np.asarray(state["errors"])
        self.season = int(state["season"])


def context_steps(history: History) -> int:
    """L: what the unit usually needs, at least a season, and no more than leaves room for some windows."""
    wanted = max(history.frequency.steps_of(CONTEXT), history.frequency.seasonality + 1, 8)
    return max(1, min(wanted, (history.length - history.horizon) * 2 // 3))


def level_and_spread(windows: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Level of the last season and spread of the whole window, both [rows, 1]."""
    level = windows[:, -season:].mean(axis=1, keepdims=True)
    spread = windows.std(axis=1, keepdims=True)
    floor = 1e-3 * np.abs(windows).max(axis=1, keepdims=True) + 1e-9
    return level, np.maximum(spread, floor)


def _origins(history: History, context: int, seed: int) -> np.ndarray:
    """The steps at which windows are cut, evenly spread and always with the newest."""
    last = history.length - history.horizon
    span = last - context + 1
    if span <= 0:
        return np.zeros(0, int)
    rows = min(MOST_ROWS, LARGEST_CELLS // (context + history.horizon))
    count = int(np.clip(rows // max(history.size, 1), 1, span))
    return np.unique(last - np.round(np.linspace(0, span - 1, count)).astype(int))


def _windows(
    history: History, context: int, origins: np.ndarray, season: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scaled inputs [rows, L], scaled outputs [rows, H], and the origin of each row."""
    if not origins.size:
        return np.zeros((0, context)), np.zeros((0, history.horizon)), origins
    both = sliding_window_view(history.filled, context + history.horizon, axis=1)[:, origins - context]
    rows = np.arange(history.size)[:, None]
    gaps = np.cumsum(np.pad(np.isnan(history.values), ((0, 0), (1, 0))), axis=1)
    missing = gaps[:, origins + history.horizon] - gaps[:, origins - context]
    usable = missing <= MOST_MISSING * (context + history.horizon)
    usable &= (gaps[:, origins] - gaps[:, origins - context]) < context
    usable = _thinned(usable)
    windows = both[usable].astype(np.float64)
    level, spread = level_and_spread(windows[:, :context], season)
    scaled = np.clip((windows - level) / spread, -20, 20).astype(np.float32)
    when = np.broadcast_to(origins[None, :] + 0 * rows, usable.shape)[usable]
    return scaled[:, :context], scaled[:, context:], when


def _thinned(usable: np.ndarray) -> np.ndarray:
    """At most ``MOST_ROWS`` windows: of many series, evenly spaced ones."""
    count = int(usable.sum())
    if count <= MOST_ROWS:
        return usable
    keep = np.zeros(usable.size, bool)
    keep[np.flatnonzero(usable)[np.linspace(0, count - 1, MOST_ROWS).astype(int)]] = True
    return keep.reshape(usable.shape)


class _Ridge:
    """Ridge regression on one data set for any penalty."""

    def __init__(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        design = _with_constant(inputs)
        self.rows = len(design)
        self.roots, self.basis = np.linalg.eigh((design.T @ design).astype(np.float64))
        self.projected = self.basis.T @ (design.T @ outputs).astype(np.float64)

    def solve(self, penalty: float) -> np.ndarray:
        """Weights [L + 1, H]."""
        shrunk = self.projected / (np.maximum(self.roots, 0) + penalty * self.rows)[:, None]
        return self.basis @ shrunk


def _choose_penalty(inputs: np.ndarray, outputs: np.ndarray, held: np.ndarray) -> tuple[float, np.ndarray]:
    """The penalty with the least absolute error on the held-back rows, and the errors there [rows, H]."""
    ridge = _Ridge(inputs[~held], outputs[~held])
    design, actual = _with_constant(inputs[held]), outputs[held]
    best: tuple[float, float, np.ndarray] | None = None
    for penalty in PENALTIES:
        errors = actual - design @ ridge.solve(float(penalty)).astype(np.float32)
        loss = float(np.abs(errors).mean())
        if best is None or loss < best[0]:
            best = (loss, float(penalty), errors)
    assert best is not None  # there are always penalties
    return best[1], best[2]


def _with_constant(windows: np.ndarray) -> np.ndarray:
    return np.concatenate([windows, np.ones((len(windows), 1), windows.dtype)], axis=1)
