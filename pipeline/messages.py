"""What people are told: a forecast is there, came back, or could not be and why."""

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import timestamps, unforecast
from pipeline.accuracy import Accuracy
from pipeline.decision import Decision
from pipeline.errors import BadInput, PipelineError
from pipeline.frequency import Frequency
from pipeline.publish import Manifest
from pipeline.recalibration import Adjustment
from pipeline.record import Record
from pipeline.verdict import figure
from pipeline.workload import Workload, one_line

LONGEST_SUBJECT = 100  # the limit of SNS, which takes ASCII only there
LONGEST_BODY = 200_000  # bytes, well below the 256 KB of SNS
LOG = logging.getLogger(__name__)

STILL = "The earlier forecast is still published"
# Of a run that fails: what it was about, how it ended where that was done and where it was not, and what
# readers see in either case.
_FORECAST = (
    "Forecast",
    "was published, but the run failed after that",
    "could not be made",
    "This run's forecast is published",
    STILL,
)
_ROLLBACK = (
    "Rollback",
    "was done, but the run failed after that",
    "could not be done",
    "The earlier forecast is published again",
    "What is published has not changed",
)


@dataclass(frozen=True)
class Message:
    """A subject of at most 100 ASCII characters, and a text."""

    subject: str
    body: str


def success(
    workload: Workload,
    manifest: Manifest,
    record: Record | None,
    accuracy: Accuracy | None,
    tables: Sequence[str] = (),
    deleted: bool = False,
    run_link: str | None = None,
    warnings: Iterable[str] = (),
    checked: str | None = None,
    outcome: str | None = None,
) -> Message:
    """Tells that a forecast was published: what, how good, where, and what was kept.

    Args:
        record: the run's record, for the items that the input had.
        deleted: whether what the run made at the service is deleted after this notice.
        warnings: sentences about what the forecast leaves out.
        checked: what the gate found, in a line.
        outcome: how the last forecast turned out, in a line.
    """
    lines = [
        f"The forecast of {workload.label} is published.",
        "",
        *_contents(manifest),
        *_input_lines(record),
        *_training_lines(record),
        "",
        accuracy.words() if accuracy else "The accuracy was not measured.",
        *_metric_lines(accuracy),
        *_recalibration_lines(record),
        *([f"Gate: {checked}."] if checked else []),
        *([f"Last time: {outcome}"] if outcome else []),
        "",
        *_places(workload, manifest, tables),
        "",
        _kept(manifest, record, deleted),
        *([record.retention] if record and record.retention else []),
        *[f"Note: {warning}" for warning in (*_lost(workload, manifest, record), *warnings)],
        *_link(run_link),
    ]
    return _message(f"Forecast of {workload.label} published: {manifest.item_count}", lines)


def rolled_back(
    workload: Workload, manifest: Manifest, tables: Sequence[str] = (), run_link: str | None = None
) -> Message:
    """Tells that an earlier forecast is the current one again, and how long it stays that."""
    lines = [
        f"The forecast of {workload.label} was rolled back.",
        "",
        *_contents(manifest),
        f"In the place of: run {manifest.previous}",
        "",
        *_places(workload, manifest, tables),
        "",
        "It stays until other content is uploaded: the same files do not bring the later forecast back. "
        "A rollback to the later run does.",
        *_link(run_link),
    ]
    return _message(f"Forecast of {workload.label} rolled back to run {manifest.run}", lines)


def failure(
    workload: Workload,
    step: str,
    error: BaseException,
    run: str | None = None,
    run_link: str | None = None,
    published: Manifest | None = None,
    is_rollback: bool = False,
    report: str | None = None,
) -> Message:
    """Tells which step failed, why, what to do, and what readers see meanwhile.

    Args:
        step: the step's name: `Import-Data`.
        published: the forecast that is still live, if there is one.
        is_rollback: whether an earlier forecast was to come back, and none was to be made.
        report: the address of the run's report, if it has one.
    """
    subject, done, undone, new, old = _ROLLBACK if is_rollback else _FORECAST
    is_out = (
        _came_back(published, run_link) if is_rollback else published is not None and published.run == run
    )
    lines = [
        f"The {subject.lower()} of {workload.label} {done if is_out else undone}.",
        "",
        f"Step: {step}",
        *([f"Run: {run}"] if run else []),
        f"Cause: {cause_of(error)}",
        f"What to do: {remedy_of(error)}",
        "",
        _live(published, new if is_out else old),
        "The uploaded files are where they were.",
        *([f"Report: {one_line(report)}"] if report else []),
        *_link(run_link),
    ]
    return _message(f"{subject} of {workload.label} failed at {step}", lines)


def interrupted(
    workload: Workload,
    how: str,
    error: PipelineError,
    run_link: str | None = None,
    published: Manifest | None = None,
) -> Message:
    """Tells that a run was ended from outside its own code: how, why, and what comes next.

    Args:
        how: what became of the run, such as `crashed` or `was cancelled`.
        published: the forecast that is live meanwhile, if there is one.
    """
    lines = [
        f"A run of {workload.label} {how}.",
        "",
        f"Cause: {error.what}",
        f"What to do: {error.remedy}",
        "",
        _live(published, STILL),
        "The uploaded files are where they were.",
        *_link(run_link),
    ]
    return _message(f"Forecast of {workload.label}: the run {how}", lines)


