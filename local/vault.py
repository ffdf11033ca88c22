"""What the AWS stand-in must not lose, on disk: object contents, object versions, and every service's state.

    content/ab/abcdef…     the bytes of objects, named by their SHA-256 (copies share one file)
    incoming/              bytes on their way; emptied at every start
    state.sqlite           which versions a key has, and one snapshot per service

A change is one SQLite transaction after its bytes were synced, so that a kill at any moment leaves either
the state before a request or the state after it.
"""

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1 << 20

SCHEMA = """
CREATE TABLE IF NOT EXISTS service (name TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS bucket (name TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS version (
    bucket TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL,
    digest TEXT, state BLOB NOT NULL, PRIMARY KEY (bucket, key, position));
CREATE INDEX IF NOT EXISTS version_digest ON version (digest);
"""


class SupportsRead(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Version:
    """One version of a key: the digest of its bytes (None for a delete marker) and all else about it."""

    digest: str | None
    state: bytes


class StoredContent:
    """The bytes of one stored object as a read-only file that is open only while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digest = path.name
        self.position = 0

    def seek(self, position: int) -> int:
        self.position = position
        return position

    def read(self, size: int = -1) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.position)
            found = file.read(size)
        self.position += len(found)
        return found

    def close(self) -> None:
        """Nothing is open; the vault removes files that no version refers to."""


class Vault:
    """Contents and state under one folder; every method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.content = folder / "content"
        self.incoming = folder / "incoming"
        for each in (self.content, self.incoming):
            each.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.database = sqlite3.connect(
            folder / "state.sqlite", check_same_thread=False, isolation_level=None
        )
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.executescript(SCHEMA)
        self._sweep()

    # -- contents

    def stage(self, source: SupportsRead) -> tuple[Path, str]:
        """Write the rest of a file to disk, synced but not yet part of anything.

        Returns:
            The staged file and the SHA-256 of its bytes, for `adopt`.
        """
        digest = hashlib.sha256()
        handle, name = tempfile.mkstemp(dir=self.incoming)
        with os.fdopen(handle, "wb") as file:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return Path(name), digest.hexdigest()

    def adopt(self, staged: Path, digest: str) -> StoredContent:
        """Give staged bytes their final name; call it inside the transaction that refers to them."""
        target = self._path(digest)
        if target.exists():
            staged.unlink()
        else:
            target.parent.mkdir(exist_ok=True)
            staged.replace(target)
            _sync_folder(target.parent)
        return StoredContent(target)

    def stored(self, digest: str) -> StoredContent:
        """The bytes that have this SHA-256."""
        return StoredContent(self._path(digest))

    def _path(self, digest: str) -> Path:
        return self.content / digest[:2] / digest

    def _sweep(self) -> None:
        """Remove what a kill left behind: bytes on their way and bytes that no version came to refer to."""
        for path in self.incoming.iterdir():
            path.unlink()
        known = {row[0] for row in self.database.execute("SELECT DISTINCT digest FROM version")}
        for path in self.content.glob("*/*"):
            if path.name not in known:
                path.unlink()

    # -- state

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one at a time; returns when the disk has it."""
        with self.lock:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

    def put_service(self, name: str, state: bytes) -> None:
        self.database.execute("INSERT OR REPLACE INTO service VALUES (?, ?)", (name, state))

    def put_bucket(self, name: str, state: bytes) -> None:
        self.database.execute("INSERT OR REPLACE INTO bucket VALUES (?, ?)", (name, state))

    def drop_bucket(self, name: str) -> None:
        self.database.execute("DELETE FROM bucket WHERE name = ?", (name,))

    def put_versions(self, bucket: str, key: str, versions: list[Version]) -> list[str]:
        """Replace all versions of a key, oldest first.

        Returns:
            Digests that the key referred to before; pass them to `forget` after the transaction.
        """
        before = self.database.execute(
            "SELECT digest FROM version WHERE bucket = ? AND key = ? AND digest IS NOT NULL", (bucket, key)
        ).fetchall()
        self.database.execute("DELETE FROM version WHERE bucket = ? AND key = ?", (bucket, key))
        self.database.executemany(
            "INSERT INTO version VALUES (?, ?, ?, ?, ?)",
            [(bucket, key, number, v.digest, v.state) for number, v in enumerate(versions)],
        )
        return [row[0] for row in before]

    def forget(self, digests: list[str]) -> None:
        """Remove those bytes that no version refers to any more."""
        with self.lock:
            for digest in set(digests):
                row = self.database.execute("SELECT 1 FROM version WHERE digest = ? LIMIT 1", (digest,))
                if row.fetchone() is None:
                    self._path(digest).unlink(missing_ok=True)

    def services(self) -> dict[str, bytes]:
        return dict(self.database.execute("SELECT name, state FROM service"))

    def buckets(self) -> dict[str, bytes]:
        return dict(self.database.execute("SELECT name, state FROM bucket"))

    def versions(self, bucket: str) -> Iterator[tuple[str, Version]]:
        """Every version of every key of a bucket: keys in order, the versions of a key oldest first."""
        rows = self.database.execute(
            "SELECT key, digest, state FROM version WHERE bucket = ? ORDER BY key, position", (bucket,)
        )
        for key, digest, state in rows:
            yield key, Version(digest, state)

    def close(self) -> None:
        with self.lock:
            self.database.close()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
