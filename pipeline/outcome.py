"""How a forecast turned out: scored against the values that came later.

    WAPE      Σ |actual − middle| / Σ |actual|
    wQL[τ]    2 Σ max(τ (actual − q), (1 − τ) (q − actual)) / Σ |actual|
    coverage  the share of actual values at or below a quantile: for p90 it should be 0.9

The formulas are those of GetAccuracyMetrics, so an outcome can be held against the backtests.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.accuracy import Accuracy
from pipeline.form import InputForm
from pipeline.inputs import Inputs
from pipeline.observations import forecast_rows, target_rows
from pipeline.params import Params
from pipeline.publish import Manifest
from pipeline.quantiles import quantile, type_order
from pipeline.workload import Workload

# With fewer values a bad day looks like a bad model.
LEAST_POINTS = 20
# An outcome is a mean; a sample of so many items tells it well enough, and fits into memory.
MOST_ITEMS = 2000


@dataclass(frozen=True)
class Outcome:
    """A forecast held against what came; numbers that are not defined are left out."""

    points: int  # pairs of an actual value and a forecast
    items: int
    wape: float | None
    losses: Mapping[str, float]  # wQL by quantile as the API writes it: "0.5"
    coverage: Mapping[str, float]  # by label: "p90"

    @property
    def is_telling(self) -> bool:
        return self.points >= LEAST_POINTS

    def words(self) -> str:
        """One clause."""
        numbers = [] if self.wape is None else [f"WAPE {self.wape:.3f}"]
        numbers += [f"wQL[{name}] {loss:.3f}" for name, loss in self.losses.items()]
        numbers += [f"{share:.0%} at or below {label}" for label, share in self.coverage.items()]
        return f"{self.points} values of {self.items} items: {', '.join(numbers) or 'no value to compare'}"


@dataclass(frozen=True)
class Comparison:
    """A measure of the outcome, and what the backtests promised for it."""

    measure: str
    came: float
    promised: float

    @property
    def fall(self) -> float:
        """How much worse, as a share of the promise; negative where it turned out better."""
        return self.came / self.promised - 1


def turned_out(
    s3: Any,
    workload: Workload,
    params: Params,
    manifest: Manifest,
    form: InputForm,
    inputs: Inputs,
    run: str,
) -> Outcome | None:
    """The published forecast against the data of a later run, read in a stream.

    Args:
        manifest: the published forecast.
        form: of the later run's files. inputs: its objects. run: its name.

    Returns:
        None if the data are finer than the forecast, so that the two cannot be compared.
    """
    forecast = sampled(forecast_rows(s3, workload, params, manifest), manifest.items)
    if forecast.empty:
        return None
    items = set(forecast["item"])
    history = target_rows(s3, workload, params, form, inputs, run, items, since=manifest.first)
    pairs = paired(forecast, history)
    return None if pairs is None else score(pairs)


def score(pairs: pd.DataFrame) -> Outcome:
    """The outcome of a forecast.

    Args:
        pairs: a row per item and time; columns item, actual, and one per forecast type (p10, mean …).
            Rows without an actual value, or without a forecast, are left out.
    """
    labels = sorted(
        (name for name in pairs.columns if name not in ("item", "timestamp", "actual")), key=type_order
    )
    whole = pairs[["item", "actual", *labels]].dropna()
    actual = whole["actual"].to_numpy(dtype=float)
    total = float(np.abs(actual).sum())
    quantiles = {label: q for label in labels if (q := quantile(label)) is not None}
    middle = next((label for label in ("p50", "mean") if label in labels), None)
    return Outcome(
        points=len(whole),
        items=int(whole["item"].nunique()),
        wape=float(np.abs(actual - whole[middle]).sum()) / total if middle and total else None,
        losses={f"{q:g}": _loss(actual, whole[label].to_numpy(), q) / total for label, q in quantiles.items()}
        if total
        else {},
        coverage={label: float((actual <= whole[label]).mean()) for label in quantiles if len(whole)},
    )


def _loss(actual: np.ndarray, forecast: np.ndarray, q: float) -> float:
    return float(2 * np.maximum(q * (actual - forecast), (1 - q) * (forecast - actual)).sum())


def compare(outcome: Outcome, promise: Accuracy) -> Comparison | None:
    """The outcome beside the backtests, by the same measure; None where they have none in common.

    The mean loss of the quantiles that both have comes first; WAPE, whose middle may be the mean in the
    backtests and the median in the forecast, is the second choice.
    """
    promised = {f"{float(name):g}": loss for name, loss in promise.quantile_losses.items()}
    common = [name for name in outcome.losses if name in promised]
    if common and sum(promised[name] for name in common) > 0:
        came, before = (
            sum(losses[name] for name in common) / len(common) for losses in (outcome.losses, promised)
        )
        return Comparison(f"mean wQL of {', '.join(common)}", came, before)
    wape = promise.best.get("WAPE")
    if outcome.wape is None or not wape:
        return None
    return Comparison("WAPE", outcome.wape, wape)


def sampled(pieces: Iterable[pd.DataFrame], items: int, most: int = MOST_ITEMS) -> pd.DataFrame:
    """A forecast's rows, of at most about so many of its items: always the same ones.

    Args:
        pieces: frames with a column item.
        items: how many there are.
        most: how many may be kept.
    """
    every = max(1, -(-items // most))
    kept = [piece[_chosen(piece["item"], every)] for piece in pieces]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def _chosen(items: pd.Series, every: int) -> pd.Series:
    codes, names = pd.factorize(items)
    chosen = np.array([zlib.crc32(str(name).encode()) % every == 0 for name in names])
    return pd.Series(chosen[codes] if len(names) else [], index=items.index, dtype=bool)


def paired(forecast: pd.DataFrame, pieces: Iterable[pd.DataFrame]) -> pd.DataFrame | None:
    """Forecast and actual values side by side, for `score`.

    Args:
        forecast: item, timestamp, type, value.
        pieces: of the history: item, timestamp, value. Rows of the same item and time are added up, as the
            service does by default.

    Returns:
        None if the history has times between the forecast's steps: it is finer, and cannot be compared.
    """
    wide = forecast.pivot(index=["item", "timestamp"], columns="type", values="value")
    times = pd.DatetimeIndex(forecast["timestamp"].unique())
    kept = []
    for piece in pieces:
        within = piece[piece["timestamp"] <= times.max()]
        if not within["timestamp"].isin(times).all():
            return None
        kept.append(within)
    rows = (
        pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=["item", "timestamp", "value"])
    )
    actual = rows.groupby(["item", "timestamp"])["value"].sum(min_count=1).rename("actual")
    return wide.join(actual, how="inner").reset_index()
