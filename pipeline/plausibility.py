"""Whether a forecast can be meant: held against the items' past, and against the last forecast.

Numbers by item are told in *ranges* of its own past, so that one limit serves large and small items. An item
with little history is not judged, and a few may be odd (`Gate.MostOddItems`). Totals are compared as
factors: a forecast like the past has the factor 1, and one ten times as large or small about 10.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.domains import METADATA
from pipeline.forecastfile import Key
from pipeline.params import Params
from pipeline.policy.gate import Gate
from pipeline.recent import FEWEST_STEPS, Recent, joined, separated
from pipeline.tally import Tally
from pipeline.verdict import Check, count, figure, worst, worst_names

FEWEST_ROWS = 5  # services leave out items with fewer
LEAST_WINDOW = 24  # steps in which an item has to vary to be called varying
FLAT = 0.01  # of what lay between the same quantiles in that time: below it a forecast is one number
# Small totals change by large factors without anybody noticing: this share of the largest total, or of an
# item's largest value, is added to both sides.
CALM_TOTAL = 0.1
CALM_CHANGE = 0.25


@dataclass
class Evidence:
    """A whole forecast and what it is held against."""

    params: Params
    tally: Tally
    everything: Recent
    last: dict[Key, float]  # the levels of the last forecast at the common times
    last_run: str
    past: Recent = field(init=False)  # of the forecast's items, in their order
    is_new: np.ndarray = field(init=False)  # [N] without any history

    def __post_init__(self) -> None:
        places = self.everything.items.get_indexer(
            pd.Index([joined(key) for key in self.tally.keys], dtype=object)
        )
        self.is_new = places < 0
        self.past = self.everything.of(places)

    @property
    def gate(self) -> Gate:
        return self.params.gate

    @property
    def keys(self) -> list[Key]:
        return self.tally.keys

    @property
    def is_known(self) -> np.ndarray:
        """[N] whose past says something."""
        return self.past.observed >= FEWEST_STEPS

    @property
    def never_negative(self) -> np.ndarray:
        """[N] that have had no value below zero."""
        return self.past.lowest >= 0


def plausible(evidence: Evidence) -> Iterator[Check]:
    """The checks that have limits, each passed, failed, off, or without anything to compare."""
    yield _strangers(evidence)
    for name, setting, rule in RULES:
        member = "".join(word.capitalize() for word in setting.split("_"))
        limit = getattr(evidence.gate, setting)
        if limit is None or limit is False:
            yield Check(name, "off", "switched off in params.json.", member=member)
        else:
            yield rule(evidence, name, member, float(limit))


def _strangers(evidence: Evidence) -> Check:
    """Items come from the history, or from the metadata."""
    odd = evidence.is_new
    if not odd.any() or evidence.params.dataset(METADATA):
        return Check("known items", "passed", "every item was in the data.", 0.0, 0.0)
    words = f"{count(odd)} are in no row of the history: {worst(evidence.keys, odd)}."
    return Check(
        "known items",
        "failed",
        words,
        float(odd.sum()),
        0.0,
        items=worst_names(evidence.keys, odd, odd * 1.0),
    )


def _coverage(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    if evidence.params.selector_path is not None:
        return _nothing(name, member, "the items were chosen by TimeSeriesSelector.")
    history = evidence.everything
    due = {str(item) for item in history.items[history.observed >= FEWEST_ROWS]}
    lost = sorted(due - {joined(key) for key in evidence.keys})
    share = 1 - len(lost) / len(due) if due else 1.0
    keys: list[Key] = [separated(item) for item in lost]
    every = np.ones(len(keys), dtype=bool)
    words = f"{len(due) - len(lost)} of {len(due)} items of the history have a forecast"
    words += f"; lacking: {worst(keys, every)}." if lost else "."
    return _limited(name, member, words, share, limit, share < limit, worst_names(keys, every, every * 1.0))


def _beginning(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    gap = evidence.everything.last_back - 1
    step = evidence.params.frequency.words
    words = {0: f"the forecast begins with the {step} after the history's last."}.get(
        gap,
        f"the forecast begins {abs(gap)} × {step} {'later' if gap > 0 else 'earlier'} than the history ends.",
    )
    return _limited(name, member, words, float(gap), 0.0, gap != 0)


def _level(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    level, past = evidence.tally.of("level"), evidence.past
    outside = np.fmax(np.fmax(past.low - level, level - past.high), 0) / past.ranges
    what = "lie more than {limit:g} ranges outside of their history"
    return _by_item(evidence, name, member, limit, outside, evidence.is_known, what)


def _depth(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    depth = evidence.tally.of("depth") / evidence.past.ranges
    judged = evidence.is_known & evidence.never_negative
    if evidence.is_known.any() and not judged.any():
        words = f"every item with {FEWEST_STEPS} steps of history has been below zero."
        return _nothing(name, member, words)
    what = "go more than {limit:g} ranges below zero, which their history never did"
    return _by_item(evidence, name, member, limit, depth, judged, what)


def _width(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    quantiles = evidence.tally.quantiles
    if len(quantiles) < 2:
        return _nothing(name, member, "there is one quantile at most.")
    width = evidence.tally.of("width") / evidence.past.ranges
    what = f"have more than {{limit:g}} ranges between {quantiles[0]} and {quantiles[-1]}"
    return _by_item(evidence, name, member, limit, width, evidence.is_known, what)


def _flatness(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    """An item that varied between its own quantiles is no single number, and one with a median not zero."""
    steps = max(2 * evidence.params.horizon, LEAST_WINDOW)
    window = evidence.past.since(steps)
    judged = window.observed >= FEWEST_STEPS
    if evidence.is_known.any() and not judged.any():
        words = f"no item has {FEWEST_STEPS} values in the {steps} steps before the forecast."
        return _nothing(name, member, words)
    spread, largest = evidence.tally.of("spread"), evidence.tally.of("largest")
    labels = evidence.tally.quantiles
    flat = np.zeros(len(spread), dtype=bool)
    if len(labels) > 1:
        usual = _between(window, labels[0], labels[-1])
        flat |= (usual > 0) & (spread <= FLAT * usual)
    lives = np.logical_and(*(window.of_type("p50", zeros) != 0 for zeros in (False, True)))
    flat |= lives & (largest == 0)
    return _by_item(
        evidence, name, member, 0.0, flat * 1.0, judged, "are forecast as one number, though they vary"
    )


def _between(window: Recent, low: str, high: str) -> np.ndarray:
    """[N] how far apart two quantiles of the past are at the least, whatever steps without a value mean."""
    apart = [window.of_type(high, zeros) - window.of_type(low, zeros) for zeros in (False, True)]
    return np.minimum(*apart)


def _total(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    past, known = evidence.past, evidence.past.observed > 0
    totals = past.totals()
    if not totals.any():
        return _nothing(name, member, "the recent history is nothing but zero.")
    like_past = [past.level(evidence.tally.types, with_zeros=zeros)[known].sum() for zeros in (False, True)]
    rolling = _rolling_means(totals, past.reported(), evidence.params.horizon)
    low, high = min(*like_past, rolling.min()), max(*like_past, rolling.max())
    found = float(evidence.tally.of("level")[known].sum())
    nearest = min(max(found, low), high)
    factor = float(_factor(found, nearest, CALM_TOTAL * float(np.abs(totals).max())))
    words = (
        f"all items together are forecast at {figure(found)} per {evidence.params.frequency.words}; the last "
        f"year had {figure(low)} to {figure(high)} over a horizon, which makes a factor of {factor:.3g}."
    )
    return _limited(name, member, words, factor, limit, factor > limit)


def _rolling_means(totals: np.ndarray, reported: np.ndarray, window: int) -> np.ndarray:
    """The means of so many consecutive totals, at each place where at least half of the steps have rows."""
    width = min(window, len(totals))
    sums, counts = (_moving_sums(numbers, width) for numbers in (totals, reported.astype(float)))
    enough = counts >= min(width, reported.sum()) / 2
    return sums[enough] / counts[enough]


def _moving_sums(numbers: np.ndarray, width: int) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(numbers)])
    return sums[width:] - sums[:-width]


def _change(evidence: Evidence, name: str, member: str, limit: float) -> Check:
    last = np.array([evidence.last.get(key, np.nan) for key in evidence.keys])
    both = np.isfinite(last)
    if not both.any():
        return _nothing(name, member, "no earlier forecast speaks of the same items, times and types.")
    new, past = evidence.tally.of("shared"), evidence.past
    totals = past.totals()
    if not totals.any():
        return _nothing(name, member, "the recent history is nothing but zero.")
    largest = np.fmax(np.fmax(np.abs(past.low), np.abs(past.high)), past.ranges)
    by_item = _factor(new[both], last[both], CALM_CHANGE * np.nan_to_num(largest[both]))
    now, then = float(new[both].sum()), float(last[both].sum())
    calm = CALM_CHANGE * float(np.abs(totals).max(initial=0.0))
    whole, middle = float(_factor(now, then, calm)), float(np.median(by_item))
    compared = [key for key, has in zip(evidence.keys, both, strict=True) if has]
    changed = worst(compared, by_item > 0, by_item)
    words = (
        f"for the times in both, all items together are forecast at {figure(now)}, and were at "
        f"{figure(then)} in run {evidence.last_run}, a factor of {whole:.3g}; the median item has "
        f"{middle:.3g}, the largest {changed}."
    )
    return _limited(name, member, words, max(whole, middle), limit, max(whole, middle) > limit)


def _factor(found: float | np.ndarray, expected: float | np.ndarray, calm: float | np.ndarray) -> np.ndarray:
    """1 for equal numbers, about n for one n times the other; differences far below `calm` count little."""
    smaller = np.minimum(np.abs(found), np.abs(expected)) + calm
    return 1 + np.abs(np.subtract(found, expected)) / np.maximum(smaller, 1e-300)


def _by_item(
    evidence: Evidence,
    name: str,
    member: str,
    limit: float,
    numbers: np.ndarray,
    judged: np.ndarray,
    what: str,
) -> Check:
    """Failed if more items than may be odd are beyond the limit."""
    if not judged.any():
        return _nothing(name, member, f"no item has {FEWEST_STEPS} steps of history.")
    odd = judged & (numbers > limit)
    allowed = evidence.gate.most_odd_items
    share = odd.sum() / judged.sum()
    words = f"{int(odd.sum())} of {int(judged.sum())} items {what.format(limit=limit)}"
    words += (
        f": {worst(evidence.keys, odd, numbers)}; {allowed:.3g} of them may (MostOddItems)."
        if odd.any()
        else "."
    )
    largest = float(numbers[judged].max())
    return _limited(
        name, member, words, largest, limit, share > allowed, worst_names(evidence.keys, odd, numbers)
    )


def _limited(
    name: str,
    member: str,
    words: str,
    value: float,
    limit: float,
    is_beyond: bool,
    items: tuple[str, ...] = (),
) -> Check:
    return Check(name, "failed" if is_beyond else "passed", words, value, limit, member, items)


def _nothing(name: str, member: str, words: str) -> Check:
    return Check(name, "nothing to compare", words, member=member)


# The name, the member of `Gate` that has the limit, and the rule.
RULES: tuple[tuple[str, str, Callable[[Evidence, str, str, float], Check]], ...] = (
    ("coverage", "least_coverage", _coverage),
    ("beginning", "begins_after_history", _beginning),
    ("level", "most_distance", _level),
    ("depth", "most_depth", _depth),
    ("width", "most_width", _width),
    ("flatness", "refuses_flat", _flatness),
    ("total", "most_total_factor", _total),
    ("change", "most_change_factor", _change),
)
