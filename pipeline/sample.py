"""The first rows of a CSV or Parquet file as columns of text, with what can be told of each column."""

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.datafile import ESCAPED, ParquetFile, Unreadable, format_of, refuse_foreign
from pipeline.errors import BadInput, Problem
from pipeline.form import PARQUET
from pipeline.timestamps import DAY, PATTERNS, SECOND

SAMPLE_ROWS = 200_000  # enough to see rhythm and keys; the whole file is checked at upload
ROWS_TO_KNOW_A_COLUMN = 5_000
HEAD_BYTES = 4096
ROWS_OF_A_LOOK = 20
WIDE = 8  # columns of numbers beside each other are series or steps, not features
NEARLY_ALL = 0.95  # of the cells of a column; the rest may be broken
MOST = 0.5
# Times that people and programs write, though the service does not read them: dates in any order, months,
# times of day, 20240131, and seconds or milliseconds since 1970.
OTHER_TIMES = re.compile(
    r".*[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}.*|[0-9]{4}[-/.][0-9]{1,2}|.*[0-9]:[0-9]{2}.*"
    "|(19|20)[0-9]{6}|1[0-9]{9}|1[0-9]{12}"
)


def unusable(rule: str, remedy: str, where: str = "the file") -> BadInput:
    """The error for a file of which nothing can be proposed."""
    return BadInput([Problem(where, "", rule, remedy)])


class Sample:
    """Rows of text.

    Args:
        rows: of cells, the header among them if there is one.
        header: the names, where the file's format carries them.
        names_columns: whether somebody who knows more takes the first line for a header, too.
    """

    def __init__(
        self,
        rows: list[list[str]],
        header: list[str] | None = None,
        names_columns: Callable[[list[str]], bool] = lambda _: False,
    ) -> None:
        self.kinds: tuple[pa.DataType, ...] = ()  # of the columns of a Parquet file
        self.is_cut = len(rows) >= SAMPLE_ROWS
        self.header = header or _find_header(rows, names_columns)
        body = rows[1:] if self.header and not header else rows
        width = len(self.header or rows[0])
        if not body:
            raise unusable("there is nothing but a header", "Give one with rows.")
        fitting = [row for row in body if len(row) == width]
        if not fitting:
            rule = f"no row has the {width} cells of the first line"
            raise unusable(rule, "Give every row the same columns.")
        self.frame = pd.DataFrame(fitting)
        self.columns = list(range(width))
        self.labels = self.header or [f"column {place + 1}" for place in range(width)]

    @classmethod
    def of(
        cls,
        source: str | Path | Iterable[str],
        names_columns: Callable[[list[str]], bool] = lambda _: False,
    ) -> "Sample":
        """The sample of a file, or of lines.

        Args:
            names_columns: whether a first line is known to be a header, whatever stands below it.

        Raises:
            BadInput: if it cannot be read, or is empty.
        """
        if not isinstance(source, str | Path):
            return cls(_csv_rows(source), names_columns=names_columns)
        if not Path(source).is_file():
            raise unusable("there is no such file", "Give the path of a CSV or Parquet file.", str(source))
        try:
            with Path(source).open("rb") as file:
                head = file.read(HEAD_BYTES)
                file.seek(0)
                if format_of(str(source)) == PARQUET:
                    return cls._of_parquet(file)
                refuse_foreign(head)
                text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
                return cls(_csv_rows(_of_utf8(text)), names_columns=names_columns)
        except Unreadable as error:
            raise unusable(error.rule, error.remedy) from error

    @classmethod
    def _of_parquet(cls, source: io.BufferedReader) -> "Sample":
        file = ParquetFile(source)
        try:
            rows: list[list[str]] = []
            for chunk in file.chunks():
                columns = [_texts(array) for array in chunk.arrays]
                rows += [list(row) for row in zip(*columns, strict=True)]
                if len(rows) >= SAMPLE_ROWS:
                    break
            sample = cls(rows[:SAMPLE_ROWS], list(file.columns))
            sample.kinds = file.kinds
            return sample
        finally:
            file.close()

    def word(self, column: int) -> str:
        """The column's name as the header has it, in small letters; empty without a header."""
        return plain(self.labels[column]).lower() if self.header else ""

    def label(self, column: int) -> str:
        """How the column is called in a sentence."""
        return f"Column {self.labels[column]!r}" if self.header else f"Column {column + 1}"

    def names(self, columns: Sequence[int]) -> str:
        """How several are called: `Columns 'a', 'b' and 'c'`; at least one."""
        if len(columns) == 1:
            return self.label(columns[0])
        *names, last = [repr(self.labels[c]) if self.header else str(c + 1) for c in columns]
        return f"Columns {', '.join(names)} and {last}"

    def share(self, column: int, fits: Callable[[str], object]) -> float:
        """The share of the column's cells that fit."""
        cells = self.frame[column].head(ROWS_TO_KNOW_A_COLUMN)
        return float(cells.map(lambda cell: bool(fits(cell))).mean())

    def best(self, columns: Sequence[int], words: Sequence[str]) -> int:
        """The column whose name stands first among the words; else the first column."""
        rank = {word: place for place, word in enumerate(words)}
        return min(columns, key=lambda c: (rank.get(self.word(c), len(words)), c))

    @cached_property
    def times(self) -> list[int]:
        """The columns that hold times in a form that the service reads."""
        return [column for column in self.columns if self.share(column, is_time) > NEARLY_ALL]

    @cached_property
    def numeric(self) -> list[int]:
        """The columns of numbers, some of which may be missing."""
        known = [c for c in self.columns if (self.frame[c] != "").any()]
        return [c for c in known if self.share(c, is_number_or_empty) > NEARLY_ALL]

    @cached_property
    def mostly_numeric(self) -> list[int]:
        """The columns most of whose known cells are numbers; the others may be words such as N/A."""
        return [c for c in self.columns if self._share_of_numbers(c) > MOST]

    def _share_of_numbers(self, column: int) -> float:
        if column in self.numeric:
            return 1.0
        cells = self.frame[column].head(ROWS_TO_KNOW_A_COLUMN)
        known = cells[cells != ""]
        return float(known.map(is_number).mean()) if len(known) else 0.0

    def has_fractions(self, column: int) -> bool:
        """Whether a number of the column has a decimal point."""
        cells = self.frame[column]
        return bool(cells[cells.str.contains(".", regex=False)].map(is_number).any())

    def first_unlike(self, column: int, fits: Callable[[str], object]) -> str:
        """The first cell that does not fit; the first of all if every one does."""
        cells = self.frame[column]
        unlike = cells[~cells.map(lambda cell: bool(fits(cell)))]
        return str((unlike if len(unlike) else cells).iloc[0])

    def looks_like(self, pattern: re.Pattern[str]) -> list[int]:
        """The columns most of whose cells have a form."""
        return [c for c in self.columns if self.share(c, pattern.fullmatch) > MOST]

    def time_form(self, column: int) -> str:
        """The timestamp format in the API's letters."""
        return max((SECOND, DAY), key=lambda each: self.share(column, re.compile(PATTERNS[each]).fullmatch))


