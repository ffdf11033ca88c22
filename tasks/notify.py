"""Notify: the people who wait for the forecast are told; a notice that fails does not fail the run."""

from collections.abc import Iterable
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from blocks.installation import Installation
from pipeline import drift, ledger, ledgertables, messages, record
from pipeline import verdict as verdicts
from pipeline.accuracy import Accuracy
from pipeline.errors import BadForecast, BadInput, PipelineError
from pipeline.publish import Manifest, conclude, current
from pipeline.workload import Workload
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.note_end import note_failed, note_published
from tasks.step import StepFailed, step
from tasks.update_resources import Published
from tasks.write_report import report_failure

ROLLBACK = "rollback"  # the flow that makes no forecast, but brings one back


@step("Notify")
def notify(job: Job, published: Published, accuracy: Accuracy | None, warnings: Iterable[str] = ()) -> None:
    """Tell of the new forecast, then close the run's record: told at least once, even after a crash."""
    verdict = verdicts.read(job.s3, job.workload, job.run)
    known = reached(job)
    found = drift.kept(job.s3, job.workload, job.run)
    score = ledger.scored(job.s3, job.workload, found.newest) if found and found.newest else None
    message = messages.success(
        job.workload,
        published.manifest,
        known,
        accuracy,
        [*published.tables, *_ledger_tables(job)],
        deleted=job.params.perform_delete,
        run_link=flow_run.get_flow_run_ui_url(),
        checked=verdict.words() if verdict else None,
        outcome=score.words() if score else None,
        warnings=[*([f"Drift. {found.words()}"] if found and found.is_drifting else []), *warnings],
    )
    send(job.place, message)
    note_published(job, published.manifest, known, verdict)
    conclude(job.s3, job.workload, published.manifest)
    reached(job, state="published", deletes=job.params.perform_delete)


def _ledger_tables(job: Job) -> list[str]:
    """The tables that Keep-Ledger has written, in this run or before."""
    try:
        return ledgertables.there(job.place.client("glue"), job.place.database, job.workload)
    except PipelineError as error:
        logger().warning("The message does not list the tables of the ledger: %s", error)
        return []


@step("Notify", "Notify of failure")
def notify_of_failure(place: Installation, workload: Workload, failed: StepFailed) -> None:
    """Tell which step failed, why, what to do, and which forecast is still published; close the record.

    The report comes first: the message says where it lies.
    """
    run = failed.job.run if failed.job else None
    written = report_failure(place, workload, failed)
    message = messages.failure(
        workload,
        failed.step,
        failed.cause,
        run=run,
        run_link=flow_run.get_flow_run_ui_url(),
        published=still_published(place, workload),
        is_rollback=flow_run.get_flow_name() == ROLLBACK,
        report=written,
    )
    if send(place, message):
        note_told()
    if failed.job:
        _close(failed.job, failed)
    note_failed(place, workload, failed)


def note_told() -> None:
    """Mark the flow run, so that nobody is told again from outside; without the mark they are."""
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(
                UUID(flow_run.get_id()), {told_of("FAILED"): flow_run.get_run_count()}
            )
    except Exception:
        logger().warning("The flow run could not be marked as told of", exc_info=True)


def _close(job: Job, failed: StepFailed) -> None:
    cause = failed.cause
    ended = {"state": "refused" if isinstance(cause, BadInput | BadForecast) else "failed"}
    try:
        known = record.read(job.s3, job.workload, job.run)
        if known and known.is_published:
            ended = {}  # only the cleaning up failed: the next run goes on with that, and trains nothing
        reached(job, **ended, step=failed.step, cause=cause.what, remedy=cause.remedy)
    except PipelineError as error:
        logger().warning("The run's record could not be closed: %s", error)


def send(place: Installation, message: messages.Message) -> bool:
    """Send a message to the installation's topic, if there is one; whatever goes wrong is only logged.

    Returns:
        Whether it was sent.
    """
    try:
        sent = messages.notify(place.client("sns"), place.topic_arn, message)
    except Exception:  # a client that cannot even be made, an answer that is none
        logger().warning("Sending a notice failed", exc_info=True)
        sent = False
    if sent:
        logger().info("Told: %s", message.subject)
    else:
        logger().warning("Nobody could be told: %s", message.subject)
    return sent


def told_of(state: str) -> str:
    """The label of a flow run of whose end in this type of state people know; its value is the attempt."""
    return f"forecast.told.{state.lower()}"


def still_published(place: Installation, workload: Workload) -> Manifest | None:
    """What readers see, as far as that can be found out."""
    try:
        return current(place.client("s3"), workload)
    except PipelineError:
        return None
