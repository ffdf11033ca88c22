"""Quantile averaging: which candidates to mix, how much of each, for all series and for each one.

    candidate ──▶ its own width ──▶ shares for all series ──▶ shares for each series ──▶ width of the mixture

Everything is chosen on backtest windows. The loss is the quantile loss *scaled per series*, so that a few
large series do not decide for all.

Widths: every candidate is first made as wide as its past errors were, so that none is preferred or left out
for its width alone. Shares for all: starting from nothing, the candidate that improves the mixture most is
added, again and again; what was found is drawn towards shares that follow each candidate's own loss, which
vary less from one period to the next. The fewer looks at the candidates there are, the less widths and
shares follow them; for shares, series that are wrong together count as few. Shares for each series lean
towards what did better on that series; how far is what forecasts the windows best that were not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecastd.models.quantiles import GRID, MEDIAN, pinball

ROUNDS = 25
LEAST_WEIGHT = 0.015  # what weighs less is not worth its time
CAUTION_SHARE = 0.3  # of the mixture that follows the candidates' own losses, at least
LOOKS_FOR_SHARES = 30.0  # independent ones, with which half of the mixture is chosen greedily
STEEPNESS = 6.0  # power of a candidate's loss there
LEANINGS = (0.0, 1.0, 2.0, 4.0, 8.0)  # powers of the loss on a series itself
PRICE_OF_LEANING = 0.001  # of the loss, that each power has to gain
UNPROVEN_LEANING = 1.0  # where one window alone cannot prove any
SHARED = 0.2  # of the usual loss, that is added to a series' own so that luck on a few steps says little
WIDTHS = np.round(1.1 ** np.arange(-5, 15), 3)  # tried on the distances from the median: 0.62 to 3.8
CAUTION = 0.2  # a width's loss counts this much more for each unit of its squared logarithm
LOOKS_FOR_WIDTHS = 50.0  # with so many, twice as much
NARROWING = 5.0  # times as much for a narrower one: to be too sure is worse than to be too careful
WILDEST = 3.0  # usual errors of a series, beyond which an error counts no more
CORE = (GRID > 0.05) & (GRID < 0.95)  # the far tails say little on short windows
SERIES_THAT_LEAN = 2  # at least

Forecasts = Mapping[str, np.ndarray]  # name -> [N, H, K]
Weights = Mapping[str, "float | np.ndarray"]  # name -> share of all series, or of each [N]


@dataclass(frozen=True)
class Sample:
    """One backtest window of the series to choose on."""

    actual: np.ndarray  # [N, H], NaN is ignored
    forecasts: Forecasts


@dataclass(frozen=True)
class Shares:
    """The shares of each series that has its own."""

    keys: np.ndarray  # [N] text
    names: tuple[str, ...]
    table: np.ndarray  # [N, names]

    def __eq__(self, other: object) -> bool:
        """Whether all is equal."""
        return (
            isinstance(other, Shares)
            and self.names == other.names
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.table, other.table)
        )

    def of(self, keys: np.ndarray, others: Mapping[str, float]) -> dict[str, np.ndarray]:
        """The shares [len(keys)] of each candidate; ``others`` for series that have none of their own."""
        order = np.argsort(self.keys)
        place = np.clip(np.searchsorted(self.keys, keys, sorter=order), 0, len(self.keys) - 1)
        rows = order[place]
        own = self.keys[rows] == keys
        return {
            name: np.where(own, self.table[rows, column], others.get(name, 0.0))
            for column, name in enumerate(self.names)
        }


@dataclass(frozen=True)
class Mixture:
    """Shares of candidates, and how much wider each and their mixture have to be than they say."""

    weights: Mapping[str, float]
    width: float = 1.0
    widths: Mapping[str, float] = field(default_factory=dict)  # of candidates; 1 if not given
    own: Shares | None = None  # of single series
    leaning: float = 0.0  # how far those lean

    def state(self) -> dict[str, Any]:
        """What ``restored`` needs, as JSON values and arrays."""
        own = self.own and {"keys": self.own.keys, "names": list(self.own.names), "table": self.own.table}
        return {
            "weights": dict(self.weights),
            "width": self.width,
            "widths": dict(self.widths),
            "own": own,
            "leaning": self.leaning,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Mixture:
        """The mixture with this state."""
        own = state["own"] and Shares(
            state["own"]["keys"], tuple(state["own"]["names"]), state["own"]["table"]
        )
        return cls(state["weights"], state["width"], state["widths"], own, state["leaning"])

    def of(self, forecasts: Forecasts, keys: np.ndarray | None = None) -> np.ndarray:
        """The mixture [N, H, K] of the candidates' forecasts for the series with these keys."""
        wide = {name: widened(forecasts[name], self.widths.get(name, 1.0)) for name in self.weights}
        weights = self.weights if keys is None or self.own is None else self.own.of(keys, self.weights)
        return widened(combine(wide, weights), self.width)


