"""Processes of this machine, told apart from later ones that got the same number, and brought to an end.

Every process of a stack carries FORECAST_STACK=<state folder> in its environment, which its children inherit
wherever they go (Prefect gives each flow run a session of its own): that is how none is left behind.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

MARK = "FORECAST_STACK"
BEGAN = "FORECAST_STACK_BEGAN"  # when, in ISO 8601, UTC
POLL_S = 0.05


@dataclass(frozen=True)
class Process:
    """A process: its number, and when it began (as the system writes it) because numbers come again."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process that has this number now; None if there is none, or it has ended already."""
        began = _began(pid)
        return cls(pid, began) if began else None

    @property
    def is_running(self) -> bool:
        return _began(self.pid) == self.began

    def signal(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.is_running:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def _began(pid: int) -> str | None:
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]  # state; start time in ticks since boot
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, began = shown.stdout.strip().partition(" ")
    return began.strip() if began and not state.startswith("Z") else None


def marked(folder: Path) -> list[Process]:
    """Every running process of the stack whose state is in `folder`, except this one."""
    mark = f"{MARK}={folder}"
    found = [Process.of(pid) for pid in _with_mark(mark) if pid != os.getpid()]
    return [process for process in found if process]


def _with_mark(mark: str) -> list[int]:
    if sys.platform == "linux":
        return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _carries(p, mark)]
    shown = subprocess.run(["ps", "-Aww", "-E", "-o", "pid=,command="], capture_output=True, text=True)
    return [int(line.split()[0]) for line in shown.stdout.splitlines() if f" {mark} " in f"{line} "]


def _carries(process: Path, mark: str) -> bool:
    try:
        return mark.encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:  # not ours to read, or gone
        return False


def end(
    processes: Iterable[Process],
    patience_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Process]:
    """Ask processes to end; kill those that have not after `patience_s` seconds.

    Returns:
        Those that had to be killed.
    """
    wanted = list(processes)
    for process in wanted:
        process.signal(signal.SIGTERM)
    until = clock() + patience_s
    while (left := [process for process in wanted if process.is_running]) and clock() < until:
        sleep(POLL_S)
    for process in left:
        process.signal(signal.SIGKILL)
    while any(process.is_running for process in left) and clock() < until + patience_s:
        sleep(POLL_S)
    return left
