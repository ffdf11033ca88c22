"""Archives a forecast and makes it the current one, in a single step for its readers.

    history/raw/<run>/…                the export as the service wrote it
    history/clean/<run>/forecast.csv   the same in the input's form
    runs/<run>/forecast.json           what is in it
    forecast/<run>/forecast.csv        the copy that readers read
    forecast/manifest.json             names the current run: swapped in one conditional request
    history/publications/…             what was current when, see `publications`

Readers of the manifest see the old forecast or the new one, never a part or a mixture: it names each file
with its size and hash, and no file of a run is ever written while a manifest names that run. The folder of
the run before stays, and so does any that was replaced within the last hour, for those who are in the
middle of reading it; older ones go.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pipeline import publications, storage, timestamps
from pipeline.errors import BadForecast, Missing, NotYet, Overtaken, translated
from pipeline.export import Part
from pipeline.reformat import Reformatted
from pipeline.workload import Workload

FILE = "forecast.csv"
MANIFEST = "forecast/manifest.json"
ARCHIVE = "history/clean/"
# Athena ends a query after half an hour; whoever began to read a forecast gets twice that.
GRACE = dt.timedelta(hours=1)
MOMENT = "%Y-%m-%dT%H:%M:%SZ"  # UTC

Kind = Literal["publish", "republish", "rollback"]


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
    contents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # size and sha256 by file
    number: int = 0  # of this publication, counted for the workload
    kind: str = "publish"
    by: str | None = None  # the page of the flow run that published it
    kept: Mapping[str, str] = field(default_factory=dict)  # run → when it was replaced
    held: tuple[str, ...] = ()  # runs that a rollback put aside: only other content replaces this forecast

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

    def overtook(self, run: str, number: int) -> bool:
        """Whether it is another run's, and replaced the publication of that number, which `run` had seen."""
        return self.run != run and self.number != number

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "first": self.first.isoformat(), "last": self.last.isoformat()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Manifest":
        """What `to_dict` wrote."""
        moments = {name: dt.datetime.fromisoformat(stored[name]) for name in ("first", "last")}
        lists = {name: tuple(stored.get(name, ())) for name in ("files", "types", "columns", "held")}
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
    described = Manifest(
        run=run,
        location=workload.uri(f"forecast/{run}/"),
        files=(FILE,),
        size=clean.stat().st_size,
        contents={FILE: {"size": clean.stat().st_size, "sha256": _sha256(clean)}},
        **asdict(reformatted),
    )
    storage.write_json(s3, workload, _description(run), described.to_dict())
    # Last: a run whose file lies in the archive counts as archived.
    with translated(f"writing {workload.uri(_clean(run))}"):
        key = workload.key(_clean(run))
        s3.upload_file(str(clean), workload.bucket, key, ExtraArgs={"ContentType": "text/csv"})
    return described


@dataclass(frozen=True)
class Archived:
    """A forecast that can be made the current one."""

    run: str
    at: dt.datetime  # UTC, when it was archived
    size: int  # bytes


