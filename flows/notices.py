"""Notices about runs that ended from outside: their process died, or somebody cancelled them.

    the run's own process ─▶ hook ──────────────────────────┐
    the server's event ─▶ automation ─▶ deployment notice ──┴─▶ told already? ─▶ SNS ─▶ label on the run

The hooks are quick, but they die with the machine; the deployment waits on the server for a worker and
is tried again when the message cannot be sent. A label on the flow run says who has been told, so that
people hear once of each kind of end. A run that fails tells of it itself, and is told of from outside
only when it could not.
"""

import logging
from typing import Any
from uuid import UUID

from prefect import Flow, flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed
from prefect.utilities.urls import url_for

from blocks.installation import Installation
from flows.crashes import MOST_CRASHES, crashes_of, refuse_to_crash_for_ever
from flows.subject import workload_of
from pipeline import messages
from pipeline.errors import PipelineError, Unreachable
from tasks.notify import still_published, told_of

log = logging.getLogger("forecast")

# Of an error that the workflow did not foresee, more than this is for the log.
LONGEST_CAUSE = 300

RUN = "prefect.flow-run."


@flow(name="notice", flow_run_name="notice {ended}", retries=3, retry_delay_seconds=60)
def notice(ended: str, state: str) -> State[None]:
    """Tell of a flow run that has ended, unless people know.

    Args:
        ended: The flow run, as events name it: prefect.flow-run.<id>.
        state: The id of the state in which it ended.
    """
    refuse_to_crash_for_ever()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(ended.removeprefix(RUN)))
        states = client.read_flow_run_states(run.id)
        (found,) = [one for one in states if str(one.id) == state]
        return Completed(message=tell(client, run, found))


def tell_of_end(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Prefect's hook, called by the names of its arguments, partly in a process of its own."""
    try:
        with get_client(sync_client=True) as client:
            log.info("%s", tell(client, client.read_flow_run(flow_run.id), state))
    except Exception:
        log.exception("Could not tell anybody that the flow run %s has ended", flow_run.name)


def tell(client: SyncPrefectClient, run: FlowRun, state: State[Any]) -> str:
    """Send the notice about a run's end, unless it was sent.

    Returns:
        What was done, in a sentence.

    Raises:
        PipelineError: it could not be sent; waiting may help.
    """
    kind = "CANCELLED" if state.is_cancelling() else state.type.value  # the hook comes before the end
    if _is_told(run, kind):
        return f"People know that {run.name} has {kind.lower()}."
    given = run.parameters
    place = Installation.named(given.get("installation") or "default")
    if not place.topic_arn:
        return f"The installation has no topic, so nobody is told that {run.name} has {kind.lower()}."
    workload = workload_of(given["bucket"], given.get("key"), given.get("folder"))
    how, error = _account(run, kind, state.message)
    message = messages.interrupted(
        workload, how, error, url_for("flow-run", obj_id=run.id), still_published(place, workload)
    )
    if not messages.notify(place.client("sns"), place.topic_arn, message):
        raise Unreachable(f"The notice '{message.subject}' could not be sent.", "Is the topic there?")
    client.update_flow_run_labels(run.id, {told_of(kind): run.run_count})
    return f"Told: {message.subject}"


def _is_told(run: FlowRun, kind: str) -> bool:
    """Whether people know: of a crash or a cancellation once per run, of a failure once per attempt."""
    told = run.labels.get(told_of(kind))
    return told is not None and (kind != "FAILED" or told == run.run_count)


def _account(run: FlowRun, kind: str, message: str | None) -> tuple[str, PipelineError]:
    """What became of the run, why, and what to do."""
    reason = (message or "no reason given").splitlines()[0][:LONGEST_CAUSE].rstrip(".")
    if kind == "CRASHED":
        return "crashed", PipelineError(
            f"The process of the flow run “{run.name}” ended: {reason}.",
            "The run starts again by itself and goes on where it stopped, within two minutes where a worker "
            f"is there; if its process dies {MOST_CRASHES} times, it gives up and says so "
            f"(so far {crashes_of(str(run.id))}).",
        )
    if kind == "CANCELLED":
        return "was cancelled", PipelineError(
            f"The flow run “{run.name}” was cancelled: {reason}.",
            "Run it again when you want it to go on where it stopped.",
        )
    return "failed", PipelineError(
        f"The flow run “{run.name}” failed: {reason}.",
        "Look at its log on the run's page, then run it again.",
    )
