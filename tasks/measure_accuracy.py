"""Measure-Accuracy: how good the predictor was on the past, as far as the service tells its backtests."""

from pipeline import accuracy
from pipeline.accuracy import Accuracy
from tasks.exhibit import show_table
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.step import step


@step("Measure-Accuracy")
def measure_accuracy(job: Job, predictor_arn: str) -> Accuracy:
    """The metrics, after they went to CloudWatch, to the run's record and into a table of the run's page."""
    measured = accuracy.collect(job.forecast, predictor_arn)
    logger().info("Accuracy: %s", measured.words())
    accuracy.put_metrics(job.place.client("cloudwatch"), job.place.namespace, job.workload, measured)
    show_table(
        job.workload,
        "accuracy",
        measured.rows(),
        f"Accuracy of run `{job.run}` {_where(measured)} (lower is better). {measured.words()}",
    )
    reached(job, accuracy=measured.to_dict())
    return measured


def _where(measured: Accuracy) -> str:
    """Of an AutoPredictor the service tells the mean over its windows, and no single one."""
    has_windows = any(not window.is_summary for window in measured.windows)
    return "in each backtest window, and on average (SUMMARY)" if has_windows else "over all backtest windows"
