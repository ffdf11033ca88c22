"""Reconciliation against a Prefect server: what is forgotten gets one run, everything else none."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import Flow, flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Running,
    Scheduled,
    State,
)

from blocks.recovery import TAG
from flows import crashes, revival
from flows import reconcile as module
from flows.forecast import forecast_workload
from flows.notices import notice
from flows.reconcile import reconcile
from flows.revival import MOST_DEATHS_AT_START, end_silent_runs, restart_crashed_runs
from flows.rollback import roll_back_workload
from tasks.runs import KnownRun, is_silent, runs
from tests.flows.conftest import Site


@pytest.fixture
def client(site: Site) -> Iterator[SyncPrefectClient]:
    """A client of a server on which the deployment is installed, with nothing under way on it."""
    with get_client(sync_client=True) as made:
        flow_id = made.create_flow(forecast_workload)
        made.create_deployment(flow_id, name="upload", tags=[TAG])
        yield made


def reconciled(site: Site, patience_minutes: float = 0.0) -> str:
    state = reconcile(installation=site.name, patience_minutes=patience_minutes, return_state=True)
    assert state.is_completed(), state.message
    return state.message


def started(client: SyncPrefectClient, site: Site) -> list[KnownRun]:
    """The runs that wait for a worker."""
    return [
        run
        for run in runs(client, ("SCHEDULED",))
        if run.workload is not None and run.workload.bucket == site.name
    ]


def now(**later: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(**later)


def state_of(client: SyncPrefectClient, run: KnownRun) -> str | None:
    state = client.read_flow_run(UUID(run.id)).state
    return state.name if state else None


def end(client: SyncPrefectClient, run: KnownRun, *states: State[Any]) -> None:
    for state in states:
        client.set_flow_run_state(UUID(run.id), state, force=True)


def test_an_upload_whose_event_was_lost_gets_a_run_that_forecasts_it(
    site: Site, client: SyncPrefectClient
) -> None:
    message = reconciled(site)
    assert f"1 workload in s3://{site.name}: 1 forgotten." in message
    assert f"Started {site.name}: no run has seen it: its event was lost." in message
    (run,) = started(client, site)
    given = client.read_flow_run(UUID(run.id)).parameters
    assert forecast_workload(**given, return_state=True).is_completed()
    end(client, run, Running(), Completed())
    assert "1 forecast" in reconciled(site)
    assert started(client, site) == []


def test_two_reconciliations_start_one_run(site: Site, client: SyncPrefectClient) -> None:
    found = module.survey(site.s3, site.name)
    (one,) = found
    for _ in range(2):  # both have looked before either has started a run
        module._start(client, one, site.name, "same knowledge")
    assert len(started(client, site)) == 1
    assert "1 under way" in reconciled(site)
    assert len(started(client, site)) == 1


def test_a_fresh_upload_is_left_to_its_event(site: Site, client: SyncPrefectClient) -> None:
    assert "1 just uploaded" in reconciled(site, patience_minutes=5)
    assert started(client, site) == []


def test_what_was_forecast_is_left_alone(site: Site, client: SyncPrefectClient) -> None:
    assert site.run().is_completed()
    site.put("related/params.json", "{}")
    message = reconciled(site)
    assert "1 forecast" in message
    assert f"related/params.json is data of {site.name}: no folder of a workload may be called" in message
    assert started(client, site) == []


def test_what_was_refused_is_left_alone(site: Site, client: SyncPrefectClient) -> None:
    site.put("train/demand.csv", "timestamp,target_value,item_id\nnever,many,a\n")
    assert site.run().is_failed()
    assert "1 refused" in reconciled(site)
    assert started(client, site) == []


def deployed(client: SyncPrefectClient, site: Site, key: str = "train/demand.csv") -> State[Any]:
    """A run of the deployment that a worker took up; its end."""
    deployment = client.read_deployment_by_name("forecast/upload")
    given = {"bucket": site.name, "key": key, "installation": site.name}
    made = client.create_flow_run_from_deployment(deployment.id, parameters=given).id
    client.set_flow_run_state(made, Running(), force=True)
    state = site.run(key)
    found = client.read_flow_run(state.state_details.flow_run_id).tags
    client.update_flow_run(made, tags=found)  # the run of the worker and the one at hand are one
    client.set_flow_run_state(made, state, force=True)
    return state


def test_what_is_left_when_a_bad_file_is_removed_gets_a_run(site: Site, client: SyncPrefectClient) -> None:
    site.put("train/extra.csv", "timestamp,target_value,item_id\n2024-01-01 00:00:00,many,c\n")
    assert deployed(client, site, "train/extra.csv").is_failed()
    assert "1 refused" in reconciled(site)
    site.s3.delete_object(Bucket=site.name, Key="train/extra.csv")  # no event tells of that
    assert "no run has seen it" in reconciled(site)
    assert len(started(client, site)) == 1


def test_an_upload_that_is_taken_back_brings_the_forecast_before_it(
    site: Site, client: SyncPrefectClient
) -> None:
    assert deployed(client, site).is_completed()
    before = site.manifest()["run"]
    site.upload("train/more.csv", items="c")
    assert deployed(client, site, "train/more.csv").is_completed()
    site.s3.delete_object(Bucket=site.name, Key="train/more.csv")
    assert "readers do not see its forecast" in reconciled(site)
    (run,) = started(client, site)
    assert forecast_workload(
        **client.read_flow_run(UUID(run.id)).parameters, return_state=True
    ).is_completed()
    assert site.manifest()["run"] == before


def test_a_manifest_that_was_removed_comes_back(site: Site, client: SyncPrefectClient) -> None:
    assert deployed(client, site).is_completed()
    site.s3.delete_object(Bucket=site.name, Key="forecast/manifest.json")
    assert "readers do not see its forecast" in reconciled(site)
    assert len(started(client, site)) == 1


def test_a_configuration_that_cannot_be_read_is_told_once(site: Site, client: SyncPrefectClient) -> None:
    site.put("params.json", "{")
    assert "1 forgotten" in reconciled(site)
    (run,) = started(client, site)
    given = client.read_flow_run(UUID(run.id)).parameters
    state = forecast_workload(**given, return_state=True)
    assert state.is_failed()
    end(client, run, Running(), state)
    assert "1 failed" in reconciled(site)
    assert started(client, site) == []


def test_a_run_that_was_lost_on_its_way_is_replaced(site: Site, client: SyncPrefectClient) -> None:
    assert site.run().is_completed()
    run = site.manifest()["run"]
    record = site.record(run)
    site.s3.delete_object(Bucket=site.name, Key="forecast/manifest.json")
    site.put(f"runs/{run}/manifest.json", json.dumps({**record, "state": "forecast"}))
    assert "its run came to no end" in reconciled(site)
    assert len(started(client, site)) == 1


def test_a_run_that_somebody_cancelled_is_left_alone(site: Site, client: SyncPrefectClient) -> None:
    reconciled(site)
    (run,) = started(client, site)
    end(client, run, Running(), Cancelled())
    assert "1 cancelled" in reconciled(site)
    assert started(client, site) == []


def test_a_run_that_is_planned_for_later_spares_none(site: Site, client: SyncPrefectClient) -> None:
    deployment = client.read_deployment_by_name("forecast/upload")
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    planned = client.create_flow_run_from_deployment(
        deployment.id,
        parameters={"bucket": site.name, "folder": ""},
        state=Scheduled(scheduled_time=tomorrow),
    )
    assert "1 forgotten" in reconciled(site)
    assert len([run for run in started(client, site) if run.id != str(planned.id)]) == 1


def test_trouble_with_one_workload_leaves_out_no_other(
    site: Site, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure("shop/")
    site.upload("shop/train/a.csv")
    usual = module.look

    def look(place: Any, workload: Any) -> Any:
        if not workload.folder:
            raise OSError("the disk is full")
        return usual(place, workload)

    monkeypatch.setattr(module, "look", look)
    state = reconcile(installation=site.name, patience_minutes=0, return_state=True)
    assert state.is_failed()
    assert "the disk is full" in state.message
    assert [run.workload.folder for run in started(client, site) if run.workload] == ["shop/"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((Pending(), Running()), StateType.CRASHED),
        ((Pending(),), StateType.CRASHED),
        ((Running(), Cancelling()), StateType.CANCELLED),
    ],
    ids=["at work", "starting", "being cancelled"],
)
def test_a_run_without_a_sign_of_life_comes_to_its_end(
    site: Site,
    client: SyncPrefectClient,
    before: tuple[State[Any], ...],
    after: StateType,
) -> None:
    reconciled(site)
    (run,) = started(client, site)
    end(client, run, *before)
    assert end_silent_runs(client, now()) == 0, "it was heard of just now"
    assert end_silent_runs(client, now(minutes=20)) >= 1
    state = client.read_flow_run(UUID(run.id)).state
    assert state is not None
    assert state.type == after


def test_a_run_that_answers_when_the_machine_has_woken_up_goes_on(
    site: Site, client: SyncPrefectClient
) -> None:
    reconciled(site)
    (run,) = started(client, site)
    end(client, run, Pending(), Running())
    morning = now(seconds=revival.SILENT_AFTER.seconds)  # what comes from here on is news

    def heartbeat(seconds: float) -> None:
        resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}"}
        event = {"event": "prefect.flow-run.heartbeat", "resource": resource, "id": str(uuid4())}
        client.request("POST", "/events", json=[{**event, "occurred": now().isoformat()}]).raise_for_status()
        while is_silent(client, run, morning - revival.SILENT_AFTER):
            pass  # the server stores events a moment after it has taken them

    end_silent_runs(client, morning, heartbeat)
    assert state_of(client, run) == "Running"


@pytest.mark.parametrize("other", [notice, roll_back_workload, reconcile], ids=lambda flow: flow.name)
def test_a_run_of_another_flow_that_was_lost_before_it_began_comes_to_its_end(
    client: SyncPrefectClient, other: Flow[Any, Any]
) -> None:
    deployment = client.create_deployment(client.create_flow(other), name="silent", tags=[TAG])
    lost = client.create_flow_run_from_deployment(deployment, state=Pending()).id
    end_silent_runs(client, now(minutes=20))
    assert client.read_flow_run(lost).state_type == StateType.CRASHED


def test_a_crashed_run_that_the_server_has_forgotten_goes_on(site: Site, client: SyncPrefectClient) -> None:
    reconciled(site)
    (run,) = started(client, site)
    end(client, run, Running(), Crashed())
    restart_crashed_runs(client, now(seconds=30))
    assert state_of(client, run) == "Crashed", "an automation may still do it"
    assert restart_crashed_runs(client, now(minutes=3)) >= 1
    assert state_of(client, run) == "AwaitingRetry"
    assert "1 under way" in reconciled(site), "and no other run is started beside it"


def test_a_crashed_run_whose_work_a_later_one_does_stays_as_it_is(
    site: Site, client: SyncPrefectClient
) -> None:
    deployment = client.read_deployment_by_name("forecast/upload")
    made = [
        client.create_flow_run_from_deployment(deployment.id, parameters={"bucket": site.name, "folder": ""})
        for _ in range(2)
    ]
    first, second = (run for one in made for run in started(client, site) if run.id == str(one.id))
    end(client, first, Running(), Crashed())
    end(client, second, Running(), Completed())
    restart_crashed_runs(client, now(minutes=3))
    assert state_of(client, first) == "Crashed"


def test_a_run_that_dies_before_it_begins_is_not_restarted_for_ever(
    site: Site, client: SyncPrefectClient
) -> None:
    reconciled(site)
    (run,) = started(client, site)
    for _ in range(MOST_DEATHS_AT_START):
        end(client, run, Pending(), Crashed())
    restart_crashed_runs(client, now(minutes=3))
    assert state_of(client, run) == "Crashed"


@pytest.mark.parametrize("other", [notice, roll_back_workload], ids=lambda flow: flow.name)
def test_a_crashed_run_of_another_flow_goes_on(client: SyncPrefectClient, other: Flow[Any, Any]) -> None:
    deployment = client.create_deployment(client.create_flow(other), name="crashed", tags=[TAG])
    lost = client.create_flow_run_from_deployment(deployment, state=Crashed()).id
    restart_crashed_runs(client, now(minutes=3))
    state = client.read_flow_run(lost).state
    assert state is not None
    assert state.name == "AwaitingRetry"


def test_what_was_at_work_before_the_stack_began_is_dead(client: SyncPrefectClient) -> None:
    deployment = client.create_deployment(client.create_flow(reconcile), name="before", tags=[TAG])
    submitted = State(type=StateType.PENDING, name="Submitting")
    lost = client.create_flow_run_from_deployment(deployment, state=submitted).id
    to_come = client.create_flow_run_from_deployment(deployment).id
    revival.end_runs_of_before(client, now(seconds=-60))
    assert client.read_flow_run(lost).state_type == StateType.PENDING, "it came into this state later"
    revival.end_runs_of_before(client, now(seconds=1))
    assert client.read_flow_run(lost).state_type == StateType.CRASHED
    assert client.read_flow_run(to_come).state_type == StateType.SCHEDULED


def test_the_runs_of_other_peoples_flows_are_left_alone(client: SyncPrefectClient) -> None:
    @flow(name=notice.name)
    def somebody_elses() -> None: ...

    deployment = client.create_deployment(client.create_flow(somebody_elses), name="other project")
    silent = client.create_flow_run_from_deployment(deployment, state=Pending()).id
    crashed = client.create_flow_run_from_deployment(deployment, state=Crashed()).id
    end_silent_runs(client, now(minutes=20))
    restart_crashed_runs(client, now(minutes=3))
    assert client.read_flow_run(silent).state_type == StateType.PENDING
    assert client.read_flow_run(crashed).state_type == StateType.CRASHED


def test_a_run_that_gave_up_counts_its_crashes_anew_when_somebody_retries_it(
    site: Site, client: SyncPrefectClient
) -> None:
    reconciled(site)
    (run,) = started(client, site)
    for _ in range(crashes.MOST_CRASHES):
        end(client, run, Running(), Crashed())
    assert crashes.crashes_of(run.id) == crashes.MOST_CRASHES
    end(client, run, AwaitingRetry(), Running(), Failed(), AwaitingRetry(), Running())
    assert crashes.crashes_of(run.id) == 0
    end(client, run, Crashed())
    assert crashes.crashes_of(run.id) == 1
