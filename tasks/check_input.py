"""Check-Input: every file is read and checked, and kept as it was checked, before anything is created."""

from dataclasses import dataclass

from pipeline import contract, quality
from pipeline.form import InputForm
from pipeline.quality import Report
from tasks.exhibit import show_table
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
    with contract.examine(job.s3, job.workload, job.params, job.inputs) as examination:
        address = quality.write(job.s3, job.workload, job.run, examination.report)
        _show(job, examination.report, address)
        form = examination.accepted(address)
        logger().info("%d rows of %d items, %s to %s", form.rows, form.items, form.first, form.last)
        for warning in form.warnings:
            logger().warning(warning)
        paths = examination.stage(job.run)
    reached(job, form=form.to_dict())
    return Checked(form, paths)


def _show(job: Job, report: Report, address: str) -> None:
    """The findings as a table; rows of a customer are in the bucket only."""
    if report.findings:
        words = f"What the check of run `{job.run}` found; the values are in {address}"
        show_table(job.workload, "quality", report.table(), words)
