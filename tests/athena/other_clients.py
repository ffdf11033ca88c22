"""Runs statements through awswrangler or the aws CLI, in an environment that has them.

    python other_clients.py awswrangler|awscli DATABASE OUTPUT  < statements.json  > rows.json

A row is a list of cells; times are told from text by a letter before them.
"""

import contextlib
import datetime as dt
import decimal
import io
import json
import sys
from collections.abc import Callable
from typing import Any


def encoded(value: Any) -> Any:
    """A cell as JSON."""
    if value is None or str(value) in ("NaT", "<NA>", "nan"):
        return None
    if isinstance(value, dt.datetime):
        return f"t {value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dt.date):
        return f"d {value:%Y-%m-%d}"
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.item() if hasattr(value, "item") else value


def through_awswrangler(sql: str, database: str, output: str) -> list[list[Any]]:
    import awswrangler

    awswrangler.config.athena_query_wait_polling_delay = 0.02
    frame = awswrangler.athena.read_sql_query(sql, database, ctas_approach=False, s3_output=output)
    return [
        [encoded(cell) for cell in row] for row in frame.astype(object).itertuples(index=False, name=None)
    ]


READERS: dict[str, Callable[[str], Any]] = {
    "bigint": int,
    "integer": int,
    "double": float,
    "decimal": float,
    "boolean": lambda text: text == "true",
    "date": lambda text: f"d {text}",
    "timestamp": lambda text: f"t {text[:19]}",
}


def through_awscli(sql: str, database: str, output: str) -> list[list[Any]]:
    started = _aws(
        *("start-query-execution", "--query-string", sql),
        *("--query-execution-context", f"Database={database}"),
        *("--result-configuration", f"OutputLocation={output}"),
    )
    named = ("--query-execution-id", started["QueryExecutionId"])
    while True:
        status = _aws("get-query-execution", *named)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            break
        if status["State"] not in ("QUEUED", "RUNNING"):
            raise RuntimeError(status["StateChangeReason"])
    found = _aws("get-query-results", *named)["ResultSet"]
    types = [column["Type"] for column in found["ResultSetMetadata"]["ColumnInfo"]]
    cells = [[cell.get("VarCharValue") for cell in row["Data"]] for row in found["Rows"][1:]]
    return [
        [
            None if cell is None else READERS.get(kind, str)(cell)
            for cell, kind in zip(row, types, strict=True)
        ]
        for row in cells
    ]


def _aws(*arguments: str) -> Any:
    from awscli.clidriver import create_clidriver

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = create_clidriver().main(["athena", *arguments, "--output", "json"])
    if code:
        raise RuntimeError(f"aws athena {arguments[0]} ended with {code}")
    return json.loads(out.getvalue())


if __name__ == "__main__":
    client, database, output = sys.argv[1:]
    through = {"awswrangler": through_awswrangler, "awscli": through_awscli}[client]
    json.dump([through(sql, database, output) for sql in json.load(sys.stdin)], sys.stdout)
