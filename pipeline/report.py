"""The report of a run: one HTML page that needs nothing else, beside the run's results.

It is made from what the run has written down already, so making it again gives the same bytes. All text that
comes from the customer is escaped, and no address is fetched to show it.
"""

import base64
import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from pipeline import storage
from pipeline.accuracy import Accuracy
from pipeline.decision import Decision
from pipeline.drift import Finding
from pipeline.errors import translated
from pipeline.ledger import Score
from pipeline.publish import MOMENT, Manifest
from pipeline.quality import Report, printable
from pipeline.recalibration import Adjustment
from pipeline.record import Record
from pipeline.verdict import Verdict, figure
from pipeline.workload import Workload

TEMPLATE = "report.html.jinja"
MOST_ROWS = 200  # of a table; the rest is in the objects that are linked
LONGEST_LINE = 24  # letters that are never broken: a time, a name, a number
LIST = re.compile(r"\d+(, \d+)+")  # of the numbers of rows
SHORTER = {"AverageWeightedQuantileLoss": "average wQL"}  # names of columns


@dataclass(frozen=True)
class Cell:
    """What stands in a table."""

    text: str
    is_number: bool = False
    link: str = ""

    @property
    def shape(self) -> str:
        """How it is set: a number and a short text stay on their line, a long text and a list do not."""
        if self.is_number:
            return "number"
        if LIST.fullmatch(self.text):
            return "list"
        return "long" if len(self.text) > LONGEST_LINE else "short"


@dataclass(frozen=True)
class Section:
    """A part of the page; what is empty is left out."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    picture: str = ""  # a data: address
    code: str = ""

    @property
    def shape(self) -> str:
        """How its table is set: a name and a value fit beside each other on every screen."""
        return "many" if len(self.columns) > 2 else "pairs"

    @property
    def is_empty(self) -> bool:
        return not (self.lines or self.rows or self.picture or self.code)


@dataclass(frozen=True)
class Facts:
    """What is known of a run when its report is written; what it did not come to is absent."""

    record: Record | None = None
    manifest: Manifest | None = None
    accuracy: Accuracy | None = None
    verdict: Verdict | None = None
    quality: Mapping[str, Any] | None = None  # as quality.json has it
    drift: Finding | None = None
    outcome: Score | None = None  # of the newest earlier forecast of which enough has come
    picture: bytes = field(default=b"", repr=False)  # PNG
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # what → (s3 address, web address)
    failure: tuple[str, str, str] | None = None  # step, cause, remedy


def path(run: str) -> str:
    """Where a run's report lies in the workload."""
    return f"runs/{run}/report.html"


def write(s3: Any, workload: Workload, run: str, facts: Facts) -> str:
    """Writes the report; its address."""
    page = render(workload, run, facts).encode()
    with translated(f"writing {workload.uri(path(run))}"):
        s3.put_object(
            Bucket=workload.bucket,
            Key=workload.key(path(run)),
            Body=page,
            ContentType="text/html; charset=utf-8",
        )
    return workload.uri(path(run))


def tells_of(s3: Any, workload: Workload, manifest: Manifest) -> bool:
    """Whether the run's report was written after this publication, and not by an attempt before it."""
    if manifest.published_at is None:
        return False
    since = dt.datetime.strptime(manifest.published_at, MOMENT).replace(tzinfo=dt.UTC)
    found = storage.head(s3, workload, path(manifest.run))
    return found is not None and bool(found["LastModified"] >= since)


def gathered(s3: Any, workload: Workload, run: str) -> Mapping[str, Any] | None:
    """The findings in the run's input, as far as it was checked."""
    return storage.read_json(s3, workload, f"runs/{run}/quality.json")


def render(workload: Workload, run: str, facts: Facts) -> str:
    """The page."""
    sections = [
        _failure(facts),
        _contents(facts),
        _picture(facts),
        _accuracy(facts),
        _outcome(facts),
        _drift(facts),
        _recalibration(facts),
        _gate(facts),
        _quality(facts),
        _training(facts),
        _links(facts),
        _settings(facts),
    ]
    return _template().render(
        title=f"Forecast of {printable(workload.label)}, run {run}",
        headline=_headline(facts),
        is_good=facts.failure is None,
        sections=[section for section in sections if not section.is_empty],
    )


@cache
def _template() -> Template:
    place = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=place, autoescape=True, undefined=StrictUndefined).get_template(TEMPLATE)


def _headline(facts: Facts) -> str:
    of = facts.manifest
    published = f"Published: {of.rows} rows for {of.item_count}, {of.period}." if of else None
    if facts.failure is not None:
        step, cause, _ = facts.failure
        told = f"{published} The run failed after that" if published else "No new forecast was published"
        return f"{told}: {step}: {cause}"
    return published or "The run has not published a forecast."