def plain(text: str) -> str:
    """A name that the API takes: a letter, then letters, digits and underscores, not too long."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:40]
    return name if name and name[0].isalpha() else f"x_{name}".rstrip("_")


def is_time(cell: str) -> bool:
    """Whether the cell is a time in a form that the service reads."""
    return any(re.fullmatch(pattern, cell) for pattern in PATTERNS.values())


def is_number(cell: str) -> bool:
    """Whether the cell is a number with a decimal point, or a whole one."""
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell) is not None


def is_number_or_empty(cell: str) -> bool:
    """Whether the cell is a number or a missing one."""
    return cell == "" or is_number(cell) or cell.lower() == "nan"


def _of_utf8(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if ESCAPED.search(line):
            raise unusable(f"its line {number} is not UTF-8", "Save it as UTF-8.")
        yield line


def _csv_rows(lines: Iterable[str]) -> list[list[str]]:
    try:
        rows = [row for row in itertools.islice(csv.reader(iter(lines)), SAMPLE_ROWS) if row]
    except csv.Error as error:
        raise unusable(f"it cannot be read as CSV ({error})", "Save it as CSV in UTF-8.") from error
    if not rows:
        raise unusable("the file is empty", "Give one with rows of past demand.")
    if len(rows[0]) == 1 and (other := re.search(r"[;\t|]", rows[0][0])):
        raise _foreign(rows[1 : 1 + ROWS_OF_A_LOOK], other.group())
    return rows


def _foreign(rows: list[list[str]], mark: str) -> BadInput:
    """The error for a file with other marks between its columns, with all that its first rows show."""
    cells = [cell.strip() for row in rows for cell in ",".join(row).split(mark)]
    number = next((cell for cell in cells if re.fullmatch(r"[+-]?[0-9.]*[0-9],[0-9]+", cell)), None)
    time = next((cell for cell in cells if OTHER_TIMES.fullmatch(cell) and not is_time(cell)), None)
    rules = [f"its columns are not separated by commas but by {'tabs' if mark.isspace() else mark}"]
    remedies = ["commas between the columns"]
    if number:
        rules.append(f"numbers have a decimal comma ({number})")
        remedies.append("points for decimals")
    if time:
        rules.append(f"times are written as {time}")
        remedies.append(f"times as {DAY} or {SECOND}")
    return unusable(", ".join(rules), f"Save it with {', '.join(remedies)}.")


def _find_header(rows: list[list[str]], names_columns: Callable[[list[str]], bool]) -> list[str] | None:
    first = rows[0]
    if names_columns(first):
        return [cell.strip() for cell in first]
    known = [cell for cell in first if cell]
    dates = sum(map(is_time, known))
    if dates >= WIDE and len(rows) > 1 and not any(map(is_time, rows[1])):
        return [cell.strip() for cell in first]  # of a file with its steps beside each other
    is_header = bool(known) and not any(is_time(cell) or is_number(cell) for cell in known)
    if is_header and len(rows) > 1 and not any(map(_is_datum, rows[1], first)):
        return None  # a column of names begins with a name: nothing tells that the first is another kind
    return [cell.strip() for cell in first] if is_header else None


def _is_datum(cell: str, above: str) -> bool:
    """Whether the cell is a time or a number; a time in another form only if the cell above it is none."""
    if is_time(cell) or is_number(cell):
        return True
    return OTHER_TIMES.fullmatch(cell) is not None and OTHER_TIMES.fullmatch(above) is None


def _texts(array: pa.Array) -> list[str]:
    """Cells as a CSV would have them."""
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        seconds = pc.cast(array, pa.timestamp("s"), safe=False)
        texts = pc.strftime(seconds, "%Y-%m-%d %H:%M:%S")
    else:
        try:
            texts = pc.cast(array, pa.string())
        except pa.ArrowNotImplementedError as error:
            rule = f"a column of the type {array.type} cannot be read"
            raise Unreadable(rule, "Write it as text, a number or a timestamp.") from error
    return pc.fill_null(texts, "").to_pylist()
