"""Notices about runs that ended from outside: their process died, or somebody cancelled them.

Prefect calls these hooks, partly in a process of their own, by the names of their arguments.
"""

import logging
from collections.abc import Mapping
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from blocks.installation import Installation
from flows.subject import workload_of
from pipeline import messages
from pipeline.errors import PipelineError

log = logging.getLogger("forecast")


def tell_of_crash(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Say that the process of a run died, and that the run goes on by itself."""
    error = PipelineError(
        f"The process of the flow run “{flow_run.name}” ended: {state.message or 'no reason given'}.",
        "The run starts again by itself and goes on where it stopped; the last forecast stays published.",
    )
    _tell(flow_run.parameters, error)


def tell_of_cancellation(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Say that somebody cancelled a run."""
    error = PipelineError(
        f"The flow run “{flow_run.name}” was cancelled.",
        "Run it again when you want it to go on where it stopped; the last forecast stays published.",
    )
    _tell(flow_run.parameters, error)


def _tell(parameters: Mapping[str, Any], error: PipelineError) -> None:
    """Send the notice; whatever goes wrong here must not hide what happened to the run."""
    try:
        place = Installation.named(parameters.get("installation") or "default")
        workload = workload_of(parameters["bucket"], parameters.get("key"), parameters.get("folder"))
        message = messages.failure(workload, "Flow run", error)
        messages.notify(place.client("sns"), place.topic_arn, message)
    except Exception:
        log.exception("Could not tell anybody that %s", error)
