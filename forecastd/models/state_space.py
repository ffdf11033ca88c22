"""State space: level, slope and season that wander, averaged over many opinions of how fast each does.

    value = level + season + noise        level, next = level + slope + shock        slope and season likewise

How fast each part wanders, whether there is a slope, how much of it lasts, and whether there is a season
make one model; ``_models`` lists all combinations. No model is chosen for a series: its forecast is the
average over all of them, on the plain and on the logarithmic scale, each weighing as much as a power of its
likelihood on that series. On short series an average is surer than any choice.

The Kalman filter of a model has gains that do not depend on the values. So what it says of a history, its
one-step errors and its forecasts, is a fixed linear map of that history, which is made once and then applied
to all series in one matrix product. Nothing is assumed about where level and season begin.

Source: A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy.linalg import block_diag

from forecastd.models.algorithm import Algorithm
from forecastd.models.earlier_years import repeated
from forecastd.models.history import LEAST_CYCLES, History
from forecastd.models.quantiles import GRID, normal
from forecastd.models.transform import Log, Plain

LONGEST = {"min": 400, "H": 400, "D": 300, "W": 400, "M": 240, "Y": 100}  # steps of history that are used
UNKNOWN = 1e6  # variance of a state of which nothing is known, in units of the noise's
TEMPER = 0.5  # power of the likelihood: no model is quite true, so none may rule alone
WHOLE_SEASON = 13  # steps, up to which a season may have any shape
WAVES = 4  # of a longer one
FINENESS = 20  # lengths of histories are told apart to one part in so many
NUMBERS_AT_A_TIME = 3_000_000  # in a table of forecasts of all models; 12 MB
EXACT = 1e-9  # variance of a series that a model forecasts without error, in units of its usual step

# Variance of a step of the level, and of the noise; the last is a level without noise.
LEVELS = ((0.0, 1.0), (0.01, 1.0), (0.1, 1.0), (0.4, 1.0), (2.0, 1.0), (1.0, 0.0))
SEASONS = (None, 0.0, 0.01)  # variance of a step of the season; None is no season


@dataclass(frozen=True)
class Slope:
    """A slope; its variances are in units of the level's."""

    lasts: float  # share of it from one step to the next
    wanders: float  # variance of a step
    begins: float  # variance at the beginning


SLOPES = (Slope(0.0, 0.0, 0.0), Slope(1.0, 0.0, 0.01), Slope(1.0, 0.0, 0.3), Slope(0.93, 0.03, 0.05))
SMALLEST_LEVEL = 0.01  # variance that a slope is measured by, where the level does not wander by itself


