"""Keep-Ledger: earlier forecasts are scored against the values that this upload brings, and drift is told."""

from collections.abc import Sequence

from pipeline import accuracy, decision, drift, ledger, ledgertables, recent, record
from pipeline.accuracy import Accuracy
from pipeline.drift import Finding
from pipeline.ledger import Score
from pipeline.outcome import Losses
from tasks.exhibit import show_table, show_text
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
    _judge(job, scores)


def _judge(job: Job, scores: Sequence[Score]) -> None:
    """Mark the workload if it drifts, and let this run train where it would have used the last predictor."""
    by_run = {one.run: record.read(job.s3, job.workload, one.run) for one in drift.judged(scores)}
    promises: dict[str, Losses] = {
        run: Accuracy.from_dict(known.accuracy).quantile_losses
        for run, known in by_run.items()
        if known is not None and known.accuracy is not None
    }
    found = drift.judge(scores, promises, job.params.drift)
    drift.keep(job.s3, job.workload, job.run, found)
    marked = accuracy.datum("Drift", float(found.is_drifting), {"Workload": job.workload.label})
    accuracy.put_data(job.place.client("cloudwatch"), job.place.namespace, [marked])
    if found.is_drifting:
        _tell(job, found)
        newest = by_run.get(found.newest or "")
        last = decision.last_trained(job.s3, job.workload)
        if newest and last and newest.arns.get("predictor") == last.arn:  # else one was trained since
            decision.ask_for_training(job.s3, job.workload, f"the workload drifts. {found.words()}")


def _tell(job: Job, found: Finding) -> None:
    logger().warning("%s drifts: %s", job.workload.label, found.words())
    rows = [f"| {name.replace('_', ' ')} | {value:.3g} |" for name, value in found.figures.items()]
    page = [
        "## Drift",
        "",
        *[f"- {reason}" for reason in found.reasons],
        "",
        "| figure | |",
        "|---|---|",
        *rows,
    ]
    show_text(job.workload, "drift", page, "What came departs from what was forecast")
