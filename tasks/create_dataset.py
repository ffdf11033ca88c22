"""Create-Dataset: one dataset per type that params.json lists."""

from pipeline.resources import ensure_dataset
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.room import created
from tasks.step import step


@step("Create-Dataset", "Create-Dataset {dataset_type}")
def create_dataset(job: Job, dataset_type: str) -> str:
    """The ARN of the workload's dataset of one type; it outlives the run."""
    return created(
        job, lambda: ensure_dataset(*job.own, dataset_type), ProgressBar(job.names.dataset(dataset_type))
    )
