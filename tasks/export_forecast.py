"""Export-Forecast: the forecast is written to the run's folder, as the service writes it."""

from pipeline import storage
from pipeline.resources import describe, remove, start_export
from pipeline.waiting import wait_until_active
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.room import created
from tasks.step import step


@step("Export-Forecast")
def export_forecast(job: Job, forecast_arn: str) -> str:
    """The prefix inside the workload under which the exported files lie."""
    prefix = f"runs/{job.run}/export/"
    arn = _exported(job, forecast_arn, prefix)
    if not storage.keys(job.s3, job.workload, prefix):
        logger().warning("%s has no files any more: exporting again", job.workload.uri(prefix))
        remove(job.forecast, arn)
        arn = _exported(job, forecast_arn, prefix)
    reached(job, state="forecast", arns={"forecast": forecast_arn, "export_job": arn})
    return prefix


def _exported(job: Job, forecast_arn: str, prefix: str) -> str:
    """The ARN of the export job, when it is done; one that was done before is done."""
    bar = ProgressBar(f"Export {job.names.export_job}")
    arn = created(
        job,
        lambda: start_export(
            job.forecast, job.place.role_arn, job.names, forecast_arn, job.workload.uri(prefix)
        ),
        bar,
    )
    wait_until_active(lambda: describe(job.forecast, arn), bar)
    return arn
