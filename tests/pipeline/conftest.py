"""What the tests of the pipeline share: AWS in the process, configurations, a fake forecasting service."""

import copy
import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto import mock_aws

from pipeline import domains
from pipeline.params import Params, load
from pipeline.workload import Workload

BUCKET = "demand"
ROLE = "arn:aws:iam::000000000000:role/forecast"
HOURLY = {
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
    "Predictor": {"PredictorName": "shop_predictor", "ForecastHorizon": 3, "ForecastFrequency": "H"},
    "Forecast": {"ForecastName": "shop_forecast", "ForecastTypes": ["0.1", "0.5", "mean"]},
    "TimestampFormat": "yyyy-MM-dd HH:mm:ss",
}


@pytest.fixture
def document() -> dict[str, Any]:
    """A valid configuration to change."""
    return copy.deepcopy(HOURLY)


@pytest.fixture
def make_params() -> Callable[..., Params]:
    """A valid configuration; arguments change it by path: `**{"Predictor.ForecastHorizon": 5}`."""

    def make(**changes: Any) -> Params:
        changed = copy.deepcopy(HOURLY)
        for path, value in changes.items():
            set_at(changed, path, value)
        return load(json.dumps(changed).encode())

    return make


def set_at(document: Any, path: str, value: Any) -> None:
    """Sets a member by its path, or removes it if the value is `...`."""
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in parents:
        document = document[step]
    if value is ...:
        del document[last]
    else:
        document[last] = value


@pytest.fixture
def change() -> Callable[[Any, str, Any], None]:
    return set_at


