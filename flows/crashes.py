"""How often the process of a flow run has died."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run

from pipeline.errors import PipelineError

# A crashed run starts again by itself; one that crashes every time must come to an end.
MOST_CRASHES = 5


def crashes_of(flow_run_id: str | None) -> int:
    """Crashes of the flow run since it last failed: whoever has a failed run run again begins a new count."""
    if flow_run_id is None:
        return 0
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(UUID(flow_run_id))
    ends = [state.type for state in sorted(states, key=lambda state: state.timestamp)]
    failures = [place for place, end in enumerate(ends) if end == StateType.FAILED]
    return ends[failures[-1] + 1 if failures else 0 :].count(StateType.CRASHED)


def refuse_to_crash_for_ever() -> None:
    """End a circle of crashes.

    Raises:
        PipelineError: the process of the present flow run has died too often.
    """
    crashes = crashes_of(flow_run.get_id())
    if crashes >= MOST_CRASHES:
        raise PipelineError(
            f"The process of this run has died {crashes} times.",
            "Look at the worker's log (enough memory?), then run it again: it goes on where it stopped.",
        )
