"""A worker: claims jobs from the store one after the other and settles them.

However a job ends, the worker lives on: a known trouble is a sentence in the resource's Message, an
unknown one is also a traceback in the log. A worker that dies itself loses its lease, and the job is
claimed again, unless it took several workers down already.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from forecastd.errors import JobFailed, JobStopped
from forecastd.jobs.job import Facts, Job, held_lease
from forecastd.jobs.objects import Objects
from forecastd.jobs.removal import remove
from forecastd.settings import Settings
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3

Runner = Callable[[Job], Facts]


class Worker:
    """Works for one data directory until it is told to end."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        settings: Settings,
        runners: Mapping[str, Runner],
        objects: Objects,
        name: str | None = None,
        when_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._store = store
        self._blobs = blobs
        self._settings = settings
        self._runners = runners
        self._objects = objects
        self._when_idle = when_idle

    def run(self, end: threading.Event) -> None:
        """Work until `end` is set; the first time there is nothing to do, get ready for what may come."""
        ready = False
        while not end.is_set():
            if self.work_once():
                continue
            if not ready:
                self._when_idle()
                ready = True
            self._rest(end)

    def _rest(self, end: threading.Event) -> None:
        """Wait for the next look.

        When a machine wakes up, all leases of the night have run out. Whoever goes on working renews its own
        within a second; none is taken from it before.
        """
        settings, began = self._settings, self._store.now()
        end.wait(settings.poll_s)
        if self._store.now() - began > settings.poll_s + settings.lease_s / 2:
            end.wait(settings.lease_s / 4)

    def work_once(self) -> bool:
        """Do the next job, if there is one.

        Returns:
            Whether there was one.
        """
        record = self._store.claim(self.name, self._settings.lease_s)
        if record is None:
            return False
        if record.deleting:
            remove(self._store, self._blobs, record)
        elif record.status == "CREATE_STOPPING":
            self._store.settle(record.arn, self.name, "CREATE_STOPPED")
        elif record.attempts > MOST_ATTEMPTS:
            self._fail(
                record, f"The worker was lost {MOST_ATTEMPTS} times during this job, maybe out of memory."
            )
        else:
            self._create(record)
        return True

    def _create(self, record: Record) -> None:
        logger.info("%s: begun, attempt %d", record.arn, record.attempts)
        with self._blobs.scratch() as folder:
            job = self._job(record, folder)
            try:
                with held_lease(job):
                    facts = self._runners[record.kind](job)
            except JobStopped:
                self._store.settle(record.arn, self.name, "CREATE_STOPPED")
            except JobFailed as failure:
                self._fail(record, failure.message)
            except Exception as error:  # a job must never end its worker
                logger.exception("%s: the job broke", record.arn)
                reason = f"{type(error).__name__}: {error}"
                self._fail(record, f"The job broke because of a mistake in the server: {reason}")
            else:
                self._succeed(record, facts, folder)

    def _job(self, record: Record, folder: Path) -> Job:
        return Job(record, self.name, self._store, self._blobs, self._settings, self._objects, folder)

    def _succeed(self, record: Record, facts: Facts, folder: Path) -> None:
        blob = self._blobs.keep(folder) if any(folder.iterdir()) else None
        settled = self._store.settle(record.arn, self.name, "ACTIVE", facts=facts, blob=blob)
        now = self._store.get(record.arn)
        if not settled or now is None or now.blob != blob:
            self._blobs.remove(blob)
        logger.info("%s: %s", record.arn, now.status if now else "gone")

    def _fail(self, record: Record, message: str) -> None:
        logger.warning("%s: failed: %s", record.arn, message)
        self._store.settle(record.arn, self.name, "CREATE_FAILED", message=message)
