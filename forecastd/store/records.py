"""A record: one resource as the store keeps it, whatever its kind."""

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

CREATING = frozenset({"CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_STOPPING"})
RUNNING = frozenset({"CREATE_IN_PROGRESS", "CREATE_STOPPING"})
DELETING = frozenset({"DELETE_PENDING", "DELETE_IN_PROGRESS"})
# A fact of an import that no operation shows: the first and last time (Min, Max) of the rows that it kept.
# The statistics of its fields also count rows that were left out.
KEPT_TIMES = "KeptTimes"


@dataclass(frozen=True)
class Record:
    """One resource.

    `request` is what the client gave, defaults filled in; `facts` is what became known since and shows
    in Describe (field statistics, accuracy); `plan` is what a job needs and nobody sees.
    `blob` names the folder with the resource's data. Times are seconds since the epoch.
    """

    arn: str
    kind: str
    name: str
    status: str
    created: float
    modified: float
    message: str | None = None
    request: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    blob: str | None = None
    seconds_left: float | None = None
    worker: str | None = None
    lease_until: float = 0.0
    attempts: int = 0
    seq: int = 0

    @property
    def creating(self) -> bool:
        """Whether the resource is still being made."""
        return self.status in CREATING

    @property
    def deleting(self) -> bool:
        """Whether the resource is on its way out."""
        return self.status in DELETING


_JSON_COLUMNS = ("request", "facts", "plan")


def from_row(row: sqlite3.Row) -> Record:
    """Read a row of the table `resources`."""
    values = dict(row)
    for column in _JSON_COLUMNS:
        values[column] = json.loads(values[column])
    return Record(**values)


def to_row(record: Record) -> dict[str, Any]:
    """Write a record as column values; `seq` is the database's to give."""
    values = {name: getattr(record, name) for name in Record.__dataclass_fields__ if name != "seq"}
    for column in _JSON_COLUMNS:
        values[column] = json.dumps(values[column])
    return values
