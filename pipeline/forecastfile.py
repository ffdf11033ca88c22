"""Reads a forecast as it is published, and makes sure that it is whole: its rows, keys, times and types.

The rows stand in one fixed order: items ascending, the times of each, the types of each time. So every
item is one block of horizon × types rows, and a file is read as arrays of whole items, a bounded number at
a time. A row that is not the one that is due is told with its item.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline import timestamps
from pipeline.errors import NotWhole
from pipeline.export import LOOK_AT_SERVICE
from pipeline.params import DatasetSpec, Params

BLOCK_BYTES = 16 * 1024 * 1024

Key = tuple[str, ...]  # item key, then the forecast dimensions


def _not_whole(what: str, item: str = "") -> NotWhole:
    return NotWhole(what, LOOK_AT_SERVICE, item)


@dataclass(frozen=True)
class Layout:
    """Where everything stands in the file, and which rows are due for each item."""

    spec: DatasetSpec
    keys: tuple[str, ...]
    times: tuple[str, ...]  # [H], as written
    types: tuple[str, ...]  # [K]
    has_header: bool

    @classmethod
    def of(
        cls,
        params: Params,
        times: Iterable[dt.datetime],
        types: tuple[str, ...],
        has_header: bool,
        timestamp_format: str,
    ) -> "Layout":
        """The layout of a forecast for these times, written in this format (Java's letters)."""
        keys = (params.target.item_key, *params.dimensions)
        texts = tuple(timestamps.write(moment, timestamp_format) for moment in times)
        return cls(params.target, keys, texts, types, has_header)

    @property
    def rows_of_item(self) -> int:
        return len(self.times) * len(self.types)


@dataclass(frozen=True)
class Block:
    """Some whole items."""

    keys: list[Key]  # [N], ascending
    values: np.ndarray  # [N, H, K]; NaN for an empty cell


def named(key: Key) -> str:
    """What people call the item."""
    return " / ".join(key)


def blocks(source: Any, layout: Layout) -> Iterator[Block]:
    """All items of the file, in order.

    Raises:
        NotWhole: if a row is missing, doubled or not due, or the file is no such CSV.
    """
    size = layout.rows_of_item
    held: pa.Table | None = None
    before: Key = ()
    for table in _tables(source, layout):
        rows = table if held is None else pa.concat_tables([held, table])
        whole = rows.num_rows // size
        if whole:
            block = _block(rows.slice(0, whole * size).combine_chunks(), layout)
            _check_ascending(before, block.keys)
            before = block.keys[-1]
            yield block
        held = rows.slice(whole * size)
    if held is not None and held.num_rows:
        key = _key(held, layout, 0)
        raise _not_whole(_count_words(key, held.num_rows, layout), named(key))


def _tables(source: Any, layout: Layout) -> Iterator[pa.Table]:
    names = [*layout.spec.columns, "\x00type"]
    wanted = [*layout.keys, "timestamp", layout.spec.target_field, names[-1]]
    types = {**dict.fromkeys(wanted, pa.string()), layout.spec.target_field: pa.float64()}
    try:
        with pyarrow.csv.open_csv(
            pa.PythonFile(source, mode="r"),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=names,
                skip_rows=int(layout.has_header),
            ),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=wanted, column_types=types, null_values=["", "nan", "NaN"]
            ),
        ) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as error:
        raise _not_whole(f"The file cannot be read: {str(error).splitlines()[0]}.") from error


def _block(rows: pa.Table, layout: Layout) -> Block:
    """The items in rows that are a multiple of an item's; each row has to be the one that is due."""
    shape = (-1, len(layout.times), len(layout.types))
    starts = np.arange(0, rows.num_rows, layout.rows_of_item)
    _check_keys(rows, layout)
    _check_pattern(rows, layout, layout.spec.columns[layout.spec.position("timestamp")], _times_due(layout))
    _check_pattern(rows, layout, rows.column_names[-1], _types_due(layout))
    columns = [rows.column(name).take(starts).to_pylist() for name in layout.keys]
    values = rows.column(layout.spec.target_field).to_numpy(zero_copy_only=False).reshape(shape)
    return Block(list(zip(*columns, strict=True)), values)


def _times_due(layout: Layout) -> list[str]:
    return [time for time in layout.times for _ in layout.types]


def _types_due(layout: Layout) -> list[str]:
    return [name for _ in layout.times for name in layout.types]


def _check_keys(rows: pa.Table, layout: Layout) -> None:
    """Each block of rows has one key."""
    wrong = np.zeros(rows.num_rows // layout.rows_of_item, dtype=bool)
    for name in layout.keys:
        wrong |= (_codes(rows.column(name)).reshape(len(wrong), -1)[:, 1:] != _first(rows, name, layout)).any(
            1
        )
    if wrong.any():
        start = int(np.argmax(wrong)) * layout.rows_of_item
        key = _key(rows, layout, start)
        count = next(n for n in range(1, rows.num_rows) if _key(rows, layout, start + n) != key)
        raise _not_whole(_count_words(key, count, layout), named(key))


def _first(rows: pa.Table, name: str, layout: Layout) -> np.ndarray:
    return _codes(rows.column(name)).reshape(-1, layout.rows_of_item)[:, :1]


def _check_pattern(rows: pa.Table, layout: Layout, column: str, due: list[str]) -> None:
    """The column repeats what is due for each item."""
    found = rows.column(column).combine_chunks().dictionary_encode()
    known = {text: code for code, text in enumerate(found.dictionary.to_pylist())}
    expected = np.array([known.get(text, -1) for text in due])
    wrong = found.indices.to_numpy(zero_copy_only=False).reshape(-1, len(due)) != expected
    if wrong.any():
        place, row = (int(n) for n in np.argwhere(wrong)[0])
        at = place * len(due) + row
        key = _key(rows, layout, at)
        what = f"Item {named(key)} has {rows.column(column)[at].as_py()!r} in its row {row + 1}"
        raise _not_whole(f"{what}, where {due[row]!r} is due.", named(key))


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Equal texts have equal numbers."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    return encoded.indices.to_numpy(zero_copy_only=False)


def _check_ascending(before: Key, keys: list[Key]) -> None:
    """No item comes twice: they ascend."""
    for key in keys:
        if not before < key:
            raise _not_whole(
                f"Item {named(key)} comes twice, or not in its place after {named(before)}.", named(key)
            )
        before = key


def _key(rows: pa.Table, layout: Layout, place: int) -> Key:
    return tuple(rows.column(name)[place].as_py() for name in layout.keys)


def _count_words(key: Key, count: int, layout: Layout) -> str:
    due = f"{layout.rows_of_item} are due: {len(layout.times)} times × {len(layout.types)} types"
    return f"Item {named(key)} has {count} rows; {due}."
