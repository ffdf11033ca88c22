"""Workers as child processes of `serve`: started, started again when they die, and never left behind.

The only link is a pipe: a worker's standard input closes when its parent is gone, however it went,
and then the worker ends. The parent notices a dead worker and gives its jobs back at once.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from forecastd.settings import Settings
from forecastd.store.database import Store

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.2
_REST_S = 1.0  # after a look that failed
_PATIENCE_S = 5.0  # for workers that were asked to end
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0  # between the starts of a worker that keeps dying
_HEALTHY_S = 60.0  # a worker that lived so long does not keep dying


@dataclass
class _Seat:
    """A place for one worker."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    pause_s: float = _SHORTEST_PAUSE_S
    started_at: float = 0.0
    not_before: float = 0.0

    @property
    def name(self) -> str:
        """Give the worker's name in the store: unique by its process."""
        return f"serve-{os.getpid()}-{self.number}-{self.process.pid if self.process else 0}"


@dataclass
class Supervisor:
    """Keeps the configured number of workers alive."""

    settings: Settings
    store: Store
    _seats: list[_Seat] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the workers and watch over them in the background."""
        self._seats = [_Seat(number) for number in range(self.settings.workers)]
        for seat in self._seats:
            self._fill(seat)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the workers; their jobs are done again after the next start."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        processes = [seat.process for seat in self._seats if seat.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.store.release_all()

    @property
    def pids(self) -> list[int]:
        """Give the process ids of the living workers."""
        return [seat.process.pid for seat in self._seats if seat.process and seat.process.poll() is None]

    def _watch(self) -> None:
        while not self._end.wait(_LOOK_EVERY_S):
            try:
                for seat in self._seats:
                    self._look_after(seat)
            except Exception:  # a disk that is full or busy now must not leave the seats empty for ever
                logger.exception("a worker could not be looked after; it is tried again")
                self._end.wait(_REST_S)
        self.store.close()

    def _look_after(self, seat: _Seat) -> None:
        if seat.process is not None and seat.process.poll() is not None:
            jobs = self.store.release(seat.name)
            logger.warning(
                "worker %s ended with %s and left %d jobs", seat.name, seat.process.returncode, jobs
            )
            seat.process = None
            if time.monotonic() - seat.started_at > _HEALTHY_S:
                seat.pause_s = _SHORTEST_PAUSE_S
            seat.not_before = time.monotonic() + seat.pause_s
            seat.pause_s = min(2 * seat.pause_s, _LONGEST_PAUSE_S)
        if seat.process is None and time.monotonic() >= seat.not_before:
            self._fill(seat)

    def _fill(self, seat: _Seat) -> None:
        # Numeric libraries read theirs when they are loaded, some of them as Python starts.
        environment = {**self.settings.numeric_environment, **os.environ, **self.settings.to_environment()}
        command = [
            sys.executable,
            "-m",
            "forecastd",
            "worker",
            "--seat",
            f"serve-{os.getpid()}-{seat.number}",
        ]
        seat.process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        seat.started_at = time.monotonic()
        logger.info("worker %s started", seat.name)


def end_with_parent(descriptor: int = 0) -> None:
    """End this process at once when the pipe from its parent closes."""

    def watch() -> None:
        while os.read(descriptor, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()
