"""Processes are found by their mark, told apart, and brought to an end, stubborn ones too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import MARK, Process, end, marked

# A child in a session of its own, as Prefect starts flow runs, then its number and a wait for ever.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end(marked(tmp_path), 0)


def started(folder: Path, code: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, MARK: str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.note = process.stdout.readline()  # type: ignore[attr-defined]  # it is under way
    return process


def test_children_of_dead_parents_are_found_by_their_mark(folder: Path) -> None:
    parent = started(folder, PARENT)
    child = int(parent.note)  # type: ignore[attr-defined]
    parent.kill()
    parent.wait()
    assert [process.pid for process in marked(folder)] == [child]
    end(marked(folder), 5)
    assert marked(folder) == []


def test_a_stack_in_another_folder_is_left_alone(folder: Path) -> None:
    other = started(folder / "other", "print(flush=True); import time; time.sleep(600)")
    assert marked(folder) == []
    other.kill()
    other.wait()


def test_what_does_not_end_is_killed_and_named(folder: Path) -> None:
    stubborn = started(folder, STUBBORN)
    assert [process.pid for process in end(marked(folder), 0.2)] == [stubborn.pid]
    assert stubborn.wait() == -9


def test_a_number_that_came_again_is_another_process() -> None:
    myself = Process.of(os.getpid())
    assert myself is not None
    assert myself.is_running
    assert not Process(os.getpid(), "long ago").is_running


def test_a_process_that_ended_but_was_not_collected_counts_as_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Process.of(process.pid) is None
    process.wait()
