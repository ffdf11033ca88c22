"""What a workload looks like when its run has ended, without what differs from run to run by right.

Two workloads that were given the same content must look the same, whatever happened on the way. Names that
carry the workload or a run's fingerprint, moments and ids are replaced by words; bytes of forecasts are not.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet

from tests.chaos.faults import Call
from tests.chaos.world import BUCKET, Case

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RUN = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{12}(?![0-9a-zA-Z])")
MOMENT = re.compile(r"\d{4}-?\d\d-?\d\dT\d\d[-:]?\d\d[-:]?\d\d(\.\d+)?Z")
MOMENT_OF_ROW = re.compile(r"datetime\.datetime\([^)]*\)")  # in a row of a table
PICTURE = re.compile(r"data:image/png;base64,[^\"]*")  # its title is the workload's name
ADDRESS = re.compile(r"(?<=http://127\.0\.0\.1:)\d+")  # of the proxy that a run went through
PUBLISHED = re.compile(r"(?<=published \(UTC\)</td><td class=\"short\">)[-\d]{10} [:\d]{8}")  # in a report
MINUTE = re.compile(r"\d{4}-\d\d-\d\d at \d\d:\d\d UTC")  # in sentences
STABLE = re.compile(r"(?<=_)[0-9a-f]{8}(?![0-9a-zA-Z])")  # of a name that belongs to the workload
SLUG = re.compile(r"(?<=_)[0-9a-f]{6}(?=_)")  # of a table's name
DIGEST = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-zA-Z])")
ULID = re.compile(r"(?<=_)[0-9A-Z]{26}(?![0-9a-zA-Z])")

LISTS = {
    "list_dataset_import_jobs": "DatasetImportJob",
    "list_predictors": "Predictor",
    "list_forecasts": "Forecast",
    "list_forecast_export_jobs": "ForecastExportJob",
}


class Plain:
    """Replaces what only this workload has; runs are numbered in the order in which they are met."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        text = UUID.sub("<id>", text)
        text = RUN.sub(lambda found: self.runs.setdefault(found[0], f"<run {len(self.runs) + 1}>"), text)
        for pattern, word in (
            (DIGEST, "<digest>"),
            (MOMENT, "<moment>"),
            (MINUTE, "<minute>"),
            (PUBLISHED, "<moment>"),
            (ADDRESS, "<port>"),
            (ULID, "<ulid>"),
            (STABLE, "<hash>"),
        ):
            text = pattern.sub(word, text)
        underscored = re.sub(r"[^a-z0-9]+", "_", self.name.lower())
        return SLUG.sub("<hash>", text.replace(self.name, "<name>").replace(underscored, "<name>"))


@dataclass(frozen=True)
class Evidence:
    """What is left of a workload: its objects, its tables, and what the service knows of its runs."""

    objects: dict[str, str]  # plain key → content, plain unless it is a forecast
    tables: dict[str, str]
    resources: tuple[str, ...]
    uploads_in_progress: int

    def differences(self, other: "Evidence") -> list[str]:
        """Sentences, each a difference of the other from this one; none if they are the same."""
        found = [*_compared("object", self.objects, other.objects)]
        found += _compared("table", self.tables, other.tables)
        if self.resources != other.resources:
            found.append(f"resources: {list(other.resources)} instead of {list(self.resources)}")
        if other.uploads_in_progress:
            found.append(f"{other.uploads_in_progress} multipart uploads were left behind")
        return found


