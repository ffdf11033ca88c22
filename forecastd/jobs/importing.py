"""The import job: objects of S3 become one typed Parquet file, with statistics of every field.

The data streams through: one batch of rows is in memory at a time, whatever the size of the files.
"""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecastd.domains import METADATA, NUMERIC_TYPES, TIMESTAMP
from forecastd.errors import JobFailed
from forecastd.jobs.job import Facts, Job
from forecastd.jobs.objects import ObjectRef
from forecastd.jobs.rows import Column, Problems, Raw, read_csv, read_parquet, tell_bad_cells, typed
from forecastd.jobs.statistics import (
    NumberStatistics,
    TextStatistics,
    TimeRange,
    TimeStatistics,
    written_float,
    written_integer,
)
from forecastd.store.records import KEPT_TIMES

logger = logging.getLogger(__name__)

DATA_FILE = "data.parquet"
MOST_FILES = 10_000
MOST_GIB = 30
_GIB = 2**30
NOTHING_INGESTED = (
    "No records were ingested for this data. Please make sure that the data exists, it conforms to the"
    " specified schema or headers, and has the correct delimiter."
)
_ARROW_TYPES = {"timestamp": pa.timestamp("ms"), "float": pa.float64(), "integer": pa.float64()}
_PARQUET_ENDINGS = (".parquet", ".parq", ".pqt")


def run_import(job: Job) -> Facts:
    """Read the data, store it, and describe its fields.

    Raises:
        JobFailed: there is no data, or rows do not fit the schema.
    """
    source = job.record.request["DataSource"]["S3Config"]["Path"]
    refs = _choose(job, job.objects.list(source))
    total = sum(ref.size_bytes for ref in refs)
    _check_size(job, refs, total)
    intake = _Intake(job)
    done, started = 0, job.clock()
    for ref in refs:
        for raw in _read(job, ref, intake.problems):
            intake.take(raw, ref.uri)
            job.progress(done / total)
        done += ref.size_bytes
        job.progress(done / total, (job.clock() - started) * (total - done) / done)
    facts = intake.finish()
    previous = job.record.plan["imports"].get("previous")
    if previous is None:
        return {**facts, "DataSize": total / _GIB}
    size = job.parent(previous).facts["DataSize"] + total / _GIB
    return {**_add_to(job, previous), "DataSize": size}


def _add_to(job: Job, previous: str) -> Facts:
    """Join the new rows with those before; a new row replaces one of the same item, dimensions and time.

    Returns:
        The facts of both together.
    """
    attributes, plan = job.record.plan["attributes"], job.record.plan
    before, fresh = job.parent_folder(previous) / DATA_FILE, job.folder / "fresh.parquet"
    (job.folder / DATA_FILE).rename(fresh)
    keys = _key_columns(plan)
    replaced = pd.MultiIndex.from_frame(pq.read_table(fresh, columns=keys).to_pandas())
    intake = _Intake(job)
    for raw in read_parquet(before, attributes, previous):
        held = pd.MultiIndex.from_frame(raw.table.select(keys).to_pandas())
        kept = ~held.isin(replaced)
        intake.take(Raw(raw.table.filter(pa.array(kept)), raw.rows[kept]), previous)
        job.progress(1.0)
    for raw in read_parquet(fresh, attributes, job.record.arn):
        intake.take(raw, job.record.arn)
    fresh.unlink()
    return intake.finish()


def _key_columns(plan: dict[str, Any]) -> list[str]:
    """Give the columns that make a row the same as another: item, dimensions and time."""
    kinds = plan["attributes"]
    if plan["dataset_type"] == METADATA:
        return [plan["item_key"]]
    return [name for name, kind in kinds.items() if kind not in NUMERIC_TYPES]


def _choose(job: Job, refs: list[ObjectRef]) -> list[ObjectRef]:
    """Of a folder, take the files of the format; a file that is named itself is taken as it is."""
    if len(refs) == 1 or job.record.request["Format"] == "CSV":
        return refs
    fitting = [
        ref for ref in refs if ref.key.endswith(_PARQUET_ENDINGS) or "." not in ref.key.rpartition("/")[2]
    ]
    return fitting or refs


def _check_size(job: Job, refs: list[ObjectRef], size_bytes: int) -> None:
    if not job.settings.enforce_quotas:
        return
    if len(refs) > MOST_FILES:
        raise JobFailed(f"There are {len(refs)} files; an import can have {MOST_FILES}. Join some of them.")
    if size_bytes > MOST_GIB * _GIB:
        raise JobFailed(f"Quota limit of {MOST_GIB} GB data size has been reached")


