"""A claimed job: what it works with, and the lease that it holds while it works."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forecastd.errors import JobFailed, JobStopped
from forecastd.jobs.objects import Objects
from forecastd.settings import Settings
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record

logger = logging.getLogger(__name__)

Facts = dict[str, Any]

_RENEWALS_PER_LEASE = 4
_SECONDS_BETWEEN_ESTIMATES = 1.0


@dataclass
class Job:
    """One record that this worker has claimed.

    Attributes:
        folder: scratch; what the job leaves there becomes the resource's blob.
    """

    record: Record
    worker: str
    store: Store
    blobs: Blobs
    settings: Settings
    objects: Objects
    folder: Path
    stopped: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic
    _estimated_at: float = float("-inf")

    def progress(self, fraction: float, seconds_left: float | None = None) -> None:
        """Note how far the job is; the place where a job that was stopped ends.

        Args:
            fraction: of the work that is done, 0 to 1.
            seconds_left: how long it will probably still take.

        Raises:
            JobStopped: somebody stopped the resource, or another worker took the job over.
        """
        if self.stopped.is_set():
            raise JobStopped()
        if self.clock() - self._estimated_at >= _SECONDS_BETWEEN_ESTIMATES:
            self._estimated_at = self.clock()
            self.store.estimate(self.record.arn, self.worker, seconds_left)

    def parent(self, arn: str) -> Record:
        """Find a resource that the job builds on.

        Raises:
            JobFailed: it was deleted since.
        """
        record = self.store.get(arn)
        if record is None or record.blob is None or record.deleting:
            raise JobFailed(f"{arn} was deleted before this job could use it. Create both again.")
        return record

    def parent_folder(self, arn: str) -> Path:
        """Give the data folder of a resource that the job builds on.

        Raises:
            JobFailed: it was deleted since.
        """
        blob = self.parent(arn).blob
        assert blob is not None  # parent() looked
        return self.blobs.folder(blob)


@contextmanager
def held_lease(job: Job) -> Iterator[None]:
    """Renew the job's lease in the background, and pass on that it was stopped or lost."""
    done = threading.Event()
    interval = job.settings.lease_s / _RENEWALS_PER_LEASE
    thread = threading.Thread(target=_renew, args=(job, done, min(interval, 1.0)), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(job: Job, done: threading.Event, interval_s: float) -> None:
    while not done.wait(interval_s):
        try:
            status = job.store.renew(job.record.arn, job.worker, job.settings.lease_s)
        except sqlite3.Error:  # a disk that is full or busy now must not cost the lease: it lasts a while yet
            logger.warning("%s: the lease was not renewed; it is tried again", job.record.arn, exc_info=True)
            continue
        if status != "CREATE_IN_PROGRESS":
            job.stopped.set()
    job.store.close()
