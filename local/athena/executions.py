"""Query executions: each runs in a thread, and leaves its result in S3 as Athena does."""

import contextlib
import logging
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import duckdb

from local.athena.engine import Engine
from local.athena.errors import QueryFailed, RequestRefused
from local.athena.statements import Show
from local.athena.values import Answer

log = logging.getLogger("aws")

# Executions are kept in memory; Athena keeps them for 45 days.
MOST_KEPT = 2000
AT_ONCE = 4
INTERRUPT_EVERY_S = 0.1
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


class InternalFailure(QueryFailed):
    """The engine itself broke."""

    code = "GENERIC_INTERNAL_ERROR"
    category = 1


@dataclass
class Execution:
    """One query, from its submission to its end."""

    sql: str
    database: str
    workgroup: str
    output: str  # s3:// address of the result
    parameters: list[str] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "QUEUED"
    error: QueryFailed | None = None
    answer: Answer | None = None
    lines: list[list[str | None]] = field(default_factory=list)
    connection: Any = None
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    settled: threading.Event = field(default_factory=threading.Event)

    def describe(self) -> dict[str, Any]:
        """As GetQueryExecution shows it."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.ended is not None:
            status["CompletionDateTime"] = self.ended
        if self.error is not None:
            status["StateChangeReason"] = self.error.reason
            status["AthenaError"] = {
                "ErrorCategory": self.error.category,
                "ErrorType": 0,
                "Retryable": False,
                "ErrorMessage": self.error.reason,
            }
        return {
            "QueryExecutionId": self.id,
            "Query": self.sql,
            "StatementType": "UTILITY" if _is_show(self.sql) else statement_type(self.sql),
            "ResultConfiguration": {"OutputLocation": self.output},
            "QueryExecutionContext": {"Database": self.database, "Catalog": "awsdatacatalog"},
            "Status": status,
            "Statistics": self._statistics(),
            "WorkGroup": self.workgroup,
            "EngineVersion": {
                "SelectedEngineVersion": "Athena engine version 3",
                "EffectiveEngineVersion": "Athena engine version 3",
            },
        }

    def _statistics(self) -> dict[str, Any]:
        begun, end = self.started or time.time(), self.ended or time.time()
        return {
            "EngineExecutionTimeInMillis": round(max(end - begun, 0) * 1000),
            "TotalExecutionTimeInMillis": round(max(end - self.submitted, 0) * 1000),
            "QueryQueueTimeInMillis": round(max(begun - self.submitted, 0) * 1000),
            "DataScannedInBytes": self.answer.scanned if self.answer else 0,
        }


class Executions:
    """Every execution since this process began, and the threads that run them."""

    def __init__(self, engine: Engine, s3: Any) -> None:
        self.engine = engine
        self.s3 = s3
        self._kept: OrderedDict[str, Execution] = OrderedDict()
        self._tokens: OrderedDict[str, str] = OrderedDict()  # of clients, to the ids of their executions
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(AT_ONCE)

    def start(self, execution: Execution, token: str | None) -> Execution:
        """Begin an execution; a token that was used before names the execution of then."""
        with self._lock:
            known = self._kept.get(self._tokens.get(token, "")) if token else None
            if known is not None:
                return known
            self._kept[execution.id] = execution
            if token:
                self._tokens[token] = execution.id
            for kept in (self._kept, self._tokens):
                while len(kept) > MOST_KEPT:
                    kept.popitem(last=False)
        threading.Thread(
            target=self._run, args=(execution,), name=f"query {execution.id}", daemon=True
        ).start()
        return execution

    def get(self, execution_id: str) -> Execution:
        """An execution by its id.

        Raises:
            RequestRefused: there is none.
        """
        found = self._kept.get(execution_id)
        if found is None:
            raise RequestRefused(f"QueryExecution {execution_id} was not found")
        return found

    def ids(self, workgroup: str) -> list[str]:
        """Newest first."""
        with self._lock:
            return [each.id for each in reversed(self._kept.values()) if each.workgroup == workgroup]

    def stop(self, execution_id: str) -> None:
        """Cancel; an execution that has ended stays as it is."""
        execution = self.get(execution_id)
        with self._lock:
            if execution.state in FINAL:
                return
            self._settle(execution, "CANCELLED")
        threading.Thread(target=_interrupt, args=(execution,), daemon=True).start()

    def _run(self, execution: Execution) -> None:
        with self._turns:
            if execution.state in FINAL:
                return
            execution.state, execution.started = "RUNNING", time.time()
            state, error = "SUCCEEDED", None
            try:
                self._answer(execution)
            except QueryFailed as failed:
                state, error = "FAILED", failed
            except duckdb.InterruptException:
                state = "CANCELLED"
            except Exception as broken:
                log.exception("query %s failed", execution.id)
                state, error = "FAILED", InternalFailure(f"{type(broken).__name__}: {broken}")
            with self._lock:
                execution.connection = None
                if execution.state not in FINAL:
                    execution.error = error
                    self._settle(execution, state)

    def _answer(self, execution: Execution) -> None:
        def begun(connection: Any) -> None:
            execution.connection = connection
            if execution.state in FINAL:
                raise duckdb.InterruptException("cancelled before it began")

        sql = with_parameters(execution.sql, execution.parameters)
        execution.answer = self.engine.run(sql, execution.database, begun)
        execution.lines = execution.answer.lines()
        place = urlsplit(execution.output, allow_fragments=False)
        body = result_file(execution.answer, execution.lines)
        self.s3.put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=body)

    @staticmethod
    def _settle(execution: Execution, state: str) -> None:
        execution.state, execution.ended = state, time.time()
        execution.settled.set()


def _interrupt(execution: Execution) -> None:
    """Ends what a query computes; an interruption between two of its statements passes unheard."""
    while (connection := execution.connection) is not None:
        with contextlib.suppress(duckdb.Error):  # closed by now
            connection.interrupt()
        time.sleep(INTERRUPT_EVERY_S)


def result_file(answer: Answer, lines: list[list[str | None]]) -> bytes:
    """A query's result as CSV, every cell in quotes and NULL as nothing; else text, a line each."""
    if not answer.is_query:
        return "".join("\t".join(cell or "" for cell in line) + "\n" for line in lines).encode()
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines).encode()


def _quoted(cell: str | None) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'


def statement_type(sql: str) -> str:
    """DML for what reads, DDL for what changes the catalogue."""
    return "DML" if sql.lstrip(" (\n\t").upper().startswith(("SELECT", "WITH", "VALUES", "TABLE")) else "DDL"


def suffix_of(sql: str) -> str:
    """Athena's file name ending: queries leave CSV, everything else text."""
    return "csv" if statement_type(sql) == "DML" else "txt"


def with_parameters(sql: str, parameters: list[str]) -> str:
    """The statement with each `?` replaced by its parameter, which is SQL text itself.

    Raises:
        QueryFailed: there are more or fewer of them.
    """
    if not parameters:
        return sql
    parts = _split_at_marks(sql)
    if len(parts) != len(parameters) + 1:
        raise QueryFailed(f"{len(parts) - 1} parameter(s) are marked with ?, {len(parameters)} were given")
    filled = [text for pair in zip(parts, [*parameters, ""], strict=True) for text in pair]
    return "".join(filled)


def _split_at_marks(sql: str) -> list[str]:
    """The text between the question marks that stand outside quotes."""
    parts, quote = [""], ""
    for sign in sql:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "?":
            parts.append("")
            continue
        parts[-1] += sign
    return parts


def _is_show(sql: str) -> bool:
    try:
        return Show.parse(sql) is not None
    except QueryFailed:
        return True