class StateSpace(Algorithm):
    """Structural time series models of each series, averaged by their likelihood."""

    name = "StateSpace"

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        seen = history.last_steps(LONGEST[history.frequency.unit])
        lengths = _told_apart(seen.length - seen.first)
        filters = _filters(seen.frequency.seasonality, seen.horizon, tuple(np.unique(lengths).tolist()))
        forecast = np.empty((seen.size, seen.horizon, len(GRID)))
        step = max(1, NUMBERS_AT_A_TIME // (len(filters) * seen.horizon))
        for low in range(0, seen.size, step):
            part = slice(low, low + step)
            some = _Some.of(seen, part, lengths[part], filters)
            forecast[part] = _averaged(some, seen.values[part], filters)
        return repeated(seen, forecast)


def _told_apart(lengths: np.ndarray) -> np.ndarray:
    """Lengths rounded down a little, so that many series share one."""
    step = np.maximum(lengths // FINENESS, 1)
    return np.maximum(lengths - lengths % step, 1)


# -- one model


@dataclass(frozen=True)
class _Model:
    """A linear model with normal noise: state' = turn @ state + shocks; value = seen @ state + noise."""

    turn: np.ndarray  # [D, D]
    seen: np.ndarray  # [D]
    shocks: np.ndarray  # [D, D] covariance
    begins: np.ndarray  # [D, D] covariance of the first state
    noise: float  # variance
    has_season: bool


def _models(season: int) -> list[_Model]:
    """All models of a series with a season of so many steps, 1 for none."""
    seasons = SEASONS if season > 1 else SEASONS[:1]
    return [
        _model(wandering, level, slope, season)
        for wandering, level, slope in product(seasons, LEVELS, SLOPES)
    ]


def _model(wandering: float | None, level: tuple[float, float], slope: Slope, season: int) -> _Model:
    moves, noise = level
    unit = max(moves, SMALLEST_LEVEL)
    waves = _waves(season) if wandering is not None else []
    others = sum(map(len, waves))
    return _Model(
        turn=block_diag([[1.0, slope.lasts], [0.0, slope.lasts]], *waves),
        seen=np.concatenate([[1.0, 0.0], *([1.0, 0.0][: len(wave)] for wave in waves)]),
        shocks=np.diag([moves, slope.wanders * unit, *[wandering or 0.0] * others]),
        begins=np.diag([UNKNOWN, slope.begins * unit, *[UNKNOWN] * others]),
        noise=noise,
        has_season=bool(waves),
    )


def _waves(season: int) -> list[np.ndarray]:
    """The turn of each wave of a season from one step to the next: [2, 2], or [1, 1] of the fastest."""
    count = season // 2 if season <= WHOLE_SEASON else WAVES
    angles = [2 * np.pi * wave / season for wave in range(1, count + 1)]
    turns = [np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) for a in angles]
    return [turn[:1, :1] if 2 * wave == season else turn for wave, turn in enumerate(turns, start=1)]


# -- its filter as a linear map


@dataclass(frozen=True)
class _Filter:
    """What a model makes of a history of T steps, the oldest first; shorter ones use the beginning."""

    errors: np.ndarray  # [T, T]: one-step errors = errors @ history
    variances: np.ndarray  # [T] of the errors
    ahead: dict[int, np.ndarray]  # length -> [H, length]: forecast = ahead @ history
    spread: dict[int, np.ndarray]  # length -> [H] variance of the forecast
    states: int
    has_season: bool


@lru_cache(maxsize=1)  # the same for all windows of a backtest with long histories
def _filters(season: int, horizon: int, lengths: tuple[int, ...]) -> list[_Filter]:
    """The filters of all models, for histories of these lengths."""
    usable = season if max(lengths) >= LEAST_CYCLES * season else 1
    return [_filter(model, horizon, lengths) for model in _models(usable)]


def _filter(model: _Model, horizon: int, lengths: tuple[int, ...]) -> _Filter:
    longest = max(lengths)
    covariance, state = model.begins, np.zeros((len(model.seen), longest))  # the state as a map, too
    errors, variances = np.zeros((longest, longest), np.float32), np.empty(longest)
    ahead, spread = {}, {}
    for step in range(longest):
        seen = covariance @ model.seen
        variances[step] = model.seen @ seen + model.noise
        gain = model.turn @ seen / variances[step]
        known = slice(0, step + 1)
        error = -(model.seen @ state[:, known])
        error[step] += 1.0
        errors[step, known] = error
        state = model.turn @ state
        state[:, known] += np.outer(gain, error)
        moved = model.turn @ covariance @ model.turn.T + model.shocks
        covariance = moved - variances[step] * np.outer(gain, gain)
        covariance = (covariance + covariance.T) / 2
        if step + 1 in lengths:
            ahead[step + 1], spread[step + 1] = _ahead(model, state[:, known], covariance, horizon)
    return _Filter(errors, variances, ahead, spread, len(model.seen), model.has_season)


def _ahead(
    model: _Model, state: np.ndarray, covariance: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """The forecast as a map [H, length], and its variance [H]."""
    maps, variances = np.empty((horizon, state.shape[1]), np.float32), np.empty(horizon)
    for step in range(horizon):
        maps[step] = model.seen @ state
        variances[step] = model.seen @ covariance @ model.seen + model.noise
        state = model.turn @ state
        covariance = model.turn @ covariance @ model.turn.T + model.shocks
    return maps, variances


# -- all models on some series


@dataclass(frozen=True)
class _Some:
    """Some series, with the beginning of each history in the first column."""

    filled: np.ndarray  # [N, T] without gaps; the last value over and over after the end
    lengths: np.ndarray  # [N]
    counts: np.ndarray  # bool [N, T]: the steps whose errors tell of a model
    has_season: np.ndarray  # bool [N]: whether the history is long enough for one

    @classmethod
    def of(cls, history: History, part: slice, lengths: np.ndarray, filters: list[_Filter]) -> _Some:
        """The newest steps of some of the series."""
        step = np.arange(int(lengths.max())) + (history.length - lengths)[:, None]
        inside, step = step < history.length, np.minimum(step, history.length - 1)
        known = np.isfinite(np.take_along_axis(history.values[part], step, axis=1))
        has_season = lengths >= LEAST_CYCLES * history.frequency.seasonality
        # The first errors tell what a state was, not how good a model is: as many as the largest model of a
        # series has states, for all its models alike. Those without a season have the fewest.
        states = [one.states for one in filters]
        unsure = np.minimum(np.where(has_season, max(states), min(states)), lengths // 2)
        counts = inside & known & (np.arange(step.shape[1]) >= unsure[:, None])
        return cls(np.take_along_axis(history.filled[part], step, axis=1), lengths, counts, has_season)


@dataclass(frozen=True)
class _Opinions:
    """What all models say of some series on one scale."""

    evidence: np.ndarray  # [N, M] log likelihood of the values
    centre: np.ndarray  # [M, N, H]
    variance: np.ndarray  # [M, N, H]

    def mixed(self, weight: np.ndarray) -> np.ndarray:
        """Quantiles [N, H, K] of the normal distribution with mean and variance of the models' average.

        Args:
            weight: [N, M]; where all are zero, all weigh alike.
        """
        total = weight.sum(axis=1, keepdims=True)
        share = np.where(total > 0, weight / np.where(total > 0, total, 1.0), 1 / weight.shape[1])
        centre = np.einsum("nm,mnh->nh", share, self.centre)
        apart = (self.centre - centre) ** 2
        return normal(centre, np.sqrt(np.einsum("nm,mnh->nh", share, self.variance + apart)))


def _averaged(some: _Some, values: np.ndarray, filters: list[_Filter]) -> np.ndarray:
    """Quantiles [N, H, K] of some series, whose values with gaps are [N, T]."""
    scales = [kind(values) for kind in (Plain, Log)]
    units = [_Unit.of(some, scale) for scale in scales]
    opinions = [_opinions(some, unit, filters) for unit in units]
    evidence = TEMPER * np.concatenate([each.evidence for each in opinions], axis=1)
    weight = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    parts = np.split(weight / weight.sum(axis=1, keepdims=True), len(scales), axis=1)
    return np.sum(
        [
            part.sum(axis=1)[:, None, None] * unit.backward(each.mixed(part))
            for unit, each, part in zip(units, opinions, parts, strict=True)
        ],
        axis=0,
    )


@dataclass(frozen=True)
class _Unit:
    """A scale, the usual step on it, and the newest value: what a model measures in and from."""

    scale: Plain
    step: np.ndarray  # [N]
    last: np.ndarray  # [N]

    @classmethod
    def of(cls, some: _Some, scale: Plain) -> _Unit:
        """The unit of some series."""
        series = scale.forward(some.filled)
        steps = np.abs(np.diff(series, axis=1)).sum(axis=1) / np.maximum(some.lengths - 1, 1)
        return cls(scale, np.where(steps > 0, steps, 1.0), series[:, -1])

    def forward(self, filled: np.ndarray) -> np.ndarray:
        """Values [N, T] as a model sees them."""
        return (self.scale.forward(filled) - self.last[:, None]) / self.step[:, None]

    def backward(self, forecast: np.ndarray) -> np.ndarray:
        """A model's quantiles [N, H, K] as values."""
        return self.scale.backward(forecast * self.step[:, None, None] + self.last[:, None, None])

    def log_density(self, filled: np.ndarray) -> np.ndarray:
        """Log of how much a model's unit is stretched at each value [N, T]: makes likelihoods comparable."""
        return self.scale.log_slope(filled) - np.log(self.step)[:, None]


def _opinions(some: _Some, unit: _Unit, filters: list[_Filter]) -> _Opinions:
    history = unit.forward(some.filled).astype(np.float32)
    size, length = history.shape
    counts = some.counts.astype(np.float32)
    known = counts.sum(axis=1)
    variances = np.stack([one.variances[:length] for one in filters])  # [M, T]
    density = np.where(some.counts, unit.log_density(some.filled), 0.0).sum(axis=1)
    evidence = density[:, None] - counts @ np.log(variances).T.astype(np.float32) / 2
    groups = [(int(one), np.flatnonzero(some.lengths == one)) for one in np.unique(some.lengths)]
    centre = np.empty((len(filters), size, len(filters[0].spread[groups[0][0]])), np.float32)
    variance = np.empty_like(centre)
    for number, one in enumerate(filters):
        errors = history @ one.errors[:length, :length].T
        errors *= counts
        errors *= errors  # in place: it takes longer to fetch new memory than to compute
        noise = (errors @ (1 / variances[number]).astype(np.float32) + EXACT) / np.maximum(known, 1)
        evidence[:, number] -= known * np.log(noise) / 2
        if one.has_season:
            evidence[~some.has_season, number] = -np.inf
        for own, rows in groups:
            centre[number, rows] = history[rows, :own] @ one.ahead[own].T
            variance[number, rows] = noise[rows, None] * one.spread[own]
    return _Opinions(evidence, centre, variance)
