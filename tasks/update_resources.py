"""Update-Resources: the archived forecast becomes the published one, with its tables and its picture."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from prefect.runtime import flow_run

from pipeline import catalogue, charttable, inputs, publish, recent, record, runtables, tables
from pipeline.accuracy import Accuracy
from pipeline.errors import PipelineError
from pipeline.form import InputForm
from pipeline.publish import Manifest
from pipeline.weblinks import weblink
from tasks.exhibit import show_picture, show_text
from tasks.job import Job
from tasks.log import logger
from tasks.step import step

SHOWN_ITEMS = 4


@dataclass(frozen=True)
class Published:
    """What readers see now: the forecast's manifest and the names of the tables over it."""

    manifest: Manifest
    tables: list[str]
    picture: bytes = field(default=b"", repr=False)  # PNG

    def words(self) -> str:
        """One line: how much, for when, and where."""
        of = self.manifest
        return f"{of.rows} rows for {of.item_count}, {of.period}, in {of.location}"


@step("Update-Resources")
def update_resources(job: Job, form: InputForm) -> Published:
    """Publish the archived forecast, and let the tables point to it."""
    charttable.keep(job.s3, job.workload, job.params, job.run, recent.staged(job.s3, job.workload, job.run))
    page = flow_run.get_flow_run_ui_url()
    new = publish.publish(job.s3, job.workload, job.run, by=page, follows=job.replaces)
    published = _publish(job, form, new, _register_runs(job, new))
    inputs.unstage(job.s3, job.workload, job.run)
    return published


@step("Update-Resources", "Update-Resources from history")
def republish(job: Job, form: InputForm) -> Published:
    """Publish the forecast of this content again, which an earlier run made and another has replaced."""
    page = flow_run.get_flow_run_ui_url()
    back = publish.publish(job.s3, job.workload, job.run, kind="republish", by=page, follows=job.replaces)
    return _publish(job, form, back)


def _register_runs(job: Job, manifest: Manifest) -> list[str]:
    """The tables of runs and of their accuracy, with this run's; their names."""
    own = job.place.client("glue"), job.place.database, job.workload
    catalogue.ensure_database(*own[:2])
    names = runtables.register(*own)
    known = record.read(job.s3, job.workload, job.run)
    if known and known.accuracy:
        runtables.keep_accuracy(job.s3, *own, manifest, Accuracy.from_dict(known.accuracy))
    return names


def _publish(job: Job, form: InputForm, manifest: Manifest, more: Sequence[str] = ()) -> Published:
    """Readers of the tables see the forecast; `more` are names of other tables for the message."""
    names = tables.register(
        job.place.client("glue"), job.place.database, job.workload, job.params, form, manifest
    )
    names += more
    publish.tidy(job.s3, job.workload, manifest)
    return Published(manifest, names, _show(job, form, manifest, names))


def _show(job: Job, form: InputForm, manifest: Manifest, names: list[str]) -> bytes:
    """Show the run's page of results; its picture, or none if it cannot be drawn."""
    from pipeline import chart  # loads a drawing library, which would delay the start of every run

    picture = b""
    try:
        history, ahead = chart.chart_data(
            job.s3, job.workload, job.params, form, job.inputs, manifest, items=SHOWN_ITEMS
        )
        picture = chart.fan_chart(history, ahead, items=SHOWN_ITEMS, title=job.workload.label)
    except Exception as error:
        if isinstance(error, PipelineError) and error.waiting_helps:
            raise
        logger().warning("The forecast is published, but its picture could not be drawn", exc_info=True)
    else:
        caption = f"The end of the history and the forecast of {SHOWN_ITEMS} items, run `{job.run}`"
        show_picture(job.workload, "chart", picture, caption)
    show_text(job.workload, "summary", summary(job, manifest, names), "What this run wrote, and where")
    return picture


def summary(job: Job, manifest: Manifest, names: list[str]) -> list[str]:
    """Markdown: the published forecast, and links to everything that belongs to it."""
    at = job.workload.uri
    places = [
        *[("published forecast", uri) for uri in manifest.uris],
        ("manifest", at("forecast/manifest.json")),
        ("history, as exported", at(f"history/raw/{job.run}/")),
        ("history, as published", at(f"history/clean/{job.run}/")),
        ("record of the run", at(f"runs/{job.run}/manifest.json")),
        ("verdict of the gate", at(f"runs/{job.run}/gate.json")),
        ("report", at(f"runs/{job.run}/report.html")),
    ]
    return [
        f"## Forecast of {job.workload.label}",
        "",
        f"{manifest.rows} rows for {manifest.item_count}, {manifest.period}, "
        f"types {', '.join(manifest.types)}.",
        "",
        "| what | where |",
        "|---|---|",
        *[f"| {what} | [{_plain(uri)}]({weblink(job.s3, uri)}) |" for what, uri in places],
        *[f"| table | `{name}` |" for name in names],
    ]


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing: a folder may have any name."""
    return re.sub(r"([\\`*\[\]|<>])", r"\\\1", text)
