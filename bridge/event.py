"""The Prefect event that tells of new input of one workload."""

import datetime as dt
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bridge.notification import StoredObject
from pipeline.workload import Workload

NAME = "s3.object.created"

# Any fixed value does: it makes the same objects give the same event id on every machine.
NAMESPACE = uuid.UUID("5b0a1d5e-3c0e-5d0a-9a55-6f1c1f0d7c11")


@dataclass(frozen=True)
class Upload:
    """New objects of one workload, newest last, each with its role (train, related, metadata, params)."""

    workload: Workload
    objects: tuple[tuple[StoredObject, str], ...]

    @property
    def newest(self) -> tuple[StoredObject, str]:
        return self.objects[-1]

    @property
    def latest(self) -> dt.datetime | None:
        """When the last of its objects was written, by S3's clock; None if that is not known of all."""
        times = [dt.datetime.fromisoformat(stored.time) for stored, _ in self.objects if stored.time]
        return max(times) if len(times) == len(self.objects) else None

    def event_id(self, attempt: int) -> str:
        """The id under which this upload is announced.

        Stable, so that Prefect drops a repetition of the same attempt; different from attempt to
        attempt, because Prefect ignores an id it has seen in the last half hour even when no
        automation was there to act on it.
        """
        known = [[o.bucket, o.key, o.version_id or o.etag, o.time] for o, _ in self.objects]
        return str(uuid.uuid5(NAMESPACE, json.dumps([known, attempt])))

    def event(self, attempt: int = 1) -> dict[str, Any]:
        """The event as `POST /api/events` wants it. Automations match labels only, never the payload."""
        newest, role = self.newest
        return {
            "id": self.event_id(attempt),
            "event": NAME,
            "occurred": newest.time or dt.datetime.now(dt.UTC).isoformat(),
            "resource": {
                "prefect.resource.id": newest.uri,
                "prefect.resource.name": newest.key.rsplit("/", 1)[-1],
                "s3.bucket": newest.bucket,
                "s3.key": newest.key,
                "s3.folder": self.workload.folder or "/",
                "s3.role": role,
            },
            "related": [
                {"prefect.resource.id": f"s3://{newest.bucket}", "prefect.resource.role": "bucket"},
            ],
            "payload": {
                "bucket": newest.bucket,
                "key": newest.key,
                "etag": newest.etag,
                "version_id": newest.version_id,
                "size": newest.size,
                "time": newest.time,
                "objects": [{"key": o.key, "etag": o.etag, "size": o.size} for o, _ in self.objects],
            },
        }


def merge(objects: Iterable[StoredObject]) -> list[Upload]:
    """One upload per workload; objects that are no input of any (forecasts, reports) are left out.

    The newest object comes last. Of several writes of one key only the last is kept.
    """
    latest: dict[tuple[str, str], tuple[Workload, StoredObject, str]] = {}
    for stored in sorted(objects, key=lambda o: o.time or ""):
        owner = Workload.of(stored.bucket, stored.key)
        if owner is not None:
            latest.pop((stored.bucket, stored.key), None)
            latest[(stored.bucket, stored.key)] = (owner[0], stored, owner[1])
    grouped: dict[Workload, list[tuple[StoredObject, str]]] = {}
    for workload, stored, role in latest.values():
        grouped.setdefault(workload, []).append((stored, role))
    return [Upload(workload, tuple(found)) for workload, found in grouped.items()]
