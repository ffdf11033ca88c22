"""Resources in SQLite: one file, many processes, and the status column is the queue.

A create writes CREATE_PENDING and returns. A worker claims the oldest pending record in one statement
(`UPDATE … RETURNING` inside BEGIN IMMEDIATE, so two workers never get the same one), renews its lease
while it works, and settles it. A record whose lease ran out belongs to nobody and is claimed again.

    CREATE_PENDING ─claim▶ CREATE_IN_PROGRESS ─settle▶ ACTIVE | CREATE_FAILED | CREATE_STOPPED
    DELETE_PENDING ─claim▶ DELETE_IN_PROGRESS ─forget▶ (no row)
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forecastd.store.records import Record, from_row, to_row

BUSY_TIMEOUT_S = 30.0
_BEYOND_EVERY_SEQ = 2**62

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT,
    created REAL NOT NULL,
    modified REAL NOT NULL,
    request TEXT NOT NULL,
    facts TEXT NOT NULL,
    plan TEXT NOT NULL,
    blob TEXT,
    seconds_left REAL,
    worker TEXT,
    lease_until REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS resources_by_kind ON resources (kind, seq);
CREATE INDEX IF NOT EXISTS resources_by_status ON resources (status, seq);
CREATE TABLE IF NOT EXISTS parents (
    child TEXT NOT NULL REFERENCES resources (arn) ON DELETE CASCADE,
    parent TEXT NOT NULL,
    PRIMARY KEY (child, parent)
);
CREATE INDEX IF NOT EXISTS parents_by_parent ON parents (parent);
CREATE TABLE IF NOT EXISTS tags (
    arn TEXT NOT NULL REFERENCES resources (arn) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_CLAIM = """
UPDATE resources SET
    status = CASE status WHEN 'CREATE_PENDING' THEN 'CREATE_IN_PROGRESS'
                         WHEN 'DELETE_PENDING' THEN 'DELETE_IN_PROGRESS' ELSE status END,
    worker = :worker, lease_until = :until, attempts = attempts + 1
WHERE arn = (
    SELECT arn FROM resources WHERE {waiting} ORDER BY status NOT LIKE 'DELETE%', seq LIMIT 1)
