"""Reads what a forecast export job wrote: CSV parts, many or one, some of them empty."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from pipeline.datafile import Rejoined, Source, read_fully
from pipeline.errors import BadForecast, translated
from pipeline.quantiles import type_order
from pipeline.workload import Workload

TIME = "date"  # the export's name for the time, whatever the input's is
TYPE = re.compile(r"^(p\d{1,2}|mean)$", re.IGNORECASE)
LOOK_AT_SERVICE = "Run again; if it stays so, look at the forecasting service's log."
HEAD_BYTES = 64 * 1024
BLOCK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One file of an export."""

    key: str
    size: int


def list_parts(s3: Any, workload: Workload, prefix: str, job: str) -> list[Part]:
    """The parts that a job wrote under a prefix of the workload, in the order of their numbers.

    Markers (`_CHECK`, `_SUCCESS`), files of other jobs and empty files are left out. If the job ran twice
    there, only the files of the newer time in their names count.
    """
    place = workload.key(prefix)
    with translated(f"listing {workload.uri(prefix)}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=workload.bucket, Prefix=place)
        listed = [entry for page in pages for entry in page.get("Contents", [])]
    name = re.compile(re.escape(place) + re.escape(job) + r"_(?P<time>[0-9TZ-]+)_part(?P<number>\d+)\.csv")
    found = [(match, e["Size"]) for e in listed if (match := name.fullmatch(e["Key"])) and e["Size"]]
    newest = max((match["time"] for match, _ in found), default="")
    of_newest = [(int(match["number"]), match[0], size) for match, size in found if match["time"] == newest]
    return [Part(key, size) for _, key, size in sorted(of_newest)]


def frames(s3: Any, workload: Workload, parts: Iterable[Part]) -> Iterator[pd.DataFrame]:
    """The rows of the parts, a bounded number at a time.

    Returns:
        Frames with text columns for keys and `date`, then one float column per type, quantiles ascending.

    Raises:
        BadForecast: if a part is no export.
    """
    for part in parts:
        with translated(f"reading s3://{workload.bucket}/{part.key}"):
            body = s3.get_object(Bucket=workload.bucket, Key=part.key)["Body"]
            yield from read_part(body, part.key)


def read_part(source: Source, name: str) -> Iterator[pd.DataFrame]:
    """The rows of one part, a block at a time; none for a part that has only a header."""
    columns = _header(source, name)
    head = read_fully(source, HEAD_BYTES)
    if not head.strip():
        return
    try:
        with _reader(columns, Rejoined(head, source)) as reader:
            for batch in reader:
                yield _typed(batch, name)
    except pa.ArrowInvalid as error:
        raise BadForecast(
            f"The exported file {name} cannot be read: {str(error).splitlines()[0]}.", LOOK_AT_SERVICE
        ) from error


def _header(source: Source, name: str) -> list[str]:
    """The names in the first line; none of them ever holds a line break."""
    letters: list[bytes] = []
    while (letter := source.read(1)) not in (b"", b"\n"):
        letters.append(letter)
        if len(letters) > HEAD_BYTES:
            raise BadForecast(
                f"The exported file {name} has a first line of more than {HEAD_BYTES // 1024} KB, where the "
                "names of its columns are expected.",
                LOOK_AT_SERVICE,
            )
    line = b"".join(letters).decode("utf-8-sig").rstrip("\r")
    return next(csv.reader([line]), [])


def _reader(columns: list[str], source: Rejoined) -> Any:
    """All columns as text: an item called 007 or NA stays what it is."""
    return pyarrow.csv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=columns),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )


def _typed(batch: pa.RecordBatch, name: str) -> pd.DataFrame:
    types = sorted((c for c in batch.schema.names if TYPE.match(c)), key=lambda c: type_order(c.lower()))
    keys = [column for column in batch.schema.names if column not in types]
    if TIME not in keys or len(keys) < 2 or not types:
        raise BadForecast(
            f"The exported file {name} has the columns {', '.join(batch.schema.names)}; "
            "an item key, date and at least one of p1 … p99 and mean are expected.",
            LOOK_AT_SERVICE,
        )
    table = pa.Table.from_batches([batch])
    frame = table.select(keys).to_pandas()
    for column in types:
        numbers = table.column(column).cast(pa.float64())
        frame[column.lower()] = numbers.to_numpy(zero_copy_only=False)
    return frame
