"""The supervisor: order, failure, what it writes for others, and the ports it asks for."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from local.parts import Part, parts_of
from local.settings import Settings, SettingsError
from local.stack import StackError, as_running, describe, logs, require_free_ports, status
from local.supervisor import Supervisor, log_of
from local.watch import Child


class Dummy:
    pid = 2**22 + 1  # beyond every process number

    def __init__(self, status: int | None = None) -> None:
        self.status = status

    def poll(self) -> int | None:
        return self.status


def part(name: str, *needs: str, well: bool = True, once: bool = False) -> Part:
    return Part(name, ("true",), probe=lambda: well, needs=needs, once=once)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


def test_parts_start_when_what_they_need_is_well(settings: Settings) -> None:
    begun: list[str] = []

    def spawn(each: Part) -> Child:
        begun.append(each.name)
        return Dummy(0 if each.once else None)

    parts = [part("c", "b"), part("b", "a", once=True), part("a")]
    supervisor = Supervisor(settings, parts, lambda: 0.0, spawn)
    for _ in range(6):
        supervisor.turn()
    assert begun == ["a", "b", "c"]
    assert supervisor.state == "up"
    written = json.loads((settings.folder / "status.json").read_text())
    assert {name: each["state"] for name, each in written["parts"].items()} == {
        "a": "well",
        "b": "done",
        "c": "well",
    }


def test_a_part_that_cannot_start_is_named_with_the_end_of_its_log(settings: Settings) -> None:
    now = iter(range(0, 10_000, 60))
    parts = [Part("bad", (sys.executable, "-c", "raise SystemExit('no such thing')"))]
    supervisor = Supervisor(settings, parts, lambda: float(next(now)))
    while supervisor.turn():
        for watch in supervisor.watches:
            if watch.part.name == "bad" and watch.child is not None:
                watch.child.wait()  # type: ignore[attr-defined]
    supervisor.stop()
    assert supervisor.state == "failed"
    assert "bad could not be started (3 attempts)" in supervisor.failure
    assert "no such thing" in supervisor.failure
    assert str(log_of(settings, "bad")) in supervisor.failure


def test_a_dead_supervisors_stack_is_down_whatever_its_file_says(settings: Settings) -> None:
    supervisor = Supervisor(settings, [part("a")], lambda: 0.0, lambda _: Dummy())
    supervisor.turn()
    supervisor.turn()
    assert status(settings)["state"] == "up"
    path = settings.folder / "status.json"
    known = json.loads(path.read_text())
    known["supervisor"]["began"] = "at another time"
    path.write_text(json.dumps(known))
    assert status(settings)["state"] == "down"
    path.write_text("{ half a")
    assert status(settings)["state"] == "down"


def test_commands_go_to_the_ports_of_the_running_stack(settings: Settings) -> None:
    supervisor = Supervisor(settings, [part("a")], lambda: 0.0, lambda _: Dummy())
    supervisor.turn()
    elsewhere = Settings(settings.folder, 1, 2, 3)
    assert as_running(elsewhere) == settings
    (settings.folder / "status.json").unlink()
    assert as_running(elsewhere) == elsewhere


def test_the_description_names_every_part_and_its_restarts(settings: Settings) -> None:
    supervisor = Supervisor(settings, [part("a"), part("b")], lambda: 0.0, lambda _: Dummy())
    supervisor.turn()
    supervisor.turn()
    supervisor.watches[1].restarts = 3
    lines = describe(supervisor.status())
    assert lines[0] == "The stack is up."
    assert "a" in lines[1]
    assert "restarted 3×" in lines[2]


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings(tmp_path, aws_port=1, forecastd_port=port, prefect_port=2)
        if os.geteuid() != 0:  # ports below 1024 are for root only
            settings = Settings(tmp_path, forecastd_port=port)
        with pytest.raises(SettingsError, match=rf"Port {port} is taken .* FORECASTD_PORT={port + 1}"):
            require_free_ports(settings)


def test_every_part_of_the_stack_needs_parts_that_exist(settings: Settings) -> None:
    parts = parts_of(settings)
    names = [each.name for each in parts]
    assert len(set(names)) == len(names)
    assert all(need in names for each in parts for need in each.needs)


def test_asking_for_an_unknown_log_names_those_that_exist(settings: Settings) -> None:
    settings.logs.mkdir()
    (settings.logs / "aws.log").touch()
    with pytest.raises(StackError, match="there are: aws"):
        logs(settings, "awss")
