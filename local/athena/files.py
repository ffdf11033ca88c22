"""The files of a table as a query of DuckDB's.

CSV is kept as Parquet beside the copy of the object, every cell still a text: the next query reads only
the columns that it needs, and reads them at once.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from local.athena.catalogue import Column, Table
from local.athena.errors import BadData, Unsupported
from local.athena.objects import is_kept

NUMBERS = ("tinyint", "smallint", "int", "integer", "bigint", "float", "double", "decimal")


def rows(table: Table, files: list[Path], partition: tuple[str, ...]) -> str:
    """A query over Parquet files that lie in one place; a column that none of them has is NULL."""
    keys = zip(table.partition_keys, partition, strict=True)
    own = [_as(_text(value), key) for key, value in keys]
    if not table.reader.startswith("Parquet"):
        return _select([*map(_cell_of_csv, table.columns), *own], files)
    if table.is_by_position:
        alike = groupby(sorted(files, key=_names), key=_names)
        return " UNION ALL ".join(
            _select([*_cells_by_position(names, table.columns), *own], those) for names, those in alike
        )
    there = {name.lower() for file in files for name in _names(file)}
    return _select([*map(partial(_cell_of_parquet, there), table.columns), *own], files)


def _select(cells: Iterable[str], files: Iterable[Path]) -> str:
    listed = ", ".join(_text(str(file)) for file in files)
    return f"SELECT {', '.join(cells)} FROM read_parquet([{listed}], union_by_name = true)"


def no_rows(table: Table) -> str:
    """A query with the table's columns and nothing in them."""
    return f"SELECT {', '.join(_as('NULL', column) for column in table.all_columns)} WHERE false"


def parquet_of(table: Table, file: Path, execute: Callable[[str], object]) -> Path:
    """The Parquet form of a CSV file, made if it is not there."""
    read = _read_csv(table, file)
    form = hashlib.sha256(read.encode()).hexdigest()[:16]
    made = file.with_name(f"{file.name}.{form}.parquet")
    if is_kept(made):
        return made
    unfinished = made.with_suffix(f".{threading.get_ident()}")
    execute(f"COPY ({read}) TO {_text(str(unfinished))} (FORMAT parquet)")
    os.replace(unfinished, made)
    return made


def _read_csv(table: Table, file: Path) -> str:
    """CSV as OpenCSVSerde reads it: every cell a text; rows may be short."""
    if table.reader != "OpenCSVSerde":
        raise Unsupported(
            f"the local engine reads OpenCSVSerde and Parquet, not {table.reader} ({table.name})"
        )
    given = table.reader_settings
    names = ", ".join(f"{_text(column.name)}: 'VARCHAR'" for column in table.columns)
    quote = _text(given.get("quoteChar", '"'))
    options = [
        f"columns = {{{names}}}",
        f"skip = {table.header_lines}",
        "header = false, auto_detect = false, null_padding = true, strict_mode = true",
        f"delim = {_text(given.get('separatorChar', ','))}, quote = {quote}, escape = {quote}",
        "nullstr = '\\x01none', encoding = 'utf-8', max_line_size = 10000000",
    ]
    return f"SELECT * FROM read_csv({_text(str(file))}, {', '.join(options)})"


def _cell_of_csv(column: Column) -> str:
    """A text as it is, or the number in it; an empty cell is no number."""
    name = _name(column.name)
    if column.type == "string" or column.type.startswith(("varchar", "char")):
        return name
    if not column.type.startswith(NUMBERS):
        raise Unsupported(
            f"the local engine reads text and numbers from CSV, not {column.type} ({column.name})"
        )
    wrong = _text(f"Error parsing a field value for field {column.name}: not a {column.type}")
    read = f"TRY_CAST({name} AS {_duck(column.type)})"
    checked = f"WHEN {read} IS NULL THEN error({wrong}) ELSE {read} END"
    return f"CASE WHEN {name} IS NULL THEN NULL {checked} AS {name}"


@lru_cache(maxsize=10_000)
def _names(file: Path) -> tuple[str, ...]:
    """The columns of a Parquet file, in their order; a copy of an object never changes."""
    try:
        return tuple(pyarrow.parquet.read_schema(file).names)
    except pa.ArrowInvalid as error:
        raise BadData(f"a file of the table is no Parquet: {str(error).splitlines()[0]}") from error


def _cell_of_parquet(there: Collection[str], column: Column) -> str:
    return _as(_name(column.name) if column.name.lower() in there else "NULL", column)


def _cells_by_position(names: Sequence[str], columns: Sequence[Column]) -> Iterator[str]:
    """The table's first column is the file's first; what the file does not have is NULL."""
    for place, column in enumerate(columns):
        yield _as(_name(names[place]) if place < len(names) else "NULL", column)


def _as(value: str, column: Column) -> str:
    return f"CAST({value} AS {_duck(column.type)}) AS {_name(column.name)}"


def _duck(kind: str) -> str:
    known = {"string": "VARCHAR", "int": "INTEGER", "float": "FLOAT", "timestamp": "TIMESTAMP"}
    if re.fullmatch(r"[a-z]+|decimal\(\d+,\s*\d+\)|(var)?char\(\d+\)", kind):
        return known.get(kind, "VARCHAR" if "char" in kind else kind.upper())
    raise Unsupported(f"the local engine does not read columns of type {kind}")


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
