"""One run per workload at a time; the others queue.

The turn is a global concurrency limit of Prefect with one slot, made on first use. The slot is leased: a
run that is killed stops renewing its lease, and the next one comes in within about a minute. A Prefect
server that keeps its leases in memory (the default) forgets them when it restarts, but not that the slot
is taken; so a run that has waited in vain looks whether anybody is at work at all.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from flows.revival import end_silent_runs
from flows.tags import retag
from tasks.runs import turn_name

# The shortest that a Prefect server grants. A lease is renewed after three quarters of it.
LEASE_S = 60

# By then the lease of a killed run has surely ended and its slot been freed.
LOOK_AFTER_S = 150


@contextmanager
def turn(label: str) -> Iterator[None]:
    """Wait until no other run holds the turn of `label`, and hold it for the length of the block.

    Losing the server for longer than the lease does not end the run: every step finds what exists, so
    two runs at once repeat each other's questions, not each other's work.
    """
    name = turn_name(label)
    with get_client(sync_client=True) as client:
        _make(client, name)
        _say_at_work(client, name, False)  # a run that starts again after a crash still says so
        get_run_logger().info("Waiting until no other run works on %s", label)
        with ExitStack() as held:
            while not _taken(held, name):
                _free_if_nobody_is_at_work(client, name)
            _say_at_work(client, name, True)
            yield


def _make(client: SyncPrefectClient, name: str) -> None:
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):  # another run was faster
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))


def _taken(held: ExitStack, name: str) -> bool:
    slot = concurrency(
        name,
        timeout_seconds=LOOK_AFTER_S,
        lease_duration=LEASE_S,
        strict=True,
        raise_on_lease_renewal_failure=False,
    )
    try:
        held.enter_context(slot)
    except TimeoutError:
        return False
    return True


def _say_at_work(client: SyncPrefectClient, name: str, at_work: bool) -> None:
    """Set or take away the tag by which other runs see that this one holds the turn."""
    retag(client, name if at_work else None, lambda tag: tag == name)


def _free_if_nobody_is_at_work(client: SyncPrefectClient, name: str) -> None:
    """A run that died unnoticed still says that it is at work, and so may a dead reconciliation."""
    end_silent_runs(client, dt.datetime.now(dt.UTC))
    at_work = FlowRunFilter.model_validate(
        {"tags": {"all_": [name]}, "state": {"type": {"any_": ["RUNNING"]}}}
    )
    if not client.read_flow_runs(flow_run_filter=at_work, limit=1):
        get_run_logger().warning("The slot “%s” is taken, but nobody is at work: freeing it", name)
        client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(active_slots=0))