@pytest.fixture
def domain_params(document: dict[str, Any]) -> Callable[..., Params]:
    """A configuration of a domain, the target's columns in the given order, with forecast dimensions."""

    def make(domain: str, dimensions: list[str], order: list[str] | None = None) -> Params:
        own = domains.DOMAINS[domain]
        types = {own.item_key: "string", "timestamp": "timestamp", own.target: "float"}
        types |= dict.fromkeys(dimensions, "string")
        names = order or list(types)
        document["DatasetGroup"]["Domain"] = domain
        dataset = document["Datasets"][0]
        dataset["Domain"] = domain
        attributes = [{"AttributeName": name, "AttributeType": types[name]} for name in names]
        dataset["Schema"]["Attributes"] = attributes
        if dimensions:
            document["Predictor"]["ForecastDimensions"] = dimensions
        return load(json.dumps(document).encode())

    return make


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """AWS in this process; no test reaches a real one."""
    kept = dict(os.environ)
    os.environ |= {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        del os.environ[name]
    with mock_aws():
        yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(scope="module")
def s3_client(aws: None) -> Any:
    """One client for a module: making one takes longer than most tests."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def s3(s3_client: Any) -> Any:
    """S3 with an empty bucket."""
    for entry in s3_client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3_client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    return s3_client


@pytest.fixture
def workload() -> Workload:
    return Workload(BUCKET, "shop/")


@pytest.fixture
def put(s3: Any, workload: Workload) -> Callable[[str, bytes], None]:
    """Writes an object of the workload."""

    def write(rel: str, body: bytes) -> None:
        s3.put_object(Bucket=workload.bucket, Key=workload.key(rel), Body=body)

    return write


@pytest.fixture
def snapshot(s3: Any) -> Callable[[], dict[str, bytes]]:
    """All objects of the bucket with their content."""

    def take() -> dict[str, bytes]:
        listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {e["Key"]: s3.get_object(Bucket=BUCKET, Key=e["Key"])["Body"].read() for e in listed}

    return take


def hours(count: int, items: tuple[str, ...] = ("a", "b"), start: str = "2024-01-01") -> str:
    """CSV lines of hourly rows: timestamp, value, item."""
    begin = dt.datetime.fromisoformat(start)
    lines = [
        f"{begin + dt.timedelta(hours=hour)},{hour + place}.5,{item}"
        for place, item in enumerate(items)
        for hour in range(count)
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def hourly_csv() -> Callable[..., str]:
    return hours


class FakeForecast:
    """A forecasting service with the rules that matter to its clients: names, states, parents, deletions.

    Requests are validated against the API's model, as the real client does. New resources are in the
    states of `next_states`, one per question, and stay in the last.
    """

    def __init__(self, real: Any) -> None:
        self.meta, self.exceptions = real.meta, real.exceptions
        self.resources: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.next_states: list[str] = ["ACTIVE"]
        self.lose_answer_of: set[str] = set()
        self._clock = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = "".join(word.capitalize() for word in name.split("_"))
        verb, _, stem = name.partition("_")

        def call(**request: Any) -> Any:
            self.calls.append(operation)
            self._validate(operation, request)
            return getattr(self, f"_{verb}")(stem, operation, request)

        if verb not in ("create", "describe", "delete", "update"):
            raise AttributeError(name)
        return call

    def _validate(self, operation: str, request: dict[str, Any]) -> None:
        shape = self.meta.service_model.operation_model(operation).input_shape
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()

    def _create(self, stem: str, operation: str, request: dict[str, Any]) -> Any:
        member = stem.replace("auto_", "").title().replace("_", "")
        arn = self._arn(stem, request, member)
        if any(entry["name"] == arn.split("|")[0] for entry in self.resources.values()):
            raise fault("ResourceAlreadyExistsException", operation, f"exists: {arn}")
        self._clock += 1
        moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=self._clock)
        own = arn.replace("|", "")
        self.resources[own] = {
            "name": arn.split("|")[0],
            "stem": stem,
            "states": list(self.next_states),
            "described": {
                **request,
                f"{member}Arn": own,
                "CreationTime": moment,
                "LastModificationTime": moment,
            },
        }
        if operation in self.lose_answer_of:
            self.lose_answer_of.discard(operation)
            raise fault("ServiceUnavailable", operation, "the answer was lost", 503)
        return {f"{member}Arn": own}

    def _arn(self, stem: str, request: dict[str, Any], member: str) -> str:
        parents = {"dataset_import_job": "DatasetArn", "forecast_export_job": "ForecastArn"}
        parent = [request[parents[stem]].rsplit("/", 1)[-1]] if stem in parents else []
        path = "/".join([*parent, request[f"{member}Name"]])
        ulid = "|_01G3S1G876GRBAV467GCM9H53Q" if stem == "auto_predictor" else ""
        word = stem.replace("auto_", "").replace("_", "-")
        return f"arn:aws:forecast:us-east-1:000000000000:{word}/{path}{ulid}"

    def _find(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        arn = next(value for key, value in request.items() if key.endswith("Arn"))
        if arn not in self.resources:
            raise fault("ResourceNotFoundException", operation, f"No resource found {arn}")
        return self.resources[arn]

    def _describe(self, stem: str, operation: str, request: dict[str, Any]) -> Any:
        found = self._find(operation, request)
        if found["stem"] != stem:
            raise fault("InvalidInputException", operation, "the other kind of predictor")
        states = found["states"]
        status = states.pop(0) if len(states) > 1 else states[0]
        return {**found["described"], "Status": status, "Message": "too little data"}

    def _delete(self, stem: str, operation: str, request: dict[str, Any]) -> None:
        self._find(operation, request)
        arn = next(iter(request.values()))
        if any(arn in entry["described"].values() and own != arn for own, entry in self.resources.items()):
            raise fault("ResourceInUseException", operation, "it has children")
        del self.resources[arn]

    def _update(self, stem: str, operation: str, request: dict[str, Any]) -> Any:
        self._find(operation, request)["described"].update(request)
        return {}

    def get_paginator(self, call: str) -> Any:
        stem = {"list_predictors": "predictor", "list_dataset_import_jobs": "dataset_import_job"}[call]
        member = stem.title().replace("_", "")

        class Pages:
            @staticmethod
            def paginate(Filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
                for entry in self.resources.values():
                    if entry["stem"].replace("auto_", "") != stem:
                        continue
                    own = {**entry["described"], "Status": entry["states"][-1]}
                    own.setdefault("DatasetGroupArn", _group_of(own))
                    if all(own.get(f["Key"]) == f["Value"] for f in Filters):
                        yield {f"{member}s": [own]}

        return Pages


def _group_of(described: dict[str, Any]) -> str | None:
    data = described.get("DataConfig") or described.get("InputDataConfig") or {}
    return data.get("DatasetGroupArn")


def fault(code: str, operation: str = "Anything", message: str = "", status: int = 400) -> ClientError:
    """An error as boto3 raises it."""
    metadata = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, operation)


@pytest.fixture
def aws_fault() -> Callable[..., ClientError]:
    return fault


@pytest.fixture(scope="module")
def real_client(aws: None) -> Any:
    return boto3.client("forecast")


@pytest.fixture
def forecast(real_client: Any) -> FakeForecast:
    return FakeForecast(real_client)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pauses(clock: Clock) -> dict[str, Any]:
    """Arguments that make waiting instant; half of the random range is the pause itself."""
    return {"clock": clock, "sleep": clock.sleep, "random": lambda: 0.5}


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data sets, where there are any."""
    place = os.environ.get("FORECAST_DATA")
    if not place or not Path(place).is_dir():
        pytest.skip("FORECAST_DATA names no folder with data sets")
    return Path(place)
