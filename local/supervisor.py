"""`python -m local supervise`: the one process that starts, watches and stops all parts of a stack.

It writes what it knows to status.json after every change; `python -m local up|status|down` read that.
"""

import datetime as dt
import json
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from local.parts import Part, parts_of
from local.processes import BEGAN, MARK, Process, end, marked
from local.settings import ROOT, Settings
from local.watch import AwakeClock, Child, Watch

log = logging.getLogger("supervisor")

TURN_S = 0.1

# A log is started anew at this size; the one before it is kept as <part>.log.1.
LARGEST_LOG_BYTES = 20_000_000
LAST_LINES = 12


class Supervisor:
    """All parts of one stack, from the first start to the last stop."""

    def __init__(
        self,
        settings: Settings,
        parts: Iterable[Part] | None = None,
        clock: Callable[[], float] | None = None,
        spawn: Callable[[Part], Child] | None = None,
    ) -> None:
        self.settings = settings
        self.state = "starting"
        self.failure = ""
        self.stopping = threading.Event()
        own = {MARK: str(settings.folder), BEGAN: dt.datetime.now(dt.UTC).isoformat()}
        self.environment = {**settings.environment(os.environ), **own}
        clock = clock or AwakeClock()
        self.watches = [
            Watch(part, spawn or self._spawn, self._end, self._say, clock)
            for part in (parts if parts is not None else parts_of(settings))
        ]
        self._written = ""

    # -- life

    def run(self) -> int:
        """Start everything and watch it until told to stop.

        Returns:
            0 after a stop, 1 if a part could not be started.
        """
        while not self.stopping.is_set() and self.turn():
            self.stopping.wait(TURN_S)
        failed = self.state == "failed"
        if not failed:
            self.state = "stopping"
            self._write()
        self.stop()
        self.state = "failed" if failed else "stopped"
        self._write()
        return int(failed)

    def turn(self) -> bool:
        """Let every part do what is due.

        Returns:
            Whether to go on: False when a part cannot be started.
        """
        for watch in self.watches:
            ready = {each.part.name for each in self.watches if each.is_ready}
            watch.turn(ready)
            if watch.cannot_start and self.state == "starting":
                self._fail(watch)
                return False
        if self.state == "starting" and all(watch.is_ready for watch in self.watches):
            self.state = "up"
            self._say("all parts are well.")
        self._write()
        return True

    def stop(self) -> None:
        """Stop all parts: the last first, those that others lean on at the end."""
        for watch in reversed(self.watches):
            if watch.child is not None:
                self._end(watch.part, watch.child)
                watch.child, watch.state = None, "stopped"
        end(marked(self.settings.folder), 3)

    def _fail(self, watch: Watch) -> None:
        path = log_of(self.settings, watch.part.name)
        self.state = "failed"
        self.failure = (
            f"{watch.part.name} could not be started ({watch.deaths} attempts). "
            f"Its log is {path}; it ends with:\n" + "\n".join(f"    {line}" for line in last_lines(path))
        )
        log.error("%s", self.failure)

    # -- processes

    def _spawn(self, part: Part) -> Child:
        path = log_of(self.settings, part.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            return subprocess.Popen(
                part.command,
                cwd=ROOT,
                env={**self.environment, "PYTHONUNBUFFERED": "1", **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: Ctrl-C in a terminal is not for it
            )

    def _end(self, part: Part, child: Child) -> None:
        """End the part's process, then whatever is left of its group."""
        process = Process.of(child.pid) if child.poll() is None else None
        if process and end([process], part.stop_s):
            log.warning("%s did not end within %.0f s and was killed", part.name, part.stop_s)
        child.poll()  # reaps it
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    # -- what others see

    def _say(self, sentence: str) -> None:
        log.info("%s", sentence)

    def _write(self) -> None:
        text = json.dumps(self.status(), indent=1)
        if text != self._written:
            write_atomically(self.settings.folder / "status.json", text)
            self._written = text

    def status(self) -> dict[str, Any]:
        """What `status.json` says."""
        return {
            "state": self.state,
            "failure": self.failure,
            "supervisor": asdict(Process.of(os.getpid()) or Process(os.getpid(), "")),
            "ports": list(self.settings.ports),
            "parts": {watch.part.name: self._part_status(watch) for watch in self.watches},
        }

    def _part_status(self, watch: Watch) -> dict[str, Any]:
        return {
            "state": watch.state,
            "pid": watch.child.pid if watch.child else None,
            "restarts": watch.restarts,
            "address": watch.part.address,
            "log": str(log_of(self.settings, watch.part.name)),
        }


def log_of(settings: Settings, part: str) -> Path:
    """The file that a part's output goes to."""
    return settings.logs / f"{part}.log"


def last_lines(path: Path) -> list[str]:
    """The end of a log; empty if there is none."""
    if not path.exists():
        return []
    return path.read_text(errors="replace").splitlines()[-LAST_LINES:]


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def main() -> int:
    """Supervise the stack of the environment's settings until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    supervisor = Supervisor(Settings.from_environment(os.environ))

    def stop(number: int, frame: FrameType | None) -> None:
        supervisor.stopping.set()

    # Also gives the children a working SIGINT: a shell's "&" leaves it ignored, an ignored signal is
    # inherited, and Prefect's worker ends itself by SIGINT.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return supervisor.run()
