"""Reads one input file as a stream of column chunks that remember their row numbers.

A CSV's cells come as bytes, exactly as written, so that the caller decides what is a number; a Parquet
file's columns come in their own types. Memory is bounded by the size of a block, not of the file.
"""

import codecs
import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pipeline.form import CSV, PARQUET

BLOCK_BYTES = 8 * 1024 * 1024  # a row has to fit into a block
DAMAGE = "\ufffd"  # stands for bytes that are no UTF-8
ESCAPED = re.compile("[\udc80-\udcff]")  # how the decoder hands such bytes on
GROWTH = 3  # bytes that DAMAGE takes in the place of one
HEAD_BYTES = 256 * 1024  # enough for the first line
PARQUET_ROWS = 200_000
MOST_BROKEN_ROWS = 10_000  # then the file is something else than it should be, and reading on tells nothing
LONE_QUOTE = "Look for a double quote without its partner; inside quoted text it has to be doubled."
PARQUET_ENDINGS = (".parquet", ".parq", ".pqt")


class Source(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes: ...


class Unreadable(Exception):
    """The file cannot be read as what it claims to be.

    Attributes:
        rule: what it should be. remedy: what to do about it.
    """

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(rule, remedy)
        self.rule, self.remedy = rule, remedy


def format_of(key: str) -> str:
    """CSV or PARQUET, by the name's ending as the service goes by it."""
    return PARQUET if key.lower().endswith(PARQUET_ENDINGS) else CSV


@dataclass
class BrokenRow:
    """A row with another number of cells than the file should have."""

    number: int
    cells: int
    text: str


@dataclass
class Chunk:
    """Some rows: one array per column, and the position of the first among the file's whole rows."""

    arrays: list[pa.Array]
    start: int

    def __len__(self) -> int:
        return len(self.arrays[0]) if self.arrays else 0


@dataclass
class CsvFile:
    """A CSV as chunks of byte cells.

    Args:
        source: the file's bytes.
        width: the number of columns that each row has to have.
    """

    source: Source
    width: int
    broken: list[BrokenRow] = field(default_factory=list)
    too_broken: bool = False
    whole: "Rejoined" = field(init=False)

    def __post_init__(self) -> None:
        self._head = read_fully(self.source, HEAD_BYTES)
        _refuse_foreign(self._head)
        self.first_row = _first_row(self._head)
        self.whole = Rejoined(self._head, self.source)

    @property
    def is_empty(self) -> bool:
        return not self._head.removeprefix(b"\xef\xbb\xbf").strip()

    def chunks(self) -> Iterator[Chunk]:
        """All rows of the right width, the first line included, in order.

        Raises:
            Unreadable: if a row does not end, or is longer than a block.
        """
        start = 0
        try:
            with self._reader() as reader:
                for batch in reader:
                    yield Chunk([batch.column(i) for i in range(self.width)], start)
                    start += batch.num_rows
                    if self.too_broken:
                        return
        except pa.ArrowInvalid as error:
            rule = f"a row does not end, or is longer than {BLOCK_BYTES // 2**20} MB ({_first_line(error)})"
            raise Unreadable(rule, LONE_QUOTE) from error
        if self.whole.quotes % 2:
            raise Unreadable("it has an odd number of double quotes, so that rows run together", LONE_QUOTE)

    def numbers(self, positions: Sequence[int]) -> list[int]:
        """The row numbers in the file, counted from 1, of rows given by their position among whole rows."""
        before = np.array([row.number - 1 - place for place, row in enumerate(self.broken)])
        return [int(p + 1 + np.searchsorted(before, p, side="right")) for p in positions]

    @property
    def damaged(self) -> bool:
        """Whether something that was read so far is no UTF-8; DAMAGE stands in its place."""
        return self.whole.damaged

    def _reader(self) -> Any:
        names = [str(place) for place in range(self.width)]
        return pyarrow.csv.open_csv(
            pa.PythonFile(self.whole, mode="r"),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, column_names=names, block_size=BLOCK_BYTES * GROWTH
            ),
            parse_options=pyarrow.csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=self._skip
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.binary() for name in names}, strings_can_be_null=False
            ),
        )

    def _skip(self, row: Any) -> str:
        if len(self.broken) < MOST_BROKEN_ROWS:
            self.broken.append(BrokenRow(row.number, row.actual_columns, row.text))
        else:
            self.too_broken = True
        return "skip"


class ParquetFile:
    """A Parquet file as chunks of columns in their own types; kept on disk while it is read."""

    damaged = False  # its texts are valid UTF-8, or it cannot be read

    def __init__(self, source: Source) -> None:
        self._copy = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the file; see close()
        while block := source.read(BLOCK_BYTES):
            self._copy.write(block)
        self._copy.seek(0)
        try:
            self._file = pyarrow.parquet.ParquetFile(self._copy)
        except (pa.ArrowInvalid, OSError) as error:
            self._copy.close()
            raise Unreadable(
                f"it is no Parquet file ({_first_line(error)})", "Write it again, or name a CSV .csv."
            ) from error
        self.columns = tuple(self._file.schema_arrow.names)
        self.types = tuple(str(kind) for kind in self._file.schema_arrow.types)

    def chunks(self) -> Iterator[Chunk]:
        """All rows, in order."""
        start = 0
        for batch in self._file.iter_batches(batch_size=PARQUET_ROWS):
            yield Chunk(list(batch.columns), start)
            start += batch.num_rows

    def numbers(self, positions: Sequence[int]) -> list[int]:
        """Row numbers, counted from 1."""
        return [position + 1 for position in positions]

    def close(self) -> None:
        self._copy.close()


class Rejoined(io.RawIOBase):
    """The bytes that were read ahead, then the rest of the source, always as valid UTF-8.

    Bytes that are none become U+FFFD, and `damaged` says so; double quotes are counted.
    """

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head, self._rest = head, rest
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._is_plain = True  # no character has begun that ends in the next block
        self.quotes = 0
        self.damaged = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = BLOCK_BYTES if size is None or size < 0 else max(1, size // GROWTH)
        block, self._head = self._head[:wanted], self._head[wanted:]
        block = block or read_fully(self._rest, wanted)
        self.quotes += block.count(b'"')
        if self._is_plain and block.isascii():
            return block
        text = self._decoder.decode(block, final=not block)
        self._is_plain = not self._decoder.getstate()[0]
        text, count = ESCAPED.subn(DAMAGE, text)
        self.damaged |= count > 0
        return text.encode() or (self.read(size) if block else b"")


def read_fully(source: Source, size: int) -> bytes:
    """As many bytes as asked for, unless the source ends: a socket may give fewer at a time."""
    blocks: list[bytes] = []
    while size > 0 and (block := source.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def _refuse_foreign(head: bytes) -> None:
    if head[:2] == b"\x1f\x8b" or head[:4] in (b"PK\x03\x04", b"\x28\xb5\x2f\xfd"):
        raise Unreadable("it is compressed; the service reads plain files", "Unpack it.")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("it is UTF-16; the service reads UTF-8", "Save it as UTF-8.")
    if head[:4] == b"PAR1":
        raise Unreadable("it is a Parquet file by its content", "Name it .parquet.")
    if b"\x00" in head:
        raise Unreadable("it is not text", "Save it as CSV in UTF-8.")


def _first_row(head: bytes) -> list[str]:
    text = head.decode("utf-8-sig", errors="replace")
    for row in csv.reader(io.StringIO(text, newline="")):
        return row
    return []


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
