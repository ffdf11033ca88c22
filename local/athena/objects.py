"""Fetches the objects below a prefix once, and keeps them by their ETag."""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from local.athena.catalogue import Place

# The oldest go first when the kept copies exceed this.
MOST_BYTES = 4 << 30


class Vanished(Exception):
    """An object that was listed is gone: its forecast has been replaced meanwhile."""


class Objects:
    """Copies of S3 objects in a folder of this machine.

    Args:
        s3: an S3 client.
        folder: made if it is not there; only this class writes to it.
    """

    def __init__(self, s3: Any, folder: Path) -> None:
        self.s3 = s3
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweeping = threading.Lock()

    def fetch(self, place: Place) -> list[Path]:
        """The files of a place; names that begin with `_` or `.` are hidden, as they are for Athena.

        Raises:
            Vanished: one of them was removed between the listing and the reading.
        """
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.prefix)
        found = [each for page in pages for each in page.get("Contents", ())]
        seen = [each for each in found if not _is_hidden(each["Key"], place.prefix)]
        files = [self._file(place.bucket, each) for each in seen]
        self._sweep()
        return files

    def _file(self, bucket: str, listed: dict[str, Any]) -> Path:
        identity = f"{bucket}/{listed['Key']}/{listed['ETag']}/{listed['Size']}"
        kept = self.folder / hashlib.sha256(identity.encode()).hexdigest()
        if is_kept(kept):
            return kept
        fetched = kept.with_suffix(f".{threading.get_ident()}")
        try:
            body = self.s3.get_object(Bucket=bucket, Key=listed["Key"], IfMatch=listed["ETag"])["Body"]
        except self.s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404", "412", "PreconditionFailed"):
                raise Vanished(
                    f"s3://{bucket}/{listed['Key']} was replaced while it was being read"
                ) from error
            raise
        with fetched.open("wb") as out:
            for block in body.iter_chunks(1 << 20):
                out.write(block)
        os.replace(fetched, kept)
        return kept

    def _sweep(self) -> None:
        """Remove the copies that were used longest ago; a query that has one open keeps reading it."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            found = [
                (known.st_mtime, known.st_size, file)
                for file in self.folder.iterdir()
                if (known := _stat(file))
            ]
            size = 0
            for _, own, file in sorted(found, reverse=True):
                size += own
                if size > MOST_BYTES:
                    file.unlink(missing_ok=True)
        finally:
            self._sweeping.release()


def is_kept(file: Path) -> bool:
    """Whether a file is there, and used now; `touch` would make an empty one of what was swept."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


def _stat(file: Path) -> os.stat_result | None:
    """What the system knows of a file; None if another thread has given it its final name by now."""
    try:
        return file.stat()
    except FileNotFoundError:
        return None


def _is_hidden(key: str, prefix: str) -> bool:
    below = key[len(prefix) :]
    return key.endswith("/") or any(part.startswith(("_", ".")) for part in below.split("/"))
