"""What the local Prefect server does with the news of runs that were under way when it was killed."""

import asyncio
import importlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from prefect.server.events.ordering import EventArrivedEarly, memory
from prefect.server.events.schemas.events import ReceivedEvent, Resource

from local.parts import parts_of
from local.settings import ROOT, Settings


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


def test_an_event_waits_ten_seconds_for_one_that_will_never_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PRECEDING_EVENT_LOOKBACK", memory.PRECEDING_EVENT_LOOKBACK)  # put back after
    (server,) = [part for part in parts_of(Settings(ROOT)) if part.name == "prefect"]
    module = importlib.reload(
        importlib.import_module(server.environment["PREFECT_SERVER_EVENTS_CAUSAL_ORDERING"])
    )
    order = module.CausalOrdering("a test")
    asyncio.run(order.wait_for_leader(crashed(11)))
    with pytest.raises(EventArrivedEarly):
        asyncio.run(order.wait_for_leader(crashed(0)))
