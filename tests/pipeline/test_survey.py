"""Which workloads lie in a bucket."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pipeline.survey import survey

KEYS = [
    "params.json",
    "train/a.csv",
    "train/deep/b.csv",
    "train/.hidden",
    "related/r.csv",
    "shop/params.json",
    "shop/train/a.csv",
    "shop/forecast/x/params.json",
    "shop/history/raw/x/train/part0.csv",
    "shop/runs/x/input/train/a.csv",
    "shop/runs/params.json",
    "shop/berlin/north/params.json",
    "shop/berlin/north/train/a.csv",
    "no-data/params.json",
    "no-data/metadata/m.csv",
    "no-params/train/a.csv",
    "hidden-only/params.json",
    "hidden-only/train/_x.csv",
    "odd//params.json",
    "odd//train/ü \n.csv",
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="demand")
        for key in KEYS:
            client.put_object(Bucket="demand", Key=key, Body=key.encode())
        yield client


def test_every_folder_with_a_configuration_and_data_is_found(s3: Any) -> None:
    assert [found.workload.folder for found in survey(s3, "demand")] == [
        "",
        "odd//",
        "shop/",
        "shop/berlin/north/",
    ]


def test_inputs_are_those_of_the_workload_alone(s3: Any) -> None:
    root = next(iter(survey(s3, "demand")))
    assert {(one.role, one.key) for one in root.inputs} == {
        ("params", "params.json"),
        ("train", "train/a.csv"),
        ("train", "train/deep/b.csv"),
        ("related", "related/r.csv"),
    }


def test_a_configuration_in_a_folder_called_like_a_prefix_is_found(s3: Any) -> None:
    s3.put_object(Bucket="demand", Key="related/params.json", Body=b"{}")
    s3.put_object(Bucket="demand", Key="related/train/a.csv", Body=b"x")
    root, *others = survey(s3, "demand")
    assert root.misplaced == ("related/params.json",)
    assert not any(other.misplaced for other in others)


def test_the_newest_input_is_the_one_written_last(s3: Any) -> None:
    s3.put_object(Bucket="demand", Key="train/a.csv", Body=b"again")
    root = next(iter(survey(s3, "demand")))
    newest = max(root.inputs, key=lambda one: one.written)
    assert root.newest.written == newest.written
    assert root.newest.etag == next(one.etag for one in root.inputs if one.key == root.newest.key)
