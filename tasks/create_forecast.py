"""Create-Forecast: the predictor looks ahead."""

from pipeline.resources import describe, start_forecast
from pipeline.waiting import wait_until_active
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.room import created
from tasks.step import step


@step("Create-Forecast")
def create_forecast(job: Job, predictor_arn: str) -> str:
    """The ARN of a finished forecast."""
    bar = ProgressBar(f"Forecast {job.names.forecast}")
    arn = created(job, lambda: start_forecast(*job.own, predictor_arn), bar)
    wait_until_active(lambda: describe(job.forecast, arn), bar)
    return arn
