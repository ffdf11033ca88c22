"""Choose-Predictor: train, use the last predictor again, or forecast from data that are imported already."""

import datetime as dt
from collections.abc import Mapping

from pipeline import accuracy, decision, imported, ledger, outcome, publish, record
from pipeline.decision import Decision, Facts, Trained
from pipeline.errors import Denied, Missing, Rejected
from pipeline.resources import current_import, describe, name_of
from pipeline.waiting import patiently
from tasks.exhibit import show_text
from tasks.job import Job
from tasks.log import logger
from tasks.milestone import reached
from tasks.step import step


@step("Choose-Predictor")
def choose_predictor(job: Job, datasets: Mapping[str, str], group: str) -> Decision:
    """What this run does for a predictor; the reason goes to the log, the record and the run's page.

    Args:
        datasets: the ARNs of the datasets by type.
        group: the ARN of their group.
    """
    known = decision.last_trained(job.s3, job.workload)
    facts = patiently(lambda: _facts(job, datasets, group, known))
    before = record.read(job.s3, job.workload, job.run)
    earlier = Decision.from_dict(before.training) if before and before.training else None
    now = dt.datetime.now(dt.UTC)
    found = decision.decide(facts, job.params.retraining, now, lambda: _judged(job, known), earlier)
    logger().info(found.words())
    show_text(job.workload, "training", _page(job, found, now), "Whether this run trains, and why")
    used = {"predictor": found.predictor} if found.predictor else {}
    reached(job, training=found.to_dict(), arns=used)
    return found


def _facts(job: Job, datasets: Mapping[str, str], group: str, known: Trained | None) -> Facts:
    trainer = record.read(job.s3, job.workload, known.run) if known else None
    return Facts(
        settings=decision.settings_of(job.params, group),
        data=_data(job),
        imported=all(_holds_our_data(job, type_, arn) for type_, arn in datasets.items()),
        trained=known,
        status=_status(job, known),
        refused=trainer is not None and trainer.state == "refused",
        wish=decision.wish(job.s3, job.workload),
    )


def _data(job: Job) -> str:
    return decision.data_of(job.params.normalised(), job.inputs.to_list())


def _holds_our_data(job: Job, dataset_type: str, dataset_arn: str) -> bool:
    """Whether an earlier run has imported these very data, and none other since."""
    arn = current_import(job.forecast, dataset_arn)
    run = name_of(arn).rsplit("_", 1)[-1] if arn else job.run
    if imported.last(job.s3, job.workload, dataset_type) not in (None, run):
        return False
    known = record.read(job.s3, job.workload, run) if run != job.run else None
    return known is not None and decision.data_of(known.params, known.inputs) == _data(job)


def _status(job: Job, known: Trained | None) -> str | None:
    try:
        return str(describe(job.forecast, known.arn)["Status"]) if known else None
    except Missing:
        return None
    except (Denied, Rejected):  # of another account or region, where the installation was before
        return "out of reach"


def _judged(job: Job, known: Trained | None) -> str | None:
    """The judgement on the last forecast; one that cannot be passed is no reason, and fails nothing."""
    try:
        return _fallen(job, known)
    except Exception as error:
        logger().warning("The last forecast cannot be held against the new data", exc_info=error)
        return None


def _fallen(job: Job, known: Trained | None) -> str | None:
    """How far the published forecast of this predictor fell behind its backtests; None if it did not.

    Keep-Ledger has just held it against the new data.
    """
    manifest = publish.current(job.s3, job.workload)
    by = record.read(job.s3, job.workload, manifest.run) if manifest else None
    if manifest is None or by is None or known is None or by.arns.get("predictor") != known.arn:
        logger().info("No published forecast of this predictor can be held against the new data")
        return None
    came = ledger.scored(job.s3, job.workload, manifest.run)
    if came is None or came.points < outcome.LEAST_POINTS:
        logger().info("The new data have too few values to judge the forecast of run %s", manifest.run)
        return None
    found = outcome.compare(came, accuracy.collect(job.forecast, known.arn))
    limit = job.params.retraining.most_accuracy_fall
    if found is None or limit is None or found.fall <= limit:
        return None
    return (
        f"the forecast of run {manifest.run} turned out worse than its backtests promised: {found.measure} "
        f"{found.came:.3f} instead of {found.promised:.3f}, which is {found.fall:.0%} more and {limit:.0%} "
        f"are allowed ({came.points} values)"
    )


def _page(job: Job, found: Decision, now: dt.datetime) -> list[str]:
    rows = {
        "decision": found.kind,
        "reason": found.reason.replace("|", r"\|"),
        "predictor": f"`{found.predictor}`" if found.predictor else "a new one",
        "trained by run": f"`{found.trained_by or job.run}`",
        "trained on (UTC)": found.trained_at or now.strftime(decision.MOMENT),
    }
    return [
        f"## {found.kind.capitalize()}",
        "",
        "| what | |",
        "|---|---|",
        *[f"| {k} | {v} |" for k, v in rows.items()],
    ]
