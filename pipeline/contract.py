"""The data contract of a run: all its files examined, what was found, and what may be imported of them.

    each file, in a stream           cells        names, types, times, limits: row by row
    each dataset, series by series   comparisons  duplicates, overlaps, gaps, alignment, outliers
    the whole                        here         tolerance, keys, length, items of all datasets

What is imported is exactly what was accepted: files without a change are copied inside S3 under the condition
of their ETag, the others are written anew without the rows that are set aside or merged.
"""

import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import cleaning, storage
from pipeline.cells import SEPARATOR, Census, Expectation
from pipeline.comparisons import Comparison, related_findings
from pipeline.datafile import format_of
from pipeline.domains import METADATA, RELATED, ROLE_OF_TYPE, TARGET
from pipeline.errors import translated
from pipeline.fates import BLANK, FileFate
from pipeline.form import PARQUET, FileForm, InputForm
from pipeline.inputs import (
    MOST_FILES,
    InputObject,
    Inputs,
    copy_unchanged,
    opened,
    replaced,
    stage_prefix,
    staged_key,
)
from pipeline.inspection import Inspection
from pipeline.params import DatasetSpec, Params
from pipeline.quality import BAD_ROW, CHANGED, ERROR, EXAMPLES, SET_ASIDE, WARNING, Example, Finding, Report
from pipeline.rules.draft import Draft, fillings
from pipeline.workload import NAMES_TAKEN, PARAMS, Workload

FEWEST_OBSERVATIONS = 5  # the service leaves out series with fewer
LONGEST_KEY = 1024 - len("runs/0123456789ab/rejected/.csv")  # in bytes: 1024 is S3's limit
PARQUET_EXPANSION = 8  # how much larger the rows are than their file, roughly


@dataclass
class Examination:
    """What was found, and what is needed to import it."""

    report: Report
    form: InputForm | None  # None if the input is refused
    _s3: Any
    _workload: Workload
    _inputs: Inputs
    _inspections: dict[str, Inspection]  # by role

    def accepted(self, address: str = "") -> InputForm:
        """The form of the input.

        Args:
            address: where the report lies.

        Raises:
            BadInput: if the input is refused.
        """
        if self.form is None:
            raise self.report.refusal(address)
        return replace(self.form, warnings=self.report.sentences(address))

    def stage(self, run: str) -> dict[str, str]:
        """Puts what may be imported beside the run; what an earlier attempt put there stays.

        Returns:
            The `s3://` prefix of the copies, by role.

        Raises:
            InputChanged: if an object was replaced or removed since it was listed.
        """
        there = set(storage.keys(self._s3, self._workload, stage_prefix(run)))
        numbers = {role: _numbers(one) for role, one in self._inspections.items()}
        for stored in self._inputs.objects:
            copy = staged_key(self._workload, run, stored.key)
            if copy in there:
                continue
            inspection = self._inspections[stored.role]
            number = numbers[stored.role][stored.key]
            if _is_changed(inspection, number):
                self._write_clean(run, stored, copy, inspection, number)
            else:
                copy_unchanged(self._s3, self._workload, stored, copy)
        roles = [role for role in ROLE_OF_TYPE.values() if self._inputs.of(role)]
        return {role: self._workload.uri(f"{stage_prefix(run)}{role}/") for role in roles}

    def _write_clean(
        self, run: str, stored: InputObject, copy: str, inspection: Inspection, number: int
    ) -> None:
        fate = inspection.fates[number]
        form = next(form for form in inspection.forms if form.key == stored.key)
        folder = self._workload.folder
        with tempfile.TemporaryDirectory() as place, replaced(self._workload, stored):
            source = opened(self._s3, self._workload, stored)
            fates = inspection.fate_rows(number)
            cleaned = cleaning.clean(source, inspection.spec, form, fate, fates, Path(place))
            if cleaned.rejected:
                path = f"runs/{run}/rejected/{stored.key[len(folder) :]}"
                cleaning.upload(self._s3, self._workload, cleaned.rejected, _csv_name(path))
            if cleaned.kept:
                cleaning.upload(self._s3, self._workload, cleaned.kept, copy[len(folder) :])


@contextmanager
def examine(s3: Any, workload: Workload, params: Params, inputs: Inputs) -> Iterator[Examination]:
    """Every row of every file is checked, in a stream; problems do not raise, they are in the report.

    Raises:
        InputChanged: if an object was replaced since it was listed.
    """
    inspections: dict[str, Inspection] = {}
    try:
        comparisons: dict[str, Comparison] = {}
        for spec in params.datasets:
            called = _called(inspections["train"]) if spec.type == METADATA else frozenset()
            own = inspections[spec.role] = _inspect(s3, workload, params, inputs, spec, called)
            comparisons[spec.role] = Comparison(own, params, inputs.upload_order(spec.role))
            _judge_bad_rows(own, params)
            comparisons[spec.role].run()
        report = _report(workload, params, inputs, inspections, comparisons)
        form = None if report.is_refused else _form(params, inspections)
        yield Examination(report, form, s3, workload, inputs, inspections)
    finally:
        for inspection in inspections.values():
            inspection.close()


