"""The whole walk with stock boto3, from create to delete, with all three dataset types.

Every answer is accepted by botocore without a warning, and has no member that the model lacks.
"""

import csv
import io
import logging
import warnings
from typing import Any

import pandas as pd
import pytest

DAYS, HORIZON = 60, 7
SHOPS, ITEMS = ("north", "south"), ("pasta", "wine")


@pytest.fixture
def strict(caplog: pytest.LogCaptureFixture) -> Any:
    """No warning, neither raised nor logged by botocore."""
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, logger="botocore"):
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
    assert [record for record in caplog.records if record.name.startswith("botocore")] == []


def target_rows() -> list[list[Any]]:
    """A week's rhythm that doubles on days of promotion."""
    return [
        [item, f"{day:%Y-%m-%d}", (5 + day.weekday()) * (2 if day.day % 10 == 0 else 1) + number, shop]
        for number, item in enumerate(ITEMS)
        for shop in SHOPS
        for day in pd.date_range("2024-01-01", periods=DAYS)
    ]


def related_rows() -> list[list[Any]]:
    """Promotions, known until the end of the horizon."""
    return [
        [item, f"{day:%Y-%m-%d}", int(day.day % 10 == 0), shop]
        for item in ITEMS
        for shop in SHOPS
        for day in pd.date_range("2024-01-01", periods=DAYS + HORIZON)
    ]


def to_csv(rows: list[list[Any]], header: list[str] | None = None) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([*([header] if header else []), *rows])
    return text.getvalue()


def create_datasets(lab: Any) -> dict[str, str]:
    retail = {"Domain": "RETAIL", "DataFrequency": "D"}
    keys = {"item_id": "string", "timestamp": "timestamp"}
    return {
        "target": lab.dataset({**keys, "demand": "float", "location": "string"}, **retail),
        "related": lab.dataset(
            {**keys, "promotion_applied": "integer", "location": "string"},
            DatasetType="RELATED_TIME_SERIES",
            **retail,
        ),
        "metadata": lab.dataset(
            {"item_id": "string", "category": "string"}, Domain="RETAIL", DatasetType="ITEM_METADATA"
        ),
    }


def import_everything(lab: Any, datasets: dict[str, str]) -> None:
    contents = {
        "target": to_csv(target_rows(), ["item_id", "timestamp", "demand", "location"]),
        "related": to_csv(related_rows()),
        "metadata": to_csv([[item, "food"] for item in ITEMS]),
    }
    for role, dataset in datasets.items():
        done = lab.imported(dataset, contents[role], TimestampFormat="yyyy-MM-dd")
        assert done["Status"] == "ACTIVE", done


@pytest.mark.parametrize("automatic", [False, True], ids=["CreatePredictor", "CreateAutoPredictor"])
def test_the_whole_walk(lab: Any, forecast: Any, forecastquery: Any, strict: None, automatic: bool) -> None:
    datasets = create_datasets(lab)
    group = lab.group(*datasets.values(), Domain="RETAIL")
    import_everything(lab, datasets)
    if automatic:
        options = {"ForecastFrequency": "D", "ForecastDimensions": ["location"]}
        predictor = lab.start_auto_predictor(group, ForecastHorizon=HORIZON, **options)
        describe = forecast.describe_auto_predictor
    else:
        config = {"ForecastFrequency": "D", "ForecastDimensions": ["location"]}
        predictor = lab.start_predictor(group, ForecastHorizon=HORIZON, FeaturizationConfig=config)
        describe = forecast.describe_predictor
    trained = lab.wait(lambda: describe(PredictorArn=predictor))
    assert trained["Status"] == "ACTIVE", trained
    assert len(trained["DatasetImportJobArns"]) == 3

    metrics = forecast.get_accuracy_metrics(PredictorArn=predictor)["PredictorEvaluationResults"]
    assert metrics[0]["TestWindows"][0]["Metrics"]["ErrorMetrics"][0]["WAPE"] < 0.5

    ready = lab.forecasted(predictor)
    folder = lab.name("walk")
    export = forecast.create_forecast_export_job(
        ForecastExportJobName="walk", ForecastArn=ready, Destination=lab.s3_config(folder)
    )["ForecastExportJobArn"]
    lab.wait(lambda: forecast.describe_forecast_export_job(ForecastExportJobArn=export))
    objects = lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=folder)["Contents"]
    [part] = [entry["Key"] for entry in objects if entry["Key"].endswith(".csv")]
    frame = pd.read_csv(lab.s3.get_object(Bucket=lab.bucket, Key=part)["Body"])
    assert list(frame.columns) == ["item_id", "date", "location", "p10", "p50", "p90"]
    assert len(frame) == len(ITEMS) * len(SHOPS) * HORIZON
    assert frame["date"].min() == "2024-03-01T00:00:00Z"

    query = forecastquery.query_forecast(
        ForecastArn=ready, Filters={"item_id": "wine", "location": "south"}, StartDate="2024-03-02T00:00:00"
    )
    assert len(query["Forecast"]["Predictions"]["p50"]) == HORIZON - 1

    listed = forecast.list_forecast_export_jobs(
        Filters=[{"Key": "ForecastArn", "Value": ready, "Condition": "IS"}]
    )
    assert [job["ForecastExportJobArn"] for job in listed["ForecastExportJobs"]] == [export]
    lab.wait_until_gone(lambda: forecast.delete_forecast_export_job(ForecastExportJobArn=export))
    lab.wait_until_gone(lambda: forecast.delete_forecast(ForecastArn=ready))
    lab.wait_until_gone(lambda: forecast.delete_predictor(PredictorArn=predictor))
    for dataset in datasets.values():
        lab.wait_until_gone(lambda dataset=dataset: forecast.delete_dataset(DatasetArn=dataset))
    forecast.delete_dataset_group(DatasetGroupArn=group)
    with pytest.raises(forecast.exceptions.ResourceNotFoundException):
        forecast.describe_dataset_group(DatasetGroupArn=group)


@pytest.mark.parametrize(
    "domain", ["INVENTORY_PLANNING", "EC2_CAPACITY", "WORK_FORCE", "WEB_TRAFFIC", "METRICS"]
)
def test_the_other_domains_keep_their_own_item_key(lab: Any, forecastquery: Any, domain: str) -> None:
    item_key, target = {
        "INVENTORY_PLANNING": ("item_id", "demand"),
        "EC2_CAPACITY": ("instance_type", "number_of_instances"),
        "WORK_FORCE": ("workforce_type", "workforce_demand"),
        "WEB_TRAFFIC": ("item_id", "value"),
        "METRICS": ("metric_name", "metric_value"),
    }[domain]
    schema = {"timestamp": "timestamp", target: "integer", item_key: "string"}
    dataset = lab.dataset(schema, Domain=domain, DataFrequency="D")
    rows = [[f"{day:%Y-%m-%d}", day.weekday(), "x"] for day in pd.date_range("2024-01-01", periods=28)]
    assert lab.imported(dataset, to_csv(rows), TimestampFormat="yyyy-MM-dd")["Status"] == "ACTIVE"
    config = {"ForecastFrequency": "D"}
    predictor = lab.predictor(
        lab.group(dataset, Domain=domain), ForecastHorizon=3, FeaturizationConfig=config
    )
    answer = forecastquery.query_forecast(ForecastArn=lab.forecasted(predictor), Filters={item_key: "x"})
    assert len(answer["Forecast"]["Predictions"]["p10"]) == 3
