"""The input objects of a workload: taken stock of, and set aside for one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline import storage
from pipeline.errors import Denied, InputChanged, Missing, code_of, translated
from pipeline.params import Params
from pipeline.workload import ROLES, Workload

MOST_FILES = 10_000  # per import job


@dataclass(frozen=True)
class InputObject:
    """One input object as it was listed."""

    role: str
    key: str
    size: int
    etag: str
    version_id: str | None = None
    modified: str = ""  # when it was uploaded, as S3 tells: ISO 8601, UTC


@dataclass(frozen=True)
class Inputs:
    """All input objects of a workload, by role, then by key."""

    objects: tuple[InputObject, ...]
    ignored: tuple[InputObject, ...] = ()  # older ones, where the newest alone is the data
    order_matters: bool = False  # whether the content depends on which file was uploaded last
    selector: tuple[InputObject, ...] = ()  # where Forecast.TimeSeriesSelector lists the items to forecast

    def of(self, role: str) -> tuple[InputObject, ...]:
        return tuple(o for o in self.objects if o.role == role)

    def upload_order(self, role: str) -> list[int]:
        """For each object of a role, its place in the order of uploads; the same moment goes by key."""
        own = self.of(role)
        by_time = sorted(own, key=lambda one: (one.modified, one.key))
        places = {one.key: place for place, one in enumerate(by_time)}
        return [places[one.key] for one in own]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to learn from."""
        return not self.of("train")

    def to_list(self) -> list[dict[str, Any]]:
        """JSON-ready; with each object's place in the order of uploads where that matters."""
        told: list[dict[str, Any]] = []
        for role in ROLES:
            for one, place in zip(self.of(role), self.upload_order(role), strict=True):
                order = {"place": place} if self.order_matters else {}
                told.append({"role": role, "key": one.key, "size": one.size, "etag": one.etag, **order})
        return told


def take_stock(s3: Any, workload: Workload, params: Params) -> Inputs:
    """The objects under the prefixes of the datasets that the configuration lists.

    Under the policy `snapshot` the newest of a prefix is the data, and the older ones are ignored.
    """
    found: list[InputObject] = []
    ignored: list[InputObject] = []
    for spec in params.datasets:
        with translated(f"listing {workload.uri(spec.role + '/')}"):
            listed = list(_listed(s3, workload, spec.role))
        if params.checks.files == "snapshot" and listed:
            newest = max(listed, key=lambda o: (o.modified, o.key))
            ignored += [o for o in listed if o is not newest]
            listed = [newest]
        found += listed
    chosen = _selector(s3, params.selector_path)
    return Inputs(tuple(found), tuple(ignored), params.checks.duplicates == "last", chosen)


def _selector(s3: Any, path: str | None) -> tuple[InputObject, ...]:
    """The objects that a TimeSeriesSelector names; none where only the forecasting service may see them."""
    if path is None:
        return ()
    bucket, _, key = path.removeprefix("s3://").partition("/")
    try:
        with translated(f"listing {path}"):
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
            found = [entry for page in pages for entry in page.get("Contents", [])]
    except (Denied, Missing):
        return ()
    folder = key if key.endswith("/") or not key else f"{key}/"
    named = [entry for entry in found if entry["Key"] == key or entry["Key"].startswith(folder)]
    return tuple(InputObject("selector", e["Key"], e["Size"], e["ETag"].strip('"')) for e in named)


def _listed(s3: Any, workload: Workload, role: str) -> Iterator[InputObject]:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=workload.bucket, Prefix=workload.key(f"{role}/")
    )
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        if Workload.of(workload.bucket, entry["Key"]) == (workload, role):
            etag, moment = entry["ETag"].strip('"'), entry["LastModified"].isoformat()
            yield InputObject(role, entry["Key"], entry["Size"], etag, modified=moment)


def opened(s3: Any, workload: Workload, stored: InputObject) -> Any:
    """The bytes of an object as it was listed.

    Raises:
        ClientError: if it was replaced or removed meanwhile.
    """
    return s3.get_object(Bucket=workload.bucket, Key=stored.key, IfMatch=f'"{stored.etag}"')["Body"]


def unstage(s3: Any, workload: Workload, run: str) -> None:
    """Removes the run's copies of the inputs; the inputs themselves stay."""
    storage.remove(s3, workload, stage_prefix(run))


def staged_key(workload: Workload, run: str, key: str) -> str:
    """The key of a run's own copy of an input."""
    return workload.key(stage_prefix(run) + key[len(workload.folder) :])


def stage_prefix(run: str) -> str:
    """The folder of a run's copies."""
    return f"runs/{run}/input/"


def copy_unchanged(s3: Any, workload: Workload, stored: InputObject, copy: str) -> None:
    """Copies an object inside S3, under the condition that it is still what was listed.

    Raises:
        InputChanged: if it was replaced or removed.
    """
    source = {"Bucket": workload.bucket, "Key": stored.key}
    condition = {"CopySourceIfMatch": f'"{stored.etag}"'}
    with replaced(workload, stored), translated(f"copying {stored.key} to {copy}"):
        s3.copy(source, workload.bucket, copy, ExtraArgs=condition, Config=storage.ONE_REQUEST)
        _confirm(s3, workload, stored, copy)


@contextmanager
def replaced(workload: Workload, stored: InputObject) -> Iterator[None]:
    """Tells of an object that is no longer what was checked, and of what becomes of the newer one."""
    name = stored.key[len(workload.folder) :]
    try:
        with translated(f"reading {workload.uri(name)}"):
            yield
    except (InputChanged, Missing) as error:
        raise InputChanged(
            f"{workload.uri(name)} was replaced or removed after it was checked.",
            "Nothing is lost: the upload that replaced it starts a run of its own.",
        ) from error


def _confirm(s3: Any, workload: Workload, stored: InputObject, copy: str) -> None:
    """Makes sure that the original is still what was checked; not every S3 heeds the copy's condition."""
    try:
        head = s3.head_object(Bucket=workload.bucket, Key=stored.key)
        unchanged = head["ETag"].strip('"') == stored.etag
    except s3.exceptions.ClientError as error:
        if code_of(error) not in ("404", "NoSuchKey"):
            raise
        unchanged = False
    if not unchanged:
        s3.delete_object(Bucket=workload.bucket, Key=copy)
        raise InputChanged("The original changed.", "")
