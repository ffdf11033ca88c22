"""`up`, `down`, `status`, `logs` and `wipe` of the stack, as a person calls them."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.processes import Process, end, marked
from local.settings import PORTS, ROOT, Settings, SettingsError
from local.supervisor import last_lines, log_of

Say = Callable[[str], None]

# Longer than every part may take together.
START_S = 420
STOP_S = 60


class StackError(Exception):
    """The stack did not do what was asked; the text says why and where to look."""


def status(settings: Settings) -> dict[str, Any]:
    """What the supervisor last wrote; state "down" if no supervisor is alive."""
    path = settings.folder / "status.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {"state": "down", "parts": {}, "failure": ""}
    if not Process(**known["supervisor"]).is_running:
        known["state"] = "failed" if known["state"] == "failed" else "down"
    return known


def as_running(settings: Settings) -> Settings:
    """The settings with the ports on which the stack runs, if it runs: another shell may have chosen them."""
    known = status(settings)
    if known["state"] == "down":
        return settings
    return Settings(settings.folder, *known["ports"])


def up(settings: Settings, say: Say = print) -> bool:
    """Start the stack, and return when all parts are well.

    Returns:
        False if it was up already.

    Raises:
        StackError: a part could not be started; the text names it and its log.
        SettingsError: a port is taken.
    """
    with _alone(settings):
        before = status(settings)
        if before["state"] == "up":
            return False
        if before["state"] not in ("starting", "stopping"):
            _launch(settings, say)
        _follow(settings, say)
        return True


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One `up` or `down` at a time; another one waits."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    with (settings.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _launch(settings: Settings, say: Say) -> None:
    left = marked(settings.folder)
    if left:
        say(f"Ending {len(left)} processes that an earlier stack left behind.")
        end(left, 10)
    require_free_ports(settings)
    settings.write_env()
    settings.logs.mkdir(parents=True, exist_ok=True)
    (settings.folder / "status.json").unlink(missing_ok=True)
    with (settings.logs / "supervisor.log").open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "local", "supervise"],
            cwd=ROOT,
            env={**os.environ, **settings.exports()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow(settings: Settings, say: Say) -> None:
    """Report each part when it gets ready, until all are."""
    began = time.monotonic()
    told: set[str] = set()
    while time.monotonic() < began + START_S:
        now = status(settings)
        for name, part in now["parts"].items():
            if name not in told and part["state"] in ("well", "done"):
                told.add(name)
                took_s = time.monotonic() - began
                say(f"  {name:14s} {part['state']:5s} {took_s:5.1f} s  {part['address']}".rstrip())
        if now["state"] == "up":
            return
        if now["state"] == "failed":
            raise StackError(now["failure"])
        if now["state"] == "down" and time.monotonic() > began + 20:
            log = settings.logs / "supervisor.log"
            raise StackError(f"The supervisor ended. Its log {log} ends with:\n" + "\n".join(last_lines(log)))
        time.sleep(0.1)
    raise StackError(f"The stack was not ready after {START_S} s; see {settings.logs}.")


def require_free_ports(settings: Settings) -> None:
    """Make sure that every port can be had.

    Raises:
        SettingsError: another program has one; the text names the variable to set.
    """
    for variable, port in zip(PORTS, settings.ports, strict=True):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError as error:
                raise SettingsError(
                    f"Port {port} is taken by another program ({error.strerror}); "
                    f"choose another one: {variable}={port + 1} make up"
                ) from error


def down(settings: Settings) -> bool:
    """Stop the stack completely; its state stays.

    Returns:
        False if nothing ran.
    """
    with _alone(settings):
        known = status(settings)
        supervisor = Process(**known["supervisor"]) if "supervisor" in known else None
        ran = supervisor is not None and supervisor.is_running
        if supervisor is not None and ran:
            end([supervisor], STOP_S)
        left = marked(settings.folder)  # after a kill of the supervisor
        if left:
            end(left, 10)
        (settings.folder / "status.json").unlink(missing_ok=True)
        return ran or bool(left)


def wipe(settings: Settings) -> None:
    """Stop the stack and remove all its state."""
    down(settings)
    if settings.folder.exists():
        shutil.rmtree(settings.folder)


def describe(known: dict[str, Any]) -> list[str]:
    """Lines for a person: each part, its state, its address, its log."""
    lines = [f"The stack is {known['state']}."]
    if known["state"] == "down":
        return lines
    for name, part in known["parts"].items():
        pid = f"pid {part['pid']}" if part["pid"] else ""
        again = f"restarted {part['restarts']}×" if part["restarts"] else ""
        lines.append(f"  {name:14s} {part['state']:9s} {pid:11s} {part['address']:24s} {again}".rstrip())
    if known["failure"]:
        lines.append(known["failure"])
    return lines


def logs(settings: Settings, part: str | None) -> Path:
    """The log file of a part, or the folder of all.

    Raises:
        StackError: there is no such log.
    """
    path = log_of(settings, part) if part else settings.logs
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in settings.logs.glob("*.log"))) or "none yet"
        raise StackError(f"There is no log of {part!r}; there are: {known}.")
    return path
