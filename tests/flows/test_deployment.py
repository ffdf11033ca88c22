"""What is installed on a Prefect server: the deployment, its trigger, the block and the recovery."""

import importlib
import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml
from prefect import states
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from blocks.__main__ import main as save_blocks
from blocks.recovery import ALIVE, FLOW, FLOWS, LOST, RETRY, RETRY_START, TAG, install_recovery, recovery
from bridge.event import NAME, merge
from bridge.notification import StoredObject
from flows.forecast import forecast_workload
from flows.notices import notice
from flows.reconcile import DEPLOYMENT, reconcile
from tests.flows.conftest import ROOT

DEPLOYMENTS = {one["name"]: one for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
UPLOAD, RECONCILE = DEPLOYMENTS["upload"], DEPLOYMENTS["every-five-minutes"]
(TRIGGER,) = UPLOAD["triggers"]
ENVIRONMENT = {
    "FORECAST_BUCKET": "demand",
    "FORECAST_ROLE_ARN": "arn:aws:iam::000000000000:role/forecast",
    "AWS_REGION": "us-east-1",
}


def flow_of(deployment: dict[str, Any]) -> Any:
    module, _, function = deployment["entrypoint"].rpartition(".")
    return getattr(importlib.import_module(module), function)


def command(*arguments: str, cwd: Any = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT, "PREFECT_API_URL": str(PREFECT_API_URL.value())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(prefect_server: None) -> dict[str, Any]:
    """The deployment, the automations and the block, installed without a question, the last two twice."""
    command("prefect", "--no-prompt", "work-pool", "create", "forecast", "--type", "process", "--overwrite")
    command("blocks")
    command("prefect", "--no-prompt", "deploy", "--all")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ENVIRONMENT.items():
            patched.setenv(name, value)
        save_blocks()
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("forecast/upload")
        automations = client.request("POST", "/automations/filter", json={}).json()
        block = client.read_block_document_by_name("default", "installation")
    return {"deployment": deployment, "automations": automations, "block": block}


def test_installing_twice_leaves_one_of_each(installed: dict[str, Any]) -> None:
    names = sorted(automation["name"] for automation in installed["automations"])
    assert names == sorted([LOST, RETRY, RETRY_START, TRIGGER["name"], "forecast-ended"])
    assert installed["block"].data["bucket"] == "demand"


def test_installing_again_forgets_nobody_whom_an_automation_waits_for(installed: dict[str, Any]) -> None:
    with get_client(sync_client=True) as client:

        def triggers() -> dict[str, str]:
            told = client.request("POST", "/automations/filter", json={}).json()
            return {each["name"]: each["trigger"]["id"] for each in told}

        before = triggers()
        install_recovery()
        assert triggers() == before
        older = next(each for each in recovery() if each.name == LOST)
        older.description = "Made by an older version."
        client.update_automation(client.read_automations_by_name(LOST)[0].id, older)
        install_recovery()
        assert client.read_automations_by_name(LOST)[0].description != older.description


def test_the_installed_trigger_matches_every_role_and_no_empty_bucket(installed: dict[str, Any]) -> None:
    (automation,) = [a for a in installed["automations"] if a["name"] == TRIGGER["name"]]
    match = automation["trigger"]["match"]
    assert match == {"prefect.resource.id": "s3://*", "s3.role": ["train", "related", "metadata", "params"]}
    assert all(match.values())


def test_the_installed_deployment_finds_its_code_here(installed: dict[str, Any]) -> None:
    deployment = installed["deployment"]
    assert deployment.entrypoint == "flows.forecast.forecast_workload"
    (step,) = deployment.pull_steps
    assert step == {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}


def test_nothing_in_the_deployment_depends_on_the_environment() -> None:
    assert "{{ $" not in (ROOT / "prefect.yaml").read_text()


def test_the_trigger_answers_the_bridges_event() -> None:
    (upload,) = merge([StoredObject("demand", "shop/train/a.csv", "e", None, 1, "2026-01-01T00:00:00Z")])
    event = upload.event()
    assert TRIGGER["expect"] == [NAME]
    assert set(TRIGGER["match"]) <= set(event["resource"])
    assert event["resource"]["s3.role"] in TRIGGER["match"]["s3.role"]
    for name, template in TRIGGER["parameters"].items():
        assert template == f"{{{{ event.payload.{name} }}}}"
        assert name in event["payload"]
    json.dumps(event)


def test_the_parameters_are_the_flows() -> None:
    known = set(forecast_workload.parameters.properties)
    assert set(TRIGGER["parameters"]) | set(UPLOAD["parameters"]) <= known


def test_recovery_is_about_every_flow_that_is_deployed() -> None:
    assert forecast_workload.name == FLOW
    assert {flow_of(deployment).name for deployment in DEPLOYMENTS.values()} == set(FLOWS)


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_recovery_knows_the_runs_of_every_deployment(name: str) -> None:
    assert TAG in DEPLOYMENTS[name]["tags"]


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_what_recovery_watches_sends_heartbeats(name: str) -> None:
    environment = DEPLOYMENTS[name]["work_pool"]["job_variables"]["env"]
    assert environment == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}


def test_reconciliation_is_scheduled_and_starts_what_an_upload_starts(installed: dict[str, Any]) -> None:
    assert DEPLOYMENT == "forecast/upload"
    assert [schedule["cron"] for schedule in RECONCILE["schedules"]] == ["*/5 * * * *"]
    assert set(RECONCILE["parameters"]) <= set(reconcile.parameters.properties)
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("reconcile/every-five-minutes")
    assert [schedule.active for schedule in deployment.schedules] == [True]
    assert deployment.concurrency_options is not None
    assert deployment.concurrency_options.collision_strategy == "CANCEL_NEW"


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_every_deployment_says_what_it_does_and_finds_its_flow(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    assert deployment["description"]
    assert set(deployment.get("parameters", {})) <= set(flow_of(deployment).parameters.properties)


def test_recovery_watches_every_state_in_which_a_process_may_die() -> None:
    factories = [states.Pending, states.Submitting, states.InfrastructurePending]
    factories += [states.Running, states.Retrying]
    assert {made().name for made in factories} == set(ALIVE)


def test_notices_are_about_this_flow_and_every_bad_end(installed: dict[str, Any]) -> None:
    (automation,) = [a for a in installed["automations"] if a["name"] == "forecast-ended"]
    trigger = automation["trigger"]
    ends = {"Crashed", "Cancelled", "Failed", "TimedOut"}
    assert set(trigger["expect"]) == {f"prefect.flow-run.{end}" for end in ends}
    assert trigger["match_related"] == {"prefect.resource.role": "flow", "prefect.resource.name": FLOW}
    (action,) = automation["actions"]
    assert set(action["parameters"]) == set(notice.parameters.properties)