def series_names(keys: pd.DataFrame) -> np.ndarray:
    """One text for each series, of its item and its forecast dimensions, [N]."""
    first, *others = (keys[name].to_numpy().astype(str) for name in keys.columns)
    for other in others:
        first = np.char.add(np.char.add(first, "\x1f"), other)
    return first


def equal_shares(names: Sequence[str]) -> Mixture:
    """The mixture where nothing is known about the candidates."""
    return Mixture(dict.fromkeys(names, 1 / len(names)))


def choose(samples: Sequence[Sample], scale: np.ndarray, keys: np.ndarray, looks: float) -> Mixture:
    """The mixture that does best on the selection windows.

    Args:
        samples: One for each window, of the same series and candidates.
        scale: [N], the unit of each series' loss.
        keys: [N], the names of the series.
        looks: How many the samples are: windows of a series that do not overlap.
    """
    together = side_by_side(samples)
    caution = CAUTION * (1 + LOOKS_FOR_WIDTHS / looks)
    widths = {
        name: calibrated_width(together.actual, forecast, scale, caution)
        for name, forecast in together.forecasts.items()
    }
    wide = [_widened(sample, widths) for sample in samples]
    weights = shared_weights(side_by_side(wide), scale, looks * independent(together) / len(scale))
    losses = np.stack([_losses(sample, list(weights), scale) for sample in wide])  # [windows, N, C]
    leaning = _leaning(wide, weights, losses, scale)
    own = Shares(keys, tuple(weights), own_weights(weights, losses, leaning)) if leaning else None
    mixed = [_left_out(wide, weights, losses, leaning, number) for number in range(len(wide))]
    width = calibrated_width(together.actual, np.concatenate(mixed, axis=1), scale, caution)
    return Mixture(weights, width, {name: widths[name] for name in weights}, own, leaning)


