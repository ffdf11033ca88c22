"""Data too big for a row: one folder per resource, complete or absent.

A folder is filled under `tmp/` and renamed to its final name; the row names it in the same
transaction that makes the resource ACTIVE. So a killed worker leaves at most a folder that no row
names, and the sweep at the next start removes it.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Blobs:
    """The folders below `<data-dir>/blobs`."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "blobs"
        self._scratch = data_dir / "tmp"
        self._root.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir(parents=True, exist_ok=True)

    def folder(self, blob: str) -> Path:
        """Give the folder of a blob."""
        return self._root / blob

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder to fill; it is gone afterwards unless `keep` took it."""
        folder = self._scratch / uuid.uuid4().hex
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, scratch: Path) -> str:
        """Turn a scratch folder into a blob, in one step, and give its name."""
        blob = uuid.uuid4().hex
        scratch.rename(self.folder(blob))
        return blob

    def remove(self, blob: str | None) -> None:
        """Delete a blob; one that is gone already does not matter."""
        if blob:
            shutil.rmtree(self.folder(blob), ignore_errors=True)

    def sweep(self, owned: set[str]) -> int:
        """Delete what no resource owns. Only right while no worker runs.

        Returns:
            How many folders were deleted.
        """
        orphans = [path for path in self._root.iterdir() if path.name not in owned]
        orphans += list(self._scratch.iterdir())
        for path in orphans:
            shutil.rmtree(path, ignore_errors=True)
        return len(orphans)
