"""A forecastd of its own beside an S3 of its own, on free ports, and what its jobs cost.

    with Service(workers=2) as service:
        service.put("data/file.csv", path)
        costs = service.walk(Walk(...))     # import, training, forecast, export: one Cost per stage

Costs are those of the server and its workers, without S3 and without the client: CPU time of all their
processes, dead ones included, and the most memory that they used together at any moment of a stage
(proportional set size: pages that several processes share count once).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

BUCKET = "bench"
ROLE = "arn:aws:iam::000000000000:role/bench"
ROOT = Path(__file__).parents[1]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}
TICKS = os.sysconf("SC_CLK_TCK")
LOOK_EVERY_S = 0.5  # each look costs the server some milliseconds, which are measured too
MEASURE_EVERY_S = 0.25
FINAL = ("ACTIVE", "CREATE_FAILED", "CREATE_STOPPED")


@dataclass(frozen=True)
class Cost:
    """What one stage took."""

    stage: str
    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True)
class Walk:
    """One target time series on its way through the API."""

    path: str  # of the data in the bucket: a key or a folder
    schema: Mapping[str, str]  # attribute -> type, in the order of the columns
    frequency: str
    timestamp_format: str
    horizon: int
    options: Mapping[str, Any] = field(default_factory=dict)  # further ones of CreateAutoPredictor


class Service:
    """Server, workers and S3 for as long as the block lasts."""

    def __init__(self, workers: int = 2, variables: Mapping[str, str] | None = None) -> None:
        self._workers = workers
        self._variables = {"FORECASTD_ENFORCE_QUOTAS": "no", **(variables or {})}
        self._processes: list[subprocess.Popen[str]] = []  # S3, then the server
        self.arns: dict[str, str] = {}  # of the newest walk, by stage
        self._folder = tempfile.TemporaryDirectory(prefix="forecastd-bench-")

    def __enter__(self) -> Service:
        try:
            return self._started()
        except BaseException:
            self.__exit__()
            raise

    def _started(self) -> Service:
        s3_url = self._start([sys.executable, "-c", _S3_SERVER], {})
        command = [sys.executable, "-m", "forecastd", "--log-level", "warning", "serve", "--port", "0"]
        command += ["--workers", str(self._workers), "--data-dir", self._folder.name]
        line = self._start(command, {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": s3_url, **self._variables})
        url = f"http://127.0.0.1:{line.rpartition(':')[2]}"
        session = boto3.Session("local", "local", region_name="us-east-1")
        self.s3 = session.client("s3", endpoint_url=s3_url)
        self.forecast = session.client("forecast", endpoint_url=url)
        self.query = session.client("forecastquery", endpoint_url=url)
        self.s3.create_bucket(Bucket=BUCKET)
        return self

    def __exit__(self, *exception: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        self._folder.cleanup()

    def _start(self, command: list[str], variables: Mapping[str, str]) -> str:
        """Start a process, and give the first line that it prints."""
        environment = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **variables}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{' '.join(command[:4])} did not start")
        return line

    @property
    def pid(self) -> int:
        """The process id of the server, below which its workers are."""
        return self._processes[-1].pid

    def put(self, key: str, path: Path) -> None:
        """Upload a file."""
        self.s3.upload_file(str(path), BUCKET, key)

    def warm_up(self, seconds: float = 60.0) -> None:
        """Wait until idle workers have loaded their libraries: until they stop using the processor."""
        before, give_up_at = -1.0, time.monotonic() + seconds
        while (now := _cpu_s(self.pid)) > before + 0.02 and time.monotonic() < give_up_at:
            before = now
            time.sleep(1.5)

    def walk(self, walk: Walk) -> Iterator[Cost]:
        """Import, train, forecast and export, one after the other, and tell what each took."""
        group, arn = self._group(walk), ""
        for stage, create, describe, argument in self._stages(walk, group):
            cost, arn = self._timed(stage, create, describe, argument, arn)
            self.arns[stage] = arn
            yield cost

    def ask(self, filters: Mapping[str, str]) -> Cost:
        """Query one series of the newest forecast."""
        with Meter(self.pid) as meter:
            self.query.query_forecast(ForecastArn=self.arns["forecast"], Filters=dict(filters))
        return Cost("query", meter.wall_s, meter.cpu_s, meter.peak_mib)

    def _stages(self, walk: Walk, group: Mapping[str, str]) -> list[tuple[str, Any, Any, str]]:
        """Name, create call given the ARN before it, describe call and its argument."""
        api = self.forecast
        source = {"S3Config": {"Path": f"s3://{BUCKET}/{walk.path}", "RoleArn": ROLE}}
        target = {"S3Config": {"Path": f"s3://{BUCKET}/export/{group['name']}", "RoleArn": ROLE}}
        return [
            (
                "import",
                lambda _: api.create_dataset_import_job(
                    DatasetImportJobName=group["name"],
                    DatasetArn=group["dataset"],
                    DataSource=source,
                    TimestampFormat=walk.timestamp_format,
                ),
                api.describe_dataset_import_job,
                "DatasetImportJobArn",
            ),
            (
                "train",
                lambda _: api.create_auto_predictor(
                    PredictorName=group["name"],
                    ForecastHorizon=walk.horizon,
                    ForecastFrequency=walk.frequency,
                    DataConfig={"DatasetGroupArn": group["group"]},
                    **walk.options,
                ),
                api.describe_auto_predictor,
                "PredictorArn",
            ),
            (
                "forecast",
                lambda arn: api.create_forecast(ForecastName=group["name"], PredictorArn=arn),
                api.describe_forecast,
                "ForecastArn",
            ),
            (
                "export",
                lambda arn: api.create_forecast_export_job(
                    ForecastExportJobName=group["name"], ForecastArn=arn, Destination=target
                ),
                api.describe_forecast_export_job,
                "ForecastExportJobArn",
            ),
        ]

    def _group(self, walk: Walk) -> dict[str, str]:
        name = f"bench_{time.monotonic_ns()}"
        attributes = [{"AttributeName": n, "AttributeType": kind} for n, kind in walk.schema.items()]
        dataset = self.forecast.create_dataset(
            DatasetName=name,
            Domain="CUSTOM",
            DatasetType="TARGET_TIME_SERIES",
            DataFrequency=walk.frequency,
            Schema={"Attributes": attributes},
        )["DatasetArn"]
        group = self.forecast.create_dataset_group(
            DatasetGroupName=name, Domain="CUSTOM", DatasetArns=[dataset]
        )
        return {"name": name, "dataset": dataset, "group": group["DatasetGroupArn"]}

    def _timed(
        self, stage: str, create: Callable[[str], Any], describe: Any, argument: str, before: str
    ) -> tuple[Cost, str]:
        with Meter(self.pid) as meter:
            arn = create(before)[argument]
            while (answer := describe(**{argument: arn}))["Status"] not in FINAL:
                time.sleep(LOOK_EVERY_S)
        if answer["Status"] != "ACTIVE":
            raise RuntimeError(f"{stage}: {answer['Status']}: {answer.get('Message')}")
        return Cost(stage, meter.wall_s, meter.cpu_s, meter.peak_mib), arn


class Meter:
    """Wall time, and CPU time and memory of a process and all below it, while the block lasts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._end = threading.Event()
        self.peak_mib = 0.0

    def __enter__(self) -> Meter:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._wall, self._cpu = time.perf_counter(), _cpu_s(self._pid)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.wall_s, self.cpu_s = time.perf_counter() - self._wall, _cpu_s(self._pid) - self._cpu
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_mib = max(self.peak_mib, sum(map(_memory_mib, _family(self._pid))))
            if self._end.wait(MEASURE_EVERY_S):
                return


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        children = [
            int(child)
            for path in Path(f"/proc/{pid}/task").glob("*/children")
            for child in path.read_text().split()
        ]
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(child))]


def _cpu_s(pid: int) -> float:
    """CPU seconds of a family, with those of its dead."""
    return sum(map(_own_cpu_s, _family(pid)))


def _own_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS  # utime, stime, and those of children that were waited for


def _memory_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


_S3_SERVER = """
import signal
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
signal.pause()
"""
