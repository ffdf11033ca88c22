"""Turns an export into the form of the input: its columns, order and timestamp format, plus `type`.

    item_id,date,p10,p50,p90                       timestamp,target_value,item_id,type
    a,2024-01-01T00:00:00Z,1.0,2.0,3.0      →      2024-01-01 00:00:00,1.0,a,p10
                                                   2024-01-01 00:00:00,2.0,a,p50  …

An export's rows come in any order and any number of parts. They are sorted by item, dimensions and time in
pieces that fit into memory; pieces beyond the first are kept on disk and merged. The result is a stream in
one fixed order: the same forecast gives the same bytes.
"""

import datetime as dt
import heapq
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline import csvtext, timestamps
from pipeline.errors import BadForecast
from pipeline.export import LOOK_AT_SERVICE, TIME, TYPE
from pipeline.form import InputForm
from pipeline.params import Params

ROWS_IN_MEMORY = 500_000
ROWS_WRITTEN = 50_000  # at a time, each one line per type
TYPE_COLUMN = "type"
OTHER_TYPE_COLUMN = "forecast_type"  # where the input has a column called type itself


@dataclass(frozen=True)
class Reformatted:
    """What was written."""

    rows: int
    items: int  # distinct item × forecast dimensions
    horizon: int
    types: tuple[str, ...]
    columns: tuple[str, ...]
    has_header: bool
    first: dt.datetime
    last: dt.datetime
    frequency: str  # as the API writes it
    timestamp_format: str


def type_column(params: Params, form: InputForm) -> str:
    """The name of the added column: `type`, unless the files or the schema have a column of that name."""
    taken = {name.lower() for name in (*form.columns, *params.target.columns)}
    numbered = (f"{OTHER_TYPE_COLUMN}_{number}" for number in itertools.count(2))
    return next(n for n in itertools.chain((TYPE_COLUMN, OTHER_TYPE_COLUMN), numbered) if n not in taken)


def reformat(
    frames: Iterable[pd.DataFrame],
    params: Params,
    form: InputForm,
    out: BinaryIO,
    *,
    rows_in_memory: int = ROWS_IN_MEMORY,
) -> Reformatted:
    """Writes the forecast as CSV in the input's form.

    Args:
        frames: the export, as `export.frames` gives it; a row per item, dimensions and time.
        params: names the columns and the timestamp format.
        form: tells whether there is a header, and how the input's columns are called.
        out: takes the bytes.
        rows_in_memory: rows of the export that are sorted at a time.

    Raises:
        BadForecast: if the rows are not exactly items × horizon × types, or a value is not finite.
    """
    layout = _Layout(params, form)
    writer = _Writer(layout, out)
    with tempfile.TemporaryDirectory() as folder:
        for piece in _sorted(map(layout.normalise, frames), layout, Path(folder), rows_in_memory):
            writer.add(piece)
    return writer.finish()


class _Layout:
    """How the export's columns become the input's."""

    def __init__(self, params: Params, form: InputForm) -> None:
        spec = params.target
        self.item_key = spec.item_key
        self.keys = [spec.item_key, *params.dimensions]
        self.types = params.type_labels
        self.horizon = params.horizon
        self.frequency = str(params.frequency)
        self.timestamp_format = params.timestamp_format
        self.target = spec.target_field
        self.schema = spec.columns
        self.columns = (*form.columns, type_column(params, form))
        self.has_header = form.has_header

    def normalise(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the keys, `date` as a time, and the types, in this order and no others."""
        renamed = frame if self.item_key in frame else frame.rename(columns={"item_id": self.item_key})
        lacking = [name for name in (*self.keys, *self.types) if name not in renamed]
        known = {*self.keys, *self.types}
        unasked = [name for name in renamed.columns if TYPE.match(name) and name not in known]
        if lacking or unasked:
            raise BadForecast(
                f"The export has the columns {', '.join(frame.columns)}; "
                f"{', '.join((*self.keys, TIME, *self.types))} were asked for.",
                LOOK_AT_SERVICE,
            )
        times = pd.to_datetime(renamed[TIME].str.removesuffix("Z"), format="ISO8601")
        return renamed[[*self.keys, TIME, *self.types]].assign(**{TIME: times})

    def lines(self, piece: pd.DataFrame) -> dict[int, Any]:
        """The output's columns by their place, one entry per row and type."""
        width = len(self.types)
        written = _written_times(piece[TIME], self.timestamp_format)
        columns: dict[int, Any] = {}
        for place, name in enumerate(self.schema):
            if name == self.target:
                columns[place] = piece[self.types].to_numpy().reshape(-1) + 0.0  # -0.0 becomes 0.0
            elif name == "timestamp":
                columns[place] = np.repeat(written, width)
            elif name in self.keys:
                columns[place] = np.repeat(piece[name].to_numpy(), width)
            else:  # a dimension that the forecast was summed over
                columns[place] = ""
        columns[len(self.schema)] = np.tile(np.array(self.types, dtype=object), len(piece))
        return columns


def _written_times(times: pd.Series, java_format: str) -> np.ndarray:
    """The times as text; there are few different ones, so each is written once."""
    codes, unique = pd.factorize(times)
    texts = [timestamps.write(moment, java_format) for moment in pd.DatetimeIndex(unique).to_pydatetime()]
    return np.array(texts, dtype=object)[codes]


def _sorted(
    frames: Iterator[pd.DataFrame], layout: _Layout, folder: Path, rows_in_memory: int
) -> Iterator[pd.DataFrame]:
    """All rows in order, in pieces; what does not fit into memory is sorted in parts and merged from disk."""
    order = [*layout.keys, TIME]
    waiting: list[pd.DataFrame] = []
    parts: list[_SortedPart] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) > rows_in_memory:
            parts.append(_SortedPart(_in_order(waiting, order), order, folder / str(len(parts))))
            waiting = []
    rest = _in_order(waiting, order) if waiting else None
    if rest is not None and not parts:
        yield rest
        return
    if rest is not None:
        parts.append(_SortedPart(rest, order, folder / str(len(parts))))
    parts.sort(key=lambda part: part.first)
    if all(before.last < after.first for before, after in itertools.pairwise(parts)):
        for part in parts:  # as it is when the service exports in order
            yield from part.pieces()
    else:
        yield from _merged(parts, [*order, *layout.types], len(order))


