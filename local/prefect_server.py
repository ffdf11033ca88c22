"""What the local Prefect server does otherwise: it may be killed, its machine may sleep, it uses SQLite.

**Order.** A change of state names the change before it, and waits until that was handled. A server that was
killed has forgotten what it handled: every run that was under way would have its next change of state (it
crashed, say) put aside for a quarter of an hour, and be restarted only then. On one machine nothing is late
by more than moments.

**Silence.** An automation that misses an event, as ours does heartbeats, looks at the clock alone. When a lid
was closed for a while, or the server was away, it would call every run at work crashed, and let a second
process do the same work. Nobody could be heard while nobody listened: after such a gap all get their whole
time once more.

**Garbage.** Whichever thread allocates too much collects the garbage, the one of the event loop, too. A
forgotten cursor that it finds wants the lock of its connection; when that connection's thread is waiting for
another that writes, and the writer needs the event loop to go on, everything stands still until SQLite gives
up after a minute. So a thread of its own collects it; that one may wait.

Named in PREFECT_SERVER_EVENTS_CAUSAL_ORDERING, which is the seam that Prefect offers for the order. For the
silence it has none; two of its functions are wrapped.
"""

import gc
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from prefect.server.database import provide_database_interface
from prefect.server.events import triggers
from prefect.server.events.ordering import memory
from prefect.server.events.schemas.automations import EventTrigger, Posture
from prefect.server.events.schemas.events import ReceivedEvent

PATIENCE = timedelta(seconds=10)

# The server looks every five seconds; what is longer was sleep, or it was not there.
LONGEST_LOOK = timedelta(seconds=30)

memory.PRECEDING_EVENT_LOOKBACK = PATIENCE

CausalOrdering = memory.CausalOrdering

COLLECT_EVERY_S = 0.2

# When each automation's trigger was last looked after by this process.
_looked: dict[UUID, datetime] = {}


async def listen_again(now: datetime) -> None:
    """Give the whole time to all who were expected to be heard of while nobody listened."""
    for trigger in list(triggers.triggers.values()):
        if trigger.posture != Posture.Proactive:
            continue
        looked = _looked.get(trigger.id)
        if looked is None or now - looked > LONGEST_LOOK:
            await _begin_anew(trigger, now)
        _looked[trigger.id] = now


async def _begin_anew(trigger: EventTrigger, now: datetime) -> None:
    database = provide_database_interface()
    buckets = database.AutomationBucket
    async with database.session_context(begin_transaction=True) as session:
        await session.execute(
            sa.update(buckets).where(buckets.trigger_id == trigger.id).values(end=now + trigger.within)
        )


def _original(function: Any) -> Any:
    return getattr(function, "__wrapped__", function)


_evaluate_proactive_triggers = _original(triggers.evaluate_proactive_triggers)
_reactive_evaluation = _original(triggers.reactive_evaluation)


@wraps(_evaluate_proactive_triggers)
async def _evaluate_who_is_missed() -> None:
    await listen_again(datetime.now(UTC))
    await _evaluate_proactive_triggers()


@wraps(_reactive_evaluation)
async def _evaluate_event(event: ReceivedEvent, depth: int = 0) -> None:
    # The first heartbeat after the gap would itself be taken as the end of the time.
    await listen_again(datetime.now(UTC))
    await _reactive_evaluation(event, depth)


triggers.evaluate_proactive_triggers = _evaluate_who_is_missed
triggers.reactive_evaluation = _evaluate_event


def due(counts: tuple[int, ...], thresholds: tuple[int, ...]) -> int | None:
    """The oldest generation that Python itself would collect now, by its own thresholds."""
    full = [count > most > 0 for count, most in zip(counts, thresholds, strict=True)]
    return max((generation for generation, is_full in enumerate(full) if is_full), default=None)


def _collect() -> None:
    while not gc.isenabled():  # until somebody lets Python do it again
        time.sleep(COLLECT_EVERY_S)
        generation = due(gc.get_count(), gc.get_threshold())
        if generation is not None:
            gc.collect(generation)


def collect_elsewhere() -> None:
    """Leave the garbage of this process to a thread of its own."""
    if gc.isenabled():
        gc.disable()
        threading.Thread(target=_collect, name="garbage", daemon=True).start()


collect_elsewhere()
