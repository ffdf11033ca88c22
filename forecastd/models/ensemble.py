"""Greedy quantile averaging: which candidates to mix, and how much of each.

Starting from nothing, the candidate that improves the mixture most on the selection windows is added,
again and again, with repetition; a candidate's weight is how often it was added. The loss is the quantile
loss *scaled per series*, so that a few large series do not decide for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forecastd.models.quantiles import GRID, MEDIAN, pinball

ROUNDS = 25
LEAST_WEIGHT = 0.01  # what weighs less is not worth its time
FEW_POINTS = 100  # selection points at which half of the choice is left to equal shares
CLOSE = 1.15  # times the least loss: candidates that may well be as good as the best
WIDTHS = (0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)  # tried on the distances from the median
CAUTION = 0.02  # a width's loss counts this much more for each unit of its squared logarithm
CORE = (GRID > 0.05) & (GRID < 0.95)  # the far tails say little on short windows


@dataclass(frozen=True)
class Mixture:
    """Shares of candidates, and how much wider their mixture has to be than they say themselves."""

    weights: Mapping[str, float]
    width: float = 1.0

    def of(self, forecasts: Mapping[str, np.ndarray]) -> np.ndarray:
        """The mixture [N, H, K] of the candidates' forecasts."""
        return widened(combine(forecasts, self.weights), self.width)


def equal_shares(names: Sequence[str]) -> Mixture:
    """The mixture where nothing is known about the candidates."""
    return Mixture(dict.fromkeys(names, 1 / len(names)))


def choose(actual: np.ndarray, forecasts: Mapping[str, np.ndarray], scale: np.ndarray) -> Mixture:
    """The mixture that does best on the selection windows; arguments as of ``greedy_weights``."""
    weights = cautious(greedy_weights(actual, forecasts, scale), actual, forecasts, scale)
    return Mixture(weights, calibrated_width(actual, combine(forecasts, weights), scale))


def calibrated_width(actual: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> float:
    """The factor on the distances from the median with the least scaled loss."""
    losses = [
        scaled_loss(actual, widened(forecast, width), scale) * (1 + CAUTION * np.log(width) ** 2)
        for width in WIDTHS
    ]
    return WIDTHS[int(np.argmin(losses))]


def widened(forecast: np.ndarray, width: float) -> np.ndarray:
    """The forecast [N, H, K] with every quantile ``width`` times as far from the median."""
    middle = forecast[..., MEDIAN : MEDIAN + 1]
    return middle + width * (forecast - middle)


def scaled_loss(actual: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> float:
    """Mean quantile loss over the core of the grid, each series over its ``scale`` [N]."""
    loss = pinball(actual, forecast[..., CORE], GRID[CORE]) / scale[:, None, None]
    return float(np.nanmean(loss)) if np.isfinite(loss).any() else 0.0


def greedy_weights(
    actual: np.ndarray, forecasts: Mapping[str, np.ndarray], scale: np.ndarray, rounds: int = ROUNDS
) -> dict[str, float]:
    """Weights that sum to one; candidates never chosen are absent.

    Args:
        actual: [N, S], the selection windows side by side; NaN is ignored.
        forecasts: Per candidate [N, S, K].
        scale: [N].
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


def cautious(
    weights: Mapping[str, float], actual: np.ndarray, forecasts: Mapping[str, np.ndarray], scale: np.ndarray
) -> dict[str, float]:
    """The weights, drawn towards equal shares of all good candidates the fewer points there were to
    choose on.
    """
    losses = {name: scaled_loss(actual, forecast, scale) for name, forecast in forecasts.items()}
    close = [name for name in sorted(losses) if losses[name] <= CLOSE * min(losses.values())]
    share = FEW_POINTS / (FEW_POINTS + np.isfinite(actual).sum())
    drawn = {
        name: (1 - share) * weights.get(name, 0.0) + share * (name in close) / len(close) for name in losses
    }
    kept = {name: float(weight) for name, weight in sorted(drawn.items()) if weight > LEAST_WEIGHT}
    return {name: weight / sum(kept.values()) for name, weight in kept.items()}


def combine(forecasts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """The weighted average [N, H, K]; where a candidate has no answer, the others share its weight."""
    total: np.ndarray | None = None
    share: np.ndarray | None = None
    for name, weight in weights.items():
        forecast = forecasts[name]
        known = np.isfinite(forecast).all(axis=(1, 2))[:, None, None]
        part = np.where(known, forecast, 0.0) * weight
        total = part if total is None else total + part
        share = known * weight if share is None else share + known * weight
    assert total is not None  # weights are never empty
    assert share is not None
    return np.divide(total, share, out=np.full(total.shape, np.nan), where=share > 0)