def _compared(what: str, wanted: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    for name in sorted(wanted.keys() - found.keys()):
        yield f"the {what} {name} is missing"
    for name in sorted(found.keys() - wanted.keys()):
        yield f"the {what} {name} was left behind"
    for name in sorted(wanted.keys() & found.keys()):
        if wanted[name] != found[name]:
            yield f"the {what} {name} differs: {_first_difference(wanted[name], found[name])}"


def _first_difference(wanted: str, found: str) -> str:
    pairs = zip(wanted.splitlines(), found.splitlines(), strict=False)
    return next((f"{b.strip()!r} instead of {a.strip()!r}" for a, b in pairs if a != b), "its length")


def evidence(case: Case, plain: Plain) -> Evidence:
    """What is left of a case."""
    return Evidence(
        objects={plain(key): _content(case, key, plain) for key in sorted(_lasting(case))},
        tables=_tables(case, plain),
        resources=tuple(sorted(plain(name) for name in _resources(case, plain))),
        uploads_in_progress=len(case.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])),
    )


def _lasting(case: Case) -> Iterator[str]:
    """The objects, without the notes of ends that a run met on its way to the good one."""
    for key in case.objects():
        if "/history/runs/" not in f"/{key}" or "'state': 'published'" in _rows_of(case.read(key)):
            yield key


def _content(case: Case, key: str, plain: Plain) -> str:
    if key.endswith(".parquet"):
        rows = _rows_of(case.read(key))
        return rows if _is_about_items(key) else plain(MOMENT_OF_ROW.sub("<moment>", rows))
    text = case.read(key).decode()
    if key.endswith(".html"):
        text = PICTURE.sub("<picture>", unquote(text))  # links name runs behind a %2F
    return text if key.endswith(".csv") else plain(text)


def _is_about_items(key: str) -> bool:
    """Whether its rows are forecasts and what they are drawn with, which are the same in every run."""
    return "/chart/" in key or "/items/" in key


def _rows_of(body: bytes) -> str:
    """The rows of a Parquet file, and how they lie in it."""
    file = pyarrow.parquet.ParquetFile(io.BytesIO(body))
    return f"{file.schema_arrow}\n{file.num_row_groups}\n{file.read().to_pylist()}"


def _tables(case: Case, plain: Plain) -> dict[str, str]:
    glue = case.world.client("glue")
    mine = [
        table
        for table in glue.get_tables(DatabaseName="forecast")["TableList"]
        if table["Name"].startswith(case.workload.slug)
    ]
    described = {}
    for table in mine:
        shown = {
            k: table[k]
            for k in ("Description", "Parameters", "StorageDescriptor", "PartitionKeys")
            if k in table
        }
        parts = glue.get_partitions(DatabaseName="forecast", TableName=table["Name"])["Partitions"]
        values = sorted(plain(str(part["Values"])) for part in parts)
        described[plain(table["Name"])] = plain(f"{shown}\n{values}")
    return described


def _resources(case: Case, plain: Plain) -> Iterator[str]:
    """The names of what exists of this workload's runs."""
    forecast = case.world.client("forecast")
    for operation, kind in LISTS.items():
        for page in forecast.get_paginator(operation).paginate():
            for entry in page[f"{kind}s"]:
                name = entry[f"{kind}Name"]
                if name.rsplit("_", 1)[-1] in plain.runs:
                    yield f"{kind} {name} {entry['Status']}"


def made_twice(calls: list[Call], plain: Plain) -> list[str]:
    """Resources that were created more than once, as the service answered."""
    made = Counter(f"{call.operation} {plain(call.subject)}" for call in calls if call.has_created)
    return [f"{what} succeeded {count} times" for what, count in sorted(made.items()) if count > 1]


def halves(case: Case, allowed: dict[str, str]) -> list[str]:
    """What a reader would see wrong at this moment: a manifest without its files, or unknown bytes.

    Args:
        allowed: the forecasts that may be published: bytes → what they are.
    """
    manifest: dict[str, Any] | None = case.manifest()
    if manifest is None:
        return []
    found = []
    for name in manifest["files"]:
        rel = f"forecast/{manifest['run']}/{name}"
        if rel not in set(case.objects("forecast/")):
            found.append(f"the manifest names {rel}, which is not there")
        elif case.read(rel).decode() not in allowed:
            found.append(f"{rel} holds neither the forecast before nor the one after")
    return found
