"""Operations without a server, where a clock or a setting matters."""

from pathlib import Path
from typing import Any

import pytest

from forecastd.errors import (
    ApiError,
    InvalidNextToken,
    LimitExceeded,
    NotImplementedYet,
    ResourceInUse,
    ResourceNotFound,
)
from forecastd.operations.context import Context
from forecastd.operations.naming import make_ulid
from forecastd.operations.service import Service
from forecastd.settings import Settings
from forecastd.spec import load_spec
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record

SCHEMA = {
    "Attributes": [
        {"AttributeName": "item_id", "AttributeType": "string"},
        {"AttributeName": "timestamp", "AttributeType": "timestamp"},
        {"AttributeName": "target_value", "AttributeType": "float"},
    ]
}
SOURCE = {"S3Config": {"Path": "s3://bucket/x", "RoleArn": "arn:aws:iam::000000000000:role/forecast"}}


class Desk:
    """A service, its store, and a clock that stands still until it is moved."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.time = 1_700_000_000.0
        self.settings = Settings(data_dir=folder, **settings)
        self.store = Store(self.settings.database_path, lambda: self.time)
        self.service = Service(Context(self.store, Blobs(folder), self.settings, load_spec()))

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        return self.service.call(operation, arguments) or {}

    def dataset(self, name: str = "d") -> str:
        return self.call(
            "CreateDataset",
            DatasetName=name,
            Domain="CUSTOM",
            DatasetType="TARGET_TIME_SERIES",
            Schema=SCHEMA,
        )["DatasetArn"]

    def start_import(self, dataset: str, name: str = "i") -> str:
        arguments = {"DatasetImportJobName": name, "DatasetArn": dataset, "DataSource": SOURCE}
        return self.call("CreateDatasetImportJob", **arguments)["DatasetImportJobArn"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_operation_that_is_not_offered_is_named(desk: Desk) -> None:
    with pytest.raises(NotImplementedYet, match="CreateMonitor is an operation of Amazon Forecast"):
        desk.call("CreateMonitor")


def test_a_token_is_good_for_a_day(desk: Desk) -> None:
    desk.dataset("a")
    desk.dataset("b")
    token = desk.call("ListDatasets", MaxResults=1)["NextToken"]
    desk.time += 24 * 3600 - 1
    assert desk.call("ListDatasets", NextToken=token)["Datasets"]
    desk.time += 2
    with pytest.raises(InvalidNextToken):
        desk.call("ListDatasets", NextToken=token)


def test_a_token_survives_new_resources_without_repeating_or_missing_any(desk: Desk) -> None:
    first = [desk.dataset(name) for name in "abc"]
    page = desk.call("ListDatasets", MaxResults=2)
    desk.dataset("d")
    rest = desk.call("ListDatasets", MaxResults=2, NextToken=page["NextToken"])
    listed = [entry["DatasetArn"] for entry in (*page["Datasets"], *rest["Datasets"])]
    assert listed == first[::-1]


def test_every_export_has_a_second_of_its_own_for_the_names_of_its_files(desk: Desk) -> None:
    for name in ("f1", "f2"):
        desk.store.insert(
            Record(f"arn:{name}", "Forecast", name, "ACTIVE", created=desk.time, modified=desk.time)
        )

    def second(forecast: str) -> int:
        arn = desk.call(
            "CreateForecastExportJob",
            ForecastExportJobName="daily",
            ForecastArn=forecast,
            Destination=SOURCE,
        )["ForecastExportJobArn"]
        record = desk.store.get(arn)
        assert record is not None
        return record.plan["second"] - int(desk.time)

    assert (second("arn:f1"), second("arn:f2")) == (0, 1)


@pytest.mark.parametrize(("is_removed", "error"), [(False, ResourceInUse), (True, ResourceNotFound)])
def test_a_forecast_that_is_deleted_while_it_is_queried_is_told_as_any_deleted_one(
    tmp_path: Path, is_removed: bool, error: type[ApiError]
) -> None:
    desk = Desk(tmp_path)

    class Emptied(Blobs):
        """Deletes the forecast when its values are asked for."""

        def folder(self, blob: str) -> Path:
            if is_removed:
                desk.store.remove("arn:f")
            else:
                desk.store.update("arn:f", status="DELETE_IN_PROGRESS")
            return super().folder(blob)

    service = Service(Context(desk.store, Emptied(tmp_path), desk.settings, load_spec()))
    desk.store.insert(Record("arn:f", "Forecast", "f", "ACTIVE", created=1.0, modified=1.0, blob="none"))
    with pytest.raises(error, match="arn:f"):
        service.call("QueryForecast", {"ForecastArn": "arn:f", "Filters": {"item_id": "a"}})


def test_the_modification_time_of_a_running_job_is_now(desk: Desk) -> None:
    dataset = desk.dataset()
    job = desk.start_import(dataset)

    def times(operation: str, **arn: str) -> tuple[float, float]:
        described = desk.call(operation, **arn)
        return described["CreationTime"], described["LastModificationTime"]

    created = desk.time
    desk.time += 5
    assert times("DescribeDatasetImportJob", DatasetImportJobArn=job) == (created, created)
    desk.store.claim("w", 60)
    assert times("DescribeDatasetImportJob", DatasetImportJobArn=job) == (created, desk.time)
    assert times("DescribeDataset", DatasetArn=dataset) == (created, desk.time)
    desk.store.settle(job, "w", "ACTIVE")
    ended = desk.time
    desk.time += 5
    assert times("DescribeDatasetImportJob", DatasetImportJobArn=job) == (created, ended)
    assert times("DescribeDataset", DatasetArn=dataset) == (created, ended)


def test_the_time_left_is_told_in_whole_minutes_while_the_job_runs(desk: Desk) -> None:
    job = desk.start_import(desk.dataset())
    desk.store.claim("w", 60)
    desk.store.estimate(job, "w", 61.0)
    described = desk.call("DescribeDatasetImportJob", DatasetImportJobArn=job)
    assert described["EstimatedTimeRemainingInMinutes"] == 2


def test_a_strict_server_keeps_a_dataset_that_has_imports(tmp_path: Path) -> None:
    desk = Desk(tmp_path, strict_deletes=True)
    dataset = desk.dataset()
    job = desk.start_import(dataset)
    desk.store.claim("w", 60)
    desk.store.settle(job, "w", "ACTIVE")
    with pytest.raises(ResourceInUse, match="1 resources depend on"):
        desk.call("DeleteDataset", DatasetArn=dataset)


def test_a_running_import_keeps_its_dataset(desk: Desk) -> None:
    dataset = desk.dataset()
    desk.start_import(dataset)
    with pytest.raises(ResourceInUse, match="is CREATE_PENDING; wait until it is done"):
        desk.call("DeleteDataset", DatasetArn=dataset)
    with pytest.raises(ResourceInUse):
        desk.call("DeleteResourceTree", ResourceArn=dataset)


def test_quotas_can_be_changed_and_switched_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "a", quotas={"Dataset.total": 1})
    desk.dataset("a")
    with pytest.raises(LimitExceeded, match="Quota limit of 1 datasets has been reached"):
        desk.dataset("b")
    free = Desk(tmp_path / "b", quotas={"Dataset.total": 1}, enforce_quotas=False)
    free.dataset("a")
    free.dataset("b")


def test_ulids_sort_by_time_and_differ() -> None:
    assert make_ulid(1.0) < make_ulid(2.0) < make_ulid(2_000_000_000.0)
    assert make_ulid(1.0) != make_ulid(1.0)
    assert make_ulid(0.0).startswith("0000000000")
