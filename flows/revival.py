"""Brings back runs whose end, or whose restart, the Prefect server has forgotten.

    at work, but silent ─▶ Crashed ─▶ (an automation, at once) ─▶ AwaitingRetry
    crashed, and left so ────────────────────────────────────────▶ AwaitingRetry

That is the business of automations (blocks.recovery). What an automation was about to do lies in the
server's memory and dies with it; what the server's database says of a run does not.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import AwaitingRetry, Cancelled, Crashed

from blocks.recovery import FLOWS, START_AGAIN_AFTER
from flows.crashes import MOST_CRASHES, crashes_of
from tasks.runs import ENDED, LIVE, KnownRun, is_silent, runs

# Ten heartbeats: the automation that misses a run after three has had its chance.
SILENT_AFTER = dt.timedelta(minutes=5)

# A machine that has just woken up hears of its runs with their next heartbeat; one may be late.
TIME_TO_ANSWER_S = 60.0

# Longer than any automation's pause: by now it would have acted.
LEFT_AFTER = 2 * START_AGAIN_AFTER

# Reconciliations come again by themselves.
RESTARTED = tuple(flow for flow in FLOWS if flow != "reconcile")

# A run that crashed before is history.
LOOK_BACK = dt.timedelta(days=1)

# A process that dies again before the flow begins will do so for ever.
MOST_DEATHS_AT_START = 2

AT_WORK = ("PENDING", "RUNNING", "CANCELLING")


def revive(client: SyncPrefectClient, now: dt.datetime) -> tuple[int, int]:
    """Bring back what was forgotten.

    Returns:
        How many runs at work had gone silent and are ended now, and how many crashed ones start again.
    """
    return end_silent_runs(client, now), restart_crashed_runs(client, now)


def end_silent_runs(
    client: SyncPrefectClient, now: dt.datetime, wait: Callable[[float], None] = time.sleep
) -> int:
    """Call crashed what is at work by its state but has given no sign of life; an automation starts it again.

    What was being cancelled is called cancelled. Nobody is judged at first sight: after a night with the lid
    closed all have been silent.

    Returns:
        How many there were.
    """
    old = [run for run in _at_work(client) if run.due and now - run.due > SILENT_AFTER]
    silent = [run for run in old if is_silent(client, run, now - SILENT_AFTER)]
    if silent:
        wait(TIME_TO_ANSWER_S)
        silent = [run for run in silent if is_silent(client, run, now - SILENT_AFTER)]
    for run in silent:
        _end(client, run, f"No sign of life for {SILENT_AFTER.seconds // 60} minutes.")
    return len(silent)


def end_runs_of_before(client: SyncPrefectClient, began: dt.datetime) -> int:
    """End what was at work on this machine before its processes began, which nobody can be any more.

    The server may have gone down before it had seen to the last changes of their states: then no automation
    waits for them. One such reconciliation would take the place of all later ones, for good.

    Returns:
        How many there were.
    """
    before = [run for run in _at_work(client) if run.since is not None and run.since < began]
    for run in before:
        _end(client, run, "Its process went down with the stack.")
    return len(before)


def _at_work(client: SyncPrefectClient) -> list[KnownRun]:
    """The runs of our deployments that say they are at work."""
    return [run for run in runs(client, AT_WORK, flows=FLOWS) if run.is_ours]


def _end(client: SyncPrefectClient, run: KnownRun, message: str) -> None:
    made = Cancelled if run.state == "CANCELLING" else Crashed
    end: State[None] = made(message=message)
    client.set_flow_run_state(UUID(run.id), end)


def restart_crashed_runs(client: SyncPrefectClient, now: dt.datetime) -> int:
    """Let crashed runs go on that no automation has started again, and that no later run has replaced.

    Returns:
        How many there were.
    """
    known = [run for run in runs(client, (*LIVE, *ENDED), now - LOOK_BACK, RESTARTED) if run.is_ours]
    crashed = [run for run in known if run.state == "CRASHED" and run.ended and now - run.ended > LEFT_AFTER]
    left = [run for run in crashed if not _is_replaced(run, known) and _may_begin_again(run)]
    for run in left:
        again: State[None] = AwaitingRetry(
            message="It crashed and was forgotten; it goes on where it stopped."
        )
        client.set_flow_run_state(UUID(run.id), again)
    return len(left)


def _is_replaced(run: KnownRun, known: Iterable[KnownRun]) -> bool:
    """Whether another run of the workload came later, so that this one's work is done or out of date."""
    return run.workload is not None and any(
        other.workload == run.workload and other.due and run.due and other.due > run.due for other in known
    )


def _may_begin_again(run: KnownRun) -> bool:
    return crashes_of(run.id) < (MOST_CRASHES if run.attempts else MOST_DEATHS_AT_START)
