"""Cells and types in the words of Athena: what `GetQueryResults` and the result file hold."""

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local.athena.errors import QueryFailed, Unsupported

# DuckDB's type → Athena's, with the precision that ColumnInfo tells. An unbounded sum is a bigint again.
_TYPES = {
    "BOOLEAN": ("boolean", 0),
    "TINYINT": ("tinyint", 3),
    "SMALLINT": ("smallint", 5),
    "INTEGER": ("integer", 10),
    "BIGINT": ("bigint", 19),
    "HUGEINT": ("bigint", 19),
    "FLOAT": ("float", 17),
    "DOUBLE": ("double", 17),
    "VARCHAR": ("varchar", 2147483647),
    "DATE": ("date", 0),
    "TIMESTAMP": ("timestamp", 3),
    "TIMESTAMP_MS": ("timestamp", 3),
    "TIMESTAMP_NS": ("timestamp", 3),
    "NULL": ("unknown", 0),
    '"NULL"': ("unknown", 0),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_BIGGEST = 2**63


@dataclass(frozen=True)
class OutputColumn:
    """A column of an answer."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0

    def info(self) -> dict[str, Any]:
        """As ResultSetMetadata holds it."""
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type,
            "Precision": self.precision,
            "Scale": self.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.type == "varchar",
        }


@dataclass
class Answer:
    """What a statement gave; a query's result begins with a line of names."""

    columns: list[OutputColumn] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    scanned: int = 0  # bytes
    is_query: bool = True

    def lines(self) -> list[list[str | None]]:
        """The result as GetQueryResults gives it: texts, None for NULL."""
        head: list[list[str | None]] = [[each.name for each in self.columns]] if self.is_query else []
        cells = [
            [text_of(value, of) for value, of in zip(row, self.columns, strict=True)] for row in self.rows
        ]
        return head + cells


def output_column(name: str, kind: str) -> OutputColumn:
    """The column of an answer whose type DuckDB calls `kind`."""
    decimal = _DECIMAL.fullmatch(kind)
    if decimal:
        return OutputColumn(name, "decimal", int(decimal[1]), int(decimal[2]))
    if kind not in _TYPES:
        raise Unsupported(f"The local engine gives no column of type {kind} ({name}); cast it to varchar.")
    type_, precision = _TYPES[kind]
    return OutputColumn(name, type_, precision, 3 if type_ == "timestamp" else 0)


def text_of(value: Any, column: OutputColumn) -> str | None:
    """A cell as Athena writes it; None for NULL."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int) and not -_BIGGEST <= value < _BIGGEST:
        raise QueryFailed(f"bigint overflow in column {column.name}: {value}")
    return str(value)


def java_double(value: float) -> str:
    """A double as Java prints it: 1.0, 0.001, 1.0E-4, 1.2345678E7."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        return repr(value)
    digits, _, exponent = f"{Decimal(repr(value)).normalize():E}".partition("E")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"
