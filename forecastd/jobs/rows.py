"""Rows of a file as typed columns, with every cell that does not fit named by file, row and column."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from forecastd.domains import DOMAINS, NUMERIC_TYPES
from forecastd.errors import JobFailed
from forecastd.series.frequency import EARLIEST, LATEST

MOST_NUMBER = 1e100  # of larger ones, products of squares and sums leave what a float holds
_ROWS_PER_BATCH = 100_000
_PROBLEMS_TOLD = 3
_BYTES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)
_ITEM_KEYS = {domain.item_key for domain in DOMAINS.values()}
_LEAST_LETTERS = 4  # "item" is taken for item_id, "it" may be an item
_WORD = re.compile(r"[^\W\d]")
_NO_NUMBERS = ("nan", "na", "n/a", "null", "none", "inf", "infinity")  # words that stand in data, too
_BEGINS_WITH_DIGIT = re.compile(r'\s*"?\s*[\d+-]')

Mask = np.ndarray


@dataclass
class Problems:
    """What was wrong with the rows of an import: the first few in words, and how many there are."""

    told: list[str] = field(default_factory=list)
    number: int = 0

    def add(self, source: str, row: int, column: str, what: str) -> None:
        """Note a problem; rows count from 1 and include a header line."""
        self.number += 1
        if self.room:
            self.told.append(f"{source}, row {row}, column {column}: {what}")

    @property
    def room(self) -> int:
        """Give how many more are told in words; the others are counted."""
        return _PROBLEMS_TOLD - len(self.told)

    def sentence(self) -> str:
        """Tell the first problems, and how many more there are."""
        more = self.number - len(self.told)
        return "; ".join(self.told) + (f"; and {more} more" if more else "") + "."


@dataclass(frozen=True)
class Raw:
    """A piece of a file: one Arrow column per attribute, and the number of each row in the file."""

    table: pa.Table
    rows: np.ndarray  # [n] int


@dataclass(frozen=True)
class Column:
    """A typed column: texts, times or numbers; null where the file has nothing; bad where it does not fit.

    Attributes:
        beyond: bad for its size alone: a time or number, but outside of the limits.
    """

    values: Any  # pd.Series of str or datetime64, or float64 [n]
    null: Mask
    bad: Mask
    beyond: Mask


def read_csv(
    stream: Any, attributes: dict[str, str], source: str, problems: Problems, may_have_header: bool = True
) -> Iterator[Raw]:
    """Read a CSV file by position, as texts; a row with another number of columns is a problem.

    Args:
        may_have_header: whether a first line that looks like a header is one, and no data.

    Raises:
        JobFailed: the file is no CSV at all.
    """
    names = list(attributes)
    skipped: list[int] = []

    def misfit(row: Any) -> str:
        skipped.append(row.number)
        problems.add(source, row.number, "count", f"it has {row.actual_columns} columns, not {len(names)}")
        return "skip"

    try:
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=misfit
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
            ),
        )
        yield from _numbered(reader, attributes, skipped, may_have_header)
    except pa.ArrowInvalid as error:
        raise JobFailed(f"{source} cannot be read as CSV: {_first_line(error)}") from error


def _numbered(
    reader: Any, attributes: dict[str, str], skipped: list[int], may_have_header: bool
) -> Iterator[Raw]:
    """Number the rows, drop blank lines, and drop a header in the first line that is not blank."""
    seen, only_blanks = 0, True
    for batch in reader:
        table = pa.Table.from_batches([batch])
        rows = _row_numbers(seen, len(table), skipped)
        keep = ~np.logical_and.reduce([_nulls(table.column(name)) for name in attributes])
        if only_blanks and keep.any():
            only_blanks = False
            first = int(keep.argmax())
            is_first = rows[first] == seen + first + 1  # no row of another width came before it
            if may_have_header and is_first and is_header(attributes, _cells(table, first)):
                keep[first] = False
        seen += len(table)
        yield Raw(table.filter(pa.array(keep)), rows[keep])


def _row_numbers(seen: int, length: int, skipped: list[int]) -> np.ndarray:
    """Give the numbers in the file of the rows that follow `seen` good ones.

    Args:
        skipped: the numbers of the rows that are none, ascending.
    """
    places = np.arange(seen, seen + length)  # among the good rows
    # The places before which a row was skipped.
    broken = np.asarray(skipped, np.int64) - 1 - np.arange(len(skipped))
    return places + 1 + np.searchsorted(broken, places, side="right")


def is_header(attributes: dict[str, str], cells: list[str | None]) -> bool:
    """Tell a header from data: its time cell does not begin like a time.

    Where there are no times, a cell is its column's name, a word stands where numbers are, or the item's cell
    is the beginning of the item key's name. Texts that have nothing of the names are data.

    Args:
        cells: of the first line.
    """
    columns = [
        (name, kind, (cell or "").strip())
        for (name, kind), cell in zip(attributes.items(), cells, strict=True)
    ]
    for _, kind, cell in columns:
        if kind == "timestamp":
            return bool(cell) and not _BEGINS_WITH_DIGIT.match(cell)
    return any(_is_name(cell, name, kind) for name, kind, cell in columns)


def _is_name(cell: str, name: str, kind: str) -> bool:
    """Whether a cell of the first line can only be the name of its column."""
    if kind in NUMERIC_TYPES:
        return bool(_WORD.match(cell)) and cell.lower() not in _NO_NUMBERS
    word, own = _letters_and_digits(cell), _letters_and_digits(name)
    return word == own or (name in _ITEM_KEYS and len(word) >= _LEAST_LETTERS and own.startswith(word))


def _letters_and_digits(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _cells(table: pa.Table, row: int) -> list[str | None]:
    return [column[row].as_py() for column in table.columns]


def read_parquet(path: Path, attributes: dict[str, str], source: str) -> Iterator[Raw]:
    """Read a Parquet file by the names of its columns, or by position if they are others.

    Raises:
        JobFailed: it is no Parquet, or has other columns, or columns of a type that holds no single values.
    """
    try:
        file = pq.ParquetFile(path)
        columns = _parquet_columns(file.schema_arrow.names, list(attributes), source)
        _check_parquet_types(file.schema_arrow, columns, source)
        seen = 0
        for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=columns):
            table = _decoded(pa.Table.from_batches([batch]).select(columns), source)
            rows = np.arange(seen + 1, seen + len(table) + 1)
            seen += len(table)
            yield Raw(table.rename_columns(list(attributes)), rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise JobFailed(f"{source} cannot be read as Parquet: {_first_line(error)}") from error


def _parquet_columns(names: list[str], wanted: list[str], source: str) -> list[str]:
    """Find the columns by name, then by name without regard to case, then by position."""
    exact, any_case = set(names), {name.lower(): name for name in reversed(names)}
    found = {name: name if name in exact else any_case.get(name.lower()) for name in wanted}
    if None not in found.values():
        return [name for name in found.values() if name is not None]
    elsewhere = [name for name, here in zip(wanted, names, strict=False) if found[name] not in (None, here)]
    if len(names) == len(wanted) and not elsewhere:
        return names
    raise JobFailed(
        f"{source} has the columns {', '.join(names)}, but the schema is {', '.join(wanted)};"
        " give them the names of the schema."
    )


def _check_parquet_types(schema: pa.Schema, columns: list[str], source: str) -> None:
    for name in columns:
        kind = schema.field(name).type
        if pa.types.is_timestamp(kind) and not _knows_zone(kind):
            raise JobFailed(
                f"{source}, column {name}: its time zone {kind.tz} is not known; write local times."
            )
        if pa.types.is_nested(kind) or pa.types.is_duration(kind) or isinstance(kind, pa.BaseExtensionType):
            raise JobFailed(
                f"{source}, column {name}: it is of the type {kind}; it has to hold one text, number or time"
                " in each row."
            )


def _knows_zone(kind: pa.TimestampType) -> bool:
    try:
        pc.local_timestamp(pa.array([0], kind))
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(table: pa.Table, source: str) -> pa.Table:
    """Turn columns of bytes into texts."""
    for place, (name, kind) in enumerate(zip(table.column_names, table.schema.types, strict=True)):
        if any(is_one(kind) for is_one in _BYTES):
            try:
                table = table.set_column(place, name, pc.cast(table.column(place), pa.string()))
            except pa.ArrowInvalid:
                raise JobFailed(
                    f"{source}, column {name}: it is of the type {kind}, and its bytes are no text in UTF-8;"
                    " write it as text."
                ) from None
    return table


# -- typed columns


def typed(column: pa.ChunkedArray, kind: str, timestamp_format: str) -> Column:
    """Turn a column of texts, or of Parquet's types, into the type of its attribute."""
    if kind == "timestamp":
        return _times(column, timestamp_format)
    if kind in ("float", "integer"):
        return _numbers(column, whole=kind == "integer")
    return _texts(column)


