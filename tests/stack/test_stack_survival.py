"""Kill a part, or all of them: the run finishes, the state is there, nothing is left behind."""

import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from local import stack as control
from local.processes import Process, marked
from local.settings import BUCKET, Settings
from tests.stack.harness import Stack, daily, free_ports, params, run_local, until

pytestmark = pytest.mark.stack


def slow_params() -> dict[str, Any]:
    """A training of some ten seconds: time enough to kill somebody."""
    predictor = {
        "PredictorName": "slow_predictor",
        "ForecastHorizon": 7,
        "ForecastFrequency": "D",
        "ForecastTypes": ["0.1", "0.5", "0.9"],
    }
    return params(Predictor=predictor)


def training(stack: Stack, folder: str) -> Any:
    """Wait until the predictor of a workload is being trained."""
    forecast = stack.client("forecast")

    def look() -> Any:
        found = forecast.list_predictors()["Predictors"]
        return [each for each in found if each["Status"] == "CREATE_IN_PROGRESS"]

    return until(look, f"training of {folder}")


def begin(stack: Stack, folder: str, seed: int) -> datetime:
    since = stack.put(f"{folder}params.json", slow_params())
    stack.put(f"{folder}train/a.csv", daily(items=8, days=400, start="2025-01-01", seed=seed))
    training(stack, folder)
    return since


def test_forecastd_killed_during_training(stack: Stack) -> None:
    since = begin(stack, "killed-server/", 11)
    before = stack.pid("forecastd")
    os.kill(before, signal.SIGKILL)
    runs = stack.ended("killed-server/", since)
    assert runs[-1].state == "COMPLETED", runs[-1].message
    assert len(stack.forecast("killed-server/")) == 8 * 7 * 3 + 1
    assert stack.pid("forecastd") != before


def test_the_worker_killed_during_training(stack: Stack) -> None:
    since = begin(stack, "killed-worker/", 12)
    folder = stack.settings.folder
    flow_runs = [each for each in marked(folder) if _is_flow_run(each)]
    assert flow_runs
    os.kill(stack.pid("worker"), signal.SIGKILL)
    for each in flow_runs:
        each.signal(signal.SIGKILL)
    published = until(lambda: stack.manifest("killed-worker/"), "the forecast after the kill", 400)
    assert published["rows"] == 8 * 7 * 3
    runs = stack.ended("killed-worker/", since)
    assert runs[-1].state == "COMPLETED", runs[-1].message


def test_the_prefect_server_killed_during_training(stack: Stack) -> None:
    since = begin(stack, "killed-prefect/", 13)
    before = stack.pid("prefect")
    os.kill(before, signal.SIGKILL)
    until(lambda: stack.manifest("killed-prefect/"), "the forecast after the kill")
    until(lambda: stack.pid("prefect") != before and _is_well(stack, "prefect"), "the server to be back")
    runs = stack.ended("killed-prefect/", since)
    assert [run.state for run in runs] == ["COMPLETED"] * len(runs)
    assert len(stack.forecast("killed-prefect/")) == 8 * 7 * 3 + 1


def test_a_cancelled_run_goes_on_when_it_is_run_again_and_makes_nothing_twice(stack: Stack) -> None:
    since = begin(stack, "cancelled/", 14)
    (run,) = [r for r in stack.view.runs_since(BUCKET, "cancelled/", since) if r.started and not r.is_final]
    made = predictors(stack)
    stack.set_state(run, "CANCELLING")
    until(lambda: stack.view.run(run.id).state == "CANCELLED", "the run to be cancelled")
    told = until(lambda: [m for m in stack.mails() if "cancelled" in m and "run was" in m], "the notice", 60)
    assert len(told) == 1
    assert "Run it again when you want it to go on" in told[0]
    assert stack.manifest("cancelled/") is None
    stack.set_state(run, "SCHEDULED", "AwaitingRetry")
    runs = stack.ended("cancelled/", since)
    assert runs[-1].state == "COMPLETED", runs[-1].message
    assert predictors(stack) == made, "the training that the cancelled run began is the one that was used"
    assert len(stack.forecast("cancelled/")) == 8 * 7 * 3 + 1


def predictors(stack: Stack) -> list[str]:
    pages = stack.client("forecast").get_paginator("list_predictors").paginate()
    return sorted(each["PredictorArn"] for page in pages for each in page["Predictors"])


def _is_well(stack: Stack, part: str) -> bool:
    return bool(control.status(stack.settings)["parts"][part]["state"] == "well")


def _is_flow_run(process: Process) -> bool:
    path = Path(f"/proc/{process.pid}/cmdline")
    return path.exists() and (
        "prefect.engine" in path.read_text() or "prefect.flow_engine" in path.read_text()
    )


def test_up_on_a_running_stack_does_nothing(stack: Stack) -> None:
    before = control.status(stack.settings)
    again = run_local(stack.settings, "up")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    assert control.status(stack.settings)["parts"] == before["parts"]


def test_a_second_stack_on_the_same_ports_is_refused_with_the_variable(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings
    other = Settings(tmp_path, *settings.ports)
    refused = run_local(other, "up")
    assert refused.returncode == 1
    assert f"Port {settings.aws_port} is taken" in refused.stderr
    assert "FORECAST_AWS_PORT=" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_everything_killed_and_started_again_has_lost_nothing(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "local", *free_ports(4))
    own = Stack(settings)
    try:
        assert run_local(settings, "up").returncode == 0
        own.workload("shop/")
        before = own.manifest("shop/"), own.forecast("shop/")
        predictors = own.client("forecast").list_predictors()["Predictors"]
        supervisor = Process(**control.status(settings)["supervisor"])
        supervisor.signal(signal.SIGKILL)
        for process in marked(settings.folder):
            process.signal(signal.SIGKILL)
        assert run_local(settings, "status").returncode == 1
        assert run_local(settings, "up").returncode == 0
        assert (own.manifest("shop/"), own.forecast("shop/")) == before
        assert own.client("forecast").list_predictors()["Predictors"] == predictors
        later = own.put("shop/train/b.csv", daily(days=5, start="2026-04-01", seed=5))
        runs = own.ended("shop/", later)
        assert runs[-1].state == "COMPLETED", runs[-1].message
    finally:
        assert run_local(settings, "down").returncode == 0
    assert marked(settings.folder) == []
