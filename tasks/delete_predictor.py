"""Delete-Predictor: the run's predictor."""

from collections.abc import Mapping
from typing import Any

from pipeline.resources import remove
from tasks.job import Job
from tasks.log import logger
from tasks.step import step


@step("Delete-Predictor")
def delete_predictor(job: Job, made: Mapping[str, Any]) -> None:
    """Delete this run's predictor, if it exists."""
    if made.get("predictor"):
        remove(job.forecast, made["predictor"])
        logger().info("Deleted %s", made["predictor"])
