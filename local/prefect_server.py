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

**Turns.** A transaction that has read is refused at once ("database is locked") when it wants to write while
another one does, or after another one did; how long SQLite would wait does not matter. Prefect then handled
an event again, which started what its automations start up to four times, and lost it after the fourth time.
So a transaction says at its beginning that it will write: there SQLite lets it wait. Those of this process
wait in line for it, without a connection: SQLite asks again now and then, and lets some wait for seconds.

Named in PREFECT_SERVER_EVENTS_CAUSAL_ORDERING, which is the seam that Prefect offers for the order. For the
silence and the turns it has none; three of its functions are wrapped.
"""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import wraps
from inspect import unwrap
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from prefect.server.database import provide_database_interface
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.events import triggers
from prefect.server.events.ordering import memory
from prefect.server.events.schemas.automations import EventTrigger, Posture
from prefect.server.events.schemas.events import ReceivedEvent
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

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


# What this module replaces, also where it is loaded again.
_evaluate_proactive_triggers: Any = unwrap(triggers.evaluate_proactive_triggers)
_reactive_evaluation: Any = unwrap(triggers.reactive_evaluation)
_begin_transaction: Any = unwrap(AioSqliteConfiguration.begin_transaction)
_transaction = asynccontextmanager(_begin_transaction)


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


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@asynccontextmanager
@wraps(_begin_transaction)
async def _begin_to_write(
    self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
) -> AsyncIterator[AsyncSessionTransaction]:
    # One within another begins as Prefect has it; each would wait for the other.
    within = SQLITE_BEGIN_MODE.get() is not None
    async with (
        nullcontext() if within else _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()),
        _transaction(self, session, with_for_update or not within) as transaction,
    ):
        await session.connection()  # begins, which Prefect leaves to the first statement
        token = SQLITE_BEGIN_MODE.set("DEFERRED")
        try:
            yield transaction
        finally:
            SQLITE_BEGIN_MODE.reset(token)


AioSqliteConfiguration.begin_transaction = _begin_to_write  # type: ignore[method-assign]


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
