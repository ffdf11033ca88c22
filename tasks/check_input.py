"""Check-Input: every file is read and checked, and kept as it was checked, before anything is created."""

from dataclasses import dataclass

from pipeline import inputs
from pipeline.form import InputForm
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.step import step


@dataclass(frozen=True)
class Checked:
    """The files' form, and where their copies lie that the import reads: role → S3 path."""

    form: InputForm
    paths: dict[str, str]


@step("Check-Input")
def check_input(job: Job) -> Checked:
    """Check the data in full, and copy it aside so that exactly this is imported.

    Raises:
        StepFailed: BadInput with all problems found, or InputChanged if a file was replaced meanwhile.
    """
    reached(job, state="started", step=None, cause=None, remedy=None)
    form = inputs.check(job.s3, job.workload, job.params, job.inputs)
    logger().info("%d rows of %d items, %s to %s", form.rows, form.items, form.first, form.last)
    for warning in form.warnings:
        logger().warning(warning)
    paths = inputs.stage(job.s3, job.workload, job.inputs, job.run)
    reached(job, form=form.to_dict())
    return Checked(form, paths)
