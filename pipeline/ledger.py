"""The ledger: every published forecast beside what came, and beside what a seasonal naive forecast had said.

    ledger/<run>/scores.parquet   a row per item, step and type whose actual value is known
    runs/<run>/outcome.json       the same in a few numbers

A run's rows follow from its forecast in the archive and from the history as it is now, and from nothing
else: scoring it again gives the same bytes, more rows when more has come, and other numbers where a value of
the history was corrected.
"""

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from pipeline import accuracy, publish, recent, record, storage
from pipeline.catalogue import own_name
from pipeline.errors import Missing, NotWhole, translated
from pipeline.forecastfile import Block, Layout, blocks
from pipeline.frequency import Frequency
from pipeline.params import Params
from pipeline.publish import FILE, Manifest
from pipeline.quantiles import level, middle, outermost, quantile
from pipeline.recent import Recent, joined, shifted, steps_ahead, steps_back
from pipeline.workload import Workload

NORMAL = NormalDist()

FOLDER = "ledger/"
SCORES = "scores.parquet"
LIVE = "LIVE"
FAR = 4.0  # standard deviations: errors that go together in all steps come as far once in 16,000 times
NUMBERS = ("quantile", "forecast", "actual", "naive")  # the last columns of a row
ROWS_READ = 100_000
DIGEST = "sha256"  # of the content, kept with the object: what has not changed is not written

# Steps after which a rhythm comes again, for a step of one unit.
SEASONS = {"min": 24 * 60, "H": 24, "D": 7, "W": 52, "M": 12, "Y": 1}


@dataclass(frozen=True)
class Score:
    """How one forecast turned out, so far; shares and losses are relative to the sum of actual values."""

    run: str
    first: str  # the forecast's first time
    last: str  # … and its last
    steps: int  # of the horizon that have an actual value
    points: int  # items × steps that have one
    wape: float | None  # of the median, the mean, or the quantile in the middle
    naive_wape: float | None  # of the seasonal naive forecast, over the points that it has
    bias: float | None  # Σ (forecast − actual) / Σ |actual|
    losses: dict[str, float]  # wQL by label
    coverage: dict[str, float]  # share of actual values at or below, by label
    history: str  # digest of the values that it was scored with
    shift: float | None = None  # of the typical item: mean error, in standard deviations of its intervals
    shifted: float | None = None  # share of the items that lie FAR off
    inside: float | None = (
        None  # share of actual values from the lowest to the highest quantile, both included
    )
    horizon: int | None = None  # steps of the forecast; None of a score that an older version has written

    def words(self) -> str:
        """For people: how good the forecast was, beside a naive one, and what its outer quantiles held."""
        if self.wape is None:
            return f"Of run {self.run}'s forecast, {self.points} values have come; they are all zero."
        told = f"Run {self.run}'s forecast was off by {self.wape:.1%} of the total"
        if self.naive_wape is not None:
            better = "better" if self.wape < self.naive_wape else "worse"
            told += f"; a seasonal naive forecast of the same time by {self.naive_wape:.1%}: it was {better}"
        labels = sorted(self.coverage, key=level)
        if self.inside is not None:
            low, high = labels[0], labels[-1]
            wanted = level(high) - level(low)
            told += f". Between its {low} and {high} lay {self.inside:.0%} of what came"
            told += f", of {wanted:.0%} that should"
        return f"{told}."

    def row(self) -> dict[str, Any]:
        """For people: one row of a table."""
        numbers = {"WAPE": self.wape, "seasonal naive WAPE": self.naive_wape, "bias": self.bias}
        numbers |= {f"wQL {label}": loss for label, loss in self.losses.items()}
        shown = {name: "" if number is None else f"{number:.4f}" for name, number in numbers.items()}
        shares = {f"at or below {label}": f"{share:.0%}" for label, share in self.coverage.items()}
        if self.inside is not None:
            shares["between the outermost"] = f"{self.inside:.0%}"
        period = f"{self.first} … {self.last}".replace("T", " ")
        return {
            "run": self.run,
            "period": period,
            "steps": self.steps,
            "points": self.points,
            **shown,
            **shares,
        }


