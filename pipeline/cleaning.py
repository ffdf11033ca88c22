"""Copies of input files without the rows that are not imported, and those rows with their reasons.

    train/a.csv ──┬─▶ runs/<run>/input/train/a.csv      what is imported: exactly the rows that were accepted
                  └─▶ runs/<run>/rejected/train/a.csv   bad rows: row number, column, rule, and the cells

Only files with such rows are written anew; a cell that stays is written with the same text.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from pipeline import csvtext, storage
from pipeline.datafile import Chunk, CsvFile, ParquetFile, Source
from pipeline.errors import translated
from pipeline.fates import KEPT, MOST_REASONS, FileFate
from pipeline.form import CSV, FileForm
from pipeline.params import DatasetSpec
from pipeline.workload import Workload

BROKEN = "another number of cells"
MOST_WHOLE = 2.0**63


@dataclass(frozen=True)
class Cleaned:
    """Where on this machine the two files lie; None for one without rows."""

    kept: Path | None
    rejected: Path | None


def clean(
    source: Source, spec: DatasetSpec, form: FileForm, fate: FileFate, fates: np.ndarray, folder: Path
) -> Cleaned:
    """Writes the two files into a folder of this machine.

    Args:
        source: the same bytes as were examined. fates: of its whole rows. uint8 [rows]
    """
    rejected = _Rejected(folder / "rejected.csv", dict(zip(spec.columns, form.columns, strict=True)), fate)
    writer: _Writer = _CsvRows(folder / "kept") if form.format == CSV else _ParquetRows(folder / "kept", form)
    file: CsvFile | ParquetFile = (
        CsvFile(source, len(spec.columns)) if form.format == CSV else ParquetFile(source)
    )
    places, sums = fate.new_values()
    kept = 0
    for chunk in file.chunks():
        own = fates[chunk.start : chunk.start + len(chunk)]
        rejected.take(chunk, own)
        keep = own == KEPT
        changed = _with_sums(chunk, spec, places, sums)
        is_headed = form.has_header and form.format == CSV and chunk.start == 0
        kept += int(keep[int(is_headed) :].sum())
        writer.write([array.filter(pa.array(keep)) for array in changed.arrays])
    if isinstance(file, CsvFile):
        rejected.broken((row.number, row.text) for row in file.broken)
    else:
        file.close()
    writer.close()
    return Cleaned(folder / "kept" if kept else None, rejected.close())


def upload(s3: Any, workload: Workload, place: Path, rel: str) -> None:
    """Writes a file of this machine to a path of the workload."""
    with translated(f"writing {workload.uri(rel)}"), place.open("rb") as body:
        s3.upload_fileobj(body, workload.bucket, workload.key(rel), Config=storage.ONE_REQUEST)


class _Writer(Protocol):
    def write(self, arrays: list[pa.Array]) -> None: ...

    def close(self) -> None: ...


class _CsvRows:
    def __init__(self, place: Path) -> None:
        self._file = place.open("w", encoding="utf-8", newline="")

    def write(self, arrays: list[pa.Array]) -> None:
        self._file.write(csvtext.written(list(_texts(arrays))))

    def close(self) -> None:
        self._file.close()


class _ParquetRows:
    def __init__(self, place: Path, form: FileForm) -> None:
        self._place, self._names = place, list(form.columns)
        self._file: pyarrow.parquet.ParquetWriter | None = None

    def write(self, arrays: list[pa.Array]) -> None:
        table = pa.Table.from_arrays(arrays, names=self._names)
        if self._file is None:
            self._file = pyarrow.parquet.ParquetWriter(self._place, table.schema)
        self._file.write_table(table)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Rejected:
    """The file of bad rows; it begins with the first of them.

    Args:
        names: what the file calls each column of the schema, in their order.
    """

    def __init__(self, place: Path, names: Mapping[str, str], fate: FileFate) -> None:
        self._place, self._names, self._fate = place, names, fate
        self._file: io.TextIOWrapper | None = None

    def take(self, chunk: Chunk, fates: np.ndarray) -> None:
        places = np.flatnonzero((fates > KEPT) & (fates <= MOST_REASONS))
        if not len(places):
            return
        numbers = self._fate.numbers(places + chunk.start)
        reasons = [self._reason(int(code)) for code in fates[places]]
        cells = _texts([array.take(pa.array(places)) for array in chunk.arrays])
        self._write([n, *why, *row] for n, why, row in zip(numbers, reasons, cells, strict=True))

    def broken(self, rows: Iterable[tuple[int, str]]) -> None:
        self._write([number, "", BROKEN, text] for number, text in rows)

    def close(self) -> Path | None:
        if self._file is None:
            return None
        self._file.close()
        return self._place

    def _reason(self, code: int) -> tuple[str, str]:
        known = self._fate.reasons
        column, rule = known[code - 1] if code <= len(known) else ("", "another rule")
        return self._names.get(column, column), rule

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        taken = list(rows)
        if not taken:
            return
        if self._file is None:
            self._file = self._place.open("w", encoding="utf-8", newline="")
            taken.insert(0, ["row", "column", "rule", *self._names.values()])
        self._file.write(csvtext.written(taken))


def _texts(arrays: list[pa.Array]) -> Iterator[tuple[str, ...]]:
    """Rows of texts; what is missing is empty."""
    columns = [pc.fill_null(pc.cast(array, pa.string()), "").to_pylist() for array in arrays]
    return zip(*columns, strict=True)


def _with_sums(chunk: Chunk, spec: DatasetSpec, places: np.ndarray, sums: np.ndarray) -> Chunk:
    """The chunk with the sums of merged rows in the place of the target's values."""
    if not len(places):
        return chunk
    low, high = np.searchsorted(places, [chunk.start, chunk.start + len(chunk)])
    column = spec.position(spec.target_field)
    old = _roomy(chunk.arrays[column], sums)
    mask = np.zeros(len(chunk), dtype=bool)
    mask[places[low:high] - chunk.start] = True
    new = _written(sums[low:high], old.type, spec)
    arrays = list(chunk.arrays)
    arrays[column] = pc.replace_with_mask(old, pa.array(mask), new)
    return Chunk(arrays, chunk.start)


def _roomy(column: pa.Array, sums: np.ndarray) -> pa.Array:
    """The target's column in a type that holds the file's sums, which may not fit into its own."""
    if _is_text(column.type):
        return column
    is_whole = pa.types.is_integer(column.type) and column.type != pa.uint64()
    is_whole &= bool((np.abs(np.nan_to_num(sums)) < MOST_WHOLE).all())
    return pc.cast(column, pa.int64() if is_whole else pa.float64(), safe=False)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _written(sums: np.ndarray, kind: pa.DataType, spec: DatasetSpec) -> pa.Array:
    """Sums in the type of their column; NaN is a missing value."""
    values = [None if np.isnan(value) else float(value) for value in sums]
    if not _is_text(kind):
        return pc.cast(pa.array(values, pa.float64()), kind, safe=False)
    is_whole = spec.attributes[spec.position(spec.target_field)].type == "integer"
    texts = ["" if v is None else str(int(v)) if is_whole else repr(v) for v in values]
    return pa.array(texts, pa.string()).cast(kind)
