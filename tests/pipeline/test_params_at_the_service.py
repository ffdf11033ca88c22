"""What passes the checks of params.json, the service takes: asked of a real server, with random files."""

import contextlib
import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline import params
from pipeline.errors import BadInput
from pipeline.params import Params
from tests.pipeline.conftest import HOURLY, ROLE

CASES = 250
NAMES = (
    "region",
    "Region",
    "type",
    "select",
    "value",
    "STATE",
    "p10",
    "mean",
    "date",
    "x_1",
    "timestamp",
    "a" * 64,
)
TYPES = ("string", "string", "string", "float", "integer", "geolocation", "timestamp")
TAGS = ("team", "team", "aws:x", "AWS:y", "é 1", "a\x00", "#")
ALGORITHMS = ("ETS", "NPTS", "Prophet", "ARIMA", "Profet")
VALUES = ("uniform", "10", "0.5", "0", "-1", "much", "True")
COUNTRIES = ("US", "UK", "KR", "ID", "XX", "us")
MORE = {  # datasets beside the target, by type: their columns
    "RELATED_TIME_SERIES": {"item_id": "string", "timestamp": "timestamp", "price": "float"},
    "ITEM_METADATA": {"item_id": "string", "kind": "string"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The API of a server that takes everything in and does nothing."""
    command = [sys.executable, "-m", "forecastd", "serve", "--port", "0", "--workers", "0", "--data-dir"]
    place = str(tmp_path_factory.mktemp("forecastd"))
    root = Path(__file__).parents[2]
    free = {**os.environ, "FORECASTD_ENFORCE_QUOTAS": "no"}
    with subprocess.Popen([*command, place], cwd=root, env=free, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().rpartition(" ")[2].strip()
        yield boto3.client(
            "forecast",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="t",
            aws_secret_access_key="t",
            config=Config(retries={"max_attempts": 1}),
        )
        server.terminate()


def dataset(kind: str, columns: dict[str, str]) -> dict[str, Any]:
    attributes = [{"AttributeName": name, "AttributeType": type_} for name, type_ in columns.items()]
    return {
        "DatasetName": kind.lower(),
        "Domain": "CUSTOM",
        "DatasetType": kind,
        "DataFrequency": "H",
        "Schema": {"Attributes": attributes},
    }


def add_attribute(document: dict[str, Any], chance: random.Random) -> None:
    columns = chance.choice(document["Datasets"])["Schema"]["Attributes"]
    name = chance.choice(NAMES)
    columns.append({"AttributeName": name, "AttributeType": chance.choice(TYPES)})
    if chance.random() < 0.5:
        settings_of(document)["ForecastDimensions"] = [name]


def add_dataset(document: dict[str, Any], chance: random.Random) -> None:
    kind = chance.choice(list(MORE))
    document["Datasets"].append(dataset(kind, MORE[kind]))


def add_dimensions(document: dict[str, Any], chance: random.Random) -> None:
    columns = document["Datasets"][0]["Schema"]["Attributes"]
    count = chance.choice([3, 9, 10, 11])
    columns += [{"AttributeName": f"d{n}", "AttributeType": "string"} for n in range(count)]


def tag(document: dict[str, Any], chance: random.Random) -> None:
    holder = chance.choice([document["DatasetGroup"], document["Predictor"], *document["Datasets"]])
    holder["Tags"] = [{"Key": chance.choice(TAGS), "Value": chance.choice(TAGS)} for _ in range(2)]


def set_zone(document: dict[str, Any], chance: random.Random) -> None:
    document["TimeZone"] = chance.choice(
        ["Mars/Phobos", "Europe/Berlin", "Europe", "UTC", "EST5EDT", "+01:00"]
    )


def choose_algorithm(document: dict[str, Any], chance: random.Random) -> None:
    prefix = chance.choice(["arn:aws:forecast:::algorithm/"] * 4 + [""])
    document["Predictor"] = {
        "PredictorName": "p",
        "ForecastHorizon": 3,
        "AlgorithmArn": prefix + chance.choice(ALGORITHMS),
        "FeaturizationConfig": {"ForecastFrequency": "H"},
        **chance.choice(
            [
                {},
                {"TrainingParameters": {"kernel_type": chance.choice(VALUES)}},
                {"TrainingParameters": {"exp_kernel_weights": chance.choice(VALUES)}},
                {"TrainingParameters": {"epochs": "10"}},
                {"AutoMLOverrideStrategy": "AccuracyOptimized"},
                {"PerformHPO": True},
            ]
        ),
    }


def set_frequency(document: dict[str, Any], chance: random.Random) -> None:
    frequencies = ["H", "2H", "D", "W", "60min", "30min", "7D", "12M", "\u0663H"]
    settings_of(document)["ForecastFrequency"] = chance.choice(frequencies)
    document["Datasets"][0]["DataFrequency"] = chance.choice(frequencies)


def add_holidays(document: dict[str, Any], chance: random.Random) -> None:
    country, predictor = chance.choice(COUNTRIES), document["Predictor"]
    if "FeaturizationConfig" in predictor:
        predictor["InputDataConfig"] = {"SupplementaryFeatures": [{"Name": "holiday", "Value": country}]}
    else:
        further = {"Name": "holiday", "Configuration": {"CountryCode": [country]}}
        predictor.setdefault("DataConfig", {})["AdditionalDatasets"] = [further]


def settings_of(document: dict[str, Any]) -> dict[str, Any]:
    predictor: dict[str, Any] = document["Predictor"]
    return predictor.get("FeaturizationConfig", predictor)


CHANGES: tuple[Callable[[dict[str, Any], random.Random], None], ...] = (
    add_attribute, add_attribute, add_dataset, add_dimensions, tag, set_zone, choose_algorithm, set_frequency,
    add_holidays,
)  # fmt: skip


def ask(service: Any, given: Params, number: int) -> None:
    """Create all that a run creates before it trains.

    Raises:
        ClientError: the service refuses something.
    """
    arns = []
    for spec in given.datasets:
        request = given.create_dataset_request(spec.type, f"n{number}_{spec.role}")
        arns.append(service.create_dataset(**request)["DatasetArn"])
        path = f"s3://demand/{spec.role}/"
        service.create_dataset_import_job(
            **given.create_import_request(spec.type, f"n{number}", arns[-1], path, ROLE, "CSV")
        )
    group = service.create_dataset_group(**given.create_dataset_group_request(f"n{number}", arns))
    create = service.create_auto_predictor if given.auto else service.create_predictor
    with contextlib.suppress(service.exceptions.ResourceInUseException):  # nobody imports here
        create(**given.create_predictor_request(f"n{number}", group["DatasetGroupArn"]))


def test_what_passes_the_checks_is_taken_by_the_service(service: Any) -> None:
    chance = random.Random(7)
    taken = 0
    for number in range(CASES):
        document: dict[str, Any] = copy.deepcopy(HOURLY)
        for _ in range(chance.randint(1, 3)):
            chance.choice(CHANGES)(document, chance)
        try:
            given = params.load(json.dumps(document).encode())
        except BadInput:
            continue
        try:
            ask(service, given, number)
        except ClientError as error:
            pytest.fail(f"{error.response['Error']['Message']}\n{json.dumps(document)}")
        taken += 1
    assert CASES / 10 < taken < CASES, "some pass, and some do not"
