"""What a chart of one item needs, and a list of all items: two Parquet files that belong to a forecast.

    history/chart/<run>/chart.parquet   the last actual values of each item, and its forecast, in long form
    history/items/<run>/items.parquet   a row per item

Rows are sorted by item, and the file is cut into small pieces with the first and last item of each, so that
a query for one item reads one piece of it. Both follow from the run's own copies of the uploads and from its
forecast in the archive: made again, they have the same bytes.

    uploads ──▶ cells on disk, by ranges of items ─┐
    forecast ──▶ whole items, in order ────────────┴─▶ rows, some items at a time
"""

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from pipeline import ledger, publish, recent, storage
from pipeline.catalogue import own_name
from pipeline.errors import translated
from pipeline.forecastfile import Block, Key, Layout, blocks
from pipeline.params import Params
from pipeline.publish import FILE, Manifest
from pipeline.quantiles import middle
from pipeline.recent import joined, shifted, steps_ahead, steps_back
from pipeline.workload import Workload

CHART, ITEMS = "history/chart/", "history/items/"
CHART_FILE, ITEMS_FILE = "chart.parquet", "items.parquet"
ACTUAL = "actual"
LEAST_STEPS, MOST_STEPS = 100, 400  # of the past, for each item
ROWS_OF_PIECE = 10_000  # some seventy items: small enough to find one, large enough to be worth a request
MOST_CELLS = 4_000_000  # of the past that are held at a time: 32 MB
MOMENT = pa.timestamp("ms")
FORECAST = "forecast"  # the object's metadata names the forecast that it was made from
CELL = np.dtype([("item", "<i4"), ("back", "<i4"), ("value", "<f8")])


def chart_columns(keys: Sequence[str]) -> dict[str, pa.DataType]:
    """The columns of the chart's table."""
    own = {"time": MOMENT, "type": pa.string(), "value": pa.float64()}
    return _columns(keys, own)


def item_columns(keys: Sequence[str]) -> dict[str, pa.DataType]:
    """The columns of the items' table."""
    own = {"observations": pa.int64(), "first": MOMENT, "last": MOMENT}
    own |= {"recent_mean": pa.float64(), "forecast_mean": pa.float64(), "method": pa.string()}
    return _columns(keys, own)


