"""From an upload to a published forecast on a whole stack: repetition, bursts, deletion, failure."""

import csv
import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from local.settings import BUCKET
from tests.stack.harness import Stack, daily, params, until

pytestmark = pytest.mark.stack

RESOURCES = {
    "list_dataset_import_jobs": "DatasetImportJobs",
    "list_predictors": "Predictors",
    "list_forecasts": "Forecasts",
    "list_forecast_export_jobs": "ForecastExportJobs",
}


def resources_of(stack: Stack, run: str) -> dict[str, list[str]]:
    """Names of the Forecast resources of one run, by kind."""
    forecast = stack.client("forecast")
    found = {}
    for operation, member in RESOURCES.items():
        pages = forecast.get_paginator(operation).paginate()
        names = [next(v for k, v in each.items() if k.endswith("Name")) for p in pages for each in p[member]]
        found[member] = [name for name in names if name.endswith(run)]
    return found


@pytest.fixture(scope="module")
def shop(stack: Stack) -> dict[str, Any]:
    """A workload that has been forecast once."""
    since = datetime.now(UTC)
    runs = stack.workload("shop/")
    return {"runs": runs, "manifest": stack.manifest("shop/"), "since": since}


def test_the_upload_ends_in_a_published_forecast(stack: Stack, shop: dict[str, Any]) -> None:
    assert [run.state for run in shop["runs"]] == ["COMPLETED"] * len(shop["runs"])
    assert shop["runs"][0].name == "forecast-local/shop · a.csv" or shop["runs"][0].name.endswith(
        "params.json"
    )
    assert shop["runs"][0].created_by == "forecast-upload"


def test_the_forecast_has_exactly_items_by_horizon_by_types_rows_in_the_inputs_form(
    stack: Stack, shop: dict[str, Any]
) -> None:
    rows = list(csv.DictReader(stack.forecast("shop/")))
    assert list(rows[0]) == ["timestamp", "target_value", "item_id", "type"]
    keys = {(row["item_id"], row["timestamp"], row["type"]) for row in rows}
    days = [f"2026-04-{day:02d}" for day in range(1, 8)]  # the data ends on 31 March
    wanted = {(f"item_{i}", day, kind) for i in range(3) for day in days for kind in ("p10", "p50", "p90")}
    assert keys == wanted
    assert len(rows) == len(wanted)
    assert all(float(row["target_value"]) > 0 for row in rows)


def test_raw_and_clean_history_tables_metrics_and_a_message_are_left(
    stack: Stack, shop: dict[str, Any]
) -> None:
    run = shop["manifest"]["run"]
    assert stack.keys(f"shop/history/clean/{run}/") == [f"shop/history/clean/{run}/forecast.csv"]
    assert any(key.endswith(".csv") for key in stack.keys(f"shop/history/raw/{run}/"))
    tables = stack.client("glue").get_tables(DatabaseName="forecast")["TableList"]
    own = {t["Name"].rsplit("_", 1)[1]: t for t in tables if t["Name"].startswith("forecast_local_shop")}
    assert own.keys() >= {"train", "forecast", "history"}
    assert own["forecast"]["StorageDescriptor"]["Location"].rstrip("/").endswith(f"forecast/{run}")
    metrics = stack.client("cloudwatch").list_metrics(Namespace="Forecast")["Metrics"]
    assert {"WAPE", "RMSE"} <= {
        metric["MetricName"]
        for metric in metrics
        if {"Name": "Workload", "Value": "forecast-local/shop"} in metric["Dimensions"]
    }
    mail = until(lambda: [m for m in stack.mails() if "forecast-local/shop" in m], "the message", 15)[-1]
    assert "WAPE" in mail
    assert f"s3://{BUCKET}/shop/forecast/{run}/" in mail


def test_the_same_file_again_changes_nothing(stack: Stack, shop: dict[str, Any]) -> None:
    before = (
        stack.manifest("shop/"),
        stack.keys("shop/history/"),
        resources_of(stack, shop["manifest"]["run"]),
    )
    runs = stack.upload("shop/train/a.csv", daily(), "shop/")
    assert all(run.state == "COMPLETED" and run.message.startswith("Already forecast") for run in runs)
    after = stack.manifest("shop/"), stack.keys("shop/history/"), resources_of(stack, shop["manifest"]["run"])
    assert after == before


def test_a_broken_row_fails_before_anything_is_made_and_the_forecast_stays(
    stack: Stack, shop: dict[str, Any]
) -> None:
    before = stack.manifest("shop/")
    bad = daily().decode().replace("2026-01-05,", "2026-13-05,", 1).encode()
    try:
        runs = stack.upload("shop/train/bad.csv", bad, "shop/")
        assert "shop/train/bad.csv" in stack.keys("shop/train/")
    finally:
        stack.client("s3").delete_object(Bucket=BUCKET, Key="shop/train/bad.csv")
    assert [run.state for run in runs] == ["FAILED"]
    assert "train/bad.csv, row 6, column timestamp" in runs[0].message  # the header is row 1
    assert stack.manifest("shop/") == before
    mail = until(lambda: [m for m in stack.mails() if "bad.csv" in m], "the message", 15)[-1]
    assert "Check-Input" in mail