def _read(job: Job, ref: ObjectRef, problems: Problems) -> Iterator[Raw]:
    attributes = job.record.plan["attributes"]
    if job.record.request["Format"] == "PARQUET":
        path = job.folder / "download.parquet"
        job.objects.download(ref, path)
        yield from read_parquet(path, attributes, ref.uri)
        path.unlink()
        return
    yield from read_csv(job.objects.open(ref), attributes, ref.uri, problems)


class _Intake:
    """Takes rows in: types, checks, counts and stores them."""

    def __init__(self, job: Job) -> None:
        plan = job.record.plan
        self._job = job
        self._attributes: dict[str, str] = plan["attributes"]
        self._format: str = plan["timestamp_format"]
        self._keys = (plan["item_key"], TIMESTAMP)
        self._rows = 0
        self._kept_times = TimeRange()
        self.problems = Problems()
        self._statistics = {name: _statistics(job, name, kind) for name, kind in self._attributes.items()}
        fields = [(name, _ARROW_TYPES.get(kind, pa.string())) for name, kind in self._attributes.items()]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(job.folder / DATA_FILE, self._schema)

    def take(self, raw: Raw, source: str) -> None:
        """Take a piece of a file in; rows that do not fit are left out and noted."""
        columns = {
            name: typed(raw.table.column(name), kind, self._format) for name, kind in self._attributes.items()
        }
        for name, column in columns.items():
            tell_bad_cells(column, name, self._expected(name), raw, source, self.problems)
        fits = ~np.logical_or.reduce([column.bad for column in columns.values()])
        columns = {name: _keep(column, fits) for name, column in columns.items()}
        for name, column in columns.items():
            self._count(name, column)
        self._store(columns)

    def finish(self) -> Facts:
        """Close the file and give the statistics and the range of the times that were kept.

        Raises:
            JobFailed: rows did not fit, or there are none.
        """
        self._writer.close()
        if self.problems.number and self._job.settings.bad_rows == "fail":
            raise JobFailed(f"The data does not fit the schema: {self.problems.sentence()}")
        if not self._rows:
            raise JobFailed(NOTHING_INGESTED)
        if self.problems.number:
            logger.warning("%s: rows left out: %s", self._job.record.arn, self.problems.sentence())
        results = {name: statistics.result() for name, statistics in self._statistics.items()}
        for leftover in self._job.folder.glob("distinct-*"):
            leftover.unlink()
        return {"FieldStatistics": results, KEPT_TIMES: self._kept_times.result()}

    def _count(self, name: str, column: Column) -> None:
        statistics = self._statistics[name]
        if isinstance(statistics, NumberStatistics):
            statistics.add(column.values, column.null)
        else:
            statistics.add(column.values)

    def _store(self, columns: dict[str, Column]) -> None:
        """Keep the rows that have an item and a time."""
        keys = [column.null for name, column in columns.items() if name in self._keys]
        whole = ~np.logical_or.reduce(keys)
        kept = {name: _keep(column, whole) for name, column in columns.items()}
        arrays = [_arrow(kept[field.name], field.type) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows += int(whole.sum())
        if TIMESTAMP in kept:
            self._kept_times.add(kept[TIMESTAMP].values)

    def _expected(self, name: str) -> str:
        kind = self._attributes[name]
        if kind == "timestamp":
            return f"a time like {_EXAMPLES[self._format]}"
        return "a whole number" if kind == "integer" else "a number"


_EXAMPLES = {"%Y-%m-%d": "2024-01-31", "%Y-%m-%d %H:%M:%S": "2024-01-31 23:00:00"}


def _keep(column: Column, mask: np.ndarray) -> Column:
    return Column(column.values[mask], column.null[mask], column.bad[mask], column.beyond[mask])


def _arrow(column: Column, kind: pa.DataType) -> pa.Array:
    if pa.types.is_floating(kind):
        return pa.array(column.values, kind, mask=column.null)
    return pa.array(column.values, kind, from_pandas=True)


def _statistics(job: Job, name: str, kind: str) -> TextStatistics | TimeStatistics | NumberStatistics:
    if kind == "timestamp":
        return TimeStatistics(job.folder, name)
    if kind in ("float", "integer"):
        return NumberStatistics(job.folder, name, written_float if kind == "float" else written_integer)
    return TextStatistics(job.folder, name)