def _failure(facts: Facts) -> Section:
    if facts.failure is None:
        return Section("What to do")
    return Section("What to do", lines=tuple(facts.failure[2].splitlines()))


def _contents(facts: Facts) -> Section:
    of = facts.manifest
    if of is None:
        return Section("The forecast")
    shown = {
        "period": of.period,
        "items": of.items,
        "steps ahead": of.horizon,
        "types": ", ".join(of.types),
        "rows": of.rows,
        "columns": ", ".join(of.columns),
        "published (UTC)": (of.published_at or "").replace("T", " ").removesuffix("Z") or None,
        "in the place of run": of.previous,
    }
    return _pairs("The forecast", shown)


def _picture(facts: Facts) -> Section:
    data = base64.b64encode(facts.picture).decode()
    title = "History and forecast of the largest items"
    return Section(title, picture=f"data:image/png;base64,{data}" if data else "")


def _accuracy(facts: Facts) -> Section:
    title = "Accuracy in backtests"
    if facts.accuracy is None:
        return Section(title)
    rows = [
        {SHORTER.get(name, name): value for name, value in row.items() if name not in ("start", "end")}
        for row in facts.accuracy.rows()
    ]
    return _table(title, rows, [facts.accuracy.words(), *_beside_naive(facts.accuracy)])


def _beside_naive(accuracy: Accuracy) -> Iterator[str]:
    """MASE is what the forecast was off by, in what a seasonal naive one was off by."""
    scaled = accuracy.best.get("MASE")
    if scaled is not None:
        better = "better than" if scaled < 1 else "no better than"
        yield f"That is {better} a seasonal naive forecast, whose MASE is 1: theirs is {scaled:.2f}."


def _outcome(facts: Facts) -> Section:
    title = "How the last forecast turned out"
    score = facts.outcome
    if score is None:
        return Section(title)
    return _pairs(title, score.row(), [score.words()])


def _drift(facts: Facts) -> Section:
    if facts.drift is None:
        return Section("Drift")
    lines = facts.drift.reasons or ("What came is what was forecast, as far as chance goes.",)
    figures = {name.replace("_", " "): value for name, value in facts.drift.figures.items()}
    return _pairs("Drift", figures, lines)


def _recalibration(facts: Facts) -> Section:
    stored = facts.record.recalibration if facts.record else None
    if stored is None:
        return Section("Recalibration")
    return Section("Recalibration", lines=(Adjustment(**stored).words(),))


def _gate(facts: Facts) -> Section:
    if facts.verdict is None:
        return Section("Gate")
    return _table("Gate", facts.verdict.rows(), [f"{facts.verdict.words()}."])


def _quality(facts: Facts) -> Section:
    """Without the customer's values: those are in quality.json."""
    title = "Findings in the data"
    if facts.quality is None:
        return Section(title)
    rows = Report.from_dict(facts.quality).table()
    bad = facts.quality["bad_rows"]
    found = f"{facts.quality['rows']} rows were checked, {bad} {'is' if bad == 1 else 'are'} bad."
    return _table(title, rows, [found if rows else f"{found} Nothing was found."])


def _training(facts: Facts) -> Section:
    known = facts.record
    if known is None or known.training is None:
        return Section("Training")
    return Section("Training", lines=(Decision.from_dict(known.training).words(),))


def _links(facts: Facts) -> Section:
    rows = tuple((Cell(what), Cell(uri, link=address)) for what, (uri, address) in facts.links.items())
    return Section("Where everything is", columns=("what", "where"), rows=rows)


def _settings(facts: Facts) -> Section:
    if facts.record is None or not facts.record.params:
        return Section("Settings")
    text = json.dumps(facts.record.params, indent=2, ensure_ascii=False, sort_keys=True)
    return Section("Settings", code=text)


def _pairs(title: str, shown: Mapping[str, Any], lines: Sequence[str] = ()) -> Section:
    told = ((name, _cell(value).text) for name, value in shown.items())
    rows = tuple((Cell(name), Cell(text)) for name, text in told if text)
    return Section(title, tuple(lines), (), rows)


def _table(title: str, rows: Sequence[Mapping[str, Any]], lines: Iterable[str] = ()) -> Section:
    """A table with the columns that have a value in some row."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row if row[name] not in (None, "")))
    cells = tuple(tuple(_cell(row.get(name)) for name in columns) for row in rows[:MOST_ROWS])
    more = [f"{len(rows) - MOST_ROWS} more are not shown."] if len(rows) > MOST_ROWS else []
    return Section(title, (*lines, *more), columns, cells)


def _cell(value: Any) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell("" if value is None else str(value))
    return Cell(figure(value) if isinstance(value, float) else str(value), is_number=True)
