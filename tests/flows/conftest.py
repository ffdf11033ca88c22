"""One Prefect server and one S3, SNS, Glue and CloudWatch for all tests of this folder."""

import copy
import functools
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from tests import moto_server
from tests.flows.fake_forecast import FakeForecast
from tests.prefect_database import migrated_database

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

PARAMS = {
    "DatasetGroup": {"DatasetGroupName": "shop", "Domain": "CUSTOM"},
    "Datasets": [
        {
            "DatasetName": "shop_target",
            "Domain": "CUSTOM",
            "DatasetType": "TARGET_TIME_SERIES",
            "DataFrequency": "H",
            "Schema": {
                "Attributes": [
                    {"AttributeName": "timestamp", "AttributeType": "timestamp"},
                    {"AttributeName": "target_value", "AttributeType": "float"},
                    {"AttributeName": "item_id", "AttributeType": "string"},
                ]
            },
        }
    ],
    "Predictor": {"PredictorName": "shop_predictor", "ForecastHorizon": 6, "ForecastFrequency": "H"},
    "Forecast": {"ForecastName": "shop_forecast", "ForecastTypes": ["0.1", "0.5", "0.9"]},
    "TimestampFormat": "yyyy-MM-dd HH:mm:ss",
    "PerformDelete": False,
    "Drift": {"MostShiftedItems": False},  # the forecasts of the service in memory are far off
}


@pytest.fixture(autouse=True)
def silent_runs_are_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconciliation gives runs without a sign of life no time to answer; tests end no waiting run."""
    monkeypatch.setattr("flows.revival.TIME_TO_ANSWER_S", 0.0)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """An ephemeral Prefect server with a database and a result store of its own."""
    import prefect.client.base as client
    import prefect.testing.utilities as testing
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_LOCAL_STORAGE_PATH,
        PREFECT_LOGGING_COLORS,
        temporary_settings,
    )

    from blocks.installation import Installation

    template = migrated_database()

    def seeded() -> str:
        folder = tempfile.mkdtemp()
        shutil.copy(template, Path(folder) / "prefect-test.db")
        return folder

    settings = {
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # its thread ends up to a second after the run
        PREFECT_LOGGING_COLORS: False,
    }
    with (
        tempfile.TemporaryDirectory() as results,
        temporary_settings({**settings, PREFECT_LOCAL_STORAGE_PATH: results}),
        patch.object(testing, "mkdtemp", seeded),
        # SQLite that is busy is a 503, and the client's first patience two seconds.
        patch.object(client, "clamped_poisson_interval", lambda *_: 0.2),
        patch.object(Installation, "model_json_schema", remembered(Installation.model_json_schema)),
        testing.prefect_test_harness(server_startup_timeout=120),
    ):
        yield


def remembered(function: Callable[..., Any]) -> "staticmethod[..., Any]":
    """The function, at work once for the same arguments; each caller gets a result of its own."""
    known = functools.cache(function)
    return staticmethod(lambda *args, **kwargs: copy.deepcopy(known(*args, **kwargs)))


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The address of a stand-in for the AWS services, with the environment pointing to it."""
    with moto_server.serve() as url, pytest.MonkeyPatch.context() as patched:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_FORECAST"):
            patched.delenv(name, raising=False)
        patched.setenv("AWS_ENDPOINT_URL", url)
        patched.setenv("AWS_ACCESS_KEY_ID", "test")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield url


class Site:
    """A bucket with one workload, an installation block for it, and a forecasting service to steer."""

    def __init__(self, forecast: FakeForecast | None = None) -> None:
        from blocks.installation import Installation

        self.name = f"site-{uuid.uuid4().hex[:8]}"
        self.s3 = shared("s3")
        self.s3.create_bucket(Bucket=self.name)
        self.forecast = forecast or FakeForecast(self.s3)
        self.sqs, self.inbox, topic = _subscribed(self.name)
        self.place = Installation(
            bucket=self.name,
            role_arn="arn:aws:iam::000000000000:role/forecast",
            topic_arn=topic,
            database=f"forecast_{self.name[5:]}",
        )
        self.place.save(self.name, overwrite=True)

    # -- what a user does

    def put(self, key: str, text: str) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=text.encode())

    def configure(self, folder: str = "", **changes: Any) -> None:
        self.put(f"{folder}params.json", json.dumps({**PARAMS, **changes}))

    def upload(self, key: str = "train/demand.csv", days: int = 4, items: str = "ab") -> None:
        self.put(key, demand(days, items))

    def run(self, key: str | None = "train/demand.csv", **parameters: Any) -> Any:
        """Run the flow for an upload; the final state."""
        from flows.forecast import forecast_workload

        return forecast_workload(
            bucket=self.name, key=key, installation=self.name, return_state=True, **parameters
        )

    # -- what a user finds

    def keys(self, prefix: str = "") -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in listed]

    def text(self, key: str) -> str:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()

    def manifest(self) -> dict[str, Any]:
        return json.loads(self.text("forecast/manifest.json"))

    def record(self, run: str) -> dict[str, Any]:
        return json.loads(self.text(f"runs/{run}/manifest.json"))

    def published(self) -> list[str]:
        """The lines of the published forecast."""
        run = self.manifest()["run"]
        return self.text(f"forecast/{run}/forecast.csv").splitlines()

    def mail(self) -> list[dict[str, str]]:
        """The notices that came since the last look."""
        found = self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]


def _subscribed(name: str) -> tuple[Any, str, str]:
    """A topic, and a queue that receives what is published to it."""
    sns, sqs = shared("sns"), shared("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    inbox = sqs.create_queue(QueueName=name)["QueueUrl"]
    names = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=names["QueueArn"])
    return sqs, inbox, topic


def demand(days: int, items: str = "ab") -> str:
    """Hourly demand of a few items, with a header line."""
    lines = ["timestamp,target_value,item_id"]
    for item in items:
        for hour in range(24 * days):
            day, clock = divmod(hour, 24)
            lines.append(f"2024-01-{day + 1:02} {clock:02}:00:00,{5 + clock % 7},{item}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def site(
    prefect_server: None, aws: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Site:
    """A workload with data and a configuration, whose forecasting service is the one in memory.

    Drawing takes longer than the rest of such a small run; it is done for tests marked `draws` only.
    """
    from blocks.installation import Installation
    from pipeline import chart

    if "draws" not in request.keywords:
        monkeypatch.setattr(chart, "fan_chart", lambda *_, **__: b"PNG")

    made = Site()
    made.configure()
    made.upload()
    monkeypatch.setattr(
        Installation, "client", lambda _, service: made.forecast if service == "forecast" else shared(service)
    )
    return made


@functools.cache
def shared(service: str) -> Any:
    """One client per service for all tests: making one takes longer than most tests."""
    return boto3.client(service)
