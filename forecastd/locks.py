"""Who may do what in a data directory: file locks that the kernel gives back when a process dies.

serve.lock      held by the one server
workers.lock    shared by all workers; whoever gets it alone knows that none lives
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from forecastd.errors import StartFailed

_LOOK_EVERY_S = 0.05


@contextmanager
def only_server(data_dir: Path) -> Iterator[None]:
    """Be the one server of a data directory.

    Raises:
        StartFailed: there is one already.
    """
    with _locked(data_dir / "serve.lock", fcntl.LOCK_EX, patience_s=0.0) as alone:
        if not alone:
            raise StartFailed(
                f"Another forecastd serves the data directory {data_dir};"
                " end it, or choose another --data-dir."
            )
        yield


@contextmanager
def as_worker(data_dir: Path) -> Iterator[None]:
    """Show that a worker lives, as long as the block lasts."""
    with _locked(data_dir / "workers.lock", fcntl.LOCK_SH, patience_s=float("inf")):
        yield


@contextmanager
def without_workers(data_dir: Path, patience_s: float) -> Iterator[bool]:
    """Wait until no worker lives and keep new ones waiting; say whether it came to that."""
    with _locked(data_dir / "workers.lock", fcntl.LOCK_EX, patience_s) as alone:
        yield alone


@contextmanager
def _locked(path: Path, mode: int, patience_s: float) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        give_up_at = time.monotonic() + patience_s
        while not (locked := _lock(file, mode)) and time.monotonic() < give_up_at:
            time.sleep(_LOOK_EVERY_S)
        yield locked


def _lock(file: IO[str], mode: int) -> bool:
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
