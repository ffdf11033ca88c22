"""One whole stack for all tests, in a temporary folder on free ports."""

from collections.abc import Iterator

import pytest

from local.settings import Settings
from tests.stack.harness import Stack, free_ports, run_local


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = Settings(tmp_path_factory.mktemp("stack") / "local", *free_ports(4))
    started = run_local(settings, "up")
    assert started.returncode == 0, started.stdout + started.stderr
    yield Stack(settings)
    assert run_local(settings, "down").returncode == 0
