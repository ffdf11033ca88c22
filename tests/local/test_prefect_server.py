"""The local Prefect server: news of runs after it was killed or its machine was asleep, garbage, turns."""

import asyncio
import gc
import importlib
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
import sqlalchemy as sa
import yaml
from prefect.server.database import provide_database_interface
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import temporary_database_config
from prefect.server.events import triggers
from prefect.server.events.actions import DoNothing
from prefect.server.events.ordering import EventArrivedEarly, memory
from prefect.server.events.schemas.automations import Automation, EventTrigger, Firing
from prefect.server.events.schemas.events import ReceivedEvent, RelatedResource, Resource
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings

from blocks.recovery import FLOW, LOST, LOST_AFTER, TAG, recovery
from local.parts import parts_of
from local.settings import ROOT, Settings
from tests.prefect_database import migrated_database


@pytest.fixture(autouse=True)
def garbage_is_left_to_python_again() -> Iterator[None]:
    yield
    gc.enable()


def crashed(received_s_ago: float) -> ReceivedEvent:
    """A change of state that follows one which nobody remembers."""
    received = datetime.now(UTC) - timedelta(seconds=received_s_ago)
    return ReceivedEvent(
        occurred=received,
        received=received,
        event="prefect.flow-run.Crashed",
        resource=Resource({"prefect.resource.id": f"prefect.flow-run.{uuid.uuid4()}"}),
        payload={},
        id=uuid.uuid4(),
        follows=uuid.uuid4(),
    )


def loaded() -> ModuleType:
    """The module that the server of the local stack is told to load."""
    (server,) = [part for part in parts_of(Settings(ROOT)) if part.name == "prefect"]
    name = server.environment["PREFECT_SERVER_EVENTS_CAUSAL_ORDERING"]
    return importlib.reload(importlib.import_module(name))


def test_an_event_waits_ten_seconds_for_one_that_will_never_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PRECEDING_EVENT_LOOKBACK", memory.PRECEDING_EVENT_LOOKBACK)  # put back after
    module = loaded()
    order = module.CausalOrdering("a test")
    asyncio.run(order.wait_for_leader(crashed(11)))
    with pytest.raises(EventArrivedEarly):
        asyncio.run(order.wait_for_leader(crashed(0)))


class Listening:
    """A Prefect database with the automation that misses heartbeats, and a run of which one is overdue."""

    RUN = "prefect.flow-run.6f9cf7a2"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = provide_database_interface()
        self.automation = Automation.model_validate(
            next(each for each in recovery() if each.name == LOST).model_dump()
        )
        self.fired: list[Firing] = []

    async def add(self, automation: Automation) -> None:
        async with self.database.session_context(begin_transaction=True) as session:
            session.add(self.database.Automation(**automation.model_dump()))
        triggers.load_automation(automation)

    async def miss_a_heartbeat(self) -> None:
        """The run was last heard of 100 seconds ago."""
        (trigger,) = self.automation.triggers()
        end = datetime.now(UTC) - timedelta(seconds=10)
        buckets = self.database.AutomationBucket
        own = {"automation_id": self.automation.id, "trigger_id": trigger.id, "bucketing_key": [self.RUN]}
        async with self.database.session_context(begin_transaction=True) as session:
            await session.execute(sa.delete(buckets))
            session.add(buckets(**own, count=0, start=end - LOST_AFTER, end=end, last_operation="a test"))
        triggers.next_proactive_runs.clear()

    def heard(self, event: str = "heartbeat") -> ReceivedEvent:
        flow = {"prefect.resource.role": "flow", "prefect.resource.name": FLOW}
        return ReceivedEvent(
            occurred=datetime.now(UTC),
            event=f"prefect.flow-run.{event}",
            resource=Resource({"prefect.resource.id": self.RUN}),
            related=[
                RelatedResource({"prefect.resource.id": "prefect.flow.1", **flow}),
                RelatedResource(
                    {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
                ),
            ],
            payload={},
            id=uuid.uuid4(),
            received=datetime.now(UTC),
        )


def listening(scene: Callable[[Listening], Awaitable[None]], tmp_path: Path) -> None:
    """Play a scene on a database of its own, with the module as the server loads it."""
    path = tmp_path / "prefect.db"
    shutil.copy(migrated_database(), path)
    url = f"sqlite+aiosqlite:///{path}"

    loaded()

    async def play() -> None:
        place = Listening(path)

        async def act(firing: Firing) -> None:
            place.fired.append(firing)

        with patch.object(triggers, "act", act):
            await place.add(place.automation)
            await scene(place)

    with (
        temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}),
        temporary_database_config(AioSqliteConfiguration(url)),
    ):
        try:
            asyncio.run(play())
        finally:
            triggers.automations_by_id.clear()
            triggers.triggers.clear()


