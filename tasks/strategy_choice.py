"""Strategy-Choice: keep what this run made, or delete it?"""

from typing import Any

from pipeline.resources import run_resources
from pipeline.waiting import patiently
from tasks.job import Job
from tasks.log import logger
from tasks.step import step


@step("Strategy-Choice")
def strategy_choice(job: Job) -> dict[str, Any]:
    """What is to be deleted: kind → ARN or ARNs. Nothing unless params.json says `PerformDelete`."""
    if not job.params.perform_delete:
        logger().info("PerformDelete is false: the run's resources stay")
        return {}
    found = patiently(lambda: run_resources(*job.own))
    made = {kind: arns for kind, arns in found.items() if arns}
    logger().info("PerformDelete is true: deleting %s", ", ".join(made) or "nothing, it is done already")
    return made
