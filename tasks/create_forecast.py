"""Create-Forecast: the predictor looks ahead."""

from pipeline.resources import describe, start_forecast
from pipeline.waiting import patiently, wait_until_active
from tasks.exhibit import ProgressBar
from tasks.job import Job
from tasks.step import step


@step("Create-Forecast")
def create_forecast(job: Job, predictor_arn: str) -> str:
    """The ARN of a finished forecast."""
    bar = ProgressBar(f"Forecast {job.names.forecast}")
    arn = patiently(lambda: start_forecast(*job.own, predictor_arn), bar)
    wait_until_active(lambda: describe(job.forecast, arn), bar)
    return arn
