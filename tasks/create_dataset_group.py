"""Create-DatasetGroup: the group that a predictor is trained on."""

from pipeline.resources import ensure_dataset_group
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.room import created
from tasks.step import step


@step("Create-DatasetGroup")
def create_dataset_group(job: Job, dataset_arns: list[str]) -> str:
    """The ARN of the workload's dataset group, holding exactly these datasets; it outlives the run."""
    return created(
        job, lambda: ensure_dataset_group(*job.own, dataset_arns), ProgressBar(job.names.dataset_group)
    )
