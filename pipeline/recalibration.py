"""Recalibration: the intervals of a new forecast, made as wide as earlier ones should have been.

    reach    of a value above the median: (actual − median) / (highest quantile − median); below likewise
    factor   the least that lets the mean of the forecasts' shares of values with a reach up to it be what
             the outermost quantiles promise
    applied  quantile → median + factor × (quantile − median), before the gate looks at the forecast

A reach counts in widths of the service's own intervals: that of a forecast which was published recalibrated
is multiplied by the factor that it was published with. So every factor is reckoned from the service's
intervals and none from another factor, however many runs follow each other.

An item whose median is its lowest quantile, such as one that is mostly zero, has no interval below: its
values there tell nothing, and what is at or below its p90 should be 90 % of all. Where no value of the
evidence is below zero, widening goes no lower than zero.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline import drift, ledger, record
from pipeline.errors import Missing
from pipeline.params import Params
from pipeline.policy.recalibration import Recalibration
from pipeline.quantiles import MEAN, MEDIAN, has_interval, level, outermost
from pipeline.workload import Workload

# Factors that are told apart, a hundredth from one to the next; 1 is in their middle.
EDGES = 1.01 ** np.arange(-300, 301)
OWN = 300  # the place of 1
ROUNDING = 1e-9  # of a reach and of a share: less than that is nothing


@dataclass(frozen=True)
class Adjustment:
    """What is done with the intervals of a forecast, and the evidence for it."""

    factor: float = 1.0  # 1: they stay as the service made them
    is_floored: bool = False  # whether widening stops at zero
    limit: str | None = None  # the member of params.json that kept it from going further, or at all
    forecasts: int = 0
    points: int = 0
    held: float | None = None  # share of the values inside of the service's own intervals
    wanted: float | None = None  # … that should have been
    holds: float | None = None  # … that would have been, with this factor

    @property
    def is_applied(self) -> bool:
        return self.factor != 1.0

    def words(self) -> str:
        """A sentence or two."""
        forecasts = f"{self.forecasts} forecast{'' if self.forecasts == 1 else 's'}"
        evidence = f"{self.points:,} values of the last {forecasts}"
        if self.held is None or self.wanted is None or self.holds is None:
            few = forecasts if self.limit == "LeastForecasts" else evidence
            wanted = f", and Recalibration.{self.limit} wants more" if self.limit else ""
            return f"The intervals are as the service made them: only {few} can be judged{wanted}."
        facts = (
            f"of {evidence} the service's intervals held {self.held:.0%} and should hold {self.wanted:.0%}"
        )
        if not self.is_applied:
            return f"The intervals are as the service made them: {facts}."
        limit = f" Recalibration.{self.limit} allows no more." if self.limit else ""
        kind = "wider" if self.factor > 1 else "narrower"
        return (
            f"The intervals were made {kind}, {self.factor:.2f} times what the service made them: {facts}; "
            f"with this factor it would have been {self.holds:.0%}.{limit}"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Adjustment(**…)` reads it."""
        return asdict(self)

    def applied(self, frame: pd.DataFrame, types: Sequence[str]) -> pd.DataFrame:
        """The rows of an export with the quantiles among these types moved; the median and the mean stay."""
        if not self.is_applied or not set(types) <= set(frame.columns):  # what lacks one is refused later
            return frame
        centre = frame[MEDIAN].to_numpy()
        others = [label for label in types if label not in (MEDIAN, MEAN)]
        return frame.assign(**{label: self._moved(frame[label].to_numpy(), centre) for label in others})

    def _moved(self, values: np.ndarray, centre: np.ndarray) -> np.ndarray:
        moved = centre + self.factor * (values - centre)
        return np.maximum(moved, np.minimum(values, 0.0)) if self.is_floored else moved


def decide(s3: Any, workload: Workload, params: Params) -> Adjustment:
    """What the ledger, as it is now, says of the intervals of the workload's next forecast."""
    return judge(list(_evidence(s3, workload, params)), params.recalibration)


@dataclass(frozen=True)
class Evidence:
    """What has come of one forecast."""

    points: int  # that tell of an interval
    items: float  # that they are of
    within: np.ndarray  # [EDGES] share of them with a reach up to each factor
    wanted: float  # share of them that the service's intervals should hold
    lowest: float  # actual value


def judge(evidence: Sequence[Evidence], limits: Recalibration) -> Adjustment:
    """The factor for the next forecast.

    The intervals stay as they are unless the share that they held is off by more than the tolerance, and by
    more than chance explains.
    """
    count, points = len(evidence), sum(one.points for one in evidence)
    if count < limits.least_forecasts:
        return Adjustment(limit="LeastForecasts", forecasts=count, points=points)
    if points < limits.least_points:
        return Adjustment(limit="LeastPoints", forecasts=count, points=points)
    within = np.mean([one.within for one in evidence], axis=0)
    wanted, held = float(np.mean([one.wanted for one in evidence])), float(within[OWN])
    is_off = abs(wanted - held) > max(limits.tolerance, drift.CERTAINTY * _error(evidence, wanted))
    factor, limit = _factor(within, wanted, limits) if is_off else (1.0, None)
    return Adjustment(
        factor=factor,
        is_floored=min(one.lowest for one in evidence) >= 0,
        limit=limit,
        forecasts=count,
        points=points,
        held=held,
        wanted=wanted,
        holds=float(within[max(np.searchsorted(EDGES, factor, side="right") - 1, 0)]),
    )


