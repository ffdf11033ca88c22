"""Checks the input files of a dataset one after the other, in a stream: layout here, cells in `cells`."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from pipeline.cells import NO_ZONE, NOT_A_NUMBER, NUMBER, CellCheck, Census, Expectation
from pipeline.datafile import CsvFile, ParquetFile, Source, Unreadable, format_of
from pipeline.fates import HEADING, FateMap, FileFate, RowNumbers
from pipeline.form import CSV, PARQUET, FileForm
from pipeline.params import Attribute
from pipeline.quality import BAD_ROW, EXAMPLES, LONGEST_NAME, Example, Finding, printable
from pipeline.rowlog import RowLog

UTC = ("UTC", "Etc/UTC", "UCT", "Etc/UCT", "GMT", "Etc/GMT", "Zulu", "Z", "+00:00")


class Inspection:
    """The check of one dataset's files, one after the other.

    Args:
        size_bytes: of all files together, as far as known.
        item_called: names of the item key by which a header of item metadata is known.
    """

    def __init__(
        self, expectation: Expectation, size_bytes: int = 0, item_called: Iterable[str] = ()
    ) -> None:
        self.expectation = expectation
        self.spec = expectation.spec
        self._item_called = {name.strip().lower() for name in item_called}
        self._misfits: list[tuple[Finding, Sequence[str]]] = []  # with the file's header
        self.findings: list[Finding] = []
        self.census = Census()
        self.forms: list[FileForm] = []
        self.log = RowLog(size_bytes)
        self.fate_map = FateMap()
        self.fates: list[FileFate] = []  # by file number
        self.rows = 0
        self.bad_rows = 0

    def file(self, key: str, name: str, size: int, source: Source) -> None:
        """Reads one file; what is wrong goes to `findings`, counts to `census`, its form to `forms`.

        Args:
            key: the object's key. name: what it is called in problems: `train/a.csv`.
            size: in bytes. source: its bytes.
        """
        fate = FileFate(key, name, self.fate_map.size)
        self.fates.append(fate)
        read = self._csv if format_of(key) == CSV else self._parquet
        try:
            form = read(fate, size, source)
        except Unreadable as error:
            self.findings.append(Finding(name, error.rule, error.remedy))
            return
        if form is not None:
            self.forms.append(form)
            self.rows += form.rows + fate.broken

    def fate_rows(self, number: int) -> np.ndarray:
        """The fates of a file's whole rows, to read and to change."""
        return self.fate_map.rows(self.fates[number].start, self.fates[number].rows)

    def close(self) -> None:
        """Frees the disk."""
        self.log.close()
        self.fate_map.close()

    def _csv(self, fate: FileFate, size: int, source: Source) -> FileForm | None:
        file = CsvFile(source, len(self.spec.columns))
        if file.is_empty:
            self.findings.append(Finding(fate.name, "the file is empty", "Remove it, or upload it again."))
            return None
        header = self._header(file.first_row)
        is_unlike = not header and self._names_the_item(file.first_row)  # as the schema has it
        header |= is_unlike
        refusal = self._layout_problem(fate.name, file.first_row, header)
        if refusal is not None:
            self.findings.append(refusal)
            return None
        cells = self._cells(fate, file)
        rows = sum(cells.chunk(chunk, skip_first=header and chunk.start == 0) for chunk in file.chunks())
        if is_unlike:
            self.fate_rows(len(self.fates) - 1)[0] = HEADING
        fate.numbers = RowNumbers.of([row.number for row in file.broken])
        fate.broken = len(file.broken)
        self.bad_rows += cells.bad_rows + fate.broken
        self._report_broken(file, fate.name)
        self.findings += cells.findings()
        if rows == 0 and not file.broken:
            remedy = "Upload the rows as well."
            self.findings.append(Finding(fate.name, "there is nothing but a header", remedy))
        columns = tuple(file.first_row) if header else self.spec.columns
        return FileForm(fate.key, size, rows, CSV, header, columns)

    def _parquet(self, fate: FileFate, size: int, source: Source) -> FileForm | None:
        file = ParquetFile(source)
        try:
            refusal = self._layout_problem(fate.name, list(file.columns), True)
            problems = [*self._name_problems(fate.name, file), *self._type_problems(fate.name, file)]
            if refusal is not None or problems:
                self.findings += [refusal] if refusal is not None else problems
                return None
            cells = self._cells(fate, file)
            rows = sum(cells.chunk(chunk) for chunk in file.chunks())
            self.bad_rows += cells.bad_rows
            self.findings += cells.findings()
            if not rows:
                self.findings.append(Finding(fate.name, "the file has no rows", "Remove it."))
            return FileForm(fate.key, size, rows, PARQUET, True, file.columns, file.types)
        finally:
            file.close()

    def _cells(self, fate: FileFate, file: CsvFile | ParquetFile) -> CellCheck:
        number = len(self.fates) - 1
        return CellCheck(self.expectation, self.census, fate, number, file, self.log, self.fate_map)

    def _name_problems(self, name: str, file: ParquetFile) -> list[Finding]:
        twice = sorted({column for column in file.columns if file.columns.count(column) > 1})
        rule, remedy = "two columns of the file have this name", "Rename one."
        return [Finding(name, rule, remedy, column) for column in twice]

    def _type_problems(self, name: str, file: ParquetFile) -> list[Finding]:
        return [
            Finding(name, *problem, attribute.name)
            for attribute, kind in zip(self.spec.attributes, file.kinds, strict=False)
            if (problem := _type_problem(attribute, kind))
        ]

    def _header(self, first_row: Sequence[str]) -> bool:
        """Whether the first line is a header: no time and number in their places, or the schema's names."""
        lower = {name.lower() for name in self.spec.columns}
        if first_row and all(cell.strip().lower() in lower for cell in first_row):
            return True
        pairs = list(zip(self.spec.attributes, first_row, strict=False))
        typed = [(a, cell) for a, cell in pairs if a.is_number or a.type == "timestamp"]
        return bool(typed) and not any(self._parses(a, cell) for a, cell in typed)

    def _names_the_item(self, first_row: Sequence[str]) -> bool:
        """Whether the item's cell is the name of the item key, as other files or the schema have it."""
        place = self.spec.position(self.spec.item_key)
        return len(first_row) > place and first_row[place].strip().lower() in self._item_called

    def _parses(self, attribute: Attribute, cell: str) -> bool:
        """Whether a cell looks like data of its column; a date in a foreign format does, too."""
        if attribute.type == "timestamp":
            return len(re.findall(r"\d", cell)) >= 4
        return not cell or re.match(f"{NUMBER}|{NOT_A_NUMBER}", cell.strip()) is not None

    def _layout_problem(self, name: str, first_row: Sequence[str], is_header: bool) -> Finding | None:
        wanted = self.spec.columns
        listed = ", ".join(wanted)
        if not first_row and not is_header:
            return Finding(name, "its first line is empty", "Remove the empty lines above the rows.")
        if len(first_row) != len(wanted):
            return self._width_problem(name, first_row, is_header)
        places = {column.lower(): place for place, column in enumerate(wanted)}
        header = [cell.strip().lower() for cell in first_row] if is_header else []
        if any(places.get(cell, place) != place for place, cell in enumerate(header)):
            rule = f"columns are taken by position, and params.json has them as {listed}"
            remedy = (
                "Put the Attributes of params.json into the order of the file, or the columns into theirs."
            )
            return Finding(name, rule, remedy, examples=[Example(1, ", ".join(first_row))])
        return None

    def _width_problem(self, name: str, first_row: Sequence[str], is_header: bool) -> Finding:
        wanted = self.spec.columns
        count = f"{len(first_row)} column{'' if len(first_row) == 1 else 's'}"
        rule = f"it has {count}; params.json lists {len(wanted)}: {', '.join(wanted)}"
        remedy = "Add or remove columns, or list the file's own in params.json."
        is_misfit = is_header
        if len(first_row) == 1 and (other := re.search(r"[;\t|]", first_row[0])):
            mark = {"\t": "a tab"}.get(other.group(), other.group())
            rule = f"its columns are separated by {mark}; the service reads commas"
            remedy = "Save it with commas."
            is_misfit = False
        finding = Finding(name, rule, remedy, examples=[Example(1)])
        if is_misfit:
            self._misfits.append((finding, first_row))
        return finding

    def tell_of_misfits(self) -> None:
        """Names what headers of another width lack and have too many, when all files have been seen.

        They are held against the header of a file that fits or, without one, against the schema, unless they
        have nothing of it. Names that neither has are in the report alone: they may be values.
        """
        fitting = next((form.columns for form in self.forms if form.has_header), None)
        wanted, against = (fitting, "compared with the other files, ") if fitting else (self.spec.columns, "")
        for finding, header in self._misfits:
            missing, extra = _without(wanted, header), _without(header, wanted)
            places = [str(header.index(name) + 1) for name in extra]
            told = [f"missing: {_listed(missing)}"] if missing else []
            noun = "column" if len(extra) == 1 else "columns"
            told += [f"too many: {noun} {_listed(places)} of the file"] if extra else []
            if told and len(missing) < len(wanted):
                finding.rule += f" ({against}{'; '.join(told)})"
            if extra:
                finding.examples = [Example(1, f"unknown: {_listed(extra)}")]

    def _report_broken(self, file: CsvFile, name: str) -> None:
        if file.broken:
            columns = self.spec.columns
            rule = f"a row has to have {len(columns)} cells, {', '.join(columns)}"
            remedy = "Correct the row; put text that holds a comma in double quotes."
            examples = [Example(row.number, f"{row.cells} cells") for row in file.broken[:EXAMPLES]]
            self.findings.append(Finding(name, rule, remedy, "", BAD_ROW, len(file.broken), examples))
        if file.too_broken:
            rule = f"more than {len(file.broken)} rows are broken; the rest was not read"
            self.findings.append(Finding(name, rule, "Check that this is the right file."))


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    lower = {other.strip().lower() for other in others}
    return [name for name in names if name.strip().lower() not in lower]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(printable(name.strip(), LONGEST_NAME) for name in names[:EXAMPLES]) + more


def _type_problem(attribute: Attribute, kind: pa.DataType) -> tuple[str, str] | None:
    """What is wrong with a column's type, and the remedy."""
    if not _is_readable(kind):
        return f"a column of the type {kind} cannot be read", "Write it as text, a number or a timestamp."
    return zone_problem(kind) if attribute.type == "timestamp" else None


def zone_problem(kind: pa.DataType) -> tuple[str, str] | None:
    """What is wrong with the type of a column of times that has a zone, and the remedy.

    Some services take the UTC that the file holds, others what the zone's clocks show.
    """
    if not pa.types.is_timestamp(kind) or kind.tz in (None, *UTC):
        return None
    return f"the column has the time zone {printable(kind.tz)}, and services read times without one", NO_ZONE


def _is_readable(kind: pa.DataType) -> bool:
    """Whether a Parquet column holds text, numbers or times."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating,
        pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date, pa.types.is_boolean, pa.types.is_null,
    )  # fmt: skip
    return any(test(kind) for test in tests)
