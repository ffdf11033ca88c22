"""Asks Athena, on AWS or on the local stack: the standard AWS variables say where it is."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

PATIENCE_S = 60.0
LONGEST_PAUSE_S = 0.5

# How the texts of an answer are read; everything else stays text.
NUMBERS = {"tinyint", "smallint", "integer", "bigint", "float", "real", "double", "decimal"}
MOMENTS = {"date", "timestamp"}


class Unanswered(Exception):
    """A question has no answer; the text says why, and what to do."""


@dataclass(frozen=True)
class Source:
    """A client of Athena, a database, and the work group that says where results go."""

    athena: Any
    database: str
    work_group: str

    @classmethod
    def of_environment(cls) -> "Source":
        """`FORECAST_DATABASE` and `FORECAST_WORKGROUP`, each `forecast` if it is not set.

        Raises:
            Unanswered: no region or no credentials are set.
        """
        database = os.environ.get("FORECAST_DATABASE") or "forecast"
        group = os.environ.get("FORECAST_WORKGROUP") or "forecast"
        with _explained():
            return cls(boto3.client("athena"), database, group)

    def rows(self, sql: str) -> pd.DataFrame:
        """The whole answer to a statement: numbers and times as such, the rest as text, NULL as missing.

        Raises:
            Unanswered: Athena is away, refuses, fails or takes too long.
        """
        with _explained():
            return self._rows(sql)

    def _rows(self, sql: str) -> pd.DataFrame:
        query = self.athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self.database},
            WorkGroup=self.work_group,
        )["QueryExecutionId"]
        kind = _finished(self.athena, query)
        pages = list(self.athena.get_paginator("get_query_results").paginate(QueryExecutionId=query))
        columns = pages[0]["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        cells = [[cell.get("VarCharValue") for cell in row["Data"]] for row in _lines(pages)]
        if kind == "DML":  # the first row of a SELECT is its header
            cells = cells[1:]
        frame = pd.DataFrame(cells, columns=[column["Name"] for column in columns], dtype=object)
        for place, column in enumerate(columns):
            frame.isetitem(place, _typed(frame.iloc[:, place], column["Type"]).array)
        return frame


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unanswered(
            f"Athena does not answer: {error}. Start the local stack with `make up`, or look at the "
            "credentials, the region and the work group."
        ) from error


def _lines(pages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for page in pages:
        yield from page["ResultSet"]["Rows"]


def _finished(athena: Any, query: str) -> str:
    """Wait for a query's end; returns its kind of statement."""
    until, pause = time.monotonic() + PATIENCE_S, 0.01
    while time.monotonic() < until:
        execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        status = execution["Status"]
        if status["State"] == "SUCCEEDED":
            return str(execution["StatementType"])
        if status["State"] in ("FAILED", "CANCELLED"):
            raise Unanswered(f"The query failed: {status.get('StateChangeReason', status['State'])}")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
    athena.stop_query_execution(QueryExecutionId=query)
    raise Unanswered(f"The query took longer than {PATIENCE_S:.0f} s and was stopped; ask for less.")


def _typed(values: "pd.Series[Any]", kind: str) -> "pd.Series[Any]":
    if kind in NUMBERS:
        return pd.to_numeric(values)
    return pd.to_datetime(values) if kind in MOMENTS else values
