"""Apply-Retention: what the older runs made is removed, as far as params.json says so."""

from pipeline import retention
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.step import step


@step("Apply-Retention")
def apply_retention(job: Job) -> None:
    """Remove what `Retention` does not keep, and what `PerformDelete` left; the notice tells of it.

    The forecast is published by then: whatever goes wrong here is told, and left to the next run.
    """
    try:
        told = retention.apply(job.owner, job.params.retention, deletes=job.params.perform_delete).words()
    except Exception as error:
        logger().warning("The clean-up of earlier runs failed", exc_info=error)
        told = f"The clean-up of earlier runs failed and is left to the next run: {error}"
    if told:
        logger().info(told)
    reached(job, retention=told)
