"""The input objects of a workload: taken stock of, checked in full, and set aside for one run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline import storage
from pipeline.datafile import format_of
from pipeline.domains import METADATA, RELATED, ROLE_OF_TYPE, TARGET
from pipeline.errors import BadInput, InputChanged, Missing, Problem, code_of, translated
from pipeline.form import InputForm
from pipeline.inspection import SEPARATOR, Census, Expectation, Findings, Inspection
from pipeline.params import DatasetSpec, Params
from pipeline.rules import Draft, fillings
from pipeline.workload import Workload

MOST_FILES = 10_000  # per import job
FEWEST_OBSERVATIONS = 5  # the service leaves out series with fewer
LISTED_IN_WARNING = 5


@dataclass(frozen=True)
class InputObject:
    """One input object as it was listed."""

    role: str
    key: str
    size: int
    etag: str
    version_id: str | None = None


@dataclass(frozen=True)
class Inputs:
    """All input objects of a workload, by role, then by key."""

    objects: tuple[InputObject, ...]

    def of(self, role: str) -> tuple[InputObject, ...]:
        return tuple(o for o in self.objects if o.role == role)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to learn from."""
        return not self.of("train")

    def to_list(self) -> list[dict[str, Any]]:
        """JSON-ready."""
        return [{"role": o.role, "key": o.key, "size": o.size, "etag": o.etag} for o in self.objects]


def take_stock(s3: Any, workload: Workload, params: Params) -> Inputs:
    """The objects under the prefixes of the datasets that the configuration lists."""
    found: list[InputObject] = []
    for spec in params.datasets:
        with translated(f"listing {workload.uri(spec.role + '/')}"):
            found += _listed(s3, workload, spec.role)
    return Inputs(tuple(found))


def _listed(s3: Any, workload: Workload, role: str) -> Iterator[InputObject]:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=workload.bucket, Prefix=workload.key(f"{role}/")
    )
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        if Workload.of(workload.bucket, entry["Key"]) == (workload, role):
            yield InputObject(role, entry["Key"], entry["Size"], entry["ETag"].strip('"'))


def check(s3: Any, workload: Workload, params: Params, inputs: Inputs) -> InputForm:
    """The form of the input, after every row of every file was checked in a stream.

    Raises:
        BadInput: with problems by file, row and column, and their total.
        InputChanged: if an object was replaced since it was listed.
    """
    findings = Findings()
    censuses: dict[str, Census] = {}
    files: dict[str, tuple[Any, ...]] = {}
    for spec in params.datasets:
        inspection = _inspect(s3, workload, params, inputs, spec, findings)
        findings.merge(inspection.findings)
        censuses[spec.type] = inspection.census
        files[spec.role] = tuple(inspection.forms)
    target = censuses[TARGET]
    if not findings.total:
        _check_length(params, target, findings)
    if findings.total:
        raise BadInput(findings.problems, findings.total)
    assert target.first is not None  # rows without a problem have a time
    assert target.last is not None
    return InputForm(
        files=files,
        items=len(target.series),
        first=target.first,
        last=target.last,
        steps=params.frequency.steps(target.first, target.last),
        missing=target.missing,
        warnings=tuple(_warnings(censuses)),
    )


def _inspect(
    s3: Any, workload: Workload, params: Params, inputs: Inputs, spec: DatasetSpec, findings: Findings
) -> Inspection:
    inspection = Inspection(_expectation(params, spec))
    objects = inputs.of(spec.role)
    for problem in _set_problems(workload, spec, objects):
        findings.add(problem)
    for stored in objects:
        name = stored.key[len(workload.folder) :]
        with translated(f"reading {workload.uri(name)}"):
            asked = {"Bucket": workload.bucket, "Key": stored.key, "IfMatch": f'"{stored.etag}"'}
            inspection.file(stored.key, name, stored.size, s3.get_object(**asked)["Body"])
    return inspection


def _set_problems(
    workload: Workload, spec: DatasetSpec, objects: tuple[InputObject, ...]
) -> Iterator[Problem]:
    """Problems of a prefix as a whole."""
    where = f"{spec.role}/"
    if not objects:
        rule = f"there is no file for the dataset {spec.name}"
        remedy = f"Upload one to {workload.uri(where)}, or remove the dataset from params.json."
        yield Problem(where, "", rule, remedy)
    if len({format_of(o.key) for o in objects}) > 1:
        rule = "CSV and Parquet files cannot be imported together"
        yield Problem(where, "", rule, "Keep files of one format.")
    if len(objects) > MOST_FILES:
        rule = f"an import can have {MOST_FILES} files"
        yield Problem(where, f"{len(objects)} files", rule, "Merge some.")
    for stored in objects:
        name = stored.key.rsplit("/", 1)[-1]
        if not any(c.isalpha() for c in name):
            rule = "the service reads files whose name has a letter"
            yield Problem(stored.key[len(workload.folder) :], "", rule, "Rename it.")


def _expectation(params: Params, spec: DatasetSpec) -> Expectation:
    kept = [name for name in params.dimensions if name in spec.columns]
    keys = (spec.item_key, *(kept if spec.type != METADATA else []))
    filled = {name for _, name, _ in fillings(Draft(params.document))}
    optional = {a.name for a in spec.attributes if a.is_number and (spec.type != RELATED or a.name in filled)}
    return Expectation(spec, keys, params.timestamp_format, frozenset(optional))