def archived(s3: Any, workload: Workload) -> list[Archived]:
    """The forecasts in the archive, newest first: each came through the gate and is complete."""
    prefix = workload.key(ARCHIVE)
    with translated(f"listing {workload.uri(ARCHIVE)}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=workload.bucket, Prefix=prefix)
        entries = [entry for page in pages for entry in page.get("Contents", [])]
    found = [
        Archived(run, entry["LastModified"].astimezone(dt.UTC), entry["Size"])
        for entry in entries
        for run, _, name in [entry["Key"][len(prefix) :].partition("/")]
        if name == FILE
    ]
    return sorted(found, key=lambda one: (one.at, one.run), reverse=True)


def is_archived(s3: Any, workload: Workload, run: str) -> bool:
    """Whether the run's forecast and its description are in the archive, and not removed since."""
    return all(storage.size(s3, workload, rel) is not None for rel in (_clean(run), _description(run)))


def description(s3: Any, workload: Workload, run: str) -> Manifest:
    """What is in an archived forecast.

    Raises:
        Missing: if the run left no forecast in the archive.
    """
    described = storage.read_json(s3, workload, _description(run))
    if described is None:
        raise Missing(
            f"Run {run} has no forecast in the archive of {workload.label}.",
            f"Choose a run that is listed under {ARCHIVE}.",
        )
    return Manifest.from_dict(described)


def publish(
    s3: Any,
    workload: Workload,
    run: str,
    now: Callable[[], dt.datetime] = _utc_now,
    *,
    kind: Kind = "publish",
    by: str | None = None,
    held: Iterable[str] = (),
    follows: int | None = None,
) -> Manifest:
    """Makes the run's archived forecast the current one; a repetition changes nothing.

    Args:
        kind: whether the forecast is new, or comes back from the archive.
        by: the page of the flow run that does it.
        held: runs whose content must not be published again by itself.
        follows: the number of the publication that is to be replaced (0: the first is still to come); any
            where it is None.

    Raises:
        Missing: if the run left no forecast in the archive.
        BadForecast: if the archive does not hold what was archived.
        Overtaken: if another publication has replaced the one that was to be.
        NotYet: if somebody else published at the same moment.
    """
    described = description(s3, workload, run)
    stored, etag = storage.read_json_and_etag(s3, workload, MANIFEST)
    before = Manifest.from_dict(stored) if stored else None
    if before is not None and before.run == run:
        manifest = before
    else:
        if before is not None and follows is not None and before.overtook(run, follows):
            raise Overtaken(
                f"Run {before.run} published a forecast of {workload.label} while run {run} was at work, "
                "and may know newer data.",
                "Nothing was changed. Run it again if its data are the newer ones.",
            )
        if kind != "publish":
            _verify(s3, workload, described)
        _copy_for_readers(s3, workload, run)
        moment = now()
        manifest = replace(
            described,
            published_at=moment.strftime(MOMENT),
            previous=before.run if before else None,
            number=before.number + 1 if before else 1,
            kind=kind,
            by=by,
            kept=_kept(before, run, moment),
            held=tuple(held),
        )
        if before is not None:
            publications.note(s3, workload, before)  # unless its run was killed, it is there
        _swap(s3, workload, manifest, etag)
    sizes = {name: storage.size(s3, workload, f"forecast/{run}/{name}") for name in manifest.contents}
    if any(sizes[name] != content["size"] for name, content in manifest.contents.items()):
        _copy_for_readers(s3, workload, run)  # it was removed or damaged
    return manifest


def current(s3: Any, workload: Workload) -> Manifest | None:
    """The current forecast, or None before the first."""
    stored = storage.read_json(s3, workload, MANIFEST)
    return Manifest.from_dict(stored) if stored else None


def tidy(s3: Any, workload: Workload, manifest: Manifest) -> None:
    """Removes the readers' copies of forecasts that were replaced long ago; the archive keeps them all.

    To be called when the tables point to this manifest's forecast: until then they may point to any. If it
    has been replaced meanwhile, what is to be removed is the business of who did that.
    """
    if current(s3, workload) != manifest:
        return
    wanted = {manifest.run, manifest.previous, *manifest.kept}
    for run in storage.folders(s3, workload, "forecast/"):
        if run not in wanted:
            storage.remove(s3, workload, f"forecast/{run}/")


def conclude(s3: Any, workload: Workload, manifest: Manifest) -> None:
    """Notes the publication in the journal: the tables show it, people were told, nothing is left to do."""
    publications.note(s3, workload, manifest)


def is_concluded(s3: Any, workload: Workload, manifest: Manifest) -> bool:
    """Whether the publication came to its end."""
    return publications.is_noted(s3, workload, manifest)


def _kept(before: Manifest | None, run: str, moment: dt.datetime) -> dict[str, str]:
    """The runs that were replaced within the grace, with the time of it."""
    if before is None:
        return {}
    replaced = {**before.kept, before.run: moment.strftime(MOMENT)}
    oldest = (moment - GRACE).strftime(MOMENT)
    return {other: at for other, at in replaced.items() if at > oldest and other != run}


def _copy_for_readers(s3: Any, workload: Workload, run: str) -> None:
    storage.copy(s3, workload, workload.key(_clean(run)), workload.key(f"forecast/{run}/{FILE}"))


def _swap(s3: Any, workload: Workload, manifest: Manifest, etag: str | None) -> None:
    """Puts the manifest in the place of the one that was read, unless that has changed since."""
    if storage.replace_json(s3, workload, MANIFEST, manifest.to_dict(), etag):
        return
    if current(s3, workload) != manifest:  # else it was written, and only the answer was lost
        raise NotYet(
            f"Somebody else published a forecast of {workload.label} at the same moment.",
            "The step looks again at what is current, and goes on from there.",
        )


def _verify(s3: Any, workload: Workload, described: Manifest) -> None:
    for name, content in described.contents.items():
        rel = f"{ARCHIVE}{described.run}/{name}"
        size, sha256 = storage.digest(s3, workload, rel)
        if (size, sha256) != (content["size"], content["sha256"]):
            raise BadForecast(
                f"{workload.uri(rel)} is not what was archived: {size} bytes with SHA-256 {sha256[:12]}…, "
                f"but {content['size']} with {content['sha256'][:12]}… were.",
                "Restore that object from a backup, or choose another run.",
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _clean(run: str) -> str:
    return f"{ARCHIVE}{run}/{FILE}"


def _description(run: str) -> str:
    return f"runs/{run}/forecast.json"