def independent(together: Sample) -> float:
    """How many independent series the errors on all windows are like, from 1 to the number of series.

    Series that share weather, holidays or a market are wrong together: where their errors always go the same
    way, a thousand of them tell as much about the candidates as one. The mean of N independent errors of one
    size has a variance N times smaller than theirs; here it is measured how much smaller it is.
    """
    errors = together.actual - np.mean([one[..., MEDIAN] for one in together.forecasts.values()], axis=0)
    known = np.isfinite(errors)
    sizes = np.where(known, np.abs(errors), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    shared = np.where(known, errors / np.where(sizes > 0, sizes, 1.0)[:, None], 0.0).clip(-WILDEST, WILDEST)
    counts = np.maximum(known.sum(axis=0), 1)
    of_mean, of_all = np.sum((shared.sum(axis=0) / counts) ** 2), np.sum((shared**2).sum(axis=0) / counts)
    return float(np.clip(of_all / of_mean, 1.0, len(errors))) if of_mean > 0 else float(len(errors))


def side_by_side(samples: Sequence[Sample]) -> Sample:
    """All windows as one."""
    names = list(samples[0].forecasts)
    return Sample(
        np.concatenate([sample.actual for sample in samples], axis=1),
        {name: np.concatenate([sample.forecasts[name] for sample in samples], axis=1) for name in names},
    )


def _widened(sample: Sample, widths: Mapping[str, float]) -> Sample:
    wide = {name: widened(forecast, widths[name]) for name, forecast in sample.forecasts.items()}
    return Sample(sample.actual, wide)


def calibrated_width(actual: np.ndarray, forecast: np.ndarray, scale: np.ndarray, caution: float) -> float:
    """The factor on the distances from the median with the least scaled loss."""
    losses = [scaled_loss(actual, widened(forecast, width), scale) for width in WIDTHS]
    prices = 1 + caution * np.where(WIDTHS < 1, NARROWING, 1.0) * np.log(WIDTHS) ** 2
    return float(WIDTHS[int(np.argmin(losses * prices))])


def widened(forecast: np.ndarray, width: float) -> np.ndarray:
    """The forecast [N, H, K] with every quantile ``width`` times as far from the median."""
    middle = forecast[..., MEDIAN : MEDIAN + 1]
    return middle + width * (forecast - middle)


def scaled_loss(actual: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> float:
    """Mean quantile loss over the core of the grid, each series over its ``scale`` [N]."""
    loss = pinball(actual, forecast[..., CORE], GRID[CORE]) / scale[:, None, None]
    return float(np.nanmean(loss)) if np.isfinite(loss).any() else 0.0


def shared_weights(sample: Sample, scale: np.ndarray, looks: float) -> dict[str, float]:
    """Weights for all series, that sum to one; candidates that weigh next to nothing are absent."""
    caution = max(CAUTION_SHARE, LOOKS_FOR_SHARES / (LOOKS_FOR_SHARES + looks))
    greedy = greedy_weights(sample.actual, sample.forecasts, scale)
    losses = {name: scaled_loss(sample.actual, one, scale) for name, one in sample.forecasts.items()}
    least = max(min(losses.values()), 1e-12)
    steep = {name: (least / max(loss, least)) ** STEEPNESS for name, loss in losses.items()}
    total = sum(steep.values())
    drawn = {
        name: (1 - caution) * greedy.get(name, 0.0) + caution * steep[name] / total for name in sorted(losses)
    }
    kept = {name: weight for name, weight in drawn.items() if weight > LEAST_WEIGHT}
    return {name: float(weight / sum(kept.values())) for name, weight in kept.items()}


def greedy_weights(
    actual: np.ndarray, forecasts: Forecasts, scale: np.ndarray, rounds: int = ROUNDS
) -> dict[str, float]:
    """Weights that sum to one; candidates never chosen are absent.

    Args:
        actual: [N, S], the selection windows side by side; NaN is ignored.
        forecasts: Per candidate [N, S, K].
        scale: [N].
        rounds: How often a candidate is added.
    """
    names = sorted(forecasts)
    total = np.zeros_like(next(iter(forecasts.values())))
    chosen: list[str] = []
    history: list[float] = []
    for _ in range(rounds):
        losses = [scaled_loss(actual, (total + forecasts[n]) / (len(chosen) + 1), scale) for n in names]
        best = int(np.argmin(losses))
        chosen.append(names[best])
        history.append(losses[best])
        total = total + forecasts[names[best]]
    kept = chosen[: int(np.argmin(history)) + 1]
    return {name: kept.count(name) / len(kept) for name in names if name in kept}


def _losses(sample: Sample, names: Sequence[str], scale: np.ndarray) -> np.ndarray:
    """The scaled loss of each candidate on each series, [N, C]."""
    return np.stack([series_loss(sample.actual, sample.forecasts[name], scale) for name in names], axis=1)


def series_loss(actual: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The scaled loss on each series [N]; NaN where nothing is known."""
    loss = pinball(actual, forecast[..., CORE], GRID[CORE])
    known = np.isfinite(loss)
    total = np.where(known, loss, 0.0).sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    return np.where(known.any(axis=(1, 2)), total / scale, np.nan)


def own_weights(weights: Mapping[str, float], losses: np.ndarray, leaning: float) -> np.ndarray:
    """The weights of each series [N, C]: those of all, times a power of the losses [windows, N, C] on it."""
    base = np.array(list(weights.values()))
    known = np.isfinite(losses)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known.any(axis=0), np.where(known, losses, 0.0).sum(axis=0) / counts, 0.0)  # [N, C]
    usual = SHARED * (mean @ base)[:, None] + 1e-12
    best = mean.min(axis=1, keepdims=True)
    leant = base * ((mean + usual) / (best + usual)) ** -leaning
    return leant / leant.sum(axis=1, keepdims=True)


def _leaning(
    samples: Sequence[Sample], weights: Mapping[str, float], losses: np.ndarray, scale: np.ndarray
) -> float:
    """How far the shares of single series should lean: what forecasts each window best from the others."""
    if len(scale) < SERIES_THAT_LEAN or len(weights) < 2:
        return 0.0
    if len(samples) < 2:
        return UNPROVEN_LEANING
    totals = [
        (1 + PRICE_OF_LEANING * leaning)
        * sum(
            scaled_loss(sample.actual, _left_out(samples, weights, losses, leaning, number), scale)
            for number, sample in enumerate(samples)
        )
        for leaning in LEANINGS
    ]
    return LEANINGS[int(np.argmin(totals))]


def _left_out(
    samples: Sequence[Sample],
    weights: Mapping[str, float],
    losses: np.ndarray,
    leaning: float,
    number: int,
) -> np.ndarray:
    """The mixture [N, H, K] of one window with the series' own shares from the other windows."""
    others = np.delete(losses, number, axis=0) if len(samples) > 1 else losses
    table = own_weights(weights, others, leaning)
    own = {name: table[:, column] for column, name in enumerate(weights)}
    return combine(samples[number].forecasts, own)


def combine(forecasts: Forecasts, weights: Weights) -> np.ndarray:
    """The weighted average [N, H, K]; where a candidate has no answer, the others share its weight."""
    total: np.ndarray | None = None
    share: np.ndarray | None = None
    for name, weight in weights.items():
        forecast = forecasts[name]
        known = np.isfinite(forecast).all(axis=(1, 2)).reshape(-1, 1, 1)
        each = np.broadcast_to(weight, len(forecast))[:, None, None]
        part = np.where(known, forecast, 0.0) * each
        total = part if total is None else total + part
        share = known * each if share is None else share + known * each
    assert total is not None  # weights are never empty
    assert share is not None
    return np.divide(total, share, out=np.full(total.shape, np.nan), where=share > 0)
