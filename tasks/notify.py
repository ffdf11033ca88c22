"""Notify: the people who wait for the forecast are told; a notice that fails does not fail the run."""

from prefect.runtime import flow_run

from blocks.installation import Installation
from pipeline import messages, record
from pipeline import verdict as verdicts
from pipeline.accuracy import Accuracy
from pipeline.errors import BadForecast, BadInput, PipelineError
from pipeline.publish import Manifest, current
from pipeline.workload import Workload
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.step import StepFailed, step
from tasks.update_resources import Published


@step("Notify")
def notify(job: Job, published: Published, accuracy: Accuracy | None) -> None:
    """Tell of the new forecast, then close the run's record: told at least once, even after a crash."""
    verdict = verdicts.read(job.s3, job.workload, job.run)
    message = messages.success(
        job.workload,
        published.manifest,
        reached(job),
        accuracy,
        published.tables,
        deleted=job.params.perform_delete,
        run_link=flow_run.get_flow_run_ui_url(),
        checked=verdict.words() if verdict else None,
    )
    send(job.place, message)
    reached(job, state="published")


@step("Notify", "Notify of failure")
def notify_of_failure(place: Installation, workload: Workload, failed: StepFailed) -> None:
    """Tell which step failed, why, what to do, and which forecast is still published; close the record."""
    run = failed.job.run if failed.job else None
    message = messages.failure(
        workload,
        failed.step,
        failed.cause,
        run=run,
        run_link=flow_run.get_flow_run_ui_url(),
        published=_still_published(place, workload),
    )
    send(place, message)
    if failed.job:
        _close(failed.job, failed)


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


def send(place: Installation, message: messages.Message) -> None:
    """Send a message to the installation's topic, if there is one."""
    if messages.notify(place.client("sns"), place.topic_arn, message):
        logger().info("Told: %s", message.subject)
    else:
        logger().warning("Nobody could be told: %s", message.subject)


def _still_published(place: Installation, workload: Workload) -> Manifest | None:
    try:
        return current(place.client("s3"), workload)
    except PipelineError:
        return None
