"""Checks input files row by row against a dataset's schema, in a stream, and counts what is in them."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import timestamps
from pipeline.datafile import DAMAGE, Chunk, CsvFile, ParquetFile, Source, Unreadable, format_of
from pipeline.errors import Problem
from pipeline.form import CSV, PARQUET, FileForm
from pipeline.params import Attribute, DatasetSpec

EXAMPLES = 5  # of each kind of problem in a column of a file; the rest is counted
MOST_KEYS = 2_000_000  # series that are told apart; a Forecast account's limit is 5,000,000
LONGEST_SHOWN = 40
SEPARATOR = "\x1f"  # joins item and dimensions into one key; no text file has this control character

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
NOT_A_NUMBER = r"^[nN][aA][nN]$"
WHOLE = r"^[+-]?\d{1,18}$"


@dataclass
class Findings:
    """Problems with a few examples of each kind, and how many there are in all."""

    problems: list[Problem] = field(default_factory=list)
    total: int = 0

    def add(self, problem: Problem, count: int = 1) -> None:
        self.problems.append(problem)
        self.total += count

    def merge(self, other: "Findings") -> None:
        self.problems += other.problems
        self.total += other.total


@dataclass
class Census:
    """What was counted in the files of one dataset."""

    series: Counter[str] = field(default_factory=Counter)  # rows by item key and forecast dimensions
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    missing: int = 0
    is_complete: bool = True  # False once there were more series than are told apart

    @property
    def items(self) -> set[str]:
        """The item keys, without dimensions."""
        return {key.split(SEPARATOR, 1)[0] for key in self.series}

    def count_series(self, keys: pa.Array) -> None:
        counted = pc.value_counts(keys)
        for entry in counted.to_pylist():
            if len(self.series) < MOST_KEYS or entry["values"] in self.series:
                self.series[entry["values"]] += entry["counts"]
            else:
                self.is_complete = False

    def count_times(self, times: pa.Array) -> None:
        span = pc.min_max(times).as_py()
        if span["min"] is not None:
            self.first = min(self.first or span["min"], span["min"])
            self.last = max(self.last or span["max"], span["max"])


@dataclass(frozen=True)
class Expectation:
    """What the files of one dataset have to be."""

    spec: DatasetSpec
    key_columns: tuple[str, ...]  # the item key first, then the dimensions that tell series apart
    timestamp_format: str
    may_be_empty: frozenset[str]  # numeric columns whose empty cells are missing values

    def kind(self, attribute: Attribute) -> str:
        if attribute.type in ("float", "integer", "timestamp"):
            return attribute.type
        return "key" if attribute.name in self.key_columns else "text"


class Inspection:
    """The check of one dataset's files, one after the other."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.spec = expectation.spec
        self.findings = Findings()
        self.census = Census()
        self.forms: list[FileForm] = []

    def file(self, key: str, name: str, size: int, source: Source) -> None:
        """Reads one file; problems go to `findings`, counts to `census`, its form to `forms`.

        Args:
            key: the object's key. name: what it is called in problems: `train/a.csv`.
            size: in bytes. source: its bytes.
        """
        try:
            form = (
                self._csv(key, name, size, source)
                if format_of(key) == CSV
                else self._parquet(key, name, size, source)
            )
        except Unreadable as error:
            self.findings.add(Problem(name, "", error.rule, error.remedy))
            return
        if form is not None:
            self.forms.append(form)

    def _csv(self, key: str, name: str, size: int, source: Source) -> FileForm | None:
        file = CsvFile(source, len(self.spec.columns))
        if file.is_empty:
            self.findings.add(Problem(name, "", "the file is empty", "Remove it, or upload it again."))
            return None
        header = self._header(file.first_row)
        refusal = self._layout_problem(name, file.first_row, header)
        if refusal is not None:
            self.findings.add(refusal)
            return None
        cells = _CellCheck(self.expectation, self.census, name, file)
        rows = sum(cells.chunk(chunk, skip_first=header and chunk.start == 0) for chunk in file.chunks())
        self._report_broken(file, name)
        self.findings.merge(cells.findings())
        if rows == 0 and not file.broken:
            self.findings.add(Problem(name, "", "there is nothing but a header", "Upload the rows as well."))
        columns = tuple(file.first_row) if header else self.spec.columns
        return FileForm(key, size, rows, CSV, header, columns)

    def _parquet(self, key: str, name: str, size: int, source: Source) -> FileForm | None:
        file = ParquetFile(source)
        try:
            refusal = self._layout_problem(name, list(file.columns), True)
            if refusal is not None:
                self.findings.add(refusal)
                return None
            cells = _CellCheck(self.expectation, self.census, name, file)
            rows = sum(cells.chunk(chunk) for chunk in file.chunks())
            self.findings.merge(cells.findings())
            return FileForm(key, size, rows, PARQUET, True, file.columns, file.types)
        finally:
            file.close()

    def _header(self, first_row: Sequence[str]) -> bool:
        """Whether the first line is a header: no time and number in their places, or the schema's names."""
        lower = {name.lower() for name in self.spec.columns}
        if first_row and all(cell.strip().lower() in lower for cell in first_row):
            return True
        pairs = list(zip(self.spec.attributes, first_row, strict=False))
        typed = [(a, cell) for a, cell in pairs if a.is_number or a.type == "timestamp"]
        return bool(typed) and not any(self._parses(a, cell) for a, cell in typed)

    def _parses(self, attribute: Attribute, cell: str) -> bool:
        """Whether a cell looks like data of its column; a date in a foreign format does, too."""
        if attribute.type == "timestamp":
            return len(re.findall(r"\d", cell)) >= 4
        return not cell or re.match(f"{NUMBER}|{NOT_A_NUMBER}", cell.strip()) is not None

    def _layout_problem(self, name: str, first_row: Sequence[str], is_header: bool) -> Problem | None:
        wanted = self.spec.columns
        listed = ", ".join(wanted)
        if len(first_row) != len(wanted):
            return self._width_problem(name, first_row, is_header)
        places = {column.lower(): place for place, column in enumerate(wanted)}
        header = [cell.strip().lower() for cell in first_row] if is_header else []
        if any(places.get(cell, place) != place for place, cell in enumerate(header)):
            rule = f"columns are taken by position, and params.json has them as {listed}"
            remedy = (
                "Put the Attributes of params.json into the order of the file, or the columns into theirs."
            )
            return Problem(f"{name}, header", ", ".join(first_row), rule, remedy)
        return None

    def _width_problem(self, name: str, first_row: Sequence[str], is_header: bool) -> Problem:
        wanted = self.spec.columns
        value = f"{len(first_row)} columns"
        rule = f"params.json lists {len(wanted)} columns: {', '.join(wanted)}"
        remedy = "Add or remove columns, or list the file's own in params.json."
        if len(first_row) == 1 and (other := re.search(r"[;\t|]", first_row[0])):
            mark = {"\t": "a tab"}.get(other.group(), other.group())
            rule, remedy = (
                f"its columns are separated by {mark}; the service reads commas",
                "Save it with commas.",
            )
        elif is_header:
            lower = {cell.strip().lower() for cell in first_row}
            absent = [column for column in wanted if column.lower() not in lower]
            extra = [cell for cell in first_row if cell.strip().lower() not in {c.lower() for c in wanted}]
            parts = [f"missing: {', '.join(absent)}"] * bool(absent) + [
                f"unknown: {', '.join(extra)}"
            ] * bool(extra)
            value = f"{value} ({'; '.join(parts)})" if parts else value
        return Problem(f"{name}, row 1", value, rule, remedy)

    def _report_broken(self, file: CsvFile, name: str) -> None:
        width = len(self.spec.columns)
        for place, row in enumerate(file.broken):
            if place < EXAMPLES:
                rule = f"a row has to have {width} cells, {', '.join(self.spec.columns)}"
                remedy = "Correct the row; put text that holds a comma in double quotes."
                self.findings.add(Problem(f"{name}, row {row.number}", f"{row.cells} cells", rule, remedy))
        self.findings.total += max(0, len(file.broken) - EXAMPLES)
        if file.too_broken:
            rule = f"more than {len(file.broken)} rows are broken; the rest was not read"
            self.findings.add(Problem(name, "", rule, "Check that this is the right file."))


