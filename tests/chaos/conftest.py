"""Two worlds for the tests of this folder: one whole, one without Prefect."""

from collections.abc import Iterator

import pytest

from tests.chaos.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.fixture(scope="session")
def bare_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("chaos-bare"), bare=True) as made:
        yield made
