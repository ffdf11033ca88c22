"""Finds what events have lost: uploads that no run has seen, and runs that came to no end.

    every workload of the bucket ─▶ content, record, runs ─▶ forgotten? ─▶ a run of forecast/upload

It runs on a schedule (prefect.yaml) and by `python -m flows.reconcile`. What was forecast, refused, failed or
cancelled since it was uploaded is left alone; two reconciliations at once start a run once.
"""

import datetime as dt
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed

from blocks.installation import Installation
from flows.crashes import refuse_to_crash_for_ever
from flows.revival import revive
from pipeline.errors import BadInput, PipelineError, translate
from pipeline.reconciliation import Facts, Verdict, judge
from pipeline.survey import Found, survey
from pipeline.workload import NAMES_TAKEN, Workload, one_line
from tasks.log import logger
from tasks.runs import ENDED, LIVE, KnownRun, runs
from tasks.take_stock import Stock, look

DEPLOYMENT = "forecast/upload"

# A run may have been due so long before it began.
A_LONG_WAIT = dt.timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """What became of one workload."""

    workload: Workload
    verdict: Verdict
    newest: str  # key
    misplaced: tuple[str, ...] = ()  # keys of configurations that configure nothing

    def row(self) -> dict[str, str]:
        """The line of the table."""
        return {
            "workload": self.workload.label,
            "found": self.verdict.found,
            "reason": self.verdict.reason,
            "newest input": self.newest,
        }


@flow(name="reconcile", flow_run_name="reconcile {installation}")
def reconcile(
    bucket: str | None = None, installation: str = "default", patience_minutes: float = 5.0
) -> State[None]:
    """Start a run for every workload whose present content was forgotten.

    Args:
        bucket: The bucket to look through; the installation's own if none is given.
        installation: The name of the Installation block.
        patience_minutes: How long an upload's event may be on its way.
    """
    refuse_to_crash_for_ever()
    place = Installation.named(installation)
    looked = bucket or place.bucket
    with get_client(sync_client=True) as client:
        silent, crashed = revive(client, _now())
        coming = [run for run in runs(client, LIVE) if run.is_under_way(_now())]
        findings = [
            _reconciled(client, place, installation, found, coming, dt.timedelta(minutes=patience_minutes))
            for found in survey(place.client("s3"), looked)
        ]
    message = summary(looked, findings, silent, crashed)
    logger().info("%s", message)
    create_table_artifact([one.row() for one in findings], key="reconciliation", description=message)
    broken = any(one.verdict.found == "not examined" for one in findings)
    return Failed(message=message) if broken else Completed(message=message)


def _reconciled(
    client: SyncPrefectClient,
    place: Installation,
    installation: str,
    found: Found,
    coming: Iterable[KnownRun],
    patience: dt.timedelta,
) -> Finding:
    """Examine one workload and start a run if need be; trouble with one is no reason to leave out others."""
    workload = found.workload
    try:
        stock = _stock(place, workload)
        facts = Facts(
            changed=found.newest.written,
            run=stock.job.run if stock else None,
            record=stock.earlier if stock else None,
            published=stock.published if stock else None,
            is_coming=any(run.workload == workload for run in coming),
        )
        verdict = judge(facts, _now(), patience)
        if verdict.starts:  # only now is it worth asking for all runs since
            ended = _ended(client, found)
            verdict = judge(_with_last(facts, ended), _now(), patience)
            if verdict.starts:
                _start(client, found, installation, f"{facts.run} {[run.id for run in ended[:1]]}")
    except Exception as error:
        cause = translate(error, f"examining {workload.label}")
        logger().warning("%s", cause)
        verdict = Verdict("not examined", str(cause))
    return Finding(workload, verdict, found.newest.key, found.misplaced)


def _ended(client: SyncPrefectClient, found: Found) -> list[KnownRun]:
    """The runs of the workload that ended and may have seen its present content, the latest first."""
    since = found.newest.written - A_LONG_WAIT
    ended = [run for run in runs(client, ENDED, since) if run.workload == found.workload and run.began]
    return sorted(ended, key=lambda run: run.began or since, reverse=True)


def _with_last(facts: Facts, ended: list[KnownRun]) -> Facts:
    """The facts with the end of the latest run that began after the last upload, and saw this content.

    Other content may have lain there then: a file that has been removed since.
    """
    since = [run for run in ended if run.began is not None and run.began > facts.changed]
    seen = [run for run in since if run.content in (None, facts.run)]
    return replace(facts, last=seen[0].state, last_ended=seen[0].ended) if seen else facts


def _stock(place: Installation, workload: Workload) -> Stock | None:
    """The content, unless its configuration is so wrong that it has no name."""
    try:
        return look(place, workload)
    except BadInput:
        return None


def _start(client: SyncPrefectClient, found: Found, installation: str, known: str) -> None:
    """Start a run, unless one was started on the same knowledge: this content, after this run."""
    newest = found.newest
    content = f"{found.workload.label} {newest.etag} {newest.written} {known}"
    try:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound as error:
        raise PipelineError(
            f"There is no deployment {DEPLOYMENT}.", "Install it with `prefect --no-prompt deploy --all`."
        ) from error
    client.create_flow_run_from_deployment(
        deployment.id,
        parameters={
            "bucket": found.workload.bucket,
            "key": newest.key,
            "etag": newest.etag,
            "installation": installation,
        },
        tags=["reconciled"],
        idempotency_key=f"reconcile-{hashlib.sha256(content.encode()).hexdigest()[:32]}",
    )


def summary(bucket: str, findings: list[Finding], silent: int = 0, crashed: int = 0) -> str:
    """How many workloads were found how; those for which a run was started are named."""
    many = Counter(one.verdict.found for one in findings)
    counts = ", ".join(f"{count} {found}" for found, count in sorted(many.items()))
    total = f"{len(findings)} workload{'' if len(findings) == 1 else 's'} in s3://{bucket}"
    started = [
        f"Started {one.workload.label}: {one.verdict.reason}." for one in findings if one.verdict.starts
    ]
    lost = [
        f"{one.workload.label}: {one.verdict.reason}"
        for one in findings
        if one.verdict.found == "not examined"
    ]
    odd = [
        f"{one_line(key)} is data of {one.workload.label}: {NAMES_TAKEN}."
        for one in findings
        for key in one.misplaced
    ]
    dead = [f"{_runs(silent)} without a sign of life ended."] if silent else []
    back = [f"{_runs(crashed)} left crashed: started again."] if crashed else []
    return " ".join([f"{total}{': ' if counts else ''}{counts}.", *started, *lost, *odd, *dead, *back])


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def main() -> int:
    """Reconcile the installation of the environment's Prefect server.

    Returns:
        0, or 1 if a workload could not be examined.
    """
    state = reconcile(return_state=True)
    print(state.message)
    return 0 if state.type == StateType.COMPLETED else 1


if __name__ == "__main__":
    sys.exit(main())
