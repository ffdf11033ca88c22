"""Delete-ImportJob: the run's import jobs. Whether the datasets keep their content is up to the service."""

from collections.abc import Mapping
from typing import Any

from pipeline.resources import remove
from tasks.job import Job
from tasks.log import logger
from tasks.step import step


@step("Delete-ImportJob")
def delete_import_job(job: Job, made: Mapping[str, Any]) -> None:
    """Delete this run's import jobs, as far as they exist."""
    for arn in made.get("import_jobs", ()):
        remove(job.forecast, arn)
        logger().info("Deleted %s", arn)
