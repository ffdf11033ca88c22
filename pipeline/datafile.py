"""Reads one input file as a stream of column chunks that remember their row numbers.

A CSV's cells come as bytes, exactly as written, so that the caller decides what is a number; a Parquet
file's columns come in their own types. Memory is bounded by the size of a block, not of the file.
"""

import codecs
import csv
import io
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from pipeline import parquetprobe
from pipeline.form import CSV, PARQUET

BLOCK_BYTES = 8 * 1024 * 1024  # a row has to fit into a block
DAMAGE = "\ufffd"  # stands for bytes that are no UTF-8
ESCAPED = re.compile("[\udc80-\udcff]")  # how the decoder hands such bytes on
GROWTH = 3  # bytes that DAMAGE takes in the place of one
HEAD_BYTES = 256 * 1024  # enough for the first line
PARQUET_ROWS = 200_000
MOST_BROKEN_ROWS = 10_000  # then the file is something else than it should be, and reading on tells nothing
LONGEST_BROKEN = 2_000  # letters of such a row that are kept
MOST_EXPANDED_BYTES = 2**30  # of a column in a Parquet row group, and of the texts in a piece of one
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
        refuse_foreign(self._head)
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
            rule = f"a row does not end, or is longer than {BLOCK_BYTES // 2**20} MB"
            raise Unreadable(rule, LONE_QUOTE) from error
        if self.whole.quotes % 2:
            raise Unreadable("it has an odd number of double quotes, so that rows run together", LONE_QUOTE)

    @property
    def damaged(self) -> bool:
        """Whether something that was read so far is no UTF-8; DAMAGE stands in its place."""
        return self.whole.damaged

    @property
    def encoding(self) -> str:
        """What the file may be instead of UTF-8."""
        return self.whole.encoding

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
            self.broken.append(BrokenRow(row.number, row.actual_columns, row.text[:LONGEST_BROKEN]))
        else:
            self.too_broken = True
        return "skip"


class ParquetFile:
    """A Parquet file as chunks of columns in their own types; kept on disk while it is read.

    Texts are unpacked only after their size is known: a few bytes can stand for terabytes. Another process
    reads it first, see `parquetprobe`.
    """

    damaged = False  # its texts are valid UTF-8, or it cannot be read
    encoding = ""

    def __init__(self, source: Source) -> None:
        self._copy = _copied(source)
        if not parquetprobe.survives(self._copy.name):
            self._copy.close()
            raise _damaged()
        self._open()

    @classmethod
    def at(cls, path: Path) -> "ParquetFile":
        """A file on this machine, without the other process."""
        file = cls.__new__(cls)
        file._copy = path.open("rb")
        file._open()
        return file

    def _open(self) -> None:
        try:
            schema = pyarrow.parquet.read_schema(self._copy)
            packed = [field.name for field in schema if _is_text(field.type)]
            self._copy.seek(0)
            self._file = pyarrow.parquet.ParquetFile(self._copy, read_dictionary=packed)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            self._copy.close()
            raise Unreadable("it is no Parquet file", "Write it again, or name a CSV .csv.") from error
        self.kinds = tuple(schema.types)
        self.columns = tuple(schema.names)
        self.types = tuple(str(kind) for kind in schema.types)

    def chunks(self) -> Iterator[Chunk]:
        """All rows, in order.

        Raises:
            Unreadable: if it is damaged, or expands to more than can be checked.
        """
        self._refuse_bombs()
        start = 0
        try:
            for batch in self._file.iter_batches(batch_size=PARQUET_ROWS):
                yield Chunk([_unpacked(column) for column in batch.columns], start)
                start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _damaged() from error

    def close(self) -> None:
        """Removes the copy."""
        self._copy.close()

    def _refuse_bombs(self) -> None:
        groups = [self._file.metadata.row_group(place) for place in range(self._file.num_row_groups)]
        if any(group.num_columns != self._file.metadata.num_columns for group in groups):
            raise _damaged()
        sizes = [
            group.column(c).total_uncompressed_size for group in groups for c in range(group.num_columns)
        ]
        if max(sizes, default=0) > MOST_EXPANDED_BYTES:
            raise _expanding("a row group")


