"""The run's record in the bucket, kept up to date step by step."""

from typing import Any

from prefect.runtime import flow_run

from pipeline import record
from pipeline.record import Record
from tasks.job import Job


def reached(job: Job, **news: Any) -> Record:
    """Write down how far the run is; what earlier steps and attempts wrote is kept.

    Args:
        job: the run.
        news: fields of the record; `arns` are added to those that are there.

    Returns:
        The record as written.
    """
    known = record.read(job.s3, job.workload, job.run) or Record(
        run=job.run, params=job.params.normalised(), inputs=job.inputs.to_list()
    )
    return record.write(job.s3, job.workload, known.with_(link=flow_run.get_flow_run_ui_url(), **news))