def check(s3: Any, workload: Workload, params: Params, inputs: Inputs) -> InputForm:
    """The form of the input, if it keeps the contract.

    Raises:
        BadInput: with problems by file, row and column, and their total.
        InputChanged: if an object was replaced since it was listed.
    """
    with examine(s3, workload, params, inputs) as examination:
        return examination.accepted()


def _called(target: Inspection) -> frozenset[str]:
    """What the schema and the headers of the target's files call the item key."""
    place = target.spec.position(target.spec.item_key)
    return frozenset([target.spec.item_key, *(form.columns[place] for form in target.forms)])


def _inspect(
    s3: Any, workload: Workload, params: Params, inputs: Inputs, spec: DatasetSpec, called: frozenset[str]
) -> Inspection:
    objects = inputs.of(spec.role)
    sizes = (o.size * (PARQUET_EXPANSION if format_of(o.key) == PARQUET else 1) for o in objects)
    inspection = Inspection(_expectation(params, spec), sum(sizes), called)
    inspection.findings += _set_problems(workload, spec, objects)
    for stored in objects:
        name = stored.key[len(workload.folder) :]
        with translated(f"reading {workload.uri(name)}"):
            inspection.file(stored.key, name, stored.size, opened(s3, workload, stored))
    inspection.tell_of_misfits()
    return inspection


def _set_problems(
    workload: Workload, spec: DatasetSpec, objects: tuple[InputObject, ...]
) -> Iterator[Finding]:
    """Problems of a prefix as a whole."""
    where = f"{spec.role}/"
    if not objects:
        rule = f"there is no file for the dataset {spec.name}"
        yield Finding(
            where, rule, f"Upload one to {workload.uri(where)}, or remove the dataset from params.json."
        )
    if len({format_of(o.key) for o in objects}) > 1:
        yield Finding(where, "CSV and Parquet files cannot be imported together", "Keep files of one format.")
    if len(objects) > MOST_FILES:
        yield Finding(
            where, f"an import can have {MOST_FILES} files; these are {len(objects)}", "Merge some."
        )
    for stored in objects:
        name = stored.key.rsplit("/", 1)[-1]
        if name == PARAMS:
            rule = f"it lies below {where}, so it is data of {workload.uri()}; {NAMES_TAKEN}"
            yield Finding(stored.key[len(workload.folder) :], rule, "Rename the folder, or remove the file.")
        if not any(c.isalpha() for c in name):
            rule = "the service reads files whose name has a letter"
            yield Finding(stored.key[len(workload.folder) :], rule, "Rename it.")
        if (size := len(stored.key.encode())) > LONGEST_KEY:
            rule = f"its key has {size} bytes; with {LONGEST_KEY} or less there is room for the run's copy"
            yield Finding(stored.key[len(workload.folder) :], rule, "Give it a shorter name.")


def _expectation(params: Params, spec: DatasetSpec) -> Expectation:
    kept = [name for name in params.dimensions if name in spec.columns]
    keys = (spec.item_key, *(kept if spec.type != METADATA else []))
    filled = {name for _, name, _ in fillings(Draft(params.document))}
    optional = {a.name for a in spec.attributes if a.is_number and (spec.type != RELATED or a.name in filled)}
    return Expectation(spec, keys, params.timestamp_format, frozenset(optional), params.checks)


def _judge_bad_rows(inspection: Inspection, params: Params) -> None:
    """Few enough bad rows are set aside; more are errors."""
    tolerated = params.checks.most_bad_rows
    few = inspection.bad_rows <= tolerated * inspection.rows
    rejected = "; they are in rejected/ of the run" if few else ""
    for finding in inspection.findings:
        if finding.severity == BAD_ROW:
            finding.severity = SET_ASIDE if few else ERROR
            finding.rule += rejected
    if tolerated and not few:
        share = inspection.bad_rows / inspection.rows
        rule = (
            f"{inspection.bad_rows} of {inspection.rows} rows are bad, {share:.2%}; "
            f"Checks.MostBadRows tolerates {tolerated:.2%}"
        )
        inspection.findings.append(
            Finding(f"{inspection.spec.role}/", rule, "Correct them, or raise MostBadRows.")
        )