def _error(evidence: Sequence[Evidence], wanted: float) -> float:
    """The standard error of the mean share that was held.

    A few forecasts that happen to be alike prove little. So they scatter at least as if the values of each
    item went together, and one forecast more is counted in, in which those of all items did.
    """
    count = len(evidence)
    alone = wanted * (1 - wanted)
    seen = float(np.var([one.within[OWN] for one in evidence], ddof=1))
    least = alone / float(np.mean([one.items for one in evidence]))
    return math.sqrt((count - 1) * max(seen, least) + alone) / count


def _factor(within: np.ndarray, wanted: float, limits: Recalibration) -> tuple[float, str | None]:
    """The least factor that holds what is wanted, and the limit that cut it, if one did."""
    enough = within >= wanted - ROUNDING
    found = float(EDGES[np.argmax(enough)]) if enough.any() else math.inf
    if found > limits.most_factor:
        return limits.most_factor, "MostFactor"
    if found < limits.least_factor:
        return limits.least_factor, "LeastFactor"
    return found, None


def _evidence(s3: Any, workload: Workload, params: Params) -> Iterator[Evidence]:
    """Of the forecasts in the ledger that a judgement rests on; each of them as it was published.

    Where the level has moved, wider intervals are no answer, and a new one needs no wider ones.
    """
    for score in drift.judged(ledger.kept(s3, workload)):
        if abs(score.shift or 0.0) > ledger.FAR:
            continue
        manifest = ledger.comparable(s3, workload, params, score.run)
        if manifest is None or not has_interval(manifest.types):
            continue
        known = record.read(s3, workload, score.run)
        before = Adjustment(**known.recalibration) if known and known.recalibration else Adjustment()
        # Where its rows are gone or broken, a forecast is due all the same.
        with suppress(Missing, pa.ArrowInvalid):
            told = measured(ledger.compared(s3, workload, manifest), manifest.types, score.steps, before)
            if told is not None:
                yield told


def measured(
    pieces: Iterable[tuple[np.ndarray, np.ndarray]], types: Sequence[str], steps: int, before: Adjustment
) -> Evidence | None:
    """What has come of one forecast; None if nothing tells of its intervals.

    Args:
        pieces: [n] actual values, and [n, K] forecasts of these types.
        types: with a median and a quantile on either side of it.
        steps: of the horizon that have come.
        before: what was done with its intervals when it was published.
    """
    ends = outermost(types)
    assert ends is not None  # `types` have an interval
    low, high = (types.index(label) for label in ends)
    counts, lowest, wanted = np.zeros(len(EDGES) + 1), math.inf, 0.0
    for actual, forecast in pieces:
        reach, promised = _reach(actual, forecast, (low, types.index(MEDIAN), high), types, before)
        counts += np.bincount(np.searchsorted(EDGES * (1 + ROUNDING), reach), minlength=len(counts))
        wanted += float(promised.sum())
        lowest = min(lowest, float(actual.min(initial=math.inf)))
    points = int(counts.sum())
    if not points:
        return None
    within = counts[:-1].cumsum() / points
    return Evidence(points, max(points / steps, 1.0), within, round(wanted / points, 9), lowest)


def _reach(
    actual: np.ndarray,
    forecast: np.ndarray,
    places: tuple[int, int, int],
    types: Sequence[str],
    before: Adjustment,
) -> tuple[np.ndarray, np.ndarray]:
    """How far each value lies from its median, in widths of the service's interval on its side, and the share
    that the interval should hold; of the values that have an interval on some side.
    """
    low, centre, high = (forecast[:, place] for place in places)
    above, below = high - centre, centre - low
    if before.is_applied and before.is_floored:  # cut at zero, it is no longer a multiple of the service's
        below = np.where(low > 0, below, 0.0)
    has_above, has_below = above > 0, below > 0
    error = actual - centre
    width = np.where(error > 0, above, below)
    known = np.where(error > 0, has_above, has_below)
    reach = np.zeros(len(actual))
    np.divide(np.abs(error), width, out=reach, where=known)
    share_low, share_high = (level(types[place]) for place in (places[0], places[2]))
    promised = np.where(has_above, share_high, 1.0) - np.where(has_below, share_low, 0.0)
    tells = (has_above | has_below) & np.isfinite(actual)
    return (reach * before.factor)[tells], promised[tells]