def _texts(column: pa.ChunkedArray) -> Column:
    """An empty text is null, as it is in CSV: one series must not have two keys that look alike."""
    texts = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
    column = pc.if_else(pc.equal(texts, ""), None, texts)
    null, none = _nulls(column), np.zeros(len(column), bool)
    return Column(column.to_pandas().astype(object).where(~null, None), null, none, none)


def _times(column: pa.ChunkedArray, timestamp_format: str) -> Column:
    """A time with a zone counts as its zone's clocks show it: data is in local time."""
    null = _nulls(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _native_times(column, null)
    texts = pc.cast(column, pa.string()).to_pandas().str.strip()
    times = pd.to_datetime(texts, format=timestamp_format, errors="coerce")
    bad = (~times.between(EARLIEST, LATEST) & ~null).to_numpy(bool)
    return Column(times.where(~bad), null, bad, bad & _are_times(texts, timestamp_format, bad))


def _native_times(column: pa.ChunkedArray, null: Mask) -> Column:
    if pa.types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    counts = pc.cast(column, pa.int64()).fill_null(0).to_numpy()
    first, last = (
        int(end.as_unit(column.type.unit).to_numpy().astype(np.int64)) for end in (EARLIEST, LATEST)
    )
    bad = ~null & ((counts < first) | (counts > last))
    column = pc.if_else(pa.array(bad), None, column)
    if column.type.tz is not None:
        column = pc.local_timestamp(column)
    return Column(pc.cast(column, pa.timestamp("ms"), safe=False).to_pandas(), null, bad, bad)


def _are_times(texts: pd.Series, timestamp_format: str, where: Mask) -> Mask:
    """Where bad texts are times all the same, of a year that is too far away."""

    def is_time(text: str) -> bool:
        try:
            dt.datetime.strptime(text, timestamp_format)
        except ValueError:
            return False
        return True

    found = np.zeros(len(texts), bool)
    found[where] = [is_time(text) for text in texts[where]]
    return found


def _numbers(column: pa.ChunkedArray, whole: bool) -> Column:
    null = _nulls(column)
    values, bad = _as_floats(column, null)
    bad |= np.isinf(values)
    beyond = ~bad & (np.abs(values) > MOST_NUMBER)
    if whole:
        bad |= ~np.isnan(values) & (np.floor(values) != values)
    bad |= beyond
    return Column(np.where(bad, np.nan, values), null, bad, beyond)


def _as_floats(column: pa.ChunkedArray, null: Mask) -> tuple[np.ndarray, Mask]:
    try:
        values = pc.cast(column, pa.float64()).to_numpy().astype(np.float64)
        return values, np.zeros(len(null), bool)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = pc.cast(column, pa.string()).to_pandas().str.strip()
        values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64).copy()
        explicit = (texts.str.lower() == "nan").to_numpy(bool)
        return values, np.isnan(values) & ~null & ~explicit