def _report(
    workload: Workload,
    params: Params,
    inputs: Inputs,
    inspections: dict[str, Inspection],
    comparisons: dict[str, Comparison],
) -> Report:
    report = Report()
    for role, inspection in inspections.items():
        report.findings += inspection.findings
        report.findings += _alike_keys(inspection, params)
        report.rows += inspection.rows
        report.bad_rows += inspection.bad_rows
        report.files += [_file(workload, role, form) for form in inspection.forms]
    for inspection in inspections.values():
        _name_as_the_files_do(workload, inspection)
    report.findings += _mixed_headers(inspections["train"]) if "train" in inspections else []
    for stored in inputs.ignored:
        rule = "a newer file is the data (Checks.Files is snapshot); this one was not read"
        name = stored.key[len(workload.folder) :]
        report.findings.append(Finding(name, rule, "Remove it if nobody needs it.", "", CHANGED))
    censuses = {inspection.spec.type: inspection.census for inspection in inspections.values()}
    report.findings += _coverage(censuses)
    if "related" in comparisons:
        names = list(censuses[TARGET].series)
        report.findings += related_findings(
            params, comparisons["train"], comparisons["related"], names, _filled(params)
        )
    if not report.is_refused:
        report.findings += _length_findings(params, censuses[TARGET])
    return report


def _name_as_the_files_do(workload: Workload, inspection: Inspection) -> None:
    """Findings are about columns of the schema; people look for the name in the file's header."""
    headers = {form.key[len(workload.folder) :]: form for form in inspection.forms if form.has_header}
    for finding in inspection.findings:
        form = headers.get(finding.file)
        if form is not None and finding.column in inspection.spec.columns:
            called = form.columns[inspection.spec.position(finding.column)].strip()
            finding.called = called if called.lower() != finding.column.lower() else ""


def _mixed_headers(inspection: Inspection) -> Iterator[Finding]:
    """The forecast does not mind, but SQL reads all files of a folder in the same way."""
    headed = sum(form.has_header for form in inspection.forms)
    if 0 < headed < len(inspection.forms):
        rule = f"{headed} of {len(inspection.forms)} files begin with a header, the others do not"
        remedy = "Give all of them one, or none: in SQL the headers are rows now, and all columns text."
        yield Finding("train/", rule, remedy, severity=WARNING)


def _file(workload: Workload, role: str, form: FileForm) -> dict[str, Any]:
    return {
        "file": form.key[len(workload.folder) :],
        "role": role,
        "format": form.format,
        "rows": form.rows,
        "header": list(form.columns) if form.has_header else None,
    }


def _filled(params: Params) -> set[str]:
    """The fillings, such as middlefill, that every number of the related data has."""
    features, configured = set(params.spec(RELATED).features), list(fillings(Draft(params.document)))
    return {
        kind
        for kind in ("middlefill", "futurefill")
        if features <= {name for _, name, how in configured if kind in how}
    }


def _form(params: Params, inspections: dict[str, Inspection]) -> InputForm:
    target = inspections["train"].census
    assert target.first is not None  # rows without a problem have a time
    assert target.last is not None
    return InputForm(
        files={role: tuple(_kept_forms(inspection)) for role, inspection in inspections.items()},
        items=len(target.series),
        first=target.first,
        last=target.last,
        steps=params.frequency.steps(target.first, target.last),
        missing=target.missing,
    )


def _numbers(inspection: Inspection) -> dict[str, int]:
    """The numbers of the files by their keys."""
    return {fate.key: number for number, fate in enumerate(inspection.fates)}


def _kept_forms(inspection: Inspection) -> Iterator[FileForm]:
    """The files with the number of rows that are imported of them."""
    numbers = _numbers(inspection)
    for form in inspection.forms:
        fates = inspection.fate_rows(numbers[form.key])
        yield replace(form, rows=form.rows - int(((fates > 0) & (fates < BLANK)).sum()))


def _is_changed(inspection: Inspection, number: int) -> bool:
    fate: FileFate = inspection.fates[number]
    fates = inspection.fate_rows(number)
    return bool(fate.broken or fate.sums or ((fates > 0) & (fates != BLANK)).any())


def _csv_name(path: str) -> str:
    return path if path.lower().endswith(".csv") else f"{path}.csv"


