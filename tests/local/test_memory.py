"""What is saved late is saved in the end, even if the disk was full at first."""

import threading
from pathlib import Path

import pytest

from local import memory as module
from local.memory import Memory
from local.vault import Vault


def test_what_could_not_be_saved_is_saved_with_the_next_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAZY_S", 0.0)
    memory = Memory(Vault(tmp_path))
    asked: list[set[str]] = []
    tried = threading.Event()

    def full_at_first(services: set[str]) -> None:
        asked.append(services)
        tried.set()
        if len(asked) == 1:
            raise OSError("no space left on device")

    monkeypatch.setattr(memory, "_save", full_at_first)
    memory.start()
    memory.changed("sqs", "ReceiveMessage")
    assert tried.wait(10)
    memory.close()
    assert asked[0] == {"sqs"}
    assert {"sqs"} in asked[1:]
