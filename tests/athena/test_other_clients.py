"""awswrangler and the aws CLI give the rows of the same computation in pandas, too."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.athena.other_clients import encoded
from tests.athena.page_statements import PAGE_STATEMENTS
from tests.athena.statements import STATEMENTS
from tests.athena.tables import DATABASE, RESULTS, Frames
from tests.athena.test_sql import assert_same
from tests.local.conftest import GatewayProcess

PYTHON = os.environ.get("FORECAST_SQL_CLIENTS", "")
SCRIPT = Path(__file__).parent / "other_clients.py"

EVERY = [*STATEMENTS, *PAGE_STATEMENTS]

pytestmark = pytest.mark.skipif(
    not PYTHON,
    reason="FORECAST_SQL_CLIENTS names no Python that has awswrangler and awscli (make test-clients)",
)


@pytest.mark.parametrize("client", ["awswrangler", "awscli"])
def test_another_client_gives_the_same_rows(client: str, stand_in: GatewayProcess, given: Frames) -> None:
    answers = _ask(client, [each.sql for each in EVERY], stand_in)
    for statement, rows in zip(EVERY, answers, strict=True):
        expected = [tuple(map(encoded, row)) for row in statement.expected(given)]
        assert_same([tuple(row) for row in rows], expected, statement.is_sorted)


def _ask(client: str, statements: list[str], stand_in: GatewayProcess) -> list[list[list[Any]]]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(stand_in.folder),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{stand_in.port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [PYTHON, str(SCRIPT), client, DATABASE, f"s3://{RESULTS}/{client}/"]
    done = subprocess.run(
        command, input=json.dumps(statements), env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    sys.stderr.write(done.stderr)
    return list(json.loads(done.stdout))
