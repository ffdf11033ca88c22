"""Checks the cells of one input file, a chunk of rows at a time, against the dataset's schema."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import timestamps
from pipeline.datafile import DAMAGE, Chunk, CsvFile, ParquetFile
from pipeline.fates import BLANK, FateMap, FileFate
from pipeline.params import Attribute, DatasetSpec
from pipeline.policy.checks import Checks
from pipeline.quality import BAD_ROW, EXAMPLES, WARNING, Example, Finding, printable
from pipeline.rowlog import ROW, RowLog, hashes

MOST_KEYS = 2_000_000  # series that are told apart by name; a Forecast account's limit is 5,000,000
LONGEST_SHOWN = 40
MOST_NUMBER = 1e30  # beyond it forecastd trains no series: models square numbers, and keep some in 4 bytes
SEPARATOR = "\x1f"  # joins item and dimensions into one key; texts with control characters are bad rows

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
NOT_A_NUMBER = r"^[nN][aA][nN]$"
WHOLE = r"^[+-]?\d{1,18}$"
ZONED = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$"
CONTROL = r"[\x00-\x1f\x7f]"
EDGE_BLANK = r"^\s|\s$"
FORMULA = r"^([=@]|[+-][^\d.])"

NO_ZONE = "Write all times in one zone and leave the zone out; TimeZone in params.json can name it."

NO_TIME = "the cell is empty, and each row has to have a time"
FILL = "Fill it, remove the row, or let a few such rows be set aside: Checks.MostBadRows in params.json."


@dataclass
class Census:
    """What was counted in the good rows of one dataset."""

    series: Counter[str] = field(default_factory=Counter)  # rows by item key and forecast dimensions
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    missing: int = 0
    is_complete: bool = True  # False once there were more series than are told apart

    @property
    def items(self) -> set[str]:
        """The item keys, without dimensions."""
        return {key.split(SEPARATOR, 1)[0] for key in self.series}

    def count_series(self, names: list[str], counts: np.ndarray) -> None:
        for name, count in zip(names, counts.tolist(), strict=True):
            if len(self.series) < MOST_KEYS or name in self.series:
                self.series[name] += count
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
    checks: Checks = field(default_factory=Checks)

    def kind(self, attribute: Attribute) -> str:
        if attribute.type in ("float", "integer", "timestamp"):
            return attribute.type
        return "key" if attribute.name in self.key_columns else "text"

    @property
    def line_columns(self) -> tuple[str, ...]:
        """Text that tells rows of one series and time apart, though they are added up in the forecast."""
        if "timestamp" not in self.spec.columns:
            return ()
        return tuple(name for name in self.spec.dimensions if name not in self.key_columns)


class CellCheck:
    """The check of one file's cells, chunk by chunk.

    Args:
        number: the file's number among those of its dataset. log: where good rows go. fates: all rows' fates.
    """

    def __init__(
        self,
        expectation: Expectation,
        census: Census,
        fate: FileFate,
        number: int,
        file: CsvFile | ParquetFile,
        log: RowLog,
        fates: FateMap,
    ) -> None:
        self._expectation, self._census, self._fate, self._file = expectation, census, fate, file
        self._number, self._log, self._fates = number, log, fates
        self._found: dict[tuple[str, str], Finding] = {}
        self._now = np.zeros(0, dtype=np.uint8)  # the fates of the chunk's rows
        self._start = 0
        self.bad_rows = 0

    def chunk(self, chunk: Chunk, skip_first: bool = False) -> int:
        """Checks the rows and counts them; returns how many there are, blank lines left out."""
        self._now, self._start = np.zeros(len(chunk), dtype=np.uint8), chunk.start
        arrays = [array.slice(1) for array in chunk.arrays] if skip_first else chunk.arrays
        positions = np.arange(len(arrays[0])) + chunk.start + (1 if skip_first else 0)
        arrays, positions = self._without_blank_lines(arrays, positions)
        if len(positions):
            self._rows(arrays, positions)
        self._fates.add(self._now)
        self._fate.rows += len(chunk)
        return len(positions)

    def findings(self) -> list[Finding]:
        """What was found, in the order of the file's rows; examples have row numbers now."""
        for found in self._found.values():
            numbers = self._fate.numbers([example.row or 0 for example in found.examples])
            found.examples = [Example(n, e.value) for n, e in zip(numbers, found.examples, strict=True)]
        return sorted(self._found.values(), key=lambda found: found.examples[0].row or 0)

    def _rows(self, arrays: list[pa.Array], positions: np.ndarray) -> None:
        columns = dict(zip(self._expectation.spec.columns, arrays, strict=True))
        whole = np.ones(len(positions), dtype=bool)
        values: dict[str, pa.Array] = {}
        for attribute in self._expectation.spec.attributes:
            values[attribute.name], good = self._column(attribute, columns[attribute.name], positions)
            whole &= good
        self.bad_rows += int((~whole).sum())
        if whole.all():
            self._keep(values, positions)
        elif whole.any():
            kept = pa.array(whole)
            self._keep({name: value.filter(kept) for name, value in values.items()}, positions[whole])

    def _without_blank_lines(
        self, arrays: list[pa.Array], positions: np.ndarray
    ) -> tuple[list[pa.Array], np.ndarray]:
        if not len(positions) or not pa.types.is_binary(arrays[0].type):
            return arrays, positions
        blank = np.ones(len(positions), dtype=bool)
        for array in arrays:
            blank &= pc.equal(pc.binary_length(array), 0).to_numpy(zero_copy_only=False)
            if not blank.any():
                return arrays, positions
        self._now[positions[blank] - self._start] = BLANK
        keep = pa.array(~blank)
        return [array.filter(keep) for array in arrays], positions[~blank]

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
        texts = pc.fill_null(texts, "")
        good &= self._words(attribute, texts, good, positions)
        if kind == "key":
            empty = _flags(pc.equal(pc.utf8_trim_whitespace(texts), "")) & good
            rule = "it tells the series apart and must not be empty"
            self._report(attribute.name, rule, FILL, empty, positions, texts)
            good = good & ~empty
        return texts, good

    def _texts(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        texts = pc.cast(raw, pa.string())
        if not self._file.damaged:
            return texts, np.ones(len(raw), dtype=bool)
        bad = _flags(pc.fill_null(pc.match_substring(texts, DAMAGE), False))
        rule = f"the text is not UTF-8; {self._file.encoding}"
        self._report(attribute.name, rule, "Save the file as UTF-8.", bad, positions, texts)
        return texts, ~bad

    def _words(
        self, attribute: Attribute, texts: pa.Array, fine: np.ndarray, positions: np.ndarray
    ) -> np.ndarray:
        """Which texts can be a name; each different one is looked at once."""
        coded = pc.dictionary_encode(texts)
        longest = self._expectation.checks.longest_text
        rules = [
            (
                pc.greater(pc.utf8_length(coded.dictionary), longest),
                f"a text may have {longest} letters (Checks.LongestText)",
                "Look for a double quote without its partner, or raise LongestText.",
                BAD_ROW,
            ),
            (
                pc.match_substring_regex(coded.dictionary, CONTROL),
                "it has control characters, such as a line break or a zero",
                "Remove them.",
                BAD_ROW,
            ),
            (
                pc.match_substring_regex(coded.dictionary, EDGE_BLANK),
                "it begins or ends with a blank, and is another key than without",
                "Remove the blank if that is not meant.",
                WARNING,
            ),
            (
                pc.match_substring_regex(coded.dictionary, FORMULA),
                "spreadsheets take it for a formula; it is kept as it is, in the forecast too",
                "Open the forecast's files in a program that does not run formulas, or rename the item.",
                WARNING,
            ),
        ]
        good = np.ones(len(texts), dtype=bool)
        for flags, rule, remedy, severity in rules:
            if pc.any(flags).as_py():
                broken = _flags(pc.take(flags, coded.indices)) & fine
                broken &= _flags(pc.not_equal(pc.utf8_trim_whitespace(texts), ""))
                self._report(attribute.name, rule, remedy, broken, positions, texts, severity)
                good &= ~broken if severity == BAD_ROW else True
        return good

    def _numbers_of(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        if pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type) or pa.types.is_decimal(raw.type):
            return self._finite(attribute, pc.cast(raw, pa.float64(), safe=False), raw, positions)
        texts, good = self._texts(attribute, raw, positions)
        texts = pc.fill_null(texts, "")
        missing = pc.or_(pc.equal(texts, ""), pc.match_substring_regex(texts, NOT_A_NUMBER))
        fits = pc.match_substring_regex(texts, WHOLE if attribute.type == "integer" else NUMBER)
        bad = ~_flags(pc.or_(missing, fits)) & good
        wanted = "a whole number" if attribute.type == "integer" else "a number with a decimal point"
        self._report(
            attribute.name, f"it has to be {wanted}", _number_remedy(attribute), bad, positions, texts
        )
        numbers = pc.cast(pc.if_else(fits, texts, None), pa.float64())
        values, fine = self._finite(attribute, numbers, texts, positions)
        return values, fine & good & ~bad

    def _finite(
        self, attribute: Attribute, numbers: pa.Array, shown: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        infinite = _flags(pc.fill_null(pc.is_inf(numbers), False))
        remedy = "Correct it, or leave it empty."
        self._report(attribute.name, "it has to be finite", remedy, infinite, positions, shown)
        enormous = _flags(pc.fill_null(pc.greater(pc.abs(numbers), MOST_NUMBER), False)) & ~infinite
        rule = f"it has to be {MOST_NUMBER:g} at the most: no model computes with larger numbers"
        self._report(attribute.name, rule, "Correct it, or use a larger unit.", enormous, positions, shown)
        good = ~infinite & ~enormous & self._within_limits(attribute, numbers, shown, positions)
        if attribute.name in self._expectation.may_be_empty:
            return numbers, good
        gone = _flags(pc.is_null(numbers, nan_is_null=True))
        rule = "related data must not have gaps unless params.json says how to fill them"
        remedy = f"Fill it, or add middlefill, backfill and futurefill for {attribute.name}."
        texts = pc.fill_null(pc.cast(shown, pa.string()), "")
        empty = gone & _flags(pc.or_(pc.match_substring_regex(texts, NOT_A_NUMBER), pc.equal(texts, "")))
        self._report(attribute.name, rule, remedy, empty, positions, texts)
        return numbers, good & ~gone

    def _within_limits(
        self, attribute: Attribute, numbers: pa.Array, shown: pa.Array, positions: np.ndarray
    ) -> np.ndarray:
        good = np.ones(len(numbers), dtype=bool)
        if attribute.name != self._expectation.spec.target_field:
            return good
        checks = self._expectation.checks
        for limit, beyond, rule in (
            (checks.least_value, pc.less, "it has to be {:g} or more (Checks.LeastValue)"),
            (checks.most_value, pc.greater, "it has to be {:g} or less (Checks.MostValue)"),
        ):
            if limit is not None:
                bad = _flags(pc.fill_null(beyond(numbers, float(limit)), False))
                bad &= ~_flags(pc.fill_null(pc.is_inf(numbers), False))
                self._report(
                    attribute.name, rule.format(limit), "Correct it, or change the limit.",
                    bad, positions, shown,
                )  # fmt: skip
                good &= ~bad
        return good

    def _timestamps(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        if pa.types.is_timestamp(raw.type) or pa.types.is_date(raw.type):
            return self._moments(attribute, raw, positions)
        texts, good = self._texts(attribute, raw, positions)
        texts = pc.fill_null(texts, "")
        times, fits = parse_times(texts, self._expectation.timestamp_format)
        bad = ~fits & good
        if bad.any():
            empty = bad & _flags(pc.equal(pc.utf8_trim_whitespace(texts), ""))
            self._report(attribute.name, NO_TIME, FILL, empty, positions, texts)
            zoned = bad & _flags(pc.match_substring_regex(texts, ZONED))
            rule = "it carries a time zone, and the service reads times without one"
            self._report(attribute.name, rule, NO_ZONE, zoned, positions, texts)
            rule = f"it has to be a time in the form {self._expectation.timestamp_format} (TimestampFormat)"
            remedy = "Write the times in this form, or correct TimestampFormat in params.json."
            self._report(attribute.name, rule, remedy, bad & ~zoned & ~empty, positions, texts)
        absurd = good & fits & ~_flags(pc.fill_null(pc.and_(*_bounds(times)), True))
        self._report_absurd(attribute, absurd, positions, texts)
        return times, fits & good & ~absurd

    def _moments(
        self, attribute: Attribute, raw: pa.Array, positions: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        """Times of a Parquet file, which have no zone or UTC."""
        bad = _flags(pc.is_null(raw))
        self._report(attribute.name, NO_TIME, FILL, bad, positions, raw)
        absurd = _is_absurd(raw)
        self._report_absurd(attribute, absurd, positions, pc.cast(raw, _whole_numbers(raw.type)))
        times = pc.cast(pc.if_else(pa.array(absurd), None, raw), pa.timestamp("us"), safe=False)
        return times, ~bad & ~absurd

    def _report_absurd(
        self, attribute: Attribute, absurd: np.ndarray, positions: np.ndarray, shown: pa.Array
    ) -> None:
        first, last = timestamps.EARLIEST.year, timestamps.LATEST.year
        rule = f"the year has to be from {first} to {last}"
        self._report(attribute.name, rule, "Correct the time.", absurd, positions, shown)

    def _report(
        self,
        column: str,
        rule: str,
        remedy: str,
        broken: np.ndarray,
        positions: np.ndarray,
        values: pa.Array,
        severity: str = BAD_ROW,
    ) -> None:
        places = np.flatnonzero(broken)
        if not len(places):
            return
        fresh = Finding(self._fate.name, rule, remedy, column, severity, 0)
        found = self._found.setdefault((column, rule), fresh)
        found.count += len(places)
        for place in places[: EXAMPLES - len(found.examples)]:
            value = _shown(values[int(place)].as_py())
            found.examples.append(Example(int(positions[place]), value))
        if severity == BAD_ROW:
            rows = positions[places] - self._start
            rows = rows[self._now[rows] == 0]
            self._now[rows] = self._fate.reason(column, rule)

    def _keep(self, values: dict[str, pa.Array], positions: np.ndarray) -> None:
        """Counts series, times and missing targets of good rows, and logs the rows."""
        spec = self._expectation.spec
        rows = np.zeros(len(positions), dtype=ROW)
        names, rows["series"], counts = _coded([values[name] for name in self._expectation.key_columns])
        self._census.count_series(names, counts)
        if self._expectation.line_columns:
            rows["line"] = _coded([values[name] for name in self._expectation.line_columns])[1]
        if "timestamp" in values:
            self._census.count_times(values["timestamp"])
            rows["time"] = pc.cast(values["timestamp"], pa.int64()).to_numpy()
        rows["value"] = np.nan
        if spec.target_field in values:
            target = values[spec.target_field]
            rows["value"] = pc.cast(target, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            self._census.missing += int(np.isnan(rows["value"]).sum())
        rows["file"], rows["place"] = self._number, positions
        self._log.add(rows)


def _coded(keys: list[pa.Array]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The different joined keys, each row's hash, and how many rows each key has."""
    joined = keys[0] if len(keys) == 1 else pc.binary_join_element_wise(*keys, SEPARATOR)
    coded = pc.dictionary_encode(joined)
    names = coded.dictionary.to_pylist()
    indices = coded.indices.to_numpy()
    return names, hashes(names)[indices], np.bincount(indices, minlength=len(names))


def parse_times(texts: pa.Array, java_format: str) -> tuple[pa.Array, np.ndarray]:
    """The times (null where bad) and which cells are good; whole columns at once while they are all good."""
    fits = pc.match_substring_regex(texts, f"^{timestamps.PATTERNS[java_format]}$")
    candidates = pc.if_else(fits, texts, None)
    try:
        times = pc.cast(candidates, pa.timestamp("us"))
    except pa.ArrowInvalid:  # a day or an hour that does not exist
        times = pa.array([_moment(text, java_format) for text in candidates.to_pylist()], pa.timestamp("us"))
    return times, _flags(pc.is_valid(times))


def _bounds(times: pa.Array) -> tuple[pa.Array, pa.Array]:
    return pc.greater_equal(times, timestamps.EARLIEST), pc.less_equal(times, timestamps.LATEST)


def _is_absurd(moments: pa.Array) -> np.ndarray:
    """Which times of a Parquet file are no history's; some do not even fit into microseconds."""
    kind = moments.type
    unit = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date64(kind) else kind.unit
    counts = pc.fill_null(pc.cast(moments, _whole_numbers(kind)), 0).to_numpy()
    first, last = (
        np.datetime64(moment, "us").astype(f"datetime64[{unit}]").astype(np.int64)
        for moment in (timestamps.EARLIEST, timestamps.LATEST)
    )
    return (counts < first) | (counts > last)


def _whole_numbers(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(kind) else pa.int64()


def _moment(text: str | None, java_format: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, timestamps.directive(java_format)) if text else None
    except ValueError:
        return None


def _flags(array: pa.Array) -> np.ndarray:
    return array.to_numpy(zero_copy_only=False)


def _number_remedy(attribute: Attribute) -> str:
    if attribute.type == "integer":
        return "Correct it, or make the attribute a float in params.json."
    return "Correct it: a point for decimals, no thousands marks, no blanks, no unit; empty means missing."


def _shown(value: Any) -> str:
    text = "empty" if value is None or value == "" else f'"{value}"'
    return printable(text, LONGEST_SHOWN)
