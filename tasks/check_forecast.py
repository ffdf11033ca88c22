"""Check-Forecast: the export in the input's form goes through the gate; what comes through is archived."""

import tempfile
from pathlib import Path

from pipeline import export, gate, publish, recalibration, recent, record, reformat, unforecast, verdict
from pipeline.form import InputForm
from pipeline.recalibration import Adjustment
from pipeline.reformat import Reformatted
from pipeline.verdict import Verdict
from tasks.exhibit import show_table, show_text
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.step import step


@step("Check-Forecast")
def check_forecast(job: Job, form: InputForm, exported: str) -> None:
    """Bring the export into the input's form, recalibrate it if asked, check it, and put it into the archive.

    Raises:
        StepFailed: RefusedForecast with every check that failed; the forecast before stays published.
    """
    live = publish.current(job.s3, job.workload)
    if live is not None and live.run == job.run:  # it came through before a crash, and readers see it
        return
    parts = export.list_parts(job.s3, job.workload, exported, job.names.export_job)
    adjustment = _adjustment(job)
    read = export.frames(job.s3, job.workload, parts)
    frames = (adjustment.applied(frame, job.params.type_labels) for frame in read)
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / publish.FILE
        with clean.open("wb") as out:
            written = reformat.reformat(frames, job.params, form, out)
        found = _judged(job, form, clean, written)
        verdict.write(job.s3, job.workload, found)
        show_table(job.workload, "gate", found.rows(), f"What the gate found, run `{job.run}`")
        logger().info(
            "%d rows: %d items × %d steps; %s", written.rows, written.items, written.horizon, found.words()
        )
        found.insist()
        publish.archive(job.s3, job.workload, job.run, clean, written, parts)


def _adjustment(job: Job) -> Adjustment:
    """What is done with the intervals: decided once, and written down before it is done."""
    if not job.params.recalibration.is_on:
        return Adjustment()
    known = record.read(job.s3, job.workload, job.run)
    if known is not None and known.recalibration is not None:
        return Adjustment(**known.recalibration)
    found = recalibration.decide(job.s3, job.workload, job.params)
    reached(job, recalibration=found.to_dict())
    logger().info(found.words())
    show_text(
        job.workload, "recalibration", ["## Recalibration", "", found.words()], "How wide intervals are"
    )
    return found


def _judged(job: Job, form: InputForm, clean: Path, written: Reformatted) -> Verdict:
    keys = recent.staged(job.s3, job.workload, job.run)
    history = recent.read(job.s3, job.workload, job.params, keys, written.first, form.items)
    last = gate.last_forecast(job.s3, job.workload, job.params)
    with clean.open("rb") as source:
        found = gate.judge(job.run, source, written, job.params, history, last)
    if written.items < form.items and not found.failed and job.params.selector_path is None:
        with clean.open("rb") as source:
            own = (job.s3, job.workload, job.run, job.params)
            lost = unforecast.write(*own, history, source, gate.layout_of(job.params, written))
        logger().warning("%d items have no forecast: %s", lost, job.workload.uri(unforecast.path(job.run)))
    return found
