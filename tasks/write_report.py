"""Write-Report: one page about the run, for those who want to see more than the message says."""

from collections.abc import Mapping

from prefect.runtime import flow_run

from blocks.installation import Installation
from pipeline import drift, ledger, publish, record, report, storage
from pipeline import verdict as verdicts
from pipeline.accuracy import Accuracy
from pipeline.report import Facts
from pipeline.weblinks import weblink
from pipeline.workload import Workload
from tasks.exhibit import show_text
from tasks.job import Job
from tasks.log import logger
from tasks.step import StepFailed, step
from tasks.update_resources import Published


@step("Write-Report")
def write_report(job: Job, published: Published, accuracy: Accuracy | None) -> None:
    """Write the report of a run that has published, and show the way to it."""
    found = drift.kept(job.s3, job.workload, job.run)
    newest = found.newest if found else None
    facts = Facts(
        record=record.read(job.s3, job.workload, job.run),
        manifest=published.manifest,
        accuracy=accuracy,
        verdict=verdicts.read(job.s3, job.workload, job.run),
        quality=report.gathered(job.s3, job.workload, job.run),
        drift=found,
        outcome=ledger.scored(job.s3, job.workload, newest) if newest else None,
        picture=published.picture,
        links=_links(job.place, job.workload, job.run),
    )
    _show(job.place, job.workload, report.write(job.s3, job.workload, job.run, facts))


def report_failure(place: Installation, workload: Workload, failed: StepFailed) -> str | None:
    """Write the report of a run that ended without its result; whatever goes wrong is only logged.

    A run that failed after it had written its report keeps that one.

    Returns:
        Its address; None where there is none: nobody knows the run's content, or it could not be written.
    """
    if failed.job is None:
        return None
    run = failed.job.run
    try:
        s3 = place.client("s3")
        live = publish.current(s3, workload)
        out = live if live and live.run == run else None
        if out and report.tells_of(s3, workload, out):
            return workload.uri(report.path(run))
        facts = Facts(
            record=record.read(s3, workload, run),
            manifest=out,
            verdict=verdicts.read(s3, workload, run),
            quality=report.gathered(s3, workload, run),
            drift=drift.kept(s3, workload, run),
            links=_links(place, workload, run),
            failure=(failed.step, failed.cause.what, failed.cause.remedy),
        )
        address = report.write(s3, workload, run, facts)
        _show(place, workload, address)
        return address
    except Exception:
        logger().warning("The report of the failed run could not be written", exc_info=True)
        return None


def _links(place: Installation, workload: Workload, run: str) -> Mapping[str, tuple[str, str]]:
    """What there is of the run: a run that failed has left a part of it, and published nothing."""
    s3 = place.client("s3")
    live = publish.current(s3, workload)
    places = {
        "published forecast" if live and live.run == run else "forecast still published": publish.MANIFEST,
        "archived forecast": f"{publish.ARCHIVE}{run}/",
        "record of the run": f"runs/{run}/manifest.json",
        "findings in the data": f"runs/{run}/quality.json",
    }
    there = {what: workload.uri(rel) for what, rel in places.items() if storage.keys(s3, workload, rel)}
    found = {what: (uri, weblink(s3, uri)) for what, uri in there.items()}
    page = flow_run.get_flow_run_ui_url()
    return {**found, "run in Prefect": (page, page)} if page else found


def _show(place: Installation, workload: Workload, uri: str) -> None:
    address = weblink(place.client("s3"), uri)
    show_text(
        workload, "report", [f"[Report of the run]({address})"], "One page with all that is known of it"
    )
