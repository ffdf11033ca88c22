"""Import-Data: the checked files become the content of a dataset."""

from pipeline import imported
from pipeline.resources import describe, remove_import, start_import
from pipeline.waiting import wait_until_active
from tasks.check_input import Checked
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.room import created
from tasks.step import step


@step("Import-Data", "Import-Data {dataset_type}")
def import_data(job: Job, checked: Checked, dataset_type: str, dataset_arn: str) -> str:
    """The ARN of an import job that has ended well."""
    _begin_anew_if_replaced(job, dataset_type, dataset_arn)
    role = job.params.spec(dataset_type).role
    bar = ProgressBar(f"Import of {role}/")
    arn = created(
        job,
        lambda: start_import(
            *job.own, dataset_type, dataset_arn, checked.paths[role], checked.form.format(role)
        ),
        bar,
    )
    wait_until_active(lambda: describe(job.forecast, arn), bar)
    return arn


def _begin_anew_if_replaced(job: Job, dataset_type: str, dataset_arn: str) -> None:
    """Another run's data came after this run's import, even if the import job that brought them is gone."""
    last = imported.last(job.s3, job.workload, dataset_type)
    if last == job.run:
        return
    if last is not None:
        remove_import(*job.own, dataset_type, dataset_arn)
    imported.remember(job.s3, job.workload, dataset_type, job.run)