def _length_findings(params: Params, target: Census) -> Iterator[Finding]:
    """The service's own limits for horizon and backtests, so that nothing is paid to learn of them."""
    if target.first is None or target.last is None:
        remedy = "Upload data that keep the rules."
        yield Finding("train/", "there are no rows that can be imported", remedy)
        return
    if target.missing == sum(target.series.values()) and target.is_complete:
        rule, remedy = "no row has a value: there is nothing to learn from", "Upload what was observed."
        yield Finding("train/", rule, remedy, params.target.target_field)
    steps = params.frequency.steps(target.first, target.last)
    unit = params.frequency
    longest = min(500, steps // 4 if params.auto else _longest_legacy(params, steps))
    reach = f"the data cover {unit.span(steps)} ({target.first} to {target.last})"
    if params.horizon > longest:
        rule = f"it is {params.horizon}, and {reach}, which is enough for a horizon of {longest}"
        remedy = (
            f"Set it to {longest} or less, or upload a longer history."
            if longest
            else "Upload a longer history."
        )
        yield Finding("params.json: Predictor.ForecastHorizon", rule, remedy)
        return
    evaluation = params.predictor.get("EvaluationParameters", {})
    windows = evaluation.get("NumberOfBacktestWindows", 1)
    offset = evaluation.get("BackTestWindowOffset", params.horizon)
    if not params.auto and (2 * offset >= steps or windows * offset >= steps):
        rule = f"{reach}, too little for {windows} backtest windows {unit.span(offset)} apart"
        remedy = "Use fewer windows or a smaller offset, or upload a longer history."
        yield Finding("params.json: Predictor.EvaluationParameters", rule, remedy)


def _longest_legacy(params: Params, steps: int) -> int:
    algorithm = params.predictor.get("AlgorithmArn", "").rsplit("/", 1)[-1]
    learns_alone = algorithm in ("ETS", "NPTS", "Prophet", "ARIMA")
    return steps - 1 if learns_alone else steps // 3


def _alike_keys(inspection: Inspection, params: Params) -> Iterator[Finding]:
    """Keys that differ only in letter case or in blanks are two series to the service."""
    seen: dict[str, str] = {}
    alike: list[str] = []
    for key in inspection.census.series:
        plain = _as_people_read(key)
        if seen.setdefault(plain, key) != key:
            alike.append(f"{_plain(seen[plain])!r} and {_plain(key)!r}")
    if alike:
        severity = ERROR if params.checks.alike_keys == "refuse" else WARNING
        rule = (
            f"{len(alike)} keys differ from another only in letter case, in blanks or in how a letter is "
            "encoded; they are separate series"
        )
        examples = [Example(None, pair) for pair in alike[:EXAMPLES]]
        yield Finding(
            f"{inspection.spec.role}/", rule, "Write them alike if they are one.", inspection.spec.item_key,
            severity, len(alike), examples,
        )  # fmt: skip


def _as_people_read(key: str) -> str:
    """The key without what a reader does not see: case, further blanks, invisible marks, ways of encoding."""
    parts = ("".join(c for c in part if c.isprintable() or c.isspace()) for part in key.split(SEPARATOR))
    return SEPARATOR.join(" ".join(unicodedata.normalize("NFKC", p).casefold().split()) for p in parts)


def _coverage(censuses: dict[str, Census]) -> Iterator[Finding]:
    """What the service will leave out without a word."""
    target = censuses[TARGET]
    short = [key for key, count in target.series.items() if count < FEWEST_OBSERVATIONS]
    if short:
        rule = (
            f"{len(short)} series with fewer than {FEWEST_OBSERVATIONS} rows; the service may leave them out"
        )
        yield _series_finding("train/", rule, "Add rows, or leave the series out.", short)
    related = censuses.get(RELATED)
    if related is not None and related.is_complete:
        lost = sorted(target.items - related.items)
        if lost:
            rule = f"{_many(len(lost), 'item')} without related data; the service may leave them out"
            yield _series_finding("related/", rule, "Add their rows.", lost)
    metadata = censuses.get(METADATA)
    if metadata is not None and metadata.is_complete and target.is_complete:
        if bare := sorted(target.items - metadata.items):
            yield _series_finding(
                "metadata/", f"{_many(len(bare), 'item')} without metadata", "Add their rows.", bare
            )
        if new := sorted(metadata.items - target.items):
            yield _series_finding(
                "metadata/",
                f"{_many(len(new), 'item')} known from the metadata only",
                "Check their keys.",
                new,
            )
    if not target.is_complete:
        rule = f"there are more than {len(target.series)} series; the number of items is a lower bound"
        yield Finding("train/", rule, "Nothing has to be done.", "", WARNING)


def _series_finding(file: str, rule: str, remedy: str, keys: list[str]) -> Finding:
    examples = [Example(None, _plain(key)) for key in sorted(keys)[:EXAMPLES]]
    return Finding(file, rule, remedy, "", WARNING, len(keys), examples)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _plain(key: str) -> str:
    return key.replace(SEPARATOR, " / ")