def _check_length(params: Params, target: Census, findings: Findings) -> None:
    """The service's own limits for horizon and backtests, so that nothing is paid to learn of them."""
    if target.first is None or target.last is None:
        return
    steps = params.frequency.steps(target.first, target.last)
    unit = params.frequency
    longest = min(500, steps // 4 if params.auto else _longest_legacy(params, steps))
    reach = f"the data cover {unit.span(steps)} ({target.first} to {target.last})"
    if params.horizon > longest:
        rule = f"{reach}, which is enough for a horizon of {longest}"
        remedy = (
            f"Set it to {longest} or less, or upload a longer history."
            if longest
            else "Upload a longer history."
        )
        findings.add(Problem("params.json: Predictor.ForecastHorizon", str(params.horizon), rule, remedy))
        return
    evaluation = params.predictor.get("EvaluationParameters", {})
    windows = evaluation.get("NumberOfBacktestWindows", 1)
    offset = evaluation.get("BackTestWindowOffset", params.horizon)
    if not params.auto and (2 * offset >= steps or windows * offset >= steps):
        rule = f"{reach}, too little for {windows} backtest windows {unit.span(offset)} apart"
        remedy = "Use fewer windows or a smaller offset, or upload a longer history."
        findings.add(Problem("params.json: Predictor.EvaluationParameters", "", rule, remedy))


def _longest_legacy(params: Params, steps: int) -> int:
    algorithm = params.predictor.get("AlgorithmArn", "").rsplit("/", 1)[-1]
    learns_alone = algorithm in ("ETS", "NPTS", "Prophet", "ARIMA")
    return steps - 1 if learns_alone else steps // 3


def _warnings(censuses: dict[str, Census]) -> Iterator[str]:
    """What the service will leave out without a word."""
    target = censuses[TARGET]
    short = [key for key, count in target.series.items() if count < FEWEST_OBSERVATIONS]
    if short:
        yield (
            f"{_listed_series(short)} with fewer than {FEWEST_OBSERVATIONS} rows; "
            "the service may leave them out of the forecast."
        )
    related = censuses.get(RELATED)
    if related is not None and related.is_complete:
        lost = sorted(target.items - related.items)
        if lost:
            lost_words = "without related data; the service may leave them out of the forecast."
            yield f"{_listed_series(lost)} {lost_words}"
    metadata = censuses.get(METADATA)
    if metadata is not None and metadata.is_complete:
        new = sorted(metadata.items - target.items)
        if new:
            yield f"{_listed_series(new)} known from the metadata only."
    if not target.is_complete:
        yield f"More than {len(target.series)} series; the number of items is a lower bound."


def _listed_series(keys: list[str]) -> str:
    names = ", ".join(key.replace(SEPARATOR, " / ") for key in sorted(keys)[:LISTED_IN_WARNING])
    more = f" and {len(keys) - LISTED_IN_WARNING} more" if len(keys) > LISTED_IN_WARNING else ""
    return f"{len(keys)} series ({names}{more})"


def stage(s3: Any, workload: Workload, inputs: Inputs, run: str) -> dict[str, str]:
    """Copies the inputs beside the run, so that exactly what was checked is imported.

    The copies are made inside S3. Those that an earlier attempt made stay: their run stands for the same
    keys and ETags.

    Returns:
        The `s3://` prefix of the copies, by role.

    Raises:
        InputChanged: if an object was replaced or removed since it was listed.
    """
    there = set(storage.keys(s3, workload, _stage_prefix(run)))
    for stored in inputs.objects:
        copy = staged_key(workload, run, stored.key)
        if copy not in there:
            _copy(s3, workload, stored, copy)
    return {
        role: workload.uri(f"{_stage_prefix(run)}{role}/")
        for role in ROLE_OF_TYPE.values()
        if inputs.of(role)
    }


def unstage(s3: Any, workload: Workload, run: str) -> None:
    """Removes the run's copies of the inputs; the inputs themselves stay."""
    storage.remove(s3, workload, _stage_prefix(run))


def staged_key(workload: Workload, run: str, key: str) -> str:
    """The key of a run's own copy of an input."""
    return workload.key(_stage_prefix(run) + key[len(workload.folder) :])


def _stage_prefix(run: str) -> str:
    return f"runs/{run}/input/"


def _copy(s3: Any, workload: Workload, stored: InputObject, copy: str) -> None:
    source = {"Bucket": workload.bucket, "Key": stored.key}
    etag = f'"{stored.etag}"'
    try:
        with translated(f"copying {stored.key} to {copy}"):
            condition = {"CopySourceIfMatch": etag}
            s3.copy(source, workload.bucket, copy, ExtraArgs=condition, Config=storage.ONE_REQUEST)
            _confirm(s3, workload, stored, copy)
    except (InputChanged, Missing) as error:
        name = stored.key[len(workload.folder) :]
        raise InputChanged(
            f"{workload.uri(name)} was replaced or removed after it was checked.",
            "Nothing is lost: the upload that replaced it starts a run of its own.",
        ) from error


def _confirm(s3: Any, workload: Workload, stored: InputObject, copy: str) -> None:
    """Makes sure that the original is still what was checked; not every S3 heeds the copy's condition."""
    try:
        head = s3.head_object(Bucket=workload.bucket, Key=stored.key)
        unchanged = head["ETag"].strip('"') == stored.etag
    except s3.exceptions.ClientError as error:
        if code_of(error) not in ("404", "NoSuchKey"):
            raise
        unchanged = False
    if not unchanged:
        s3.delete_object(Bucket=workload.bucket, Key=copy)
        raise InputChanged("The original changed.", "")
