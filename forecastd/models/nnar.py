"""Neural network autoregression (NNAR): one step from the steps before it, and again from what that gave.

    lags and calendar ──▶ network ──▶ centre and spread of the next step ──▶ a draw ──▶ path ──▶ quantiles
          ▲                                                                    │
          └────────────────────────────────────────────────────────────────────┘

Small networks, shared by all series and by all steps of the horizon, so that a single series of a few months
teaches them enough. Values are told from the level and the spread of the cycle before them. Errors are drawn
from those that the networks made, as large as they are where the networks did not learn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecastd.models.algorithm import Algorithm, State
from forecastd.models.calendar import MOST_STEPS_IN_A_DAY, day_phase, waves
from forecastd.models.feed_forward import NETWORKS, FeedForward
from forecastd.models.history import History
from forecastd.models.quantiles import GRID

NEWEST = range(1, 7)  # lags in steps
DAYS = range(1, 8)  # lags in days
DAYS_WITH_NEIGHBOURS = (1, 2, 7, 14)  # lags in days that are seen with the steps on both sides
LONGEST_LAG = 1 / 3  # of the history
CYCLES = 4  # of a week that a history must have for level and spread to be those of a week, not of a day
LEAST_SPREAD = 0.1  # of the series' own
WAVES = 8  # of the day
ROWS = (200, 200_000)  # that are learnt from, at least and at most
PATHS = (20, 300)  # of each network and series, at least and at most
PATHS_OF_ALL = 5000  # of a network, between the two
FARTHEST = 10.0  # spreads that a value may lie from the level


class Nnar(Algorithm):
    """Paths of one-step networks, fed with their own draws."""

    name = "NNAR"
    learns = True

    def __init__(self) -> None:
        self.networks: FeedForward | None = None
        self.lags = np.zeros(0, int)
        self.cycle = 1
        self.seed = 0

    def fit(self, history: History, seed: int, threads: int) -> None:
        """See ``Algorithm.fit``."""
        random = np.random.default_rng((seed, 0))
        self.networks, self.seed = None, seed
        self.lags, self.cycle = _lags(history), _cycle(history)
        if not len(self.lags):
            return
        rows = _rows(history, self._reach(), random)
        if len(rows) < ROWS[0]:
            return
        inputs, outputs = _examples(history, rows, self.lags, self.cycle)
        block = min(self.cycle, max(np.ptp(rows[:, 1]) // NETWORKS, 1))
        self.networks = FeedForward.trained(inputs, outputs, rows[:, 1] // block, random)

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        if self.networks is None or history.length < self._reach():
            return np.full((history.size, history.horizon, len(GRID)), np.nan)
        paths = _paths(history, self.networks, self.lags, self.cycle, np.random.default_rng((self.seed, 1)))
        return np.moveaxis(np.quantile(paths, GRID, axis=2).mean(axis=1), 0, -1)

    def _reach(self) -> int:
        """The steps before one that have to be known."""
        return max(self.cycle, int(self.lags.max()))

    def state(self) -> State:
        """See ``Algorithm.state``."""
        parts = self.networks and self.networks.parts
        return {"networks": parts, "lags": self.lags, "cycle": self.cycle, "seed": self.seed}

    def restore(self, state: State) -> None:
        """See ``Algorithm.restore``."""
        parts = state["networks"]
        self.networks = parts and FeedForward({name: np.asarray(part) for name, part in parts.items()})
        self.lags = np.asarray(state["lags"], int)
        self.cycle, self.seed = int(state["cycle"]), int(state["seed"])


def _lags(history: History) -> np.ndarray:
    """How many steps back the networks look."""
    day = history.frequency.seasonality
    lags = {*NEWEST, *(day * days for days in DAYS)}
    lags |= {day * days + beside for days in DAYS_WITH_NEIGHBOURS for beside in (-1, 0, 1)}
    return np.array(sorted(lag for lag in lags if 0 < lag <= history.length * LONGEST_LAG), int)


def _cycle(history: History) -> int:
    """Over how many steps level and spread are taken."""
    day = history.frequency.seasonality
    return 7 * day if history.length >= CYCLES * 7 * day else day


def _rows(history: History, reach: int, random: np.random.Generator) -> np.ndarray:
    """What can be learnt from: the series and the step of values that have enough of a past, int [R, 2]."""
    steps = np.arange(history.length)
    rows = np.flatnonzero(~np.isnan(history.values) & (steps >= history.first[:, None] + reach))
    if len(rows) > ROWS[1]:
        rows = random.choice(rows, ROWS[1], replace=False)
    return np.stack(np.divmod(rows, history.length), axis=1)


def _calendar(times: pd.DatetimeIndex) -> np.ndarray:
    """Time of day in waves, and the day of the week, float32 [len(times), C]."""
    day = waves(2 * np.pi * day_phase(times) / MOST_STEPS_IN_A_DAY, WAVES)
    weekday = np.asarray(times.dayofweek)[:, None] == np.arange(7)
    return np.concatenate([day, weekday], axis=1, dtype=np.float32)


def _unit(history: History) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean and the spread of each series, both [N, 1], and its values [N, T] told in them."""
    mean, spread = (of(history.filled, axis=1, keepdims=True) for of in (np.mean, np.std))
    return mean, spread, (history.filled - mean) / np.where(spread > 0, spread, 1.0)


