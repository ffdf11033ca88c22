"""Removal: what was deleted goes, with its data, beside the workers: it never waits behind a training."""

import logging
import threading

from forecastd.settings import Settings
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record

logger = logging.getLogger(__name__)


def remove(store: Store, blobs: Blobs, record: Record) -> None:
    """Forget a claimed record and its data; data first, so that whoever dies between leaves no orphan."""
    blobs.remove(record.blob)
    store.remove(record.arn)
    logger.info("%s: deleted", record.arn)


class Remover:
    """A thread of the server that carries out deletions. A worker that has time does so as well."""

    def __init__(self, store: Store, blobs: Blobs, settings: Settings) -> None:
        self._store = store
        self._blobs = blobs
        self._settings = settings
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remover", daemon=True)

    def start(self) -> None:
        """Begin to look for deletions."""
        self._thread.start()

    def stop(self) -> None:
        """End after the deletion that is under way."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                if self._remove_next():
                    continue
            except Exception:  # a disk that is full or busy now must not end all deletions
                logger.exception("a deletion broke; it is tried again")
            self._end.wait(self._settings.poll_s)
        self._store.close()

    def _remove_next(self) -> bool:
        record = self._store.claim("remover", self._settings.lease_s, deletions_only=True)
        if record is not None:
            remove(self._store, self._blobs, record)
        return record is not None