def season(frequency: Frequency) -> int:
    """Steps of the rhythm that the seasonal naive forecast repeats."""
    return max(SEASONS[frequency.unit] // frequency.count, 1)


def keep(s3: Any, workload: Workload, params: Params, history: Sequence[str]) -> list[Score]:
    """Scores forecasts of the archive against the history, and writes what has changed.

    Args:
        history: the keys of the target's files, as they are imported.

    A forecast that was scored with the same values before is not read again.

    Returns:
        The scores of the forecasts that have begun, oldest first. A forecast of other columns or another
        frequency is left out: what came cannot be compared with it.
    """
    scores: list[Score] = []
    known = {score.run: score for score in kept(s3, workload)}
    for manifest, window in _windows(s3, workload, params, history):
        found = _computed(s3, workload, params, manifest, window, known.get(manifest.run))
        if found is not None:
            score, objects = found
            for rel, body in objects.items():
                if not _holds(s3, workload, rel, body):
                    put(s3, workload, rel, body)
            scores.append(score)
    return scores[::-1]


def again(
    s3: Any, workload: Workload, params: Params, history: Sequence[str]
) -> Iterator[tuple[Score, dict[str, bytes]]]:
    """Scores every forecast of the archive anew, whatever is in the ledger; nothing is written.

    Returns:
        Each score, newest forecast first, with the objects that belong into the ledger: place → bytes.
    """
    for manifest, window in _windows(s3, workload, params, history):
        found = _computed(s3, workload, params, manifest, window)
        if found is not None:
            yield found


def _windows(
    s3: Any, workload: Workload, params: Params, history: Sequence[str]
) -> Iterator[tuple[Manifest, "_Window"]]:
    """The forecasts that can be compared, newest first, each with the part of the history that it needs."""
    names = [one.run for one in publish.archived(s3, workload)]
    asked = storage.at_once(lambda run: comparable(s3, workload, params, run), names)
    described = [manifest for manifest in asked if manifest is not None]
    window: _Window | None = None
    for manifest in sorted(described, key=lambda m: (m.last, m.run), reverse=True):
        if window is None or not window.holds(manifest):
            window = _Window.read(s3, workload, params, history, manifest)
        yield manifest, window


def kept(s3: Any, workload: Workload) -> list[Score]:
    """The scores in the ledger, oldest forecast first."""
    runs = storage.folders(s3, workload, FOLDER)
    found = storage.at_once(lambda run: storage.read_json(s3, workload, _outcome(run)), runs)
    return sorted((Score(**one) for one in found if one), key=lambda one: (one.last, one.run))


def scored(s3: Any, workload: Workload, run: str) -> Score | None:
    """The score of one forecast, if it is in the ledger."""
    stored = storage.read_json(s3, workload, _outcome(run))
    return Score(**stored) if stored else None


def put_metrics(cloudwatch: Any, namespace: str, workload: Workload, score: Score) -> None:
    """Sends a score to CloudWatch, beside those of the backtests: dimension Window is LIVE."""
    own = {"Workload": workload.label, "Window": LIVE}
    plain = {"WAPE": score.wape, "SeasonalNaiveWAPE": score.naive_wape, "Bias": score.bias}
    data = [accuracy.datum(name, value, own) for name, value in plain.items() if value is not None]
    for name, by_label in (("WeightedQuantileLoss", score.losses), ("Coverage", score.coverage)):
        data += [accuracy.datum(name, value, {**own, "Quantile": one}) for one, value in by_label.items()]
    accuracy.put_data(cloudwatch, namespace, data)


@dataclass(frozen=True)
class _Window:
    """The end of the history, counted in steps back from the time after a forecast's last."""

    history: Recent
    frequency: Frequency
    after: dt.datetime
    reach: int

    @classmethod
    def read(
        cls, s3: Any, workload: Workload, params: Params, keys: Sequence[str], manifest: Manifest
    ) -> "_Window":
        after = shifted(manifest.last, params.frequency, 1)
        found = recent.read(s3, workload, params, keys, after, manifest.items)
        return cls(found, params.frequency, after, recent.reach(params, manifest.items))

    def back(self, moment: dt.datetime) -> int:
        return int(steps_back(np.array([moment], dtype="datetime64[s]"), self.after, self.frequency)[0])

    def holds(self, manifest: Manifest) -> bool:
        """Whether all that a forecast is scored with lies in it, if it lies in the history at all."""
        return self.back(manifest.first) + season(self.frequency) <= self.reach

    def values(self, first: dt.datetime, count: int) -> np.ndarray:
        """[N, count] the items' values from a time on; NaN for none."""
        begin = self.back(first)
        values = np.full((len(self.history.items), count), np.nan)
        place = begin - self.history.back
        inside = (place >= 0) & (place < count)
        values[self.history.item[inside], place[inside]] = self.history.values[inside]
        return values


class _Sums:
    """What a score is made of, added up block by block."""

    def __init__(self, types: Sequence[str]) -> None:
        self.types = list(types)
        self.middle = middle(self.types)
        self.points = 0
        self.naive_size = 0.0
        self.size = self.error = self.bias = self.naive_error = 0.0
        self.loss = dict.fromkeys(self.types, 0.0)
        self.below = dict.fromkeys(self.types, 0)
        self.inside = 0
        self.quantiles = [label for label in self.types if quantile(label) is not None]
        self.last_step = 0
        self.shifts: list[np.ndarray] = []  # of the items, block by block

    def add(self, actual: np.ndarray, naive: np.ndarray, forecast: np.ndarray) -> None:
        """Takes [n, H] actual and naive values and [n, H, K] forecasts; NaN where there is none."""
        known = np.isfinite(actual)
        self.points += int(known.sum())
        self.size += float(np.abs(actual[known]).sum())
        steps = np.flatnonzero(known.any(axis=0))
        self.last_step = max(self.last_step, int(steps[-1]) + 1 if len(steps) else 0)
        self.shifts.append(_shifts(actual, forecast, self.types, self.middle))
        for place, label in enumerate(self.types):
            self._add_type(label, actual[known], forecast[..., place][known])
        self._add_inside(actual[known], forecast[known])
        both = known & np.isfinite(naive)
        self.naive_size += float(np.abs(actual[both]).sum())
        self.naive_error += float(np.abs(actual[both] - naive[both]).sum())

    def _add_type(self, label: str, actual: np.ndarray, forecast: np.ndarray) -> None:
        share = quantile(label)
        if label == self.middle:
            self.error += float(np.abs(actual - forecast).sum())
            self.bias += float((forecast - actual).sum())
        if share is not None:
            over, under = share * (actual - forecast), (1 - share) * (forecast - actual)
            self.loss[label] += float(2 * np.maximum(over, under).sum())
            self.below[label] += int((actual <= forecast).sum())

    def _add_inside(self, actual: np.ndarray, forecast: np.ndarray) -> None:
        """Both ends count: of an item that is mostly zero, the lowest quantile and most values are."""
        if len(self.quantiles) > 1:
            low, high = (forecast[:, self.types.index(self.quantiles[end])] for end in (0, -1))
            self.inside += int(((low <= actual) & (actual <= high)).sum())

    def score(self, manifest: Manifest, history: str) -> Score:
        has_interval = len(self.quantiles) > 1 and self.points > 0
        shifts = np.concatenate([np.empty(0), *self.shifts])
        return Score(
            run=manifest.run,
            first=manifest.first.isoformat(),
            last=manifest.last.isoformat(),
            steps=self.last_step,
            points=self.points,
            wape=_share(self.error, self.size),
            naive_wape=_share(self.naive_error, self.naive_size),
            bias=_share(self.bias, self.size),
            losses={label: self.loss[label] / self.size for label in self.quantiles if self.size},
            coverage={label: self.below[label] / self.points for label in self.quantiles if self.points},
            history=history,
            shift=float(np.median(shifts)) if len(shifts) else None,
            shifted=float((np.abs(shifts) > FAR).mean()) if len(shifts) else None,
            inside=self.inside / self.points if has_interval else None,
            horizon=manifest.horizon,
        )


def _shifts(actual: np.ndarray, forecast: np.ndarray, types: Sequence[str], middle: str) -> np.ndarray:
    """The items' mean errors, in the standard deviations that the outermost quantiles tell on their side.

    Args:
        actual: [n, H], NaN where there is none. forecast: [n, H, K] of these types.

    Returns:
        [≤ n], of the items that have an actual value and an interval.
    """
    ends = outermost(types)
    if ends is None:
        return np.empty(0)
    low, high = ends
    centre = forecast[..., types.index(middle)]
    known = np.isfinite(actual) & np.isfinite(centre)

    def total(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(known, values, 0.0).sum(axis=1))

    above = total(forecast[..., types.index(high)] - centre) / NORMAL.inv_cdf(level(high))
    below = total(centre - forecast[..., types.index(low)]) / NORMAL.inv_cdf(1 - level(low))
    error = total(actual - centre)
    width = np.where(error > 0, above, below)
    return np.asarray(error[width > 0] / width[width > 0])


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def comparable(s3: Any, workload: Workload, params: Params, run: str) -> Manifest | None:
    """A forecast of the archive with today's columns and frequency; None for others."""
    try:
        manifest = publish.description(s3, workload, run)
    except Missing:  # removed meanwhile
        return None
    return manifest if is_comparable(s3, workload, params, manifest) else None


def is_comparable(s3: Any, workload: Workload, params: Params, manifest: Manifest) -> bool:
    """Whether a forecast's columns mean what today's do, in the same order, at the same frequency.

    The manifest has the names of the files' header, which may be any: what the columns mean is said by the
    schema that the run had, and that stands in its record. Without a record its columns have to be called as
    today's schema calls them.
    """
    if str(params.frequency) != manifest.frequency:
        return False
    known = record.read(s3, workload, manifest.run)
    if known is None or not known.params:
        return (*params.target.columns,) == manifest.columns[:-1]
    return _meaning(Params(known.params)) == _meaning(params)


def _meaning(params: Params) -> tuple[Any, ...]:
    """What the columns of a forecast are, by their place."""
    spec = params.target
    return spec.columns, spec.item_key, spec.target_field, params.dimensions


def _computed(
    s3: Any,
    workload: Workload,
    params: Params,
    manifest: Manifest,
    window: _Window,
    known: Score | None = None,
) -> tuple[Score, dict[str, bytes]] | None:
    """How one forecast turned out, and the objects that tell of it; no objects if it is known to be so.

    None if nothing has come yet, or the forecast cannot be read.
    """
    ahead, before = manifest.horizon, season(params.frequency)
    values = window.values(shifted(manifest.first, params.frequency, -before), before + ahead)
    actual, naive = values[:, before:], _naive(values, before, ahead)
    if not np.isfinite(actual).any():
        return None
    history = _digest(window.history.items, np.hstack([actual, naive]))
    if known is not None and known.history == history and known.horizon is not None:
        return known, {}
    sums = _Sums(manifest.types)
    times = steps_ahead(manifest.first, params.frequency, ahead)
    layout = Layout.of(params, times, manifest.types, manifest.has_header, manifest.timestamp_format)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / SCORES
        try:
            with pa.parquet.ParquetWriter(file, _schema(layout), compression="zstd") as writer:
                for block, own, theirs in _matched(s3, workload, manifest, layout, window, actual, naive):
                    sums.add(own, theirs, block.values)
                    writer.write_table(_rows(block, own, theirs, layout))
        except NotWhole:  # other dimensions than today's
            return None
        rows = file.read_bytes()
    score = sums.score(manifest, history)
    body = json.dumps(asdict(score), indent=2, sort_keys=True).encode() + b"\n"
    return score, {f"{FOLDER}{manifest.run}/{SCORES}": rows, _outcome(manifest.run): body}


def _digest(items: pd.Index, values: np.ndarray) -> str:
    """The identity of the items' values, whatever the order of the items."""
    known = np.isfinite(values).any(axis=1)
    order = np.argsort(items[known].to_numpy(dtype=str))
    hashed = hashlib.sha256("\n".join(items[known][order]).encode())
    hashed.update(np.ascontiguousarray(values[known][order]).tobytes())
    return hashed.hexdigest()


def _naive(values: np.ndarray, before: int, ahead: int) -> np.ndarray:
    """[N, H] the last season before the forecast, again and again."""
    repeated = np.arange(ahead) % before
    return values[:, :before][:, repeated]


def _matched(
    s3: Any,
    workload: Workload,
    manifest: Manifest,
    layout: Layout,
    window: _Window,
    actual: np.ndarray,
    naive: np.ndarray,
) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
    """The items of the forecast with their own actual and naive values; NaN for an item without any."""
    key = workload.key(f"{publish.ARCHIVE}{manifest.run}/{FILE}")
    with translated(f"reading s3://{workload.bucket}/{key}"):
        body = s3.get_object(Bucket=workload.bucket, Key=key)["Body"]
        for block in blocks(body, layout):
            places = window.history.items.get_indexer(pd.Index([joined(one) for one in block.keys]))
            own, theirs = (np.where((places >= 0)[:, None], of[places], np.nan) for of in (actual, naive))
            yield block, own, theirs


def _schema(layout: Layout) -> pa.Schema:
    keys = [(name, pa.string()) for name in layout.keys]
    own = [("timestamp", pa.string()), ("step", pa.int32()), ("type", pa.string())]
    own += [(name, pa.float64()) for name in NUMBERS]
    return pa.schema([*keys, *[(own_name(name, layout.keys), kind) for name, kind in own]])


def _rows(block: Block, actual: np.ndarray, naive: np.ndarray, layout: Layout) -> pa.Table:
    """A row per item, step and type whose actual value is known, in the order of the forecast."""
    item, step = np.nonzero(np.isfinite(actual))
    kinds = len(layout.types)
    item, step = np.repeat(item, kinds), np.repeat(step, kinds)
    kind = np.tile(np.arange(kinds), len(item) // kinds if kinds else 0)
    shares = np.array([np.nan if (q := quantile(label)) is None else q for label in layout.types])
    texts = [pa.array([key[place] for key in block.keys], pa.string()) for place in range(len(layout.keys))]
    columns = [
        *[text.take(pa.array(item)) for text in texts],
        pa.array(layout.times, pa.string()).take(pa.array(step)),
        pa.array(step + 1, pa.int32()),
        pa.array(layout.types, pa.string()).take(pa.array(kind)),
        *[
            pa.array(numbers, pa.float64(), from_pandas=True)
            for numbers in (
                shares[kind],
                block.values[item, step, kind],
                actual[item, step],
                naive[item, step],
            )
        ],
    ]
    return pa.Table.from_arrays(columns, schema=_schema(layout))


def compared(s3: Any, workload: Workload, manifest: Manifest) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The values in the ledger that have come of a forecast: [n] actual values and [n, K] forecasts."""
    rel = f"{FOLDER}{manifest.run}/{SCORES}"
    kinds = len(manifest.types)
    with tempfile.TemporaryFile() as file:
        with translated(f"reading {workload.uri(rel)}"):
            s3.download_fileobj(workload.bucket, workload.key(rel), file)
        table = pa.parquet.ParquetFile(file)
        names = table.schema_arrow.names[-len(NUMBERS) :]
        held = np.empty((0, len(NUMBERS)))
        for batch in table.iter_batches(kinds * ROWS_READ, columns=names):
            read = np.column_stack([one.to_numpy(zero_copy_only=False) for one in batch.columns])
            rows = np.concatenate([held, read])
            whole = len(rows) // kinds * kinds
            held = rows[whole:]
            forecast, actual = (
                rows[:whole, NUMBERS.index(name)].reshape(-1, kinds) for name in ("forecast", "actual")
            )
            yield actual[:, 0], forecast


def _outcome(run: str) -> str:
    return f"runs/{run}/outcome.json"


def put(s3: Any, workload: Workload, rel: str, body: bytes) -> None:
    """Writes an object of the ledger."""
    place = {"Bucket": workload.bucket, "Key": workload.key(rel)}
    with translated(f"writing {workload.uri(rel)}"):
        s3.put_object(**place, Body=body, Metadata={DIGEST: hashlib.sha256(body).hexdigest()})


def _holds(s3: Any, workload: Workload, rel: str, body: bytes) -> bool:
    """Whether an object is there and was written with these bytes."""
    there = storage.head(s3, workload, rel)
    return there is not None and bool(there["Metadata"].get(DIGEST) == hashlib.sha256(body).hexdigest())
