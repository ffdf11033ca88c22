"""A whole stack in a folder of its own, with clients that ask it, and a small workload."""

import io
import json
import math
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from local import stack as control
from local.run_view import Run, RunView
from local.settings import BUCKET, Settings

ROOT = Path(__file__).resolve().parents[2]
RUN_S = 300


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def daily(
    items: int = 3, days: int = 90, start: str = "2026-01-01", seed: int = 1, prefix: str = "item"
) -> bytes:
    """A small daily demand: a weekly rhythm, a trend and noise."""
    source = random.Random(seed)
    first = datetime.fromisoformat(start)
    out = io.StringIO()
    out.write("timestamp,target_value,item_id\n")
    for item in range(items):
        for day in range(days):
            value = 50 + 10 * item + 8 * math.sin(2 * math.pi * day / 7) + 0.1 * day + source.gauss(0, 2)
            out.write(f"{(first + timedelta(days=day)):%Y-%m-%d},{value:.2f},{prefix}_{item}\n")
    return out.getvalue().encode()


def params(**changes: Any) -> dict[str, Any]:
    """A workload that trains in seconds: daily, a week ahead, one classic algorithm."""
    attributes = [("timestamp", "timestamp"), ("target_value", "float"), ("item_id", "string")]
    usual = {
        "DatasetGroup": {"DatasetGroupName": "small_group", "Domain": "CUSTOM"},
        "Datasets": [
            {
                "DatasetName": "small_target",
                "Domain": "CUSTOM",
                "DatasetType": "TARGET_TIME_SERIES",
                "DataFrequency": "D",
                "Schema": {
                    "Attributes": [
                        {"AttributeName": name, "AttributeType": kind} for name, kind in attributes
                    ]
                },
            }
        ],
        "Predictor": {
            "PredictorName": "small_predictor",
            "ForecastHorizon": 7,
            "AlgorithmArn": "arn:aws:forecast:::algorithm/ETS",
            "FeaturizationConfig": {"ForecastFrequency": "D"},
        },
        "Forecast": {"ForecastName": "small_forecast", "ForecastTypes": ["0.1", "0.5", "0.9"]},
        "TimestampFormat": "yyyy-MM-dd",
        "PerformDelete": False,
    }
    return {**usual, **changes}


@dataclass
class Stack:
    """A running stack."""

    settings: Settings

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.settings.aws_url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    @property
    def view(self) -> RunView:
        return RunView(self.settings.prefect_url)

    def put(self, key: str, body: bytes | dict[str, Any]) -> datetime:
        """Upload; returns a moment just before."""
        before = datetime.now(UTC)
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)
        return before

    def workload(
        self, folder: str, given: dict[str, Any] | None = None, data: bytes | None = None
    ) -> list[Run]:
        """Upload a params.json and a first file, and wait for what they start."""
        since = self.put(f"{folder}params.json", given or params())
        self.put(f"{folder}train/a.csv", data if data is not None else daily())
        return self.ended(folder, since)

    def upload(self, key: str, body: bytes | dict[str, Any], folder: str) -> list[Run]:
        """Upload one object and wait for what it starts."""
        return self.ended(folder, self.put(key, body))

    def ended(self, folder: str, since: datetime) -> list[Run]:
        """The runs that a workload's uploads started, when all have ended and no message is left."""
        return until(lambda: self._all_ended(folder, since), f"runs of {folder} to end")

    def _all_ended(self, folder: str, since: datetime) -> list[Run] | None:
        runs = self.view.runs_since(BUCKET, folder, since)
        return runs if runs and all(run.is_final for run in runs) and self._is_quiet() else None

    def _is_quiet(self) -> bool:
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName="forecast-uploads")["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(int(found[name]) == 0 for name in names)

    def json(self, key: str) -> Any:
        s3 = self.client("s3")
        try:
            return json.load(s3.get_object(Bucket=BUCKET, Key=key)["Body"])
        except s3.exceptions.NoSuchKey:
            return None

    def manifest(self, folder: str) -> Any:
        """What is published now."""
        return self.json(f"{folder}forecast/manifest.json")

    def forecast(self, folder: str) -> list[str]:
        """The lines of the published forecast."""
        manifest = self.manifest(folder)
        key = f"{folder}forecast/{manifest['run']}/{manifest['files'][0]}"
        body = self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body.decode().splitlines()

    def keys(self, prefix: str) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def mails(self) -> list[str]:
        return [path.read_text() for path in sorted(self.settings.outbox.glob("*.txt"))]

    def set_state(self, run: Run, state: str, name: str | None = None) -> None:
        """Do to a run what a person does in the UI: CANCELLING cancels it, SCHEDULED runs it again."""
        told = {"state": {"type": state, **({"name": name} if name else {})}}
        request = urllib.request.Request(
            f"{self.settings.prefect_url}/api/flow_runs/{run.id}/set_state",
            json.dumps(told).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["status"] == "ACCEPT"

    def pid(self, part: str) -> int:
        return int(control.status(self.settings)["parts"][part]["pid"])


def until(found: Callable[[], Any], what: str, seconds: float = RUN_S) -> Any:
    """The first true answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.3)  # other processes do the work
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


def run_local(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m local …` on this stack."""
    environment = {**os.environ, **settings.exports()}
    command = [sys.executable, "-m", "local", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
