"""A real server with real workers, S3 on loopback, and stock boto3 in front of both."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.config import Config

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


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A process of its own: in this one, other tests empty all of moto's services.
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url))
        yield url
        server.terminate()


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


class Lab:
    """Makes what a test needs through the API, and waits for it."""

    def __init__(self, forecast: Any, s3: Any) -> None:
        self.forecast = forecast
        self.s3 = s3
        self.bucket = BUCKET
        self.role = ROLE

    def name(self, prefix: str = "thing") -> str:
        return f"{prefix}_{next(_numbers)}"

    def s3_config(self, path: str) -> dict[str, Any]:
        return {"S3Config": {"Path": f"s3://{BUCKET}/{path}", "RoleArn": ROLE}}

    def put(self, key: str, content: str | bytes) -> str:
        """Store an object and give its key."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return key

    def dataset(self, attributes: dict[str, str] | None = None, **options: Any) -> str:
        schema = [{"AttributeName": k, "AttributeType": v} for k, v in (attributes or CUSTOM).items()]
        values = {
            "DatasetName": self.name("dataset"),
            "Domain": "CUSTOM",
            "DatasetType": "TARGET_TIME_SERIES",
            "DataFrequency": "H",
            "Schema": {"Attributes": schema},
        }
        return self.forecast.create_dataset(**{**values, **options})["DatasetArn"]

    def group(self, *datasets: str, **options: Any) -> str:
        values = {"DatasetGroupName": self.name("group"), "Domain": "CUSTOM", "DatasetArns": list(datasets)}
        return self.forecast.create_dataset_group(**{**values, **options})["DatasetGroupArn"]

    def start_import(self, dataset: str, path: str, **options: Any) -> str:
        values = {"DatasetImportJobName": self.name("import"), "DatasetArn": dataset}
        source = self.s3_config(path)
        return self.forecast.create_dataset_import_job(**{**values, "DataSource": source, **options})[
            "DatasetImportJobArn"
        ]

    def imported(self, dataset: str, content: str | bytes, **options: Any) -> dict[str, Any]:
        """Import a file and give the last description of the job, failed or not."""
        arn = self.start_import(dataset, self.put(f"{self.name('data')}/file", content), **options)
        return self.wait(lambda: self.forecast.describe_dataset_import_job(DatasetImportJobArn=arn))

    def filled_group(self, content: str, **options: Any) -> str:
        """Make a group with one imported target time series."""
        dataset = self.dataset(**options)
        assert self.imported(dataset, content)["Status"] == "ACTIVE"
        return self.group(dataset)

    def start_predictor(self, group: str, **options: Any) -> str:
        values: dict[str, Any] = {
            "PredictorName": self.name("predictor"),
            "AlgorithmArn": "arn:aws:forecast:::algorithm/NPTS",
            "ForecastHorizon": 24,
            "InputDataConfig": {"DatasetGroupArn": group},
            "FeaturizationConfig": {"ForecastFrequency": "H"},
        }
        given = {key: value for key, value in {**values, **options}.items() if value is not None}
        return self.forecast.create_predictor(**given)["PredictorArn"]

    def start_auto_predictor(self, group: str, **options: Any) -> str:
        values = {
            "PredictorName": self.name("auto"),
            "ForecastHorizon": 24,
            "ForecastFrequency": "H",
            "DataConfig": {"DatasetGroupArn": group},
        }
        return self.forecast.create_auto_predictor(**{**values, **options})["PredictorArn"]

    def predictor(self, group: str, **options: Any) -> str:
        """Make a predictor and wait until it is trained."""
        arn = self.start_predictor(group, **options)
        described = self.wait(lambda: self.forecast.describe_predictor(PredictorArn=arn))
        assert described["Status"] == "ACTIVE", described
        return arn

    def forecasted(self, predictor: str, **options: Any) -> str:
        """Make a forecast and wait until it is ready."""
        values = {"ForecastName": self.name("forecast"), "PredictorArn": predictor}
        arn = self.forecast.create_forecast(**{**values, **options})["ForecastArn"]
        described = self.wait(lambda: self.forecast.describe_forecast(ForecastArn=arn))
        assert described["Status"] == "ACTIVE", described
        return arn

    def wait(self, describe: Callable[[], dict[str, Any]], seconds: float = 120.0) -> dict[str, Any]:
        """Poll a Describe until its resource is ACTIVE, failed or stopped, and give the last answer."""
        done = ("ACTIVE", "CREATE_FAILED", "CREATE_STOPPED")
        return eventually(lambda: (answer := describe())["Status"] in done and answer, seconds)

    def wait_until_gone(self, delete: Callable[[], Any]) -> None:
        """Delete until there is nothing to delete, as sample notebooks do."""

        def gone() -> bool:
            try:
                delete()
            except self.forecast.exceptions.ResourceNotFoundException:
                return True
            return False

        eventually(gone)


_numbers = itertools.count()
CUSTOM = {"item_id": "string", "timestamp": "timestamp", "target_value": "float"}


@pytest.fixture(scope="session")
def lab(forecast: Any, s3: Any) -> Lab:
    return Lab(forecast, s3)


@pytest.fixture(scope="session")
def new_lab(s3: Any) -> Callable[[RunningServer], Lab]:
    """Give a lab at a server of one's own."""
    return lambda server: Lab(server.client(), s3)


@pytest.fixture(scope="session")
def new_server(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunningServer]:
    """Give a server of one's own, not started yet."""
    return lambda **variables: RunningServer(tmp_path_factory.mktemp("forecastd"), s3_url, variables)


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Give `eventually` to tests."""
    return eventually


def _hourly(items: int = 2, days: int = 10, start: str = "2024-01-01") -> str:
    times = pd.date_range(start, periods=24 * days, freq="h")
    lines = [
        f"item_{item},{time:%Y-%m-%d %H:%M:%S},{10 * (item + 1) + time.hour % 24 + time.day % 3}"
        for item in range(items)
        for time in times
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def hourly() -> Callable[..., str]:
    """Make hourly demand with a daily rhythm, without chance: (items, days, start) -> CSV."""
    return _hourly
