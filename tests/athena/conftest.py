"""A gateway with the test catalogue in it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.athena import tables
from tests.local.conftest import GatewayProcess


@pytest.fixture(scope="package")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path_factory.mktemp("athena"))
    made.start()
    tables.register(made.client("s3"), made.client("glue"), tables.frames())
    yield made
    made.end()


@pytest.fixture(scope="package")
def given() -> tables.Frames:
    return tables.frames()


@pytest.fixture(scope="package")
def athena(stand_in: GatewayProcess) -> Any:
    return stand_in.client("athena")
