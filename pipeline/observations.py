"""The target's history and a published forecast as rows of the same kind: item, time, value; in a stream.

An item here is its key with the forecast dimensions, joined as people read it.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage, timestamps
from pipeline.datafile import Chunk, CsvFile, ParquetFile
from pipeline.errors import InputChanged, Missing, translated
from pipeline.form import CSV, FileForm, InputForm
from pipeline.inputs import Inputs, staged_key
from pipeline.params import Params
from pipeline.publish import Manifest
from pipeline.recent import number_cells, text_cells, time_cells
from pipeline.workload import Workload

PIECE_ROWS = 200_000
JOINT = " / "


def forecast_rows(s3: Any, workload: Workload, params: Params, manifest: Manifest) -> Iterator[pd.DataFrame]:
    """Pieces of a published forecast: item, timestamp, type (p10, mean …), value."""
    for name in manifest.files:
        key = workload.key(f"forecast/{manifest.run}/{name}")
        with translated(f"reading s3://{workload.bucket}/{key}"):
            body = s3.get_object(Bucket=workload.bucket, Key=key)["Body"]
            header = 0 if manifest.has_header else None
            pieces = pd.read_csv(body, header=header, dtype=str, keep_default_na=False, chunksize=PIECE_ROWS)
            for piece in pieces:
                piece.columns = pd.RangeIndex(len(piece.columns))
                yield _forecast_piece(piece, params, manifest)


def _forecast_piece(piece: pd.DataFrame, params: Params, manifest: Manifest) -> pd.DataFrame:
    spec = params.target
    keys = [piece[spec.position(name)].astype(str) for name in params.key_columns]
    form = timestamps.directive(manifest.timestamp_format)
    return pd.DataFrame(
        {
            "item": _joined(keys),
            "timestamp": pd.to_datetime(piece[spec.position("timestamp")], format=form),
            "type": piece[len(spec.columns)],
            "value": piece[spec.position(spec.target_field)].astype(float),
        }
    )


def _joined(keys: list[pd.Series]) -> pd.Series:
    name = keys[0]
    for other in keys[1:]:
        name = name + JOINT + other
    return name


def target_rows(
    s3: Any,
    workload: Workload,
    params: Params,
    form: InputForm,
    inputs: Inputs,
    run: str,
    items: set[str],
    since: dt.datetime,
) -> Iterator[pd.DataFrame]:
    """Pieces of the target's history: item, timestamp, value (NaN where it is missing).

    A file that a newer upload has replaced is passed over: its own run will see it.

    Args:
        run: the run whose own copies of the inputs are read while they are there.
        items: only rows of these.
        since: only rows of this time and later.
    """
    for file in form.files["train"]:
        key, etag = _where(s3, workload, inputs, run, file)
        try:
            for chunk in _chunks(s3, workload, params, file, key, etag):
                yield _target_piece(chunk, params, items, since, file)
        except (InputChanged, Missing):
            continue


def _where(s3: Any, workload: Workload, inputs: Inputs, run: str, file: FileForm) -> tuple[str, str | None]:
    """What to read, and the ETag to insist on: the run's own copy while it is there, else the input."""
    copy = staged_key(workload, run, file.key)
    if storage.keys(s3, workload, copy[len(workload.folder) :]):
        return copy, None
    return file.key, next((o.etag for o in inputs.of("train") if o.key == file.key), None)


def _chunks(
    s3: Any, workload: Workload, params: Params, file: FileForm, key: str, etag: str | None
) -> Iterator[Chunk]:
    condition = {"IfMatch": f'"{etag}"'} if etag else {}
    with translated(f"reading s3://{workload.bucket}/{key}"):
        body = s3.get_object(Bucket=workload.bucket, Key=key, **condition)["Body"]
        if file.format == CSV:
            yield from CsvFile(body, len(params.target.columns)).chunks()
        else:
            parquet = ParquetFile(body)
            yield from parquet.chunks()
            parquet.close()


def _target_piece(
    chunk: Chunk, params: Params, items: set[str], since: dt.datetime, file: FileForm
) -> pd.DataFrame:
    spec = params.target
    arrays = chunk.arrays
    if file.has_header and file.format == CSV and chunk.start == 0:
        arrays = [array.slice(1) for array in arrays]
    keys = [text_cells(arrays[spec.position(name)]) for name in params.key_columns]
    item = keys[0] if len(keys) == 1 else pc.binary_join_element_wise(*keys, JOINT)
    mask = pc.is_in(item, value_set=pa.array(sorted(items), pa.string()))
    times = arrays[spec.position("timestamp")]
    frame = pd.DataFrame(
        {
            "item": item.filter(mask).to_pandas(),
            "timestamp": time_cells(times.filter(mask), params.timestamp_format).to_pandas(),
            "value": number_cells(arrays[spec.position(spec.target_field)].filter(mask)),
        }
    )
    return frame[frame["timestamp"] >= since]