@dataclass
class _Fault:
    """One kind of problem in one column: examples and a count."""

    column: str
    rule: str
    remedy: str
    examples: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0


class _CellCheck:
    """The check of one file's cells, chunk by chunk."""

    def __init__(
        self,
        expectation: Expectation,
        census: Census,
        name: str,
        file: CsvFile | ParquetFile,
    ) -> None:
        self._expectation, self._census, self._name, self._file = expectation, census, name, file
        self._faults: dict[tuple[str, str], _Fault] = {}

    def chunk(self, chunk: Chunk, skip_first: bool = False) -> int:
        """Checks the rows and counts them; returns how many there are, blank lines left out."""
        arrays = [array.slice(1) for array in chunk.arrays] if skip_first else chunk.arrays
        positions = np.arange(len(arrays[0])) + chunk.start + (1 if skip_first else 0)
        arrays, positions = _without_blank_lines(arrays, positions)
        if not len(positions):
            return 0
        columns = dict(zip(self._expectation.spec.columns, arrays, strict=True))
        whole = np.ones(len(positions), dtype=bool)
        values: dict[str, pa.Array] = {}
        for attribute in self._expectation.spec.attributes:
            values[attribute.name], good = self._column(attribute, columns[attribute.name], positions)
            whole &= good
        self._count(values, pa.array(whole))
        return len(positions)

    def findings(self) -> Findings:
        """The file's problems, in the order of its rows."""
        found = Findings()
        flat = [(n, value, fault) for fault in self._faults.values() for n, value in self._numbered(fault)]
        for number, value, fault in sorted(flat, key=lambda entry: entry[0]):
            where = f"{self._name}, row {number}, column {fault.column}"
            found.problems.append(Problem(where, value, fault.rule, fault.remedy))
        found.total = sum(fault.count for fault in self._faults.values())
        return found

    def _numbered(self, fault: _Fault) -> Iterator[tuple[int, str]]:
        numbers = self._file.numbers([position for position, _ in fault.examples])
        yield from zip(numbers, (value for _, value in fault.examples), strict=True)

    def _column(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        """The column's values (text, numbers or times; null where bad or missing) and which rows are good."""
        kind = self._expectation.kind(attribute)
        if kind == "timestamp":
            return self._timestamps(attribute, raw, positions)
        if kind in ("float", "integer"):
            return self._numbers_of(attribute, raw, positions)
        texts, good = self._texts(attribute, raw, positions)
        if kind == "key":
            empty = (
                pc.equal(pc.utf8_trim_whitespace(pc.fill_null(texts, "")), "").to_numpy(zero_copy_only=False)
                & good
            )
            rule = "it tells the series apart and must not be empty"
            self._report(attribute.name, rule, "Fill it, or remove the row.", empty, positions, texts)
            good = good & ~empty
        return texts, good

    def _texts(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        texts = pc.cast(raw, pa.string())
        if not self._file.damaged:
            return texts, np.ones(len(raw), dtype=bool)
        bad = pc.fill_null(pc.match_substring(texts, DAMAGE), False).to_numpy(zero_copy_only=False)
        self._report(
            attribute.name, "the text is not UTF-8", "Save the file as UTF-8.", bad, positions, texts
        )
        return texts, ~bad

    def _numbers_of(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        if pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type) or pa.types.is_decimal(raw.type):
            return self._finite(attribute, pc.cast(raw, pa.float64()), raw, positions)
        texts, good = self._texts(attribute, raw, positions)
        texts = pc.fill_null(texts, "")
        missing = pc.or_(pc.equal(texts, ""), pc.match_substring_regex(texts, NOT_A_NUMBER))
        fits = pc.match_substring_regex(texts, WHOLE if attribute.type == "integer" else NUMBER)
        bad = ~pc.or_(missing, fits).to_numpy(zero_copy_only=False) & good
        wanted = "a whole number" if attribute.type == "integer" else "a number with a decimal point"
        self._report(
            attribute.name, f"it has to be {wanted}", _number_remedy(attribute), bad, positions, texts
        )
        numbers = pc.cast(pc.if_else(fits, texts, None), pa.float64())
        values, finite = self._finite(attribute, numbers, texts, positions)
        return values, finite & good & ~bad

    def _finite(
        self, attribute: Attribute, numbers: pa.Array, shown: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        infinite = pc.fill_null(pc.is_inf(numbers), False).to_numpy(zero_copy_only=False)
        self._report(
            attribute.name,
            "it has to be finite",
            "Correct it, or leave it empty.",
            infinite,
            positions,
            shown,
        )
        if attribute.name in self._expectation.may_be_empty:
            return numbers, ~infinite
        gone = pc.is_null(numbers, nan_is_null=True).to_numpy(zero_copy_only=False)
        rule = "related data must not have gaps unless params.json says how to fill them"
        remedy = f"Fill it, or add middlefill, backfill and futurefill for {attribute.name}."
        texts = pc.fill_null(pc.cast(shown, pa.string()), "")
        empty = gone & (
            pc.match_substring_regex(texts, NOT_A_NUMBER).to_numpy(zero_copy_only=False)
            | pc.equal(texts, "").to_numpy(zero_copy_only=False)
        )
        self._report(attribute.name, rule, remedy, empty, positions, texts)
        return numbers, ~(infinite | gone)

    def _timestamps(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        if pa.types.is_timestamp(raw.type) or pa.types.is_date(raw.type):
            times = pc.cast(raw, pa.timestamp("us"), safe=False)
            bad = pc.is_null(times).to_numpy(zero_copy_only=False)
            self._report(
                attribute.name, "the time is missing", "Fill it, or remove the row.", bad, positions, raw
            )
            return times, ~bad
        texts, good = self._texts(attribute, raw, positions)
        times, fits = _parse_times(pc.fill_null(texts, ""), self._expectation.timestamp_format)
        rule = f"it has to be a time in the form {self._expectation.timestamp_format} (TimestampFormat)"
        remedy = "Write the times in this form, or correct TimestampFormat in params.json."
        self._report(attribute.name, rule, remedy, ~fits & good, positions, texts)
        return times, fits & good

    def _report(
        self, column: str, rule: str, remedy: str, bad: np.ndarray, positions: np.ndarray, values: pa.Array
    ) -> None:
        places = np.flatnonzero(bad)
        if not len(places):
            return
        fault = self._faults.setdefault((column, rule), _Fault(column, rule, remedy))
        fault.count += len(places)
        for place in places[: EXAMPLES - len(fault.examples)]:
            fault.examples.append((int(positions[place]), _shown(values[int(place)].as_py())))

    def _count(self, values: dict[str, pa.Array], whole: pa.Array) -> None:
        """Counts series, times and missing targets in the rows without a problem."""
        spec = self._expectation.spec
        keys = [values[name].filter(whole) for name in self._expectation.key_columns]
        self._census.count_series(
            keys[0] if len(keys) == 1 else pc.binary_join_element_wise(*keys, SEPARATOR)
        )
        if "timestamp" in values:
            self._census.count_times(values["timestamp"].filter(whole))
        if spec.target_field in values:
            target = values[spec.target_field].filter(whole)
            self._census.missing += pc.sum(pc.is_null(target, nan_is_null=True)).as_py() or 0


def _without_blank_lines(arrays: list[pa.Array], positions: np.ndarray) -> tuple[list[pa.Array], np.ndarray]:
    if not len(positions) or not pa.types.is_binary(arrays[0].type):
        return arrays, positions
    blank = np.ones(len(positions), dtype=bool)
    for array in arrays:
        blank &= pc.equal(pc.binary_length(array), 0).to_numpy(zero_copy_only=False)
        if not blank.any():
            return arrays, positions
    keep = pa.array(~blank)
    return [array.filter(keep) for array in arrays], positions[~blank]


def _parse_times(texts: pa.Array, java_format: str) -> tuple[pa.Array, np.ndarray]:
    """The times (null where bad) and which cells are good; whole columns at once while they are all good."""
    fits = pc.match_substring_regex(texts, f"^{timestamps.PATTERNS[java_format]}$")
    candidates = pc.if_else(fits, texts, None)
    try:
        times = pc.cast(candidates, pa.timestamp("us"))
    except pa.ArrowInvalid:  # a day or an hour that does not exist
        times = pa.array([_moment(text, java_format) for text in candidates.to_pylist()], pa.timestamp("us"))
    return times, pc.is_valid(times).to_numpy(zero_copy_only=False)


def _moment(text: str | None, java_format: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, timestamps.directive(java_format)) if text else None
    except ValueError:
        return None


def _number_remedy(attribute: Attribute) -> str:
    if attribute.type == "integer":
        return "Correct it, or make the attribute a float in params.json."
    return "Correct it: a point for decimals, no thousands marks, no blanks, no unit; empty means missing."


def _shown(value: Any) -> str:
    text = "empty" if value is None or value == "" else f'"{value}"'
    printable = "".join(c if c.isprintable() else "�" for c in text)
    return printable if len(printable) <= LONGEST_SHOWN else printable[: LONGEST_SHOWN - 1] + "…"
