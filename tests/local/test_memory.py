"""What is saved late is saved in the end; the bytes of an object are read by one thread at a time."""

import hashlib
import io
import threading
from pathlib import Path
from typing import ClassVar

import pytest
from moto.s3.models import FakeKey

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


@pytest.mark.parametrize("look", ["etag", "value"])
def test_whoever_reads_an_object_reads_it_alone(look: str) -> None:
    class Watched(io.BytesIO):
        alone: ClassVar[list[bool]] = []

        def read(self, size: int | None = -1) -> bytes:
            self.alone.append(key.lock.locked())
            return super().read(size)

    key = FakeKey("train/a.csv", b"some rows", module.ACCOUNT, "us-east-1")
    key._value_buffer = Watched(b"some rows")
    getattr(key, look)
    assert set(Watched.alone) == {True}
    assert key.etag == f'"{hashlib.md5(b"some rows").hexdigest()}"'
