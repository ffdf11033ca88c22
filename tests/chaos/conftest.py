"""One world for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.chaos.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("chaos")) as made:
        yield made
