"""The journal of what readers were shown: `history/publications/`, one object per publication, only added to.

Each entry is derived from the manifest that made its forecast the current one, and comes when the tables
show that forecast and people were told. So an entry that a crash prevented tells that something is left to
do; whoever comes next writes it, and one that is there already is written again as it was.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import storage
from pipeline.workload import Workload

if TYPE_CHECKING:  # the manifest's module writes this journal
    from pipeline.publish import Manifest

FOLDER = "history/publications/"


@dataclass(frozen=True)
class Publication:
    """One change of the current forecast."""

    number: int  # counted from 1 for the workload's first
    run: str
    at: str  # UTC
    kind: str  # publish, republish or rollback
    replaced: str | None  # the run that was current before
    by: str | None  # the page of the flow run that did it


def note(s3: Any, workload: Workload, manifest: "Manifest") -> Publication:
    """Writes down that this manifest has become the current one."""
    entry = Publication(
        number=manifest.number,
        run=manifest.run,
        at=manifest.published_at or "",
        kind=manifest.kind,
        replaced=manifest.previous,
        by=manifest.by,
    )
    storage.write_json(s3, workload, _path(manifest), asdict(entry))
    return entry


def is_noted(s3: Any, workload: Workload, manifest: "Manifest") -> bool:
    """Whether the journal tells of this manifest's publication."""
    return storage.read_json(s3, workload, _path(manifest)) is not None


def _path(manifest: "Manifest") -> str:
    compact = (manifest.published_at or "").replace(":", "").replace("-", "")
    return f"{FOLDER}{compact}_{manifest.number:06}_{manifest.run}.json"


def listed(s3: Any, workload: Workload) -> list[Publication]:
    """All publications, oldest first."""
    paths = (key[len(workload.folder) :] for key in storage.keys(s3, workload, FOLDER))
    entries = (storage.read_json(s3, workload, path) for path in paths)
    return sorted((Publication(**entry) for entry in entries if entry), key=lambda entry: entry.number)


def runs(s3: Any, workload: Workload) -> set[str]:
    """The runs that were published at any time."""
    return {key.rsplit("_", 1)[-1].removesuffix(".json") for key in storage.keys(s3, workload, FOLDER)}
