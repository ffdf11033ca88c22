"""Proposes a params.json for a CSV of past demand, and says why.

    python -m pipeline.proposal my.csv > params.json

The columns keep their order: params.json lists them as the file has them, so nothing has to be renamed.
"""

import csv
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import BadInput, Problem
from pipeline.frequency import Frequency
from pipeline.params import load
from pipeline.timestamps import DAY, PATTERNS, SECOND, directive

SAMPLE_ROWS = 200_000  # enough to see rhythm and keys; the whole file is checked at upload
ROWS_TO_KNOW_A_COLUMN = 5_000
ITEM_WORDS = (
    "item_id", "item", "id", "series", "series_id", "unique_id", "sku", "product", "product_id", "article",
    "store", "shop", "meter", "household", "client", "customer", "name", "key",
)  # fmt: skip
TIME_WORDS = ("timestamp", "time", "date", "datetime", "ds", "day", "week", "month", "hour", "period")
TARGET_WORDS = (
    "target_value", "target", "value", "y", "demand", "sales", "qty", "quantity", "units", "amount", "count",
    "consumption", "load", "kwh", "volume", "revenue", "traffic",
)  # fmt: skip
# By the unit of the frequency: the horizon for a short and for a long history, in steps of one unit.
HORIZONS = {"min": (60, 240), "H": (24, 72), "D": (14, 28), "W": (8, 13), "M": (6, 12), "Y": (2, 3)}
LONG_HISTORY = 40  # horizons; from here on the longer one is proposed
STEPS = {  # seconds of a regular step, and its name
    **{60 * n: f"{n}min" for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{3600 * n: "H" if n == 1 else f"{n}H" for n in (1, 2, 3, 4, 6, 8, 12)},
    **{86400 * n: "D" if n == 1 else f"{n}D" for n in range(1, 7)},
    **{604800 * n: "W" if n == 1 else f"{n}W" for n in range(1, 5)},
}
CALENDAR_STEPS = ((28, 31, "M"), (59, 62, "2M"), (89, 92, "3M"), (181, 184, "6M"), (365, 366, "Y"))  # days
HOUR_S = 3600


@dataclass(frozen=True)
class Proposal:
    """A configuration that passes the checks, and the reason for each choice."""

    params: dict[str, Any]
    reasons: list[str]


def propose(source: str | Path | Iterable[str], name: str = "") -> Proposal:
    """A configuration for a CSV.

    Args:
        source: the file's path, or its lines.
        name: what the resources are called; the file's name if it is not given.

    Raises:
        BadInput: if it cannot be forecast as it is, with what to add or change.
    """
    if isinstance(source, str | Path):
        name = name or Path(source).stem
        with Path(source).open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            rows = _sample(lines)
    else:
        rows = _sample(source)
    return _Reader(rows, name or "data").proposal()


def _sample(lines: Iterable[str]) -> list[list[str]]:
    try:
        rows = [row for row in itertools.islice(csv.reader(iter(lines)), SAMPLE_ROWS) if row]
    except csv.Error as error:
        raise _unusable(f"it cannot be read as CSV ({error})", "Save it as CSV in UTF-8.") from error
    if not rows:
        raise _unusable("the file is empty", "Give one with rows of past demand.")
    if len(rows[0]) == 1 and re.search(r"[;\t|]", rows[0][0]):
        raise _unusable("its columns are not separated by commas", "Save it with commas.")
    return rows


def _unusable(rule: str, remedy: str, where: str = "the file") -> BadInput:
    return BadInput([Problem(where, "", rule, remedy)])


class _Reader:
    """Finds out what each column is."""

    def __init__(self, rows: list[list[str]], name: str) -> None:
        self.name = _plain(name)
        self.reasons: list[str] = []
        self.header = self._find_header(rows)
        body = rows[1:] if self.header else rows
        width = len(rows[0])
        if not body:
            raise _unusable("there is nothing but a header", "Give one with rows.")
        fitting = [row for row in body if len(row) == width]
        if not fitting:
            raise _unusable(
                f"no row has the {width} cells of the first line", "Give every row the same columns."
            )
        self.frame = pd.DataFrame(fitting)
        self.columns = list(range(width))
        self.sampled = " in the first rows" if len(rows) == SAMPLE_ROWS else ""
        self.labels = self.header or [f"column {place + 1}" for place in range(width)]

    def proposal(self) -> Proposal:
        """The configuration, checked by the very rules that an upload meets."""
        time, java_format = self._time()
        target = self._target(time)
        item, others = self._item(time, target)
        frequency = self._frequency(time, [item, *others], java_format)
        params = self._params(time, target, item, others, frequency, java_format)
        load(json.dumps(params).encode())
        return Proposal(params, self.reasons)

    def _find_header(self, rows: list[list[str]]) -> list[str] | None:
        first = rows[0]
        is_header = not any(_is_time(cell) or _is_number(cell) for cell in first)
        self.reasons.append(
            f"The first line is a header ({', '.join(first)})." if is_header else "There is no header line."
        )
        return [cell.strip() for cell in first] if is_header else None

    def _time(self) -> tuple[int, str]:
        shares = {column: self._share(column, _is_time) for column in self.columns}
        good = [column for column, share in shares.items() if share > 0.95]
        if not good:
            raise self._no_time()
        time = self._best(good, TIME_WORDS)
        form = max((SECOND, DAY), key=lambda each: self._share(time, re.compile(PATTERNS[each]).fullmatch))
        self.reasons.append(f"{self._label(time)} holds the times, in the form {form}.")
        return time, form

    def _no_time(self) -> BadInput:
        looks = [
            c for c in self.columns if self.frame[c].str.contains(r"\d[-/.:T]\d", regex=True).mean() > 0.9
        ]
        value = f" ({self._label(looks[0])} has {self.frame[looks[0]].iloc[0]})" if looks else ""
        return _unusable(
            f"no column holds times in a form that the service reads{value}",
            f"Write the times as {DAY} or {SECOND}.",
        )

    def _target(self, time: int) -> int:
        candidates = [column for column in self.columns if column != time]
        numeric = [c for c in candidates if self._share(c, _is_number_or_empty) > 0.95]
        if not numeric:
            raise _unusable("no column holds numbers", "Add the demand as a column of numbers.")
        named = [c for c in numeric if self._word(c) in TARGET_WORDS]
        fractional = [c for c in numeric if self.frame[c].str.contains(".", regex=False).any()]
        if named:
            target = self._best(named, TARGET_WORDS)
        else:  # codes are whole numbers that repeat; demand has fractions or the most different values
            pool = fractional or numeric
            target = max(pool, key=lambda c: (self._word(c) not in ITEM_WORDS, self.frame[c].nunique()))
        self.reasons.append(f"{self._label(target)} is what is forecast: it holds the demand.")
        return target

    def _item(self, time: int, target: int) -> tuple[int, list[int]]:
        rest = [c for c in self.columns if c not in (time, target)]
        if not rest:
            raise _unusable(
                "there is no column that says which item a row belongs to",
                "Add one, with the same text in every row if there is only one series: `item_id` = `total`.",
            )
        numeric = [c for c in rest if self.frame[c].str.fullmatch(r"[+-]?\d+\.\d+").mean() > 0.5]
        if numeric:
            names = ", ".join(map(self._label, numeric))
            raise _unusable(
                f"{names} holds further numbers, and a target time series has only one",
                "Move them to a file of related data, or remove them.",
            )
        named = [c for c in rest if self._word(c) in ITEM_WORDS]
        item = self._best(named, ITEM_WORDS) if named else max(rest, key=lambda c: self.frame[c].nunique())
        self.reasons.append(
            f"{self._label(item)} names the items; there are {self.frame[item].nunique()}{self.sampled}."
        )
        return item, [c for c in rest if c != item]

    def _frequency(self, time: int, keys: list[int], java_format: str) -> Frequency:
        times = pd.to_datetime(self.frame[time], format=directive(java_format), errors="coerce")
        steps = times.groupby([self.frame[key] for key in keys]).transform(lambda t: t.sort_values().diff())
        seconds = steps.dt.total_seconds()
        typical = seconds[seconds > 0].median()
        if pd.isna(typical):
            raise _unusable("every series has one row only", "Give a longer history.")
        frequency = Frequency.parse(_step_name(float(typical)))
        self.reasons.append(f"Rows of a series are typically {frequency.span(1)} apart.")
        if frequency.needs_time_of_day and java_format == DAY:
            raise _unusable("the times have no time of day", f"Write them as {SECOND}.")
        self._steps = frequency.steps(times.min().to_pydatetime(), times.max().to_pydatetime())
        return frequency

    def _horizon(self, frequency: Frequency) -> int:
        short, long = (max(1, steps // frequency.count) for steps in HORIZONS[frequency.unit])
        wanted = long if self._steps >= LONG_HISTORY * long else short
        longest = self._steps // 4
        if longest < 1:
            raise _unusable(
                f"the history has {self._steps} steps; the shortest forecast needs four",
                "Give a longer history.",
            )
        horizon = min(wanted, longest)
        why = (
            ""
            if horizon == wanted
            else f"; the history has only {self._steps} steps, and a quarter is the limit"
        )
        self.reasons.append(f"The horizon is {frequency.span(horizon)}{why}.")
        return horizon

    def _dimensions(self, time: int, item: int, others: list[int]) -> list[int]:
        if others and self.frame.duplicated([item, time]).any():
            names = ", ".join(map(self._label, others))
            self.reasons.append(f"An item has several rows at a time, so {names} tells series apart as well.")
            return others
        if others:
            names = ", ".join(map(self._label, others))
            self.reasons.append(f"{names} is not needed to tell series apart and stays out of the forecast.")
        return []

    def _params(
        self, time: int, target: int, item: int, others: list[int], frequency: Frequency, java_format: str
    ) -> dict[str, Any]:
        named = {
            time: ("timestamp", "timestamp"),
            target: ("target_value", "float"),
            item: ("item_id", "string"),
        }
        taken = {name for name, _ in named.values()}
        for column in others:
            named[column] = (_unique(_plain(self.labels[column]), taken), "string")
            taken.add(named[column][0])
        dimensions = [named[column][0] for column in self._dimensions(time, item, others)]
        predictor: dict[str, Any] = {
            "PredictorName": f"{self.name}_predictor",
            "ForecastHorizon": self._horizon(frequency),
            "ForecastFrequency": str(frequency),
            "ForecastTypes": ["0.1", "0.5", "0.9"],
        }
        if dimensions:
            predictor["ForecastDimensions"] = dimensions
        pairs = [named[column] for column in self.columns]
        attributes = [{"AttributeName": name, "AttributeType": kind} for name, kind in pairs]
        dataset = {
            "DatasetName": f"{self.name}_target",
            "Domain": "CUSTOM",
            "DatasetType": "TARGET_TIME_SERIES",
            "DataFrequency": str(frequency),
            "Schema": {"Attributes": attributes},
        }
        return {
            "DatasetGroup": {"DatasetGroupName": self.name, "Domain": "CUSTOM"},
            "Datasets": [dataset],
            "Predictor": predictor,
            "Forecast": {
                "ForecastName": f"{self.name}_forecast",
                "ForecastTypes": ["0.1", "0.5", "0.9", "mean"],
            },
            "TimestampFormat": java_format,
            "PerformDelete": False,
        }

    def _share(self, column: int, fits: Callable[[str], object]) -> float:
        """The share of the column's cells that fit."""
        cells = self.frame[column].head(ROWS_TO_KNOW_A_COLUMN)
        return float(cells.map(lambda cell: bool(fits(cell))).mean())

    def _word(self, column: int) -> str:
        return _plain(self.labels[column]).lower() if self.header else ""

    def _label(self, column: int) -> str:
        return f"Column {self.labels[column]!r}" if self.header else f"Column {column + 1}"

    def _best(self, columns: Sequence[int], words: Sequence[str]) -> int:
        """The column whose name stands first among the words; else the first column."""
        rank = {word: place for place, word in enumerate(words)}
        return min(columns, key=lambda c: (rank.get(self._word(c), len(words)), c))


def _step_name(seconds: float) -> str:
    """The frequency whose step is this long; for odd ones the next finer that the service knows."""
    days = seconds / 86400
    calendar = next((name for low, high, name in CALENDAR_STEPS if low <= days <= high), None)
    if calendar and seconds not in STEPS:
        return calendar
    if 27.9 < days < 28.1:
        return "4W"
    return STEPS[max((step for step in STEPS if step <= seconds), default=60)]


def _plain(text: str) -> str:
    """A name that the API takes: a letter, then letters, digits and underscores, not too long."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:40]
    return plain if plain and plain[0].isalpha() else f"x_{plain}".rstrip("_")


def _unique(name: str, taken: set[str]) -> str:
    candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _is_time(cell: str) -> bool:
    return any(re.fullmatch(pattern, cell) for pattern in PATTERNS.values())


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell) is not None


def _is_number_or_empty(cell: str) -> bool:
    return cell == "" or _is_number(cell) or cell.lower() == "nan"


def main(arguments: list[str]) -> int:
    """Prints the configuration; the reasons go to the error stream."""
    if len(arguments) != 1:
        print("usage: python -m pipeline.proposal my.csv > params.json", file=sys.stderr)
        return 2
    try:
        proposal = propose(arguments[0])
    except (BadInput, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(proposal.reasons), file=sys.stderr)
    print(json.dumps(proposal.params, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