def _columns(keys: Sequence[str], own: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    texts = {key.lower(): pa.string() for key in keys}
    return texts | {own_name(name, keys): kind for name, kind in own.items()}


def reach(params: Params) -> int:
    """How many steps of the past a chart shows: three horizons and two seasons, within limits."""
    wanted = max(LEAST_STEPS, 3 * params.horizon, 2 * ledger.season(params.frequency))
    return min(wanted, max(MOST_STEPS, params.horizon))


def keep(s3: Any, workload: Workload, params: Params, run: str, history: Sequence[str]) -> None:
    """Writes both files of an archived forecast, unless they are there.

    Args:
        history: the keys of the run's own copies of the target's files, which are gone when it has ended.
    """
    manifest = publish.description(s3, workload, run)
    digest = manifest.contents[FILE]["sha256"]
    if _is_there(s3, workload, _chart(run), digest):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _Build(s3, workload, params, manifest, history, folder).write()
        # The chart comes last: where it is, the items are, too.
        for rel, file in ((_items(run), folder / ITEMS_FILE), (_chart(run), folder / CHART_FILE)):
            with translated(f"writing {workload.uri(rel)}"), file.open("rb") as body:
                place = {"Bucket": workload.bucket, "Key": workload.key(rel)}
                s3.put_object(**place, Body=body, Metadata={FORECAST: digest})


def _chart(run: str) -> str:
    return f"{CHART}{run}/{CHART_FILE}"


def _items(run: str) -> str:
    return f"{ITEMS}{run}/{ITEMS_FILE}"


def _is_there(s3: Any, workload: Workload, rel: str, digest: str) -> bool:
    there = storage.head(s3, workload, rel)
    return there is not None and bool(there["Metadata"].get(FORECAST) == digest)


@dataclass(frozen=True)
class _Build:
    """The way from a run's uploads and its forecast to the two files."""

    s3: Any
    workload: Workload
    params: Params
    manifest: Manifest
    history: Sequence[str]
    folder: Path

    def write(self) -> None:
        rel = f"{publish.ARCHIVE}{self.manifest.run}/{FILE}"
        with translated(f"reading {self.workload.uri(rel)}"), (self.folder / FILE).open("wb") as out:
            body = self.s3.get_object(Bucket=self.workload.bucket, Key=self.workload.key(rel))["Body"]
            for block in body.iter_chunks(storage.BLOCK_BYTES):
                out.write(block)
        items = pd.Index([joined(key) for block in self._blocks() for key in block.keys], dtype=object)
        past = _Past(self.folder, self.params, items)
        for rows in recent.uploaded(self.s3, self.workload, self.params, self.history):
            back = steps_back(rows["time"].to_numpy(), self.manifest.first, self.params.frequency)
            past.add(rows, back)
        self._write(past)

    @property
    def _layout(self) -> Layout:
        of = self.manifest
        times = steps_ahead(of.first, self.params.frequency, of.horizon)
        return Layout.of(self.params, times, of.types, of.has_header, of.timestamp_format)

    def _blocks(self) -> Iterator[Block]:
        with (self.folder / FILE).open("rb") as source:
            yield from blocks(source, self._layout)

    def _write(self, past: "_Past") -> None:
        layout = self._layout
        rows = _Rows(self.params, self.manifest, layout)
        with ExitStack() as stack:
            chart, listed = (
                stack.enter_context(
                    pa.parquet.ParquetWriter(self.folder / name, pa.schema(columns), compression="zstd")
                )
                for name, columns in (
                    (CHART_FILE, chart_columns(layout.keys)),
                    (ITEMS_FILE, item_columns(layout.keys)),
                )
            )
            begin = 0
            for block in self._blocks():
                for keys, values in _cut(block, past.items_at_once):
                    end = begin + len(keys)
                    actual = past.values(begin, end)
                    chart.write_table(rows.of_chart(keys, actual, values), row_group_size=ROWS_OF_PIECE)
                    listed.write_table(rows.of_items(keys, actual, values, past, slice(begin, end)))
                    begin = end


def _cut(block: Block, most: int) -> Iterator[tuple[list[Key], np.ndarray]]:
    for start in range(0, len(block.keys), most):
        yield block.keys[start : start + most], block.values[start : start + most]


class _Past:
    """The actual values of the items: each step's one value, kept on disk by ranges of items.

    Args:
        folder: on this machine.
        items: [N] in the order of the forecast; values of others are left out.
    """

    def __init__(self, folder: Path, params: Params, items: pd.Index) -> None:
        self.reach = reach(params)
        self.items_at_once = max(1, min(MOST_CELLS // self.reach, len(items)))
        self.observations = np.zeros(len(items), dtype=np.int64)
        self.first = np.full(len(items), np.iinfo(np.int64).max)  # seconds since 1970
        self.last = np.full(len(items), np.iinfo(np.int64).min)
        self._folder, self._items = folder, items
        self._is_averaged = recent.is_averaged(params)
        self._held: tuple[int, np.ndarray] | None = None

    def add(self, rows: pd.DataFrame, back: np.ndarray) -> None:
        """Takes rows of item, time and value that lie so many steps before the forecast."""
        codes = self._items.get_indexer(rows["item"].cat.categories)[rows["item"].cat.codes]
        values = rows["value"].to_numpy(dtype=float)
        known = (codes >= 0) & np.isfinite(values)
        codes, values, back = codes[known], values[known], back[known]
        times = rows["time"].to_numpy().astype("datetime64[s]").astype(np.int64)[known]
        np.add.at(self.observations, codes, 1)
        np.minimum.at(self.first, codes, times)
        np.maximum.at(self.last, codes, times)
        near = (back > 0) & (back <= self.reach)
        cells = np.empty(int(near.sum()), dtype=CELL)
        cells["item"], cells["back"], cells["value"] = codes[near], back[near], values[near]
        self._keep(cells)

    def _keep(self, cells: np.ndarray) -> None:
        parts = cells["item"] // self.items_at_once
        for part in np.unique(parts):
            with self._file(int(part)).open("ab") as file:
                cells[parts == part].tofile(file)

    def values(self, begin: int, end: int) -> np.ndarray:
        """[end - begin, reach] the values of these items, oldest step first; NaN for none."""
        parts = range(begin // self.items_at_once, (end - 1) // self.items_at_once + 1)
        found = [self._part(part) for part in parts]
        start = parts[0] * self.items_at_once
        return np.concatenate(found)[begin - start : end - start]

    def _part(self, part: int) -> np.ndarray:
        if self._held is None or self._held[0] != part:
            self._held = (part, self._read(part))
        return self._held[1]

    def _read(self, part: int) -> np.ndarray:
        shape = (self.items_at_once, self.reach)
        file = self._file(part)
        if not file.exists():
            return np.full(shape, np.nan)
        cells = np.fromfile(file, dtype=CELL)
        place = (cells["item"] - part * self.items_at_once) * self.reach + self.reach - cells["back"]
        size = shape[0] * shape[1]
        count = np.bincount(place, minlength=size)
        total = np.bincount(place, weights=cells["value"], minlength=size)
        divisor = count if self._is_averaged else count > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            return (total / divisor).reshape(shape)

    def _file(self, part: int) -> Path:
        return self._folder / f"past-{part}"


class _Rows:
    """The rows of both tables, for some items at a time."""

    def __init__(self, params: Params, manifest: Manifest, layout: Layout) -> None:
        self._keys, self._types, self._horizon = layout.keys, manifest.types, manifest.horizon
        steps = reach(params)
        past = [shifted(manifest.first, params.frequency, -back) for back in range(steps, 0, -1)]
        ahead = steps_ahead(manifest.first, params.frequency, manifest.horizon)
        self._past, self._ahead = _moments(past), _moments(ahead)
        self._middle = manifest.types.index(middle(manifest.types))

    def of_chart(self, keys: list[Key], actual: np.ndarray, forecast: np.ndarray) -> pa.Table:
        """Each item's [n, reach] actual values where there are any, then its [n, H, K] forecasts."""
        item, step = np.nonzero(np.isfinite(actual))
        count, horizon, kinds = forecast.shape
        items = np.concatenate([item, np.repeat(np.arange(count), horizon * kinds)])
        times = [self._past[step], np.tile(np.repeat(self._ahead, kinds), count)]
        types = [np.zeros(len(item), dtype=int), np.tile(np.arange(kinds) + 1, count * horizon)]
        values = [actual[item, step], forecast.reshape(-1)]
        order = np.argsort(items, kind="stable")
        names = pa.array([ACTUAL, *self._types], pa.string())
        columns = [
            *_texts(keys, items[order]),
            pa.array(np.concatenate(times)[order], MOMENT),
            names.take(pa.array(np.concatenate(types)[order])),
            pa.array(np.concatenate(values)[order], pa.float64(), from_pandas=True),
        ]
        return pa.Table.from_arrays(columns, schema=pa.schema(chart_columns(self._keys)))

    def of_items(
        self, keys: list[Key], actual: np.ndarray, forecast: np.ndarray, past: _Past, own: slice
    ) -> pa.Table:
        """A row per item; means are those of the chart's last steps, as many as the horizon has."""
        observed = past.observations[own]
        columns = [
            *_texts(keys, np.arange(len(keys))),
            pa.array(observed),
            *[_times(moments[own], observed) for moments in (past.first, past.last)],
            _means(actual[:, -self._horizon :]),
            _means(forecast[:, :, self._middle]),
            pa.nulls(len(keys), pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=pa.schema(item_columns(self._keys)))


def _moments(times: Sequence[dt.datetime]) -> np.ndarray:
    return np.array(times, dtype="datetime64[ms]")


def _texts(keys: list[Key], places: np.ndarray) -> list[pa.Array]:
    """A column per part of the key, for the items at these places."""
    taken = pa.array(places)
    return [pa.array(part, pa.string()).take(taken) for part in zip(*keys, strict=True)]


def _times(seconds: np.ndarray, observed: np.ndarray) -> pa.Array:
    moments = np.where(observed > 0, seconds, 0).astype("datetime64[s]").astype("datetime64[ms]")
    return pa.array(moments, MOMENT, mask=observed == 0)


def _means(values: np.ndarray) -> pa.Array:
    """[n] the mean of each row of values; null where there is none."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return pa.array(means, pa.float64(), from_pandas=True)
