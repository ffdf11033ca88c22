"""Analogs: what followed those stretches of a series' past that looked most like its newest one.

    newest stretch ──▶ nearest stretches of the past ──▶ what followed each ──▶ weighted quantiles

The method of analogs (Lorenz 1969), which is k-nearest-neighbours regression. Stretches are compared after
their level is taken out. What else makes two of them alike has no one answer: whether they are brought to
the same spread, over how long their level is taken, how far newer steps count more, and how many neighbours
are heard. All ways are tried from moments of the newer half of the past, with what was known then, and share
the forecast by how well they did. Only a series' own past is searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecastd.models.algorithm import Algorithm
from forecastd.models.history import History
from forecastd.models.quantiles import GRID, weighted_quantiles

CONTEXT = {"min": 336, "H": 168, "D": 28, "W": 52, "M": 24, "Y": 8}  # steps of a stretch
LONGEST = {"min": 10_000, "H": 10_000, "D": 2200, "W": 800, "M": 400, "Y": 100}  # steps that are searched
LEAST_STRETCHES = 10  # of the past
LEAST_CONTEXT = 4  # steps
MOST_STRETCHES = 100_000  # of all series; of more, those that begin at the same few phases of the rhythm
TRIALS = (8, 48)  # moments of the past from which the ways to compare are judged, at least and at most
TRIALS_OF_ALL = 5000  # series × moments, between the two
HALF_LIVES = (0.15, np.inf)  # of a step's weight in the comparison, in stretches
NEIGHBOURS = (2, 6)  # the distance of this one is the unit of distance
LIKELY = 4  # the one where a single forecast is wanted
REACH = 4  # times as many are heard, those farther away hardly
OWN_SPREAD_AT_LEAST = 0.2  # of the series' spread: calm stretches are not blown up to wild ones
STEEPNESS = 8.0  # power of a way's error in its share
NUMBERS_AT_A_TIME = 2_000_000


class Analogs(Algorithm):
    """Weighted quantiles of what followed similar stretches."""

    name = "Analogs"

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        seen = history.last_steps(LONGEST[history.frequency.unit])
        forecast = np.full((seen.size, seen.horizon, len(GRID)), np.nan)
        context = _context(seen)
        stride = stride_for(seen, MOST_STRETCHES / (seen.size * seen.length))
        past = (seen.length - context - seen.horizon) // stride + 1
        if context < LEAST_CONTEXT or past < LEAST_STRETCHES:
            return forecast
        trials = int(np.clip(TRIALS_OF_ALL // seen.size, *TRIALS))
        levels = _levels(seen, context)
        at_a_time = max(1, NUMBERS_AT_A_TIME // (past * context))
        for low in range(0, seen.size, at_a_time):
            rows = slice(low, low + at_a_time)
            stretches = _Stretches(seen.filled[rows], seen.first[rows], context, seen.horizon, stride)
            ways = list(_ways(stretches, levels, trials))
            forecast[rows] = _shared(
                np.stack([answer for answer, _ in ways]), np.stack([error for _, error in ways])
            )
        return forecast


def centres(
    history: History, series: np.ndarray, origins: np.ndarray, ahead: np.ndarray, stride: int
) -> list[np.ndarray]:
    """What was to be expected of single steps, by two ways to compare, from what was known at their origin.

    Args:
        history: H steps are looked ahead.
        series: The series of each row, int [R].
        origins: The step from which each looks ahead, int [R]; those off the stride know nothing.
        ahead: How far, int [R], from 0 to H - 1.
        stride: Steps from one stretch of the past to the next.

    Returns:
        Two times [R]; NaN where the past is too short.
    """
    expected = [np.full(len(series), np.nan) for _ in range(2)]
    context = _context(history)
    if context < LEAST_CONTEXT or history.length - context - history.horizon < LEAST_STRETCHES * stride:
        return expected
    levels = _levels(history, context)
    order = np.argsort(series, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(series[order])) + 1):
        one = slice(series[rows[0]], series[rows[0]] + 1)
        stretches = _Stretches(history.filled[one], history.first[one], context, history.horizon, stride)
        number, off = np.divmod(origins[rows] - context - stretches.start[0], stride)
        known = (number >= 0) & (off == 0)
        rows, (asked, which) = rows[known], np.unique(number[known], return_inverse=True)
        for column, spread, steps in zip(expected, stretches.spreads(), (levels[0], levels[-1]), strict=True):
            like = _Likeness(stretches.levels(steps), spread)
            column[rows] = _centres(stretches, like, asked)[which, ahead[rows]]
    return expected


def _centres(stretches: _Stretches, like: _Likeness, asked: np.ndarray) -> np.ndarray:
    """The mean of what followed stretches like those asked for [Q] of one series, [Q, H]."""
    centre = np.empty((len(asked), stretches.horizon))
    at_a_time = max(1, NUMBERS_AT_A_TIME // stretches.count)
    for low in range(0, len(asked), at_a_time):
        some = asked[low : low + at_a_time]
        near, distance = _nearest(stretches, like, min(HALF_LIVES), some)
        heard = slice(0, REACH * LIKELY)
        share = _shares(distance[..., heard], LIKELY)
        mean = np.einsum("nqm,nqmh->nqh", share, like.out(stretches, near[..., heard]))
        answer = like.back(mean, some)[0]
        answer[share[0].sum(axis=1) == 0] = np.nan
        centre[low : low + len(some)] = answer
    return centre


def _levels(history: History, context: int) -> list[int]:
    """Over how many steps the level may be taken."""
    return sorted({min(history.frequency.seasonality, context), context})


def _heard_from(first: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The step from which each series' stretches are heard [N]: its first value's, or any where that leaves
    too few of them.
    """
    left = (start >= first[:, None]).sum(axis=1)
    return np.where(left >= LEAST_STRETCHES, first, 0)


