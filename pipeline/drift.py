"""Drift: whether what came departs from what was forecast by more than chance explains.

    shift      the newest forecast: most of its items lie FAR outside of its own intervals, on average
    accuracy   several forecasts: their loss is above the backtests' promise, by more than it scatters
    coverage   several forecasts: fewer values lie inside of the intervals than should, likewise

Errors within one forecast go together, so a forecast is one piece of evidence, however many steps it has, and
forecasts of overlapping periods count once. That is why one forecast alone has to be far off, and why the
other two rules want several. `Drift` in params.json has the limits.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline import outcome, storage
from pipeline.ledger import Score
from pipeline.outcome import Losses
from pipeline.policy.drift import Drift
from pipeline.quantiles import level, outermost
from pipeline.workload import Workload

LEAST_STEPS = 3  # of a forecast that have come, or all that it has; one day alone may be a feast
MOST_FORECASTS = 12  # older ones tell of other times
CERTAINTY = 3.0  # standard errors that a mean must lie beyond


@dataclass(frozen=True)
class Finding:
    """Whether the workload drifts, why, and the numbers it was judged by."""

    is_drifting: bool
    reasons: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    newest: str | None = None  # the run whose forecast was the newest that could be judged

    def words(self) -> str:
        """A sentence or more; empty without drift."""
        return " ".join(self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "is_drifting": self.is_drifting,
            "reasons": list(self.reasons),
            "figures": dict(self.figures),
            "newest": self.newest,
        }


def judge(scores: Sequence[Score], promises: Mapping[str, Losses], limits: Drift) -> Finding:
    """Judges a workload by its ledger.

    Args:
        scores: of its forecasts, oldest first.
        promises: the losses of the backtests, by the run that published.
        limits: of params.json.
    """
    apart = judged(scores)
    if not apart:
        return Finding(False)
    figures: dict[str, float] = {}
    reasons = [
        *_shift(apart[-1], limits, figures),
        *_accuracy(apart, promises, limits, figures),
        *_coverage(apart, limits, figures),
    ]
    return Finding(bool(reasons), tuple(reasons), figures, apart[-1].run)


def judged(scores: Sequence[Score]) -> list[Score]:
    """The forecasts that a judgement rests on, oldest first: the newest of which enough has come, the newest
    whose period ends before that one's begins, and so on.
    """
    kept: list[Score] = []
    told = (one for one in scores if one.steps >= min(LEAST_STEPS, one.horizon or LEAST_STEPS))
    for one in sorted(told, key=lambda score: (score.last, score.run), reverse=True):
        if not kept or one.last < kept[-1].first:
            kept.append(one)
    return kept[:MOST_FORECASTS][::-1]


def _shift(newest: Score, limits: Drift, figures: dict[str, float]) -> Iterator[str]:
    if newest.shifted is None or newest.shift is None or newest.steps < LEAST_STEPS:
        return
    figures |= {"shifted_items": newest.shifted, "shift": newest.shift}
    if limits.most_shifted_items is not None and newest.shifted > limits.most_shifted_items:
        yield (
            f"The forecast of run {newest.run} lies far from what came for {newest.shifted:.0%} of its items "
            f"({limits.most_shifted_items:.0%} are allowed): the typical item came {abs(newest.shift):.1f} "
            f"standard deviations {'above' if newest.shift > 0 else 'below'} it over {newest.steps} steps."
        )


def _accuracy(
    scores: Sequence[Score], promises: Mapping[str, Losses], limits: Drift, figures: dict[str, float]
) -> Iterator[str]:
    """The logarithms of live loss over promise, one for each forecast, against their own scatter."""
    compared = [outcome.of_losses(one, promises.get(one.run, {})) for one in scores]
    falls = [math.log(one.came / one.promised) for one in compared if one is not None and one.came > 0]
    if not _enough(falls, limits):
        return
    mean, error = _mean(falls)
    figures |= {"loss_over_promise": math.exp(mean), "forecasts_with_promise": float(len(falls))}
    limit = limits.most_accuracy_fall
    if limit is not None and mean > math.log1p(limit) and mean > CERTAINTY * error:
        yield (
            f"The last {len(falls)} forecasts turned out worse than their backtests promised: their weighted "
            f"quantile loss was {math.exp(mean):.2f} times the promise; {1 + limit:.2f} times is allowed."
        )


def _coverage(scores: Sequence[Score], limits: Drift, figures: dict[str, float]) -> Iterator[str]:
    """The share of values between the outermost quantiles, against what it should be."""
    found = [pair for one in scores if (pair := covered(one)) is not None]
    misses = [should - was for was, should in found]
    if not _enough(misses, limits):
        return
    mean, error = _mean(misses)
    was, should = found[-1][1] - mean, found[-1][1]
    figures |= {"coverage": was, "nominal_coverage": should}
    limit = limits.most_coverage_fall
    if limit is not None and mean > limit and mean > CERTAINTY * error:
        yield (
            f"Of the values of the last {len(misses)} forecasts {was:.0%} lay inside of the intervals that "
            f"should hold {should:.0%}; {should - limit:.0%} is the least allowed."
        )


def covered(score: Score) -> tuple[float, float] | None:
    """The share of values between the outermost quantiles, and what it should be; None without two."""
    ends = outermost(score.coverage)
    if ends is None or score.inside is None:
        return None
    low, high = ends
    return score.inside, level(high) - level(low)


def _enough(found: Sequence[float], limits: Drift) -> bool:
    return len(found) >= limits.least_forecasts


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def path(run: str) -> str:
    """Where a run keeps its finding."""
    return f"runs/{run}/drift.json"


def keep(s3: Any, workload: Workload, run: str, finding: Finding) -> None:
    """Writes the finding beside the run's other results."""
    storage.write_json(s3, workload, path(run), finding.to_dict())


def kept(s3: Any, workload: Workload, run: str) -> Finding | None:
    """The finding of a run; None if there was no earlier forecast to judge."""
    stored = storage.read_json(s3, workload, path(run))
    if stored is None:
        return None
    return Finding(stored["is_drifting"], tuple(stored["reasons"]), stored["figures"], stored["newest"])
