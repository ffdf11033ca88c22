"""A real gateway process on a free port, which tests may kill and start again."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class GatewayProcess:
    """`python -m local.aws` with a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.forecastd_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start_somewhere(self) -> None:
        """Start on a port that is free: one that was may be another test's by now."""
        for left in reversed(range(3)):
            try:
                self.start()
                return
            except AssertionError:
                if not left:
                    raise
                self.port = free_port()

    def start(self) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "FORECAST_LOCAL_DIR": str(self.folder),
            "FORECAST_AWS_PORT": str(self.port),
            "FORECASTD_PORT": str(self.forecastd_port),
            "FORECAST_PREFECT_PORT": str(free_port()),
            "FORECAST_DASHBOARD_PORT": str(free_port()),
        }
        command = [sys.executable, "-m", "local.aws"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_health", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, "the gateway ended"
                assert time.monotonic() < until, "the gateway did not start"
                time.sleep(0.02)  # there is nothing else to wait on

    def end(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(30)

    def restart(self, number: int = signal.SIGKILL) -> None:
        self.end(number)
        self.start()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5),
        )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path_factory.mktemp("gateway"))
    made.start_somewhere()
    yield made
    made.end()
