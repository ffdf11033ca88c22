"""The row of a run's end in the table of runs: written at every end, and never the reason for one."""

import datetime as dt
from dataclasses import replace

from prefect.runtime import flow_run

from blocks.installation import Installation
from pipeline import catalogue, record, runtables, verdict
from pipeline.errors import BadForecast, BadInput
from pipeline.publish import Manifest
from pipeline.record import Record
from pipeline.runtables import Ended
from pipeline.verdict import Verdict
from pipeline.workload import Workload
from tasks.job import Job
from tasks.log import logger
from tasks.step import StepFailed

FROM_ARCHIVE = "No import and no training: the forecast of this content came back from the archive."


def note_published(job: Job, manifest: Manifest, known: Record | None, judged: Verdict | None) -> None:
    """The run has published; `known` is its record, `judged` the verdict of the gate."""
    came_back = manifest.kind != "publish"
    ended = Ended.well(
        "published",
        manifest,
        decision=FROM_ARCHIVE if came_back else runtables.decision_of(known),
        gate=judged.words() if judged else None,
        recalibration=runtables.recalibration_of(known),
    )
    _note(job.place, job.workload, ended)


def note_failed(place: Installation, workload: Workload, failed: StepFailed) -> None:
    """The run has ended without its result, in this step and for this cause."""
    refused = isinstance(failed.cause, BadInput | BadForecast)
    ended = Ended(
        "refused" if refused else "failed",
        failed.job.run if failed.job else None,
        failed.step,
        runtables.reason_of(failed.cause),
    )
    _note(place, workload, ended)


def note_rolled_back(place: Installation, workload: Workload, manifest: Manifest) -> None:
    """An earlier forecast is the current one again."""
    aside = f"put aside: {', '.join(manifest.held)}" if manifest.held else "nothing is put aside"
    reason = f"The forecast of run {manifest.run} is the current one again; {aside}."
    _note(place, workload, Ended.well("rolled back", manifest, reason=reason))


def _note(place: Installation, workload: Workload, ended: Ended) -> None:
    try:
        row = replace(_completed(place, workload, ended), flow_run=_flow_run())
        runtables.keep_end(place.client("s3"), workload, row, dt.datetime.now(dt.UTC))
        if ended.state in ("refused", "failed"):  # perhaps nobody made the tables yet
            glue = place.client("glue")
            catalogue.ensure_database(glue, place.database)
            runtables.register(glue, place.database, workload)
    except Exception:  # whatever it is: the run has ended, and this is about telling so
        logger().warning("The end of the run could not be written into the table of runs", exc_info=True)


def _completed(place: Installation, workload: Workload, ended: Ended) -> Ended:
    """With what the run wrote down on its way."""
    if ended.run is None or ended.state == "rolled back":
        return ended
    s3 = place.client("s3")
    drift = runtables.drift_of(s3, workload, ended.run)
    if ended.state == "published":
        return replace(ended, drift=drift)
    judged, known = verdict.read(s3, workload, ended.run), record.read(s3, workload, ended.run)
    return replace(
        ended,
        drift=drift,
        decision=runtables.decision_of(known),
        recalibration=runtables.recalibration_of(known),
        gate=judged.words() if judged else None,
    )


def _flow_run() -> str | None:
    given = flow_run.get_id()
    return str(given) if given else None
