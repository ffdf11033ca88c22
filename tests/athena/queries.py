"""Asks Athena through boto3, and reads its texts back as values."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.athena.tables import DATABASE, RESULTS

READERS: dict[str, Callable[[str], Any]] = {
    "bigint": int,
    "integer": int,
    "double": float,
    "decimal": Decimal,
    "boolean": lambda text: {"true": True, "false": False}[text],
    "date": dt.date.fromisoformat,
    "timestamp": dt.datetime.fromisoformat,
}


class Failed(Exception):
    """The reason of a query that failed."""


@dataclass(frozen=True)
class Found:
    names: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]


def start(athena: Any, sql: str, **given: Any) -> str:
    """The id of a query that was begun."""
    usual = {
        "QueryExecutionContext": {"Database": DATABASE},
        "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/boto3/"},
    }
    return athena.start_query_execution(QueryString=sql, **{**usual, **given})["QueryExecutionId"]


def ask(athena: Any, sql: str, **given: Any) -> Found:
    """The whole answer to a statement."""
    query = start(athena, sql, **given)
    while (execution := athena.get_query_execution(QueryExecutionId=query)["QueryExecution"])["Status"][
        "State"
    ] in ("QUEUED", "RUNNING"):
        pass
    if execution["Status"]["State"] != "SUCCEEDED":
        raise Failed(execution["Status"].get("StateChangeReason", execution["Status"]["State"]))
    pages = list(athena.get_paginator("get_query_results").paginate(QueryExecutionId=query))
    columns = pages[0]["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    cells = [
        [cell.get("VarCharValue") for cell in row["Data"]]
        for page in pages
        for row in page["ResultSet"]["Rows"]
    ]
    if execution["StatementType"] == "DML":
        assert cells[0] == [column["Name"] for column in columns]
        cells = cells[1:]
    types = [column["Type"] for column in columns]
    rows = [tuple(map(_read, row, types)) for row in cells]
    return Found([column["Name"] for column in columns], types, rows)


def _read(text: str | None, kind: str) -> Any:
    return None if text is None else READERS.get(kind, str)(text)