def _context(history: History) -> int:
    """L: what the unit usually needs, and a third of the history at most."""
    return min(history.frequency.steps_of(CONTEXT), (history.length - history.horizon) // 3)


def stride_for(history: History, share: float) -> int:
    """Steps from one stretch to the next where only a share of them is affordable: a divisor of the season,
    so that stretches at the newest one's phase are among them.
    """
    season = history.frequency.seasonality
    return next((step for step in range(1, season) if season % step == 0 and step >= 1 / share), season)


class _Stretches:
    """The stretches of some series, and what followed."""

    def __init__(
        self, values: np.ndarray, first: np.ndarray, context: int, horizon: int, stride: int
    ) -> None:
        length = values.shape[1]
        self.values, self.horizon = values, horizon
        self.start = np.arange((length - context) % stride, length - context + 1, stride)  # [E]
        self.every = sliding_window_view(values, context, axis=1)[:, self.start[0] :: stride]  # [N, E, L]
        self.count = int((self.start + context + horizon <= length).sum())  # S, that something followed
        self.begun = self.start >= _heard_from(first, self.start[: self.count])[:, None]  # [N, E]

    def trials(self, most: int) -> np.ndarray:
        """Numbers of stretches of the newer half of those that something followed, [Q]."""
        some = min(most, self.count // 4)
        return np.unique(np.linspace(self.count // 2, self.count - 1, some).astype(int))

    def usable(self, asked: np.ndarray) -> np.ndarray:
        """Whether what followed a stretch was known at the end of those asked for [Q], [N, Q, S]."""
        known = self.start[: self.count] + self.horizon <= self.start[asked, None]
        return known & self.begun[:, None, : self.count]

    def levels(self, steps: int) -> np.ndarray:
        """The mean of each stretch's newest steps, [N, E]."""
        return self.every[:, :, -steps:].mean(axis=2)

    def spreads(self) -> tuple[np.ndarray, np.ndarray]:
        """The spread of the whole series, and that of each stretch itself, both [N, E]."""
        usual = np.maximum(self.values.std(axis=1, keepdims=True), 1e-9)
        own = np.maximum(self.every.std(axis=2), OWN_SPREAD_AT_LEAST * usual)
        return np.broadcast_to(usual, own.shape), own

    def followers(self, numbers: np.ndarray) -> np.ndarray:
        """What followed some stretches [N, ...], [N, ..., H]."""
        start = self.start[numbers] + self.every.shape[2]
        rows = np.arange(len(numbers)).reshape(-1, *[1] * numbers.ndim)
        return self.values[rows, start[..., None] + np.arange(self.horizon)]


@dataclass(frozen=True)
class _Likeness:
    """What is taken out of stretches before they are compared, and put back: both [N, E]."""

    level: np.ndarray
    spread: np.ndarray

    def out(self, stretches: _Stretches, numbers: np.ndarray) -> np.ndarray:
        """What followed some stretches [N, ...], from their level in units of their spread, [N, ..., H]."""
        rows = np.arange(len(numbers)).reshape(-1, *[1] * (numbers.ndim - 1))
        level, spread = self.level[rows, numbers], self.spread[rows, numbers]
        return (stretches.followers(numbers) - level[..., None]) / spread[..., None]

    def back(self, forecast: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Forecasts [N, Q, ...] after the stretches of these numbers [Q], in the series' own unit."""
        shape = (len(forecast), len(numbers), *[1] * (forecast.ndim - 2))
        level, spread = self.level[:, numbers].reshape(shape), self.spread[:, numbers].reshape(shape)
        return level + spread * forecast


def _ways(stretches: _Stretches, levels: list[int], trials: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For every way to compare: quantiles of the future [N, H, K], and the error in the past [N]."""
    tried = stretches.trials(trials)
    asked = np.append(tried, len(stretches.start) - 1)  # [Q + 1], the newest at the end
    actual = stretches.followers(np.broadcast_to(tried, (len(stretches.values), len(tried))))
    likenesses = [
        _Likeness(stretches.levels(steps), spread) for spread, steps in product(stretches.spreads(), levels)
    ]
    for like, half_life in product(likenesses, HALF_LIVES):
        near, distance = _nearest(stretches, like, half_life, asked)
        followed = like.out(stretches, near)  # [N, Q + 1, M, H]
        for neighbours in NEIGHBOURS:
            heard = slice(0, REACH * neighbours)
            share = _shares(distance[..., heard], neighbours)
            centre = np.einsum("nqm,nqmh->nqh", share[:, :-1], followed[:, :-1, heard])
            wrong = np.abs(like.back(centre, tried) - actual).mean(axis=2)
            measured = stretches.begun[:, tried] & (share[:, :-1].sum(axis=2) > 0)
            future = _quantiles(followed[:, -1, heard], share[:, -1])
            newest = like.back(future[:, None], asked[-1:])[:, 0]
            yield newest, _mean_where(measured, wrong)


def _nearest(
    stretches: _Stretches, like: _Likeness, half_life: float, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the stretches nearest to those asked for [Q], and their squared distances, both
    [N, Q, M], nearest first; the distance is infinite where there are no more.
    """
    context = stretches.every.shape[2]
    weight = 0.5 ** (np.arange(context)[::-1] / (half_life * context))
    root = np.sqrt(weight / weight.sum())

    def comparable(numbers: slice | np.ndarray) -> np.ndarray:
        centred = stretches.every[:, numbers] - like.level[:, numbers, None]
        return (centred * (root / like.spread[:, numbers, None])).astype(np.float32)

    past, newer = comparable(slice(0, stretches.count)), comparable(asked)
    distance = np.square(newer).sum(axis=2)[:, :, None] + np.square(past).sum(axis=2)[:, None, :]
    distance -= 2 * newer @ past.transpose(0, 2, 1)
    distance = np.where(stretches.usable(asked), np.maximum(distance, 0.0), np.inf)
    most = min(REACH * max(NEIGHBOURS), stretches.count - 1)
    near = np.argpartition(distance, most, axis=2)[..., :most]
    found = np.take_along_axis(distance, near, axis=2)
    order = np.argsort(found, axis=2, kind="stable")
    return np.take_along_axis(near, order, axis=2), np.take_along_axis(found, order, axis=2)


def _shares(distance: np.ndarray, neighbours: int) -> np.ndarray:
    """How much each neighbour says [N, Q + 1, M]; all 0 where there are none."""
    unit = distance[..., min(neighbours, distance.shape[2]) - 1]
    unit = np.maximum(np.where(np.isfinite(unit), unit, 1.0), 1e-9)
    share = np.exp(-distance / unit[..., None])
    return share / np.maximum(share.sum(axis=2, keepdims=True), 1e-12)


def _quantiles(followed: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quantiles [N, H, K] of what followed the neighbours [N, M, H], which say as much as ``share``."""
    size, count, horizon = followed.shape
    rows = followed.transpose(0, 2, 1).reshape(-1, count)
    return weighted_quantiles(rows, np.repeat(share, horizon, axis=0)).reshape(size, horizon, -1)


def _mean_where(measured: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The mean of what was measured in each row; infinite where nothing was."""
    count = measured.sum(axis=1)
    total = np.where(measured, wrong, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def _shared(answers: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The mean of all ways' quantiles [W, N, H, K]: the less a way's error [W, N], the larger its share.

    NaN for a series on which nothing could be measured.
    """
    best = errors.min(axis=0)
    power = ((best + 1e-12) / (errors + 1e-12)) ** STEEPNESS
    known = np.isfinite(best)
    share = np.where(known, power / np.where(known, power.sum(axis=0), 1.0), np.nan)
    return np.einsum("wn,wnhk->nhk", share, np.where(np.isfinite(answers), answers, 0.0))
