"""Roll-Back: an earlier forecast of the archive becomes the current one again, byte by byte."""

from prefect.runtime import flow_run

from blocks.installation import Installation
from pipeline import inputs, messages, params, publish, record, rollback, tables
from pipeline.errors import Missing, PipelineError
from pipeline.fingerprint import fingerprint
from pipeline.form import InputForm
from pipeline.params import Params
from pipeline.workload import Workload
from tasks.log import logger
from tasks.note_end import note_rolled_back
from tasks.notify import send
from tasks.step import step
from tasks.update_resources import Published


@step("Roll-Back")
def roll_back(place: Installation, workload: Workload, run: str | None) -> Published:
    """Publish an archived forecast, let the table point to it, and put aside what it replaces."""
    s3, page = place.client("s3"), flow_run.get_flow_run_ui_url()
    chosen = rollback.target(s3, workload, run, page)
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