def test_a_wrong_configuration_fails_with_all_problems_and_the_forecast_stays(
    stack: Stack, shop: dict[str, Any]
) -> None:
    before = stack.manifest("shop/")
    wrong = params(TimestampFormat="dd.MM.yyyy", PerformDelete="perhaps")
    wrong["Predictor"]["ForecastHorizon"] = 0
    runs = stack.upload("shop/params.json", wrong, "shop/")
    assert [run.state for run in runs] == ["FAILED"]
    for name in ("TimestampFormat", "PerformDelete", "ForecastHorizon"):
        assert name in runs[0].message
    assert stack.manifest("shop/") == before
    stack.upload("shop/params.json", params(), "shop/")


def test_later_data_gives_a_forecast_that_begins_later(stack: Stack, shop: dict[str, Any]) -> None:
    runs = stack.upload("shop/train/b.csv", daily(days=10, start="2026-04-01", seed=2), "shop/")
    assert all(run.state == "COMPLETED" for run in runs)
    assert stack.manifest("shop/")["first"] > shop["manifest"]["last"]
    assert stack.manifest("shop/")["first"].startswith("2026-04-11")


def test_ten_files_at_once_end_in_one_forecast_of_all_ten(stack: Stack) -> None:
    since = stack.put("burst/params.json", params())
    threads = [
        threading.Thread(
            target=stack.put,
            args=(f"burst/train/{number}.csv", daily(items=1, seed=number, prefix=f"file{number}")),
        )
        for number in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = stack.ended("burst/", since)
    assert all(run.state == "COMPLETED" for run in runs)
    rows = list(csv.DictReader(stack.forecast("burst/")))
    assert {row["item_id"] for row in rows} == {f"file{number}_0" for number in range(10)}
    assert len(rows) == 10 * 7 * 3


def test_perform_delete_removes_what_this_run_made_and_nothing_else(
    stack: Stack, shop: dict[str, Any]
) -> None:
    kept = resources_of(stack, shop["manifest"]["run"])
    assert all(kept.values())  # PerformDelete: false
    runs = stack.workload("tidy/", params(PerformDelete=True))
    assert all(run.state == "COMPLETED" for run in runs)
    run = stack.manifest("tidy/")["run"]
    assert not any(resources_of(stack, run).values())
    assert resources_of(stack, shop["manifest"]["run"]) == kept
    assert len(stack.forecast("tidy/")) == 3 * 7 * 3 + 1


def test_a_horizon_that_the_data_cannot_carry_is_refused_before_anything_is_made(stack: Stack) -> None:
    short = params()
    short["Predictor"]["ForecastHorizon"] = 60
    runs = stack.workload("short/", short, daily(days=40))
    assert runs[-1].state == "FAILED"
    assert "Predictor.ForecastHorizon: it is 60" in runs[-1].message
    assert stack.manifest("short/") is None


def test_a_model_that_the_service_does_not_offer_fails_and_the_forecast_stays(
    stack: Stack, shop: dict[str, Any]
) -> None:
    before = stack.manifest("shop/")
    wrong = params()
    wrong["Predictor"]["AlgorithmArn"] = "arn:aws:forecast:::algorithm/CNN-QR"
    runs = stack.upload("shop/params.json", wrong, "shop/")
    assert [run.state for run in runs] == ["FAILED"]
    assert runs[0].message.startswith("Create-Predictor: ")
    assert "CNN-QR" in runs[0].message
    assert stack.manifest("shop/") == before
    stack.upload("shop/params.json", params(), "shop/")
    assert stack.manifest("shop/") == before


def test_a_training_that_fails_ends_the_run_with_its_reason(stack: Stack) -> None:
    given = params(TimestampFormat="yyyy-MM-dd HH:mm:ss")
    given["Datasets"][0]["DataFrequency"] = "1min"
    given["Predictor"]["FeaturizationConfig"]["ForecastFrequency"] = "1min"
    lines = [
        f"{year}-01-01 00:{minute:02d}:00,{minute},item_{item}\n"
        for item in range(20)
        for year in (1980, 2024)  # 44 years of minutes: more cells than a panel may have
        for minute in range(60)
    ]
    runs = stack.workload("wide/", given, ("timestamp,target_value,item_id\n" + "".join(lines)).encode())
    assert runs[-1].state == "FAILED"
    assert "CREATE_FAILED" in runs[-1].message
    assert "forecast at a coarser frequency" in runs[-1].message
    assert stack.manifest("wide/") is None


def test_a_missing_permission_fails_and_says_which(stack: Stack, shop: dict[str, Any]) -> None:
    s3 = stack.client("s3")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    statement = {**deny, "Resource": f"arn:aws:s3:::{BUCKET}/denied/train/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    try:
        runs = stack.workload("denied/")
    finally:
        s3.delete_bucket_policy(Bucket=BUCKET)
    assert runs[-1].state == "FAILED"
    assert "denied/train/a.csv" in runs[-1].message
    assert stack.manifest("denied/") is None
    assert stack.keys("denied/train/") == ["denied/train/a.csv"]
