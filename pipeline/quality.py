"""What the check of the input found: a report in the bucket, and the same without the customer's values.

    Finding   one rule, broken in one column of one file: how often, and a few examples
    Report    all findings of a run, with the files and the rows that were counted

Keys and values out of the rows stand in `runs/<run>/quality.json` only, which lies beside the data. What of
these findings leaves the bucket (errors, messages, logs, artifacts) is made from `place`, `rule` and
`remedy`, and names file, row and column.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline import storage
from pipeline.errors import BadInput, Problem
from pipeline.workload import Workload

ERROR = "error"  # nothing is created
BAD_ROW = "bad row"  # an error, unless so few rows are tolerated
SET_ASIDE = "set aside"  # a tolerated bad row
CHANGED = "changed"  # rows left out or merged, as the configuration wants it
WARNING = "warning"
ORDER = (ERROR, BAD_ROW, SET_ASIDE, CHANGED, WARNING)

EXAMPLES = 5  # of each finding; the rest is counted
SHOWN_SENTENCES = 10  # in a message; all are in the report
LONGEST_PLACE = 120
LONGEST_NAME = 40  # of a column


@dataclass(frozen=True)
class Example:
    """A row, counted from 1 in its file, and what stands there."""

    row: int | None
    value: str = ""


@dataclass
class Finding:
    """One rule, broken in one column of one file."""

    file: str
    rule: str
    remedy: str
    column: str = ""
    severity: str = ERROR
    count: int = 1
    examples: list[Example] = field(default_factory=list)
    called: str = ""  # the column in the header of the file, where that is another name

    @property
    def column_words(self) -> str:
        """The column as the schema names it and, where it differs, as the file does."""
        called = f" (in the file: {printable(self.called, LONGEST_NAME)})" if self.called else ""
        return f"{self.column}{called}"

    def places(self) -> Iterator[str]:
        """Where it was found, as far as it is told: `train/a.csv, row 3, column price`."""
        column = f", column {self.column_words}" if self.column else ""
        for example in self.examples or [Example(None)]:
            row = f", row {example.row}" if example.row is not None else ""
            yield f"{printable(self.file)}{row}{column}"

    def sentence(self) -> str:
        """For a message: place, rule, how often, remedy."""
        rows = sorted({example.row for example in self.examples if example.row is not None})
        listed = ", ".join(map(str, rows[:EXAMPLES])) + (" …" if self.count > len(rows) else "")
        where = f" ({'rows' if len(rows) > 1 else 'row'} {listed})" if rows else ""
        times = f", {self.count} times" if rows and self.count > 1 else ""
        column = f", column {self.column_words}" if self.column else ""
        return f"{printable(self.file)}{column}{where}{times}: {self.rule}. {self.remedy}"


@dataclass
class Report:
    """All that was found in the input of one run."""

    files: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    bad_rows: int = 0

    def of(self, *severities: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity in severities]

    @property
    def is_refused(self) -> bool:
        """Whether nothing may be created."""
        return bool(self.of(ERROR, BAD_ROW))

    @property
    def total(self) -> int:
        """Problems for which the input is refused."""
        return sum(finding.count for finding in self.of(ERROR, BAD_ROW))

    def refusal(self, address: str = "") -> BadInput:
        """The error to raise, with the examples in the order of files and rows.

        Args:
            address: where the report lies.
        """
        problems = [
            (
                finding.file.endswith("/"),
                finding.file,
                example.row or 0,
                Problem(place, "", finding.rule, finding.remedy),
            )
            for finding in self.of(ERROR, BAD_ROW)
            for place, example in zip(finding.places(), finding.examples or [Example(None)], strict=True)
        ]
        problems.sort(key=lambda entry: entry[:3])
        error = BadInput([problem for *_, problem in problems], self.total)
        if address:
            error.remedy += f"\nThe values and all counts are in the report: {address}"
        return error

    def sentences(self, address: str = "") -> tuple[str, ...]:
        """What a published forecast should be read with: the gravest first, none with a customer's value."""
        told = sorted(self.of(SET_ASIDE, CHANGED, WARNING), key=_gravity)
        listed = [finding.sentence() for finding in told[:SHOWN_SENTENCES]]
        if len(told) > SHOWN_SENTENCES:
            listed.append(f"{len(told) - SHOWN_SENTENCES} more findings are in the report. {address}".strip())
        return tuple(listed)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the customer's values."""
        return {
            "outcome": "refused" if self.is_refused else "accepted",
            "rows": self.rows,
            "bad_rows": self.bad_rows,
            "files": self.files,
            "findings": [asdict(finding) for finding in sorted(self.findings, key=_gravity)],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Report":
        """What `to_dict` wrote."""
        findings = [
            Finding(**{**one, "examples": [Example(**each) for each in one["examples"]]})
            for one in stored["findings"]
        ]
        return cls(stored["files"], findings, stored["rows"], stored["bad_rows"])

    def table(self) -> list[dict[str, Any]]:
        """For people, a row per finding, without the customer's values; what is wide and dull comes last."""
        return [
            {
                "what": finding.severity,
                "rule": finding.rule,
                "remedy": finding.remedy,
                "file": printable(finding.file),
                "column": finding.column_words,
                "count": finding.count,
                "row": ", ".join(str(e.row) for e in finding.examples if e.row is not None),
            }
            for finding in sorted(self.findings, key=_gravity)
        ]


def write(s3: Any, workload: Workload, run: str, report: Report) -> str:
    """Writes the report into the run's folder; its address."""
    path = f"runs/{run}/quality.json"
    storage.write_json(s3, workload, path, report.to_dict())
    return workload.uri(path)


def printable(text: str, longest: int = LONGEST_PLACE) -> str:
    """Text on one line, without control characters, and not too long: an object may have any name."""
    plain = "".join(c if c.isprintable() else "�" for c in text)
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _gravity(finding: Finding) -> tuple[int, int, str]:
    return ORDER.index(finding.severity), -finding.count, finding.file
