"""Archives a forecast and makes it the current one, in a single step for its readers.

    history/raw/<run>/…                the export as the service wrote it
    history/clean/<run>/forecast.csv   the same in the input's form
    runs/<run>/forecast.json           what is in it
    forecast/<run>/forecast.csv        the copy that readers read
    forecast/manifest.json             names the current run: written last, in one request

Readers of the manifest see the old forecast or the new one, never a part or a mixture. The folder of the
run before stays, for those who are in the middle of reading it; older ones go.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import storage, timestamps
from pipeline.errors import Missing, translated
from pipeline.export import Part
from pipeline.reformat import Reformatted
from pipeline.workload import Workload

FILE = "forecast.csv"
MANIFEST = "forecast/manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The current forecast: where it is and what is in it."""

    run: str
    location: str  # s3:// prefix of its files
    files: tuple[str, ...]  # names below it
    size: int  # bytes of all files
    rows: int
    items: int
    horizon: int
    types: tuple[str, ...]
    columns: tuple[str, ...]
    has_header: bool
    first: dt.datetime
    last: dt.datetime
    frequency: str
    timestamp_format: str
    published_at: str | None = None  # UTC; None in the archive
    previous: str | None = None  # the run whose forecast is kept beside it

    @property
    def uris(self) -> tuple[str, ...]:
        """The full addresses of its files."""
        return tuple(self.location + name for name in self.files)

    @property
    def item_count(self) -> str:
        """The number of items, in words."""
        return f"{self.items} {'item' if self.items == 1 else 'items'}"

    @property
    def period(self) -> str:
        """The first and the last time that it speaks of, in words."""
        return timestamps.span(self.first, self.last)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "first": self.first.isoformat(), "last": self.last.isoformat()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Manifest":
        """What `to_dict` wrote."""
        moments = {name: dt.datetime.fromisoformat(stored[name]) for name in ("first", "last")}
        lists = {name: tuple(stored[name]) for name in ("files", "types", "columns")}
        return cls(**{**stored, **moments, **lists})


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def archive(
    s3: Any, workload: Workload, run: str, clean: Path, reformatted: Reformatted, raw_parts: list[Part]
) -> Manifest:
    """Keeps the run's forecast under `history/`, raw and clean; a repetition writes the same again.

    Args:
        clean: the reformatted file on this machine.
        reformatted: what is in it.
        raw_parts: the files of the export.
    """
    for part in raw_parts:
        storage.copy(s3, workload, part.key, workload.key(f"history/raw/{run}/{part.key.rsplit('/', 1)[-1]}"))
    key = workload.key(_clean(run))
    with translated(f"writing {workload.uri(_clean(run))}"):
        s3.upload_file(str(clean), workload.bucket, key, ExtraArgs={"ContentType": "text/csv"})
    described = Manifest(
        run=run,
        location=workload.uri(f"forecast/{run}/"),
        files=(FILE,),
        size=clean.stat().st_size,
        **asdict(reformatted),
    )
    storage.write_json(s3, workload, _description(run), described.to_dict())
    return described


def publish(s3: Any, workload: Workload, run: str, now: Callable[[], dt.datetime] = _utc_now) -> Manifest:
    """Makes the run's archived forecast the current one.

    Raises:
        Missing: if the run left no forecast in the archive.
    """
    described = storage.read_json(s3, workload, _description(run))
    if described is None:
        raise Missing(
            f"Run {run} has no forecast in the archive of {workload.label}.",
            "Choose a run that is listed under history/clean/.",
        )
    before = current(s3, workload)
    storage.copy(s3, workload, workload.key(_clean(run)), workload.key(f"forecast/{run}/{FILE}"))
    if before is not None and before.run == run:
        manifest = before
    else:
        manifest = replace(
            Manifest.from_dict(described),
            published_at=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            previous=before.run if before else None,
        )
        storage.write_json(s3, workload, MANIFEST, manifest.to_dict())
    _remove_older(s3, workload, manifest)
    return manifest


def republish(s3: Any, workload: Workload, run: str, now: Callable[[], dt.datetime] = _utc_now) -> Manifest:
    """Rolls back, or forward: makes an earlier run's archived forecast the current one."""
    return publish(s3, workload, run, now)


def current(s3: Any, workload: Workload) -> Manifest | None:
    """The current forecast, or None before the first."""
    stored = storage.read_json(s3, workload, MANIFEST)
    return Manifest.from_dict(stored) if stored else None


def _clean(run: str) -> str:
    return f"history/clean/{run}/{FILE}"


def _description(run: str) -> str:
    return f"runs/{run}/forecast.json"


def _remove_older(s3: Any, workload: Workload, manifest: Manifest) -> None:
    for run in storage.folders(s3, workload, "forecast/"):
        if run not in (manifest.run, manifest.previous):
            storage.remove(s3, workload, f"forecast/{run}/")