def cause_of(error: BaseException) -> str:
    """What happened, in a sentence."""
    if isinstance(error, PipelineError):
        return error.what
    return f"{type(error).__name__}: {error}"


def remedy_of(error: BaseException) -> str:
    """What to do about it."""
    if not isinstance(error, PipelineError):
        return "This is a fault in the workflow itself; the run's log has the details."
    if "\n" not in error.remedy:
        return error.remedy
    which = "this" if isinstance(error, BadInput) and error.total == 1 else "these"
    return f"correct {which} and upload again.\n{error.remedy}"


def notify(sns: Any, topic_arn: str | None, message: Message) -> bool:
    """Sends the message; a notice that fails never fails a run.

    Returns:
        Whether it was sent: False without a topic, or when SNS refused (the reason is logged).
    """
    if not topic_arn:
        return False
    try:
        sns.publish(TopicArn=topic_arn, Subject=message.subject, Message=message.body)
    except (BotoCoreError, ClientError, OSError) as error:
        LOG.warning("The notice '%s' was not sent: %s", message.subject, error)
        return False
    return True


def _message(subject: str, lines: list[str]) -> Message:
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in subject)
    cut = plain if len(plain) <= LONGEST_SUBJECT else f"{plain[: LONGEST_SUBJECT - 3]}..."
    body = "\n".join(map(one_line, "\n".join(lines).split("\n")))
    return Message(cut, body.encode(errors="replace")[:LONGEST_BODY].decode(errors="ignore") + "\n")


def _contents(manifest: Manifest) -> list[str]:
    span = Frequency.parse(manifest.frequency).span(manifest.horizon)
    return [
        f"Run: {manifest.run}",
        f"Forecast of: {manifest.item_count}, "
        f"{span} ahead, types {', '.join(manifest.types)}; {manifest.rows} rows",
        f"Period: {manifest.period}",
    ]


def _input_lines(record: Record | None) -> list[str]:
    form: Mapping[str, Any] = (record.form or {}) if record else {}
    if not form:
        return []
    files = form["files"]["train"]
    rows = sum(file["rows"] for file in files)
    many = f"{len(files)} file{'' if len(files) == 1 else 's'}"
    ends = (dt.datetime.fromisoformat(form[end]) for end in ("first", "last"))
    return [f"Learned from: {rows} rows in {many}, {timestamps.span(*ends)}"]


def _training_lines(record: Record | None) -> list[str]:
    if record is None or record.training is None:
        return []
    return [Decision.from_dict(record.training).words()]


def _recalibration_lines(record: Record | None) -> list[str]:
    if record is None or record.recalibration is None:
        return []
    return [f"Recalibration: {Adjustment(**record.recalibration).words()}"]


def _metric_lines(accuracy: Accuracy | None) -> list[str]:
    if not accuracy:
        return []
    return [f"  {name}: {figure(value)}" for name, value in accuracy.best.items()]


def _places(workload: Workload, manifest: Manifest, tables: Sequence[str]) -> list[str]:
    return [
        *[f"Forecast: {one_line(uri)}" for uri in manifest.uris],
        *([f"Tables: {', '.join(tables)}"] if tables else []),
        f"Raw export: {one_line(workload.uri(f'history/raw/{manifest.run}/'))}",
        f"History: {one_line(workload.uri(f'history/clean/{manifest.run}/'))}",
        f"Report: {one_line(workload.uri(f'runs/{manifest.run}/report.html'))}",
    ]


def _kept(manifest: Manifest, record: Record | None, deleted: bool) -> str:
    """What becomes of the resources at the service: only those that the run has made are deleted."""
    if not deleted:
        return "Forecast, predictor and imports are kept at the service (PerformDelete is false)."
    if manifest.kind != "publish":
        return "What is still at the service of this run is now being deleted (PerformDelete)."
    chosen = Decision.from_dict(record.training) if record and record.training else None
    is_own = chosen is None or chosen.trains or chosen.trained_by == manifest.run
    imports = chosen is None or chosen.imports
    made = ["export", "forecast", *(["predictor"] if is_own else []), *(["imports"] if imports else [])]
    listed = f"{', '.join(made[:-1])} and {made[-1]}".capitalize()
    stays = "" if is_own or chosen is None else f" The predictor of run {chosen.trained_by} stays."
    return f"{listed} are now being deleted at the service (PerformDelete).{stays}"


def _lost(workload: Workload, manifest: Manifest, record: Record | None) -> list[str]:
    form: Mapping[str, Any] = (record.form or {}) if record else {}
    lost = form.get("items", manifest.items) - manifest.items
    warnings = list(form.get("warnings", ()))
    is_chosen = record is not None and "TimeSeriesSelector" in record.params.get("Forecast", {})
    if lost > 0 and not is_chosen:
        where = workload.uri(unforecast.path(manifest.run))
        warnings.append(
            f"{lost} of {form['items']} items have no forecast; the service left them out. They are listed "
            f"with the reason in {where}"
        )
    return warnings


def _came_back(published: Manifest | None, run_link: str | None) -> bool:
    """Whether the rollback with this page has brought back what is published."""
    if published is None or run_link is None:
        return False
    return published.kind == "rollback" and published.by == run_link


def _live(published: Manifest | None, which: str) -> str:
    if published is None:
        return "No forecast has been published yet."
    return f"{which}: run {published.run}, {published.period}, {one_line(published.location)}"


def _link(run_link: str | None) -> list[str]:
    return [f"Run page: {run_link}"] if run_link else []