def test_a_run_is_missed_while_the_server_listens(tmp_path: Path) -> None:
    async def scene(place: Listening) -> None:
        await triggers.evaluate_proactive_triggers()
        await place.miss_a_heartbeat()
        await triggers.evaluate_proactive_triggers()
        assert len(place.fired) == 1

    listening(scene, tmp_path)


def test_nobody_is_missed_at_the_first_look_after_a_night(tmp_path: Path) -> None:
    async def scene(place: Listening) -> None:
        await place.miss_a_heartbeat()
        await triggers.evaluate_proactive_triggers()
        assert not place.fired

    listening(scene, tmp_path)


def test_the_first_heartbeat_after_a_night_is_no_crash(tmp_path: Path) -> None:
    async def scene(place: Listening) -> None:
        await place.miss_a_heartbeat()
        await triggers.reactive_evaluation(place.heard())
        await triggers.evaluate_proactive_triggers()
        assert not place.fired

    listening(scene, tmp_path)


def test_an_event_that_comes_while_another_process_writes_waits(tmp_path: Path) -> None:
    async def scene(place: Listening) -> None:
        await triggers.reactive_evaluation(place.heard())
        other = sqlite3.connect(place.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        handled = asyncio.create_task(triggers.reactive_evaluation(place.heard("Failed")))
        await asyncio.sleep(0.3)
        assert not handled.done()
        other.execute("COMMIT")
        await handled
        async with place.database.session_context() as session:
            assert await session.scalar(sa.select(place.database.AutomationBucket.count)) == 1

    listening(scene, tmp_path)


def test_the_same_end_of_a_run_starts_one_notice_and_the_next_end_another(tmp_path: Path) -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (trigger,) = next(one for one in deployments if one["name"] == "ended-from-outside")["triggers"]
    fields = {name: trigger[name] for name in set(trigger) & set(EventTrigger.model_fields)}
    notice = Automation(name=trigger["name"], trigger=EventTrigger(**fields), actions=[DoNothing()])

    async def scene(place: Listening) -> None:
        await place.add(notice)
        end = place.heard("Crashed")
        later = {"id": uuid.uuid4(), "occurred": end.occurred + timedelta(seconds=2)}
        for event in (end, end, end.model_copy(update=later)):
            await triggers.reactive_evaluation(event)
        assert [firing.trigger.automation.id for firing in place.fired] == [notice.id, notice.id]

    listening(scene, tmp_path)


def test_transactions_that_read_and_then_write_have_their_turns(tmp_path: Path) -> None:
    async def scene(place: Listening) -> None:
        automations = place.database.Automation
        turns: list[int] = []

        async def read_and_write(turn: int) -> None:
            async with place.database.session_context(begin_transaction=True) as session:
                names = (await session.scalars(sa.select(automations.name))).all()
                await asyncio.sleep(0.02)
                await session.execute(sa.update(automations).values(name=f"{names[0]}, {turn}"))
                turns.append(turn)

        await asyncio.gather(*map(read_and_write, range(20)))
        assert turns == list(range(20))
        async with place.database.session_context() as session:
            name = await session.scalar(sa.select(automations.name))
        assert name == ", ".join([LOST, *map(str, range(20))])

    listening(scene, tmp_path)


@pytest.mark.parametrize("begins", [False, True])
def test_who_reads_within_a_transaction_does_not_wait_for_its_end(begins: bool, tmp_path: Path) -> None:
    async def scene(place: Listening) -> None:
        automations = sa.select(place.database.Automation.name)
        async with asyncio.timeout(10), place.database.session_context(begin_transaction=True) as outer:
            await outer.execute(automations)
            async with place.database.session_context(begin_transaction=begins) as inner:
                assert await inner.scalar(automations) == LOST

    listening(scene, tmp_path)


@pytest.mark.parametrize(
    ("counts", "generation"),
    [((700, 10, 10), None), ((701, 10, 10), 0), ((5, 11, 10), 1), ((701, 3, 11), 2)],
)
def test_garbage_is_collected_when_python_would(counts: tuple[int, ...], generation: int | None) -> None:
    assert loaded().due(counts, (700, 10, 10)) == generation


def test_the_thread_of_the_event_loop_collects_no_garbage() -> None:
    gc.enable()
    loaded()
    assert not gc.isenabled()
    assert "garbage" in [thread.name for thread in threading.enumerate()]