def _level_and_spread(total: np.ndarray, squares: np.ndarray, cycle: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a cycle of which both sums are known."""
    level = total / cycle
    spread = np.sqrt(np.maximum(squares / cycle - level**2, 0))
    return level, np.maximum(spread, LEAST_SPREAD)


def _examples(
    history: History, rows: np.ndarray, lags: np.ndarray, cycle: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the networks see [R, D] and what they should say [R], in spreads from the level."""
    _, _, values = _unit(history)
    sums = [np.cumsum(np.pad(v, ((0, 0), (1, 0))), axis=1) for v in (values, values**2)]
    series, step = rows.T
    total, squares = (one[series, step] - one[series, step - cycle] for one in sums)
    level, spread = _level_and_spread(total, squares, cycle)
    past = values[series[:, None], step[:, None] - lags]
    inputs = _seen(past, level, spread, _calendar(history.times)[step])
    return inputs, _scaled(values[series, step], level, spread).astype(np.float32)


def _seen(past: np.ndarray, level: np.ndarray, spread: np.ndarray, calendar: np.ndarray) -> np.ndarray:
    """The inputs [..., D] of steps whose lagged values [..., lags] are given."""
    where = np.stack([np.tanh(level / 2), np.log(spread)], axis=-1)
    lagged = _scaled(past, level[..., None], spread[..., None])
    return np.concatenate([lagged, where, calendar], axis=-1, dtype=np.float32)


def _scaled(values: np.ndarray, level: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.clip((values - level) / spread, -FARTHEST, FARTHEST)


def _paths(
    history: History, networks: FeedForward, lags: np.ndarray, cycle: int, random: np.random.Generator
) -> np.ndarray:
    """What may come, as drawn step by step, [M, N, P, H]."""
    count = int(np.clip(PATHS_OF_ALL // max(history.size, 1), *PATHS))
    shape = (NETWORKS, history.size, count)
    mean, own, past = _unit(history)
    ahead = np.zeros((*shape, history.horizon))
    calendar = _calendar(history.times[history.length :])
    newest = past[:, -cycle:]
    total, squares = (np.broadcast_to(one.sum(axis=1)[:, None], shape) for one in (newest, newest**2))
    for step in range(history.horizon):
        level, spread = _level_and_spread(total, squares, cycle)
        known = np.broadcast_to(calendar[step], (*shape, calendar.shape[1]))
        inputs = _seen(_before(past, ahead, step, lags), level, spread, known)
        chances = random.random((NETWORKS, history.size * count))
        draws = networks.draws(inputs.reshape(*chances.shape, -1), chances)
        new = level + spread * np.clip(draws, -FARTHEST, FARTHEST).reshape(shape)
        oldest = _before(past, ahead, step, np.array([cycle]))[..., 0]
        total, squares = total + new - oldest, squares + new**2 - oldest**2
        ahead[..., step] = new
    return mean[:, None] + own[:, None] * ahead


def _before(past: np.ndarray, ahead: np.ndarray, step: int, lags: np.ndarray) -> np.ndarray:
    """The values [M, N, P, lags] before a step of the horizon, out of the history and of the paths."""
    values = np.empty((*ahead.shape[:-1], len(lags)))
    drawn = lags <= step
    values[..., drawn] = ahead[..., step - lags[drawn]]
    values[..., ~drawn] = past[:, None, step - lags[~drawn]]
    return values