def _copied(source: Source) -> IO[bytes]:
    copy = tempfile.NamedTemporaryFile()  # noqa: SIM115 - lives as long as the file; see close()
    while block := source.read(BLOCK_BYTES):
        copy.write(block)
    copy.flush()
    copy.seek(0)
    return copy


def read_through(path: Path) -> None:
    """Does all that is done with a Parquet file, and leaves what is wrong with it to others."""
    try:
        file = ParquetFile.at(path)
        for _ in file.chunks():
            pass
        file.close()
    except Unreadable:
        return


def _damaged() -> Unreadable:
    return Unreadable("it is damaged, and cannot be read to its end", "Write it again.")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _unpacked(column: pa.Array) -> pa.Array:
    """The column's values one by one."""
    if not pa.types.is_dictionary(column.type):
        return column
    if _is_text(column.type.value_type):
        lengths = pc.binary_length(column.dictionary)
        size = pc.sum(pc.take(lengths, column.indices), min_count=0).as_py()
        if size > MOST_EXPANDED_BYTES:
            raise _expanding(f"{PARQUET_ROWS} rows of a text column")
        column.dictionary.validate(full=True)  # that they are UTF-8, as the format demands
    return column.dictionary_decode()


def _expanding(what: str) -> Unreadable:
    rule = (
        f"{what} expand{'s' if what.startswith('a ') else ''} to more than {MOST_EXPANDED_BYTES // 2**30} GB"
    )
    return Unreadable(rule, "Write it in smaller row groups, and with shorter texts.")


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
        self._is_windows = False  # bytes that Latin-1 does not use were among those that are no UTF-8

    def readable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:
        """What it may be instead of UTF-8."""
        return f"it reads like {'Windows-1252' if self._is_windows else 'Latin-1 (ISO 8859-1)'}"

    def read(self, size: int | None = -1) -> bytes:
        wanted = BLOCK_BYTES if size is None or size < 0 else max(1, size // GROWTH)
        block, self._head = self._head[:wanted], self._head[wanted:]
        block = block or read_fully(self._rest, wanted)
        self.quotes += block.count(b'"')
        if self._is_plain and block.isascii():
            return block
        text = self._decoder.decode(block, final=not block)
        self._is_plain = not self._decoder.getstate()[0]
        if foreign := ESCAPED.findall(text):
            self.damaged = True
            self._is_windows |= any("\udc80" <= letter <= "\udc9f" for letter in foreign)
            text = ESCAPED.sub(DAMAGE, text)
        return text.encode() or (self.read(size) if block else b"")


def read_fully(source: Source, size: int) -> bytes:
    """As many bytes as asked for, unless the source ends: a socket may give fewer at a time."""
    blocks: list[bytes] = []
    while size > 0 and (block := source.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def refuse_foreign(head: bytes) -> None:
    """Refuses what is no CSV in UTF-8 by its first bytes.

    Raises:
        Unreadable: with what it is instead.
    """
    if head[:2] == b"\x1f\x8b" or head[:4] in (b"PK\x03\x04", b"\x28\xb5\x2f\xfd"):
        raise Unreadable("it is compressed; the service reads plain files", "Unpack it.")
    zeros = head[:2000].count(b"\x00")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or zeros * 3 > len(head[:2000]):
        raise Unreadable("it is UTF-16 or UTF-32; the service reads UTF-8", "Save it as UTF-8.")
    if head[:4] == b"PAR1":
        raise Unreadable("it is a Parquet file by its content", "Name it .parquet.")
    if b"\x00" in head:
        raise Unreadable("it is not text", "Save it as CSV in UTF-8.")


def _first_row(head: bytes) -> list[str]:
    text = head.decode("utf-8-sig", errors="replace")
    try:
        return next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:  # a cell of more than 128 KB
        raise Unreadable("its first row does not end", LONE_QUOTE) from error