def _nulls(column: pa.ChunkedArray) -> Mask:
    return column.is_null().to_numpy().astype(bool)


def tell_bad_cells(
    column: Column, name: str, expected: str, raw: Raw, source: str, problems: Problems
) -> None:
    """Note every bad cell of a column among the problems.

    Args:
        expected: a noun for what fits, such as "a number".
    """
    room = problems.room
    cells, places = raw.table.column(name), np.flatnonzero(column.bad)
    for place in map(int, places[:room]):
        wanted = _limits_of(column) if column.beyond[place] else expected
        problems.add(source, int(raw.rows[place]), name, f"{_shown(cells[place])} is not {wanted}")
    problems.number += len(places[room:])


def _limits_of(column: Column) -> str:
    """Say within which limits the values of a column have to be."""
    if isinstance(column.values, np.ndarray):
        return f"between -{MOST_NUMBER:g} and {MOST_NUMBER:g}; use a larger unit"
    return f"between the years {EARLIEST.year} and {LATEST.year}"


def _shown(cell: Any) -> str:
    """Write a cell; times so far away that Python has none are written as their count of units."""
    try:
        value = cell.as_py()
    except (OverflowError, ValueError):
        value = cell.value
    return repr(value) if isinstance(value, str | int | float) else f"'{value}'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
