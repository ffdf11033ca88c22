"""The flow against the real server: data in, trained models, forecast out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from blocks.installation import Installation
from tests.flows.conftest import PARAMS, ROOT, Site, shared

NPTS = {
    "PredictorName": "shop_predictor",
    "AlgorithmArn": "arn:aws:forecast:::algorithm/NPTS",
    "ForecastHorizon": 6,
    "FeaturizationConfig": {"ForecastFrequency": "H"},
}


@pytest.fixture
def forecastd(aws: str, tmp_path: Path) -> Iterator[Any]:
    """A client of a server with a worker of its own."""
    command = [sys.executable, "-m", "forecastd", "serve", "--port", "0", "--data-dir", str(tmp_path)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().rsplit(" ", 1)[-1].strip()
        assert address.startswith("http"), "the server says where it listens"
        yield boto3.client("forecast", endpoint_url=address)
    finally:
        server.terminate()
        server.wait(30)


def test_the_whole_way_with_models_that_are_really_trained(
    prefect_server: None, forecastd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(forecastd)
    monkeypatch.setattr(
        Installation, "client", lambda _, service: forecastd if service == "forecast" else shared(service)
    )
    site.configure(Predictor=NPTS, PerformDelete=True)
    site.upload(days=14, items="abc")
    state = site.run()
    assert state.is_completed(), state.message
    lines = site.published()
    assert lines[0] == "timestamp,target_value,item_id,type"
    assert len(lines) == 1 + 3 * 6 * 3
    assert lines[1].startswith("2024-01-15 00:00:00,")
    quantiles = [float(line.split(",")[1]) for line in lines[1:4]]
    assert quantiles == sorted(quantiles)
    left = [forecastd.list_predictors()["Predictors"], forecastd.list_forecasts()["Forecasts"]]
    left += [forecastd.list_forecast_export_jobs()["ForecastExportJobs"]]
    left += [forecastd.list_dataset_import_jobs()["DatasetImportJobs"]]
    assert left == [[], [], [], []]
    assert len(forecastd.list_datasets()["Datasets"]) == 1, "the workload's dataset stays"
    again = site.run()
    assert again.message.startswith("Already forecast")
    assert PARAMS["Forecast"]["ForecastName"] in "".join(site.keys("history/raw/"))


def test_a_trained_predictor_is_used_again_and_outlives_the_clean_up_of_its_run(
    prefect_server: None, forecastd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(forecastd)
    monkeypatch.setattr(
        Installation, "client", lambda _, service: forecastd if service == "forecast" else shared(service)
    )
    settings = {"Predictor": NPTS, "Retraining": {"When": "needed"}, "Retention": {"Runs": 1, "History": 2}}
    site.configure(**settings)
    for days in (14, 15, 16):
        site.upload(days=days, items="abc")
        state = site.run()
        assert state.is_completed(), state.message
    assert "is used again for the new data" in state.message
    assert site.published()[1].startswith("2024-01-17 00:00:00,"), "from the newest data"
    site.configure(**settings, Forecast={**PARAMS["Forecast"], "ForecastTypes": ["0.5", "mean"]})
    state = site.run(key="params.json")
    assert "No import and no training" in state.message
    assert len(site.published()) == 1 + 3 * 6 * 2
    assert len(forecastd.list_predictors()["Predictors"]) == 1
    assert len(forecastd.list_dataset_import_jobs()["DatasetImportJobs"]) == 1
    assert len(forecastd.list_forecasts()["Forecasts"]) == 2, "the published one and the one before"
    assert len(site.keys("history/clean/")) == 2