def _in_order(frames: list[pd.DataFrame], order: list[str]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True).sort_values(order, kind="stable", ignore_index=True)


class _SortedPart:
    """Some of the rows, in order, on disk."""

    def __init__(self, frame: pd.DataFrame, order: list[str], path: Path) -> None:
        self.first, self.last = (tuple(frame[order].iloc[place]) for place in (0, -1))
        self._path = path
        frame.to_feather(path)

    def pieces(self) -> Iterator[pd.DataFrame]:
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_file(file) as reader:
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place).to_pandas()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        for piece in self.pieces():
            yield from piece.itertuples(index=False, name=None)


def _merged(parts: list[_SortedPart], columns: list[str], keys: int) -> Iterator[pd.DataFrame]:
    rows = heapq.merge(*(part.rows() for part in parts), key=lambda row: row[:keys])
    while batch := list(itertools.islice(rows, ROWS_WRITTEN)):
        yield pd.DataFrame(batch, columns=columns)


class _Writer:
    """Writes sorted rows and makes sure that every series has the same, full horizon."""

    def __init__(self, layout: _Layout, out: BinaryIO) -> None:
        self._layout, self._out = layout, out
        self._held: pd.DataFrame | None = None  # the last series of a piece may go on in the next
        self._times: np.ndarray | None = None
        self._items = 0
        if layout.has_header:
            out.write(csvtext.written([layout.columns]).encode())

    def add(self, piece: pd.DataFrame) -> None:
        """Takes more rows; the order goes on where the last piece ended."""
        whole = piece if self._held is None else pd.concat([self._held, piece], ignore_index=True)
        last = (whole[self._layout.keys] == whole[self._layout.keys].iloc[-1]).all(axis=1)
        self._held = whole[last]
        self._write(whole[~last])

    def finish(self) -> Reformatted:
        """Writes what is left; returns the counts."""
        if self._held is not None:
            self._write(self._held)
        if self._times is None:
            raise BadForecast("The export has no rows.", LOOK_AT_SERVICE)
        layout = self._layout
        first, last = pd.DatetimeIndex(self._times[[0, -1]]).to_pydatetime()
        return Reformatted(
            rows=self._items * layout.horizon * len(layout.types),
            items=self._items,
            horizon=layout.horizon,
            types=tuple(layout.types),
            columns=layout.columns,
            has_header=layout.has_header,
            first=first,
            last=last,
            frequency=layout.frequency,
            timestamp_format=layout.timestamp_format,
        )

    def _write(self, series: pd.DataFrame) -> None:
        if series.empty:
            return
        self._check(series)
        self._items += len(series) // self._layout.horizon
        for start in range(0, len(series), ROWS_WRITTEN):
            lines = pd.DataFrame(self._layout.lines(series.iloc[start : start + ROWS_WRITTEN]))
            text = lines.to_csv(index=False, header=False, lineterminator=csvtext.WRITTEN_END)
            self._out.write(csvtext.with_plain_ends(text, len(lines)).encode())

    def _check(self, series: pd.DataFrame) -> None:
        """Every series has the horizon's times, each once, and finite values."""
        horizon = self._layout.horizon
        keys = series.groupby(self._layout.keys, sort=False, dropna=False)
        sizes = keys.size()
        if (sizes != horizon).any():
            name, size = next((key, size) for key, size in sizes.items() if size != horizon)
            raise BadForecast(
                f"Series {_named(name)} has {size} rows in the export; the horizon is {horizon}.",
                LOOK_AT_SERVICE,
            )
        times = series[TIME].to_numpy().reshape(-1, horizon)
        if self._times is None:
            self._times = times[0]
        wrong = (times != self._times).any(axis=1) | (times[:, 1:] == times[:, :-1]).any(axis=1)
        if wrong.any():
            name = list(sizes.index)[int(np.argmax(wrong))]
            raise BadForecast(
                f"Series {_named(name)} has other times in the export than the first series.", LOOK_AT_SERVICE
            )
        finite = np.isfinite(series[self._layout.types].to_numpy()).all(axis=1)
        if not finite.all():
            name = list(sizes.index)[int(np.argmin(finite)) // horizon]
            raise BadForecast(f"Series {_named(name)} has values that are not finite.", LOOK_AT_SERVICE)


def _named(key: Any) -> str:
    return " / ".join(map(str, key)) if isinstance(key, tuple) else str(key)
