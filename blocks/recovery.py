"""Automations that bring a run back whose process was killed.

    no sign of life for LOST_AFTER  ─▶  Crashed  ─▶  AwaitingRetry  ─▶  a worker takes it up again

A flow run sends a heartbeat every 30 seconds (set on the deployment in prefect.yaml), so a run whose
machine, worker or process died is running again within about two minutes of its death, provided that a
worker is there. What it had done is found and kept. The flow counts its own attempts and ends the circle.
"""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

# The flow that recovers; other flows on the same server are left alone.
FLOW = "forecast"

# Three heartbeats: one may be late on a busy machine, and so may a process be that is still starting.
LOST_AFTER = timedelta(seconds=90)

LOST = "forecast: a run without a sign of life has crashed"
RETRY = "forecast: a crashed run starts again"


def recovery() -> list[AutomationCore]:
    """The automations, as they should stand on the server."""
    any_run = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
    of_the_flow = ResourceSpecification({"prefect.resource.role": ["flow"], "prefect.resource.name": [FLOW]})
    lost = EventTrigger(
        posture=Posture.Proactive,
        after={"prefect.flow-run.heartbeat", "prefect.flow-run.Pending", "prefect.flow-run.Running"},
        expect={"prefect.flow-run.*"},
        match=any_run,
        match_related=of_the_flow,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=LOST_AFTER,
    )
    crashed = EventTrigger(
        posture=Posture.Reactive,
        expect={"prefect.flow-run.Crashed"},
        match=any_run,
        match_related=of_the_flow,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=timedelta(0),
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
            trigger=crashed,
            actions=[
                _change(
                    StateType.SCHEDULED, "AwaitingRetry", "Its process ended; it goes on where it stopped."
                )
            ],
        ),
    ]


def _change(state: StateType, name: str | None, message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=state, name=name, message=message, force=False)


def install_recovery() -> list[str]:
    """Create the automations or bring them up to date; one that somebody switched off stays off.

    Returns:
        Their names.
    """
    with get_client(sync_client=True) as client:
        for automation in recovery():
            existing = client.read_automations_by_name(automation.name)
            if existing:
                automation.enabled = existing[0].enabled
                client.update_automation(existing[0].id, automation)
            else:
                client.create_automation(automation)
    return [automation.name for automation in recovery()]
