"""A real server with real workers, S3 on loopback, and stock boto3 in front of both."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

BUCKET = "forecastd-tests"
ROLE = "arn:aws:iam::000000000000:role/forecast"
CREDENTIALS = {
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
    "region_name": "us-east-1",
}
ROOT = Path(__file__).parents[2]


def eventually(fact: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is true, and give it back."""
    give_up_at = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < give_up_at, f"not true within {seconds} s"
        time.sleep(0.05)
    return value


@dataclass
class RunningServer:
    """`python -m forecastd serve` as a child process, which can be killed and started again."""

    data_dir: Path
    s3_url: str
    variables: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_S3": self.s3_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.variables,
        }
        command = [sys.executable, "-m", "forecastd", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.data_dir), "--workers", "1"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens on" in line, line
        self.port = int(line.rpartition(":")[2])

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str = "forecast", **options: Any) -> Any:
        config = Config(**{"retries": {"max_attempts": 1}, **options})
        return boto3.client(service, endpoint_url=self.url, config=config, **CREDENTIALS)

    def post(self, target: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a raw request, as no SDK would."""
        request = urllib.request.Request(self.url, body, {"X-Amz-Target": target})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def worker_pids(self) -> list[int]:
        """Give the process ids of the workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for path in children for pid in path.read_text().split()]


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3(s3_url: str) -> Any:
    client = boto3.client("s3", endpoint_url=s3_url, **CREDENTIALS)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="session")
def server(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("forecastd"), s3_url, {"FORECASTD_ENFORCE_QUOTAS": "no"})
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def forecast(server: RunningServer) -> Any:
    return server.client()


@pytest.fixture(scope="session")
def forecastquery(server: RunningServer) -> Any:
    return server.client("forecastquery")


def wait_until_done(describe: Callable[[], dict[str, Any]], seconds: float = 120.0) -> dict[str, Any]:
    """Poll a Describe until its resource is ACTIVE, failed or stopped, and give the last answer."""
    done = ("ACTIVE", "CREATE_FAILED", "CREATE_STOPPED")
    return eventually(lambda: (answer := describe())["Status"] in done and answer, seconds)


def hourly_csv(items: int = 2, days: int = 10, start: str = "2024-01-01") -> str:
    """Make hourly demand with a daily rhythm, without chance."""
    import pandas as pd

    times = pd.date_range(start, periods=24 * days, freq="h")
    lines = [
        f"item_{item},{time:%Y-%m-%d %H:%M:%S},{10 * (item + 1) + time.hour % 24 + time.day % 3}"
        for item in range(items)
        for time in times
    ]
    return "\n".join(lines) + "\n"
