"""Automations that bring a run back whose process was killed.

    no sign of life for LOST_AFTER  ─▶  Crashed  ─▶  AwaitingRetry  ─▶  a worker takes it up again

A flow run sends a heartbeat every 30 seconds (set on the deployment in prefect.yaml), so a run whose
machine, worker or process died is running again within about two minutes of its death, provided that a
worker is there. What it had done is found and kept. The flow counts its own attempts and ends the circle.

A Prefect server that was killed meanwhile forgets what its automations were about to do, and holds events of
runs from before for a quarter of an hour (the local stack's: ten seconds, see local/prefect_server.py);
reconciliation finds such a run in the server's database and restarts it (flows.revival).

A process that dies before the flow begins cannot count (its code may not even load): it is started again
once a minute at most, so that a second death ends it. Reconciliation starts another run later.
"""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

# The flow that forecasts, and all flows of ours, which recover.
FLOW = "forecast"
FLOWS = (FLOW, "rollback", "notice", "reconcile")

# What prefect.yaml tags our deployments with. A flow of the same name on the same server may be somebody
# else's, and one that is started by hand sends no heartbeat in time: neither is ours to call dead.
TAG = "forecast"

# Three heartbeats: one may be late on a busy machine, and so may a process be that is still starting.
LOST_AFTER = timedelta(seconds=90)

# Every state between a worker's first touch and the end: a process may die in each of them.
ALIVE = ("Pending", "Submitting", "InfrastructurePending", "Running", "Retrying")

LOST = "forecast: a run without a sign of life has crashed"
RETRY = "forecast: a crashed run starts again"
RETRY_START = "forecast: a run that crashed before it began starts again"

# All of these have to be among what an event is related to.
Related = list[ResourceSpecification | dict[str, str | list[str]]]

# Longer than a process takes to find out that its code cannot be loaded, on a busy machine, too.
START_AGAIN_AFTER = timedelta(seconds=60)


def recovery() -> list[AutomationCore]:
    """The automations, as they should stand on the server."""
    any_run = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
    of_ours: Related = [
        ResourceSpecification({"prefect.resource.role": ["flow"], "prefect.resource.name": list(FLOWS)}),
        ResourceSpecification(
            {"prefect.resource.role": ["tag"], "prefect.resource.id": [f"prefect.tag.{TAG}"]}
        ),
    ]
    lost = EventTrigger(
        posture=Posture.Proactive,
        after={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{name}" for name in ALIVE)},
        expect={"prefect.flow-run.*"},
        match=any_run,
        match_related=of_ours,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=LOST_AFTER,
    )
    return [
        AutomationCore(
            name=LOST,
            description="Notices a run whose process, worker or machine was killed.",
            trigger=lost,
            actions=[
                _change(StateType.CRASHED, None, "No sign of life for 90 seconds: was its process killed?")
            ],
        ),
        AutomationCore(
            name=RETRY,
            description="Lets a crashed run go on where it stopped.",
            trigger=_crashed("!0", of_ours, timedelta(0)),
            actions=[_again("Its process ended; it goes on where it stopped.")],
        ),
        AutomationCore(
            name=RETRY_START,
            description="Lets a run whose process died before the flow began try once more.",
            trigger=_crashed("0", of_ours, START_AGAIN_AFTER),
            actions=[_again("Its process ended before the flow began.")],
        ),
    ]


def _crashed(attempts: str, of_ours: Related, pause: timedelta) -> EventTrigger:
    """A crash of a run that has begun so often (`!0`: at all); others within the pause are overlooked."""
    which: dict[str, str | list[str]] = {
        "prefect.resource.id": ["prefect.flow-run.*"],
        "prefect.run-count": [attempts],
    }
    return EventTrigger(
        posture=Posture.Reactive,
        expect={"prefect.flow-run.Crashed"},
        match=ResourceSpecification(which),
        match_related=of_ours,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=pause,
    )


def _again(message: str) -> ChangeFlowRunState:
    return _change(StateType.SCHEDULED, "AwaitingRetry", message)


def _change(state: StateType, name: str | None, message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=state, name=name, message=message, force=False)


def install_recovery() -> list[str]:
    """Create the automations or bring them up to date; one that somebody switched off stays off.

    One that is as it should be is not touched: an update forgets whom the automation was waiting for, such as
    the runs that died with the stack.

    Returns:
        Their names.
    """
    with get_client(sync_client=True) as client:
        for automation in recovery():
            existing = client.read_automations_by_name(automation.name)
            if not existing:
                client.create_automation(automation)
                continue
            automation.enabled = existing[0].enabled
            if AutomationCore.model_validate(existing[0].model_dump(exclude={"id"})) != automation:
                client.update_automation(existing[0].id, automation)
    return [automation.name for automation in recovery()]
