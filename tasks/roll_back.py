"""Roll-Back: an earlier forecast of the archive becomes the current one again, byte by byte."""

from dataclasses import dataclass

from prefect.runtime import flow_run

from blocks.installation import Installation
from pipeline import inputs, messages, params, publish, record, rollback, tables
from pipeline.errors import Missing, Overtaken, PipelineError
from pipeline.fingerprint import fingerprint
from pipeline.form import InputForm
from pipeline.params import Params
from pipeline.workload import Workload
from tasks.log import logger
from tasks.note_end import note_rolled_back
from tasks.notify import send
from tasks.step import step
from tasks.update_resources import Published


@dataclass(frozen=True)
class Wanted:
    """Where somebody wanted to go back to, looking at what was published at that moment."""

    run: str
    instead_of: str | None  # the run whose forecast is to be replaced; None: whatever is published

    def __str__(self) -> str:
        return f"{self.run} instead of {self.instead_of}" if self.instead_of else self.run

    @classmethod
    def of(cls, words: str) -> "Wanted":
        """What was written as a text."""
        run, _, instead_of = words.partition(" instead of ")
        return cls(run, instead_of or None)


@step("Choose-Forecast")
def choose_forecast(place: Installation, workload: Workload, run: str | None) -> Wanted:
    """Which archived forecast is meant, before others of the workload get their turn."""
    s3 = place.client("s3")
    chosen = rollback.target(s3, workload, run, flow_run.get_flow_run_ui_url())
    live = publish.current(s3, workload)
    return Wanted(chosen, live.run if live and run is None else None)


@step("Roll-Back")
def roll_back(place: Installation, workload: Workload, wanted: Wanted) -> Published:
    """Publish an archived forecast, let the table point to it, and put aside what it replaces."""
    s3, page, chosen = place.client("s3"), flow_run.get_flow_run_ui_url(), wanted.run
    live = publish.current(s3, workload)
    if live is not None and wanted.instead_of not in (None, live.run) and live.run != chosen:
        raise Overtaken(
            f"The forecast of run {wanted.instead_of} was to be replaced, but while this waited for its turn "
            f"run {live.run} replaced it. Nothing was changed.",
            "Look at the new forecast; to go back all the same, name a run that `--list` shows.",
        )
    known = record.read(s3, workload, chosen)
    if known is None or known.form is None:
        raise Missing(f"Run {chosen} has no record in {workload.label}.", "Choose a run that `--list` shows.")
    held = rollback.put_aside(s3, workload, chosen, _content(place, workload))
    manifest = publish.publish(s3, workload, chosen, kind="rollback", by=page, held=held)
    made_with, form = Params(known.params), InputForm.from_dict(known.form)
    glue = place.client("glue")
    names = tables.point(glue, place.database, workload, made_with, form, manifest)
    publish.tidy(s3, workload, manifest)
    return Published(manifest, names)


@step("Notify", "Notify of rollback")
def notify_of_rollback(place: Installation, workload: Workload, published: Published) -> None:
    """Tell that an earlier forecast is the current one again."""
    page = flow_run.get_flow_run_ui_url()
    send(place, messages.rolled_back(workload, published.manifest, published.tables, page))
    note_rolled_back(place, workload, published.manifest)
    publish.conclude(place.client("s3"), workload, published.manifest)


def _content(place: Installation, workload: Workload) -> str | None:
    """The run of what lies in the bucket now; None if its configuration is broken."""
    s3 = place.client("s3")
    try:
        settings = params.read(s3, workload)
        return fingerprint(workload, settings, inputs.take_stock(s3, workload, settings))
    except PipelineError as error:
        if error.waiting_helps:
            raise
        logger().info("What lies in the bucket is no content of a run: %s", error.what)
        return None
