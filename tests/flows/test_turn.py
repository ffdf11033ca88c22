"""One run per workload at a time."""

import contextvars
import datetime as dt
import threading
import time

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run
from prefect.states import Running

from blocks.recovery import FLOW, TAG
from flows import revival
from flows import turn as turns
from flows.turn import turn
from pipeline.workload import Workload
from tasks.runs import TO_COME, runs, turn_name


@flow(name="forecast-turn", validate_parameters=False)
def takes_turn(label: str, log: list, seconds: float = 0.0) -> None:
    with turn(label):
        log.append("in")
        time.sleep(seconds)
        log.append("out")


def test_two_runs_of_one_workload_follow_each_other(prefect_server: None) -> None:
    log: list[str] = []
    runs = [  # in a copy of the context, which says where the Prefect server is
        threading.Thread(target=contextvars.copy_context().run, args=(takes_turn, "shop", log, 0.3))
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert log == ["in", "out", "in", "out"]


def test_a_slot_that_nobody_holds_is_freed(prefect_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LOOK_AFTER_S", 0.5)
    log: list[str] = []
    takes_turn("lost", log)
    with get_client(sync_client=True) as client:
        taken = GlobalConcurrencyLimitUpdate(active_slots=1)
        client.update_global_concurrency_limit(turn_name("lost"), taken)
    takes_turn("lost", log)
    assert log == ["in", "out"] * 2


def test_a_slot_whose_holder_died_unnoticed_is_freed(
    prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state still says that it is at work, and no reconciliation comes."""
    monkeypatch.setattr(turns, "LOOK_AFTER_S", 0.5)
    monkeypatch.setattr(revival, "SILENT_AFTER", dt.timedelta(0))
    log: list[str] = []
    takes_turn("dead", log)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(looks_at_itself), name="dead", tags=[TAG])
        dead = client.create_flow_run_from_deployment(
            deployment, tags=[turn_name("dead")], state=Running()
        ).id
        client.update_global_concurrency_limit(
            turn_name("dead"), GlobalConcurrencyLimitUpdate(active_slots=1)
        )
        monkeypatch.setattr(revival, "is_silent", lambda _client, run, _since: run.id == str(dead))
        takes_turn("dead", log)
        # An automation, where one is installed, starts it again at once.
        was = [state.type for state in client.read_flow_run_states(dead)]
        assert was[:2] == [StateType.RUNNING, StateType.CRASHED]
    assert log == ["in", "out"] * 2


@flow(name=FLOW, validate_parameters=False)
def looks_at_itself(bucket: str, seen: list, fails: bool = False) -> None:
    seen.append(relied_on())
    with turn(Workload(bucket).label):
        seen.append(relied_on())
        assert not fails


def relied_on() -> bool:
    """Whether an upload of now may rely on the run that asks, by what the server says of it."""
    with get_client(sync_client=True) as client:
        (me,) = [run for run in runs(client, TO_COME) if run.id == flow_run.get_id()]
    return me.will_take_stock(dt.datetime.now(dt.UTC))


def test_a_run_is_relied_on_until_it_has_its_turn(prefect_server: None) -> None:
    seen: list[bool] = []
    looks_at_itself("relied-on", seen)
    assert seen == [True, False]


def test_a_run_that_begins_again_is_not_relied_on(prefect_server: None) -> None:
    seen: list[bool] = []
    looks_at_itself.with_options(retries=1)("retried", seen, fails=True, return_state=True)
    assert seen == [True, False, False, False]


def test_names_are_what_prefect_allows_and_differ() -> None:
    labels = ["b/a b", "b/a-b", "b/ä%&><", "b/" + "x" * 200]
    names = [turn_name(label) for label in labels]
    assert not any(set(name) & set("/%&><") for name in names)
    assert len(set(names)) == len(labels)
    assert max(map(len, names)) < 120
