"""What a run knows of itself, kept beside its results: `runs/<run>/manifest.json`."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from pipeline import storage
from pipeline.workload import Workload

State = Literal["started", "forecast", "published", "refused", "failed", "expired"]
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Record:
    """One run. `started` and `forecast` (made, not yet published) are on the way; the others are ends.

    `expired`: its history is being removed.
    """

    run: str  # its fingerprint
    state: str = "started"
    params: Mapping[str, Any] = field(default_factory=dict)  # normalised
    inputs: list[dict[str, Any]] = field(default_factory=list)  # role, key, size, etag
    form: Mapping[str, Any] | None = None
    arns: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] | None = None  # whether it trained, and why
    accuracy: Mapping[str, Any] | None = None
    recalibration: Mapping[str, Any] | None = None  # what was done with the intervals, where params.json asks
    retention: str | None = None  # what was removed of earlier runs
    deletes: bool = False  # it was to delete what it made at the service, once published
    step: str | None = None  # the step that failed or refused
    cause: str | None = None
    remedy: str | None = None
    link: str | None = None  # the run's page
    started_at: str | None = None  # times are UTC
    updated_at: str | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"A run cannot be {self.state!r}; it is one of {', '.join(STATES)}.")

    def with_(self, **changes: Any) -> "Record":
        """The record with changes; `arns` are added to those that are there."""
        if "arns" in changes:
            changes["arns"] = {**self.arns, **changes["arns"]}
        return replace(self, **changes)

    @property
    def is_published(self) -> bool:
        return self.state == "published"


def read(s3: Any, workload: Workload, run: str) -> Record | None:
    """The record of a run, or None if it has left none."""
    stored = storage.read_json(s3, workload, _path(run))
    return Record(**stored) if stored else None


def write(
    s3: Any,
    workload: Workload,
    record: Record,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Record:
    """Writes the record with its times; returns it as written."""
    moment = now().strftime("%Y-%m-%dT%H:%M:%SZ")
    stamped = replace(record, started_at=record.started_at or moment, updated_at=moment)
    storage.write_json(s3, workload, _path(record.run), asdict(stamped))
    return stamped


def _path(run: str) -> str:
    return f"runs/{run}/manifest.json"