RETURNING *
"""
_WAITING_DELETIONS = "status = 'DELETE_PENDING' OR (status = 'DELETE_IN_PROGRESS' AND lease_until <= :now)"
_WAITING = (
    f"{_WAITING_DELETIONS} OR status = 'CREATE_PENDING'"
    " OR (status IN ('CREATE_IN_PROGRESS', 'CREATE_STOPPING') AND lease_until <= :now)"
)


class Store:
    """All resources of one data directory; safe to share between threads, one connection each."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.transaction() as connection:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)

    # -- connections

    @property
    def _connection(self) -> sqlite3.Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock: all that is read and written inside happens at one moment.

        Transactions nest: an inner one is part of the outer one.
        """
        connection = self._connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close the calling thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def now(self) -> float:
        """Give the store's clock, in seconds since the epoch with milliseconds."""
        return round(self._clock(), 3)

    # -- reading

    def get(self, arn: str) -> Record | None:
        """Find a resource by its ARN."""
        row = self._connection.execute("SELECT * FROM resources WHERE arn = ?", (arn,)).fetchone()
        return from_row(row) if row else None

    def by_name(self, kinds: Iterable[str], name: str) -> list[Record]:
        """Give the resources of some kinds that bear a name."""
        wanted = tuple(kinds)
        query = f"SELECT * FROM resources WHERE kind IN ({_marks(wanted)}) AND name = ?"
        return self._records(query, *wanted, name)

    def newest_first(self, kinds: Iterable[str], before_seq: int | None = None) -> Iterator[Record]:
        """Walk through the resources of some kinds, newest first, from below a sequence number."""
        wanted = tuple(kinds)
        query = f"SELECT * FROM resources WHERE kind IN ({_marks(wanted)}) AND seq < ? ORDER BY seq DESC"
        below = before_seq if before_seq is not None else _BEYOND_EVERY_SEQ
        return map(from_row, self._connection.execute(query, (*wanted, below)))

    def children(self, arn: str, kind: str | None = None) -> list[Record]:
        """Give the direct children of a resource, newest first."""
        children = self._records(
            "SELECT resources.* FROM resources JOIN parents ON parents.child = resources.arn"
            " WHERE parents.parent = ? ORDER BY seq DESC",
            arn,
        )
        return [child for child in children if kind in (None, child.kind)]

    def descendants(self, arn: str) -> list[Record]:
        """Give everything below a resource, each once, parents before their children."""
        found: dict[str, Record] = {}
        level = self.children(arn)
        while level:
            found.update({record.arn: record for record in level})
            level = [
                child for record in level for child in self.children(record.arn) if child.arn not in found
            ]
        return list(found.values())

    def count(self, kind: str, statuses: Iterable[str] = ()) -> int:
        """Count the resources of a kind, all or those in some states."""
        wanted = tuple(statuses)
        states = f" AND status IN ({_marks(wanted)})" if wanted else ""
        query = f"SELECT COUNT(*) FROM resources WHERE kind = ?{states}"
        return self._connection.execute(query, (kind, *wanted)).fetchone()[0]

    def tags(self, arn: str) -> dict[str, str]:
        """Give the tags of a resource in the order of their keys."""
        rows = self._connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
        return {row["key"]: row["value"] for row in rows}

    def blobs(self) -> set[str]:
        """Give the names of all blobs that some resource owns."""
        rows = self._connection.execute("SELECT blob FROM resources WHERE blob IS NOT NULL")
        return {row["blob"] for row in rows}

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """Give a secret of this data directory, made on first use."""
        query = "SELECT value FROM secrets WHERE name = ?"
        row = self._connection.execute(query, (name,)).fetchone()
        if row is None:
            with self.transaction() as connection:
                connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, make()))
                row = connection.execute(query, (name,)).fetchone()
        return row["value"]

    def _records(self, query: str, *arguments: Any) -> list[Record]:
        return [from_row(row) for row in self._connection.execute(query, arguments)]

    # -- writing

    def insert(
        self, record: Record, parents: Iterable[str] = (), tags: Mapping[str, str] | None = None
    ) -> None:
        """Add a resource with its parents and tags.

        Raises:
            sqlite3.IntegrityError: the ARN is taken.
        """
        row = to_row(record)
        columns, marks = ", ".join(row), ", ".join(f":{column}" for column in row)
        with self.transaction() as connection:
            connection.execute(f"INSERT INTO resources ({columns}) VALUES ({marks})", row)
            links = [(record.arn, parent) for parent in dict.fromkeys(parents)]
            connection.executemany("INSERT INTO parents VALUES (?, ?)", links)
            self.put_tags(record.arn, tags or {})

    def update(self, arn: str, **columns: Any) -> None:
        """Replace some columns of a resource; dictionaries are written as JSON."""
        values = {
            key: json.dumps(value) if isinstance(value, dict) else value for key, value in columns.items()
        }
        assignments = ", ".join(f"{column} = :{column}" for column in values)
        with self.transaction() as connection:
            connection.execute(f"UPDATE resources SET {assignments} WHERE arn = :arn", {**values, "arn": arn})

    def remove(self, arn: str) -> None:
        """Forget a resource, its tags and its links to parents."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM resources WHERE arn = ?", (arn,))

    def put_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite tags."""
        with self.transaction() as connection:
            rows = [(arn, key, value) for key, value in tags.items()]
            connection.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", rows)

    def remove_tags(self, arn: str, keys: Iterable[str]) -> None:
        """Remove tags; unknown keys do not matter."""
        with self.transaction() as connection:
            connection.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])

    # -- the queue

    def claim(self, worker: str, lease_s: float, *, deletions_only: bool = False) -> Record | None:
        """Take the next job, deletions first, then the oldest; None when there is nothing to do."""
        now, waiting = self.now(), _WAITING_DELETIONS if deletions_only else _WAITING
        is_any = f"SELECT 1 FROM resources WHERE {waiting} LIMIT 1"
        if self._connection.execute(is_any, {"now": now}).fetchone() is None:
            return None  # idle workers must not queue up for the write lock
        with self.transaction() as connection:
            arguments = {"worker": worker, "until": now + lease_s, "now": now}
            row = connection.execute(_CLAIM.format(waiting=waiting), arguments).fetchone()
            return from_row(row) if row else None

    def renew(self, arn: str, worker: str, lease_s: float) -> str | None:
        """Prolong the lease and learn the status; None when the record is no longer this worker's."""
        with self.transaction() as connection:
            row = connection.execute(
                "UPDATE resources SET lease_until = ? WHERE arn = ? AND worker = ? RETURNING status",
                (self.now() + lease_s, arn, worker),
            ).fetchone()
            return row["status"] if row else None

    def estimate(self, arn: str, worker: str, seconds_left: float | None) -> None:
        """Note how long the job will probably still take."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE resources SET seconds_left = ? WHERE arn = ? AND worker = ?",
                (seconds_left, arn, worker),
            )

    def settle(
        self,
        arn: str,
        worker: str,
        status: str,
        *,
        message: str | None = None,
        facts: Mapping[str, Any] | None = None,
        blob: str | None = None,
    ) -> bool:
        """End a job; False when the record is no longer this worker's.

        A job that was asked to stop ends as CREATE_STOPPED, whatever came of it.
        """
        with self.transaction():
            record = self.get(arn)
            if record is None or record.worker != worker or not record.creating:
                return False
            if record.status == "CREATE_STOPPING":
                status, message, blob, facts = "CREATE_STOPPED", None, None, None
            self.update(
                arn,
                status=status,
                message=message,
                blob=blob,
                facts={**record.facts, **(facts or {})},
                modified=self.now(),
                worker=None,
                lease_until=0.0,
                seconds_left=None,
            )
            return True

    def release(self, worker: str) -> int:
        """Give up the leases of a worker that died; its jobs are claimed again.

        Returns:
            How many jobs it had.
        """
        with self.transaction() as connection:
            return connection.execute(
                "UPDATE resources SET worker = NULL, lease_until = 0 WHERE worker = ?", (worker,)
            ).rowcount

    def release_all(self) -> int:
        """Give up every lease, when no worker lives: the server was stopped, not the job at fault.

        Returns:
            How many jobs were running.
        """
        with self.transaction() as connection:
            return connection.execute(
                "UPDATE resources SET worker = NULL, lease_until = 0, attempts = MAX(0, attempts - 1)"
                " WHERE worker IS NOT NULL"
            ).rowcount


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was answered is on disk
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
