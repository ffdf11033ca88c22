"""Create-Predictor: the training."""

from pipeline.resources import describe, start_predictor
from pipeline.waiting import patiently, wait_until_active
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.milestone import reached
from tasks.step import step


@step("Create-Predictor")
def create_predictor(job: Job, dataset_group_arn: str) -> str:
    """The ARN of a trained predictor."""
    bar = ProgressBar(f"Training of {job.names.predictor}")
    arn = patiently(lambda: start_predictor(*job.own, dataset_group_arn), bar)
    wait_until_active(lambda: describe(job.forecast, arn), bar)
    reached(job, arns={"predictor": arn})
    return arn
