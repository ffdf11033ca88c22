"""Keep-Ledger: earlier forecasts are scored against the values that this upload brings."""

from pipeline import ledger, ledgertables, recent
from tasks.exhibit import show_table
from tasks.job import Job
from tasks.log import logger
from tasks.step import step

SHOWN_FORECASTS = 20  # the newest; all are in the table of the catalogue


@step("Keep-Ledger")
def keep_ledger(job: Job) -> None:
    """Score what has come, into the ledger, its tables, CloudWatch and a table of the run's page."""
    history = recent.staged(job.s3, job.workload, job.run)
    scores = ledger.keep(job.s3, job.workload, job.params, history)
    if not scores:
        return
    ledgertables.register(
        job.place.client("glue"), job.place.database, job.workload, job.params, [one.run for one in scores]
    )
    ledger.put_metrics(job.place.client("cloudwatch"), job.place.namespace, job.workload, scores[-1])
    logger().info("%d earlier forecast(s) scored; the newest: %s", len(scores), scores[-1].row())
    show_table(
        job.workload,
        "ledger",
        [one.row() for one in scores[: -SHOWN_FORECASTS - 1 : -1]],
        "How earlier forecasts turned out, newest first (losses and WAPE: lower is better)",
    )
