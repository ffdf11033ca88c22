"""Proposes a params.json for a sample of past demand, and says why and what it could not know.

    python -m pipeline.proposal my.csv > params.json
    python -m pipeline.proposal my.parquet --related prices.csv --metadata products.csv > params.json

The columns keep their order: params.json lists them as the files have them, so nothing has to be renamed.
"""

import argparse
import itertools
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.domains import DOMAINS
from pipeline.errors import BadInput
from pipeline.frequency import WEEKDAYS, Frequency, Grid
from pipeline.levels import Values, is_named_amount, is_named_level
from pipeline.params import load
from pipeline.rhythm import ahead, apart, distance, is_regular, step_name, suiting, typical_s
from pipeline.rules.datasets import is_free
from pipeline.sample import MOST, OTHER_TIMES, WIDE, Sample, is_number_or_empty, is_time, plain, unusable
from pipeline.timestamps import DAY, SECOND, directive

ITEM_WORDS = (
    "item_id", "item", "id", "series", "series_id", "unique_id", "sku", "product", "product_id", "article",
    "store", "shop", "meter", "household", "client", "customer", "name", "key",
)  # fmt: skip
TIME_WORDS = ("timestamp", "time", "date", "datetime", "ds", "day", "week", "month", "year", "hour", "period")
CALENDAR_WORDS = (*TIME_WORDS, "weekday", "day_of_week", "dow", "quarter", "season", "holiday")
TARGET_WORDS = (
    "target_value", "target", "value", "y", "demand", "sales", "qty", "quantity", "units", "amount", "count",
    "consumption", "load", "kwh", "volume", "revenue", "traffic",
)  # fmt: skip
# By the unit of the frequency: the horizon for a short and for a long history, in steps of one unit.
HORIZONS = {"min": (60, 240), "H": (24, 72), "D": (14, 28), "W": (8, 13), "M": (6, 12), "Y": (2, 3)}
LONG_HISTORY = 40  # horizons; from here on the longer one is proposed
ANOTHER = "_name"  # what is added to a name that the service keeps for itself
MOST_SHARED = 0.5  # of the cells of a column that are items of the target, for it to be the item key
FEW_REPEATS = 0.01  # of all rows; so many of one series and time are exceptions and no series of their own
SHORTEST = 4  # rows of a series; the service wants a history of four horizons
SHORT_LOG = pd.Timedelta(weeks=4)  # of irregular times; too short for a forecast of days
IDLE_WEEKS = 4  # without a row on a weekday: then there is never one
HOUR_MINUTES, DAY_MINUTES = 60, 24 * 60
DOMAIN_NAMES = ("RETAIL", "EC2_CAPACITY", "WORK_FORCE", "METRICS")  # whose field names tell them apart


@dataclass(frozen=True)
class Proposal:
    """A configuration that passes the checks, the reason for each choice, and what the sample cannot tell."""

    params: dict[str, Any]
    reasons: list[str]
    unknown: list[str] = field(default_factory=list)


def propose(
    source: str | Path | Iterable[str],
    name: str = "",
    related: str | Path | Iterable[str] | None = None,
    metadata: str | Path | Iterable[str] | None = None,
) -> Proposal:
    """A configuration for a CSV or Parquet file.

    Args:
        source: the target's path, or its lines.
        name: what the resources are called; the file's name if it is not given.
        related: a sample of related data, which is left out with the reason if it does not fit.
        metadata: a sample of item metadata, likewise.

    Raises:
        BadInput: if the target cannot be forecast as it is, with what to add or change.
    """
    if isinstance(source, str | Path):
        name = name or Path(source).stem
    target = _Target(Sample.of(source))
    draft = target.params(plain(name or "data"))
    unknown = target.unknown()
    if related is not None:
        unknown += _tried(lambda: _add_related(draft, target, Sample.of(related)), "related")
    if metadata is not None:
        unknown += _tried(lambda: _add_metadata(draft, target, Sample.of(metadata)), "metadata")
    load(json.dumps(draft).encode())
    return Proposal(draft, target.reasons, unknown)


def _tried(add: Any, what: str) -> list[str]:
    """Why a further file is left out, if it is."""
    try:
        add()
    except BadInput as error:
        (problem,) = error.problems
        return [f"The {what} file is left out: {problem.rule}. {problem.remedy}"]
    return []


class _Target:
    """Finds out what each column of the target is."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.reasons = [
            f"The first line is a header ({', '.join(sample.header)})."
            if sample.header
            else "There is no header line: the columns are told by their content."
        ]
        self.time = self._time()
        self.java_format = sample.time_form(self.time)
        self.reasons.append(f"{sample.label(self.time)} holds the times, in the form {self.java_format}.")
        self.target = self._target()
        self.item, self.others = self._item()
        self.items = set(sample.frame[self.item])
        self.moments = _moments(sample, self.time, self.java_format)
        self.dimensions = self._dimensions()
        self.frequency = self._frequency()
        self.steps = self.frequency.steps(
            self.moments.min().to_pydatetime(), self.moments.max().to_pydatetime()
        )
        self.names: dict[int, str] = {}

    def params(self, name: str) -> dict[str, Any]:
        """The configuration for the target alone."""
        domain = self._domain()
        own = DOMAINS[domain]
        self.names = {self.time: "timestamp", self.target: own.target, self.item: own.item_key}
        kinds = {self.time: "timestamp", self.target: "float"}
        for column in self.others:
            self.names[column] = self.free_name(self.sample.labels[column], self.names.values())
        predictor: dict[str, Any] = {
            "PredictorName": f"{name}_predictor",
            "ForecastHorizon": self._horizon(),
            "ForecastFrequency": str(self.frequency),
            "ForecastTypes": ["0.1", "0.5", "0.9"],
        }
        if self.dimensions:
            predictor["ForecastDimensions"] = [self.names[column] for column in self.dimensions]
        if boundary := self._boundary():
            predictor["TimeAlignmentBoundary"] = boundary
        transformations, reason = self._treatment
        if transformations:
            self.reasons.append(reason)
            config = {"AttributeName": own.target, "Transformations": transformations}
            predictor["DataConfig"] = {"AttributeConfigs": [config]}
        pairs = [(self.names[c], kinds.get(c, "string")) for c in self.sample.columns]
        dataset = _dataset(f"{name}_target", domain, "TARGET_TIME_SERIES", pairs)
        dataset["DataFrequency"] = str(self.frequency)
        draft: dict[str, Any] = {
            "DatasetGroup": {"DatasetGroupName": name, "Domain": domain},
            "Datasets": [dataset],
            "Predictor": predictor,
            "Forecast": {"ForecastName": f"{name}_forecast", "ForecastTypes": ["0.1", "0.5", "0.9", "mean"]},
            "TimestampFormat": self.java_format,
            "PerformDelete": False,
        }
        self._tell_of_aggregation()
        if policy := self._duplicates():
            draft["Checks"] = {"Duplicates": policy}
        return draft

    def free_name(self, label: str, taken: Iterable[str]) -> str:
        """What a column is called in the schema; that it is not as in the file has its reason."""
        name = _unique(plain(label), set(taken))
        if not is_free(plain(label)):
            self.reasons.append(f"Column {label!r} is called {name}: the service keeps its name for itself.")
        return name

    def unknown(self) -> list[str]:
        """What the sample cannot tell."""
        said: list[str] = []
        said += self._broken()
        if not self.sample.header:
            said.append("Without a header the meaning of the columns is a guess from their content.")
        if self.sample.is_cut:
            said.append(
                f"Only the first {len(self.sample.frame)} rows were read; an upload is checked in full."
            )
        said += self._unsure_of_missing()
        said += self._unsure_of_adding()
        said.append("How far ahead you need to know: set ForecastHorizon if the proposed one is not it.")
        said.append("Which country's holidays matter: add them as AdditionalDatasets if any do.")
        if self.frequency.needs_time_of_day:
            said.append("The time zone: times are taken as they stand; TimeZone can name their zone.")
        return said

    def _broken(self) -> Iterator[str]:
        """Cells that an upload would be refused for, and what follows."""
        frame, times, label = self.sample.frame, self.moments, self.sample.label
        no_time, no_number = times.isna(), ~frame[self.target].map(is_number_or_empty)
        broken = int((no_time | no_number).sum())
        if not broken:
            return
        for column, kind, wrong in ((self.time, "time", no_time), (self.target, "number", no_number)):
            if wrong.any():
                first = frame[column][wrong].iloc[0]
                is_no = f"is no {kind}" if wrong.sum() == 1 else f"are no {kind}s"
                seen = f"{first!r} is the first" if first else "the first is empty"
                yield f"{wrong.sum()} of {len(frame)} cells of {label(column)} {is_no}: {seen}."
        share = math.ceil(1000 * broken / len(frame)) / 1000
        yield (
            f"Whether {_rows(broken)} without a time or a number may be set aside: an upload is refused "
            "until they are correct, or their numbers empty, or Checks.MostBadRows, here of "
            f"{share:g} at the least, tolerates them."
        )

    # -- columns

    def _time(self) -> int:
        if not self.sample.times:
            raise self._no_time()
        return self.sample.best(self.sample.times, TIME_WORDS)

    def _no_time(self) -> BadInput:
        numeric = self.sample.numeric
        if len(numeric) >= WIDE and len(numeric) >= 0.8 * len(self.sample.columns):
            return unusable(
                f"it is in wide form: each row is a series, with {len(numeric)} steps beside each other and "
                "no times",
                "Turn it into one row per series and time: timestamp, value, item. When the series begin and "
                "how long a step is has to come from elsewhere.",
            )
        looks = [c for c in self.sample.columns if self.sample.word(c) in TIME_WORDS]
        looks += self.sample.looks_like(OTHER_TIMES)
        value = ""
        if looks:
            value = f" ({self.sample.label(looks[0])} has {self.sample.first_unlike(looks[0], is_time)})"
        return unusable(
            f"no column holds times in a form that the service reads{value}",
            f"Write the times as {DAY} or {SECOND}.",
        )

    def _target(self) -> int:
        sample = self.sample
        numeric = [c for c in sample.mostly_numeric if c != self.time]
        if not numeric:
            raise self._no_number()
        if len(numeric) >= WIDE and len(numeric) >= len(sample.columns) - 2:
            raise unusable(
                f"it is in wide form: {len(numeric)} columns of numbers, each of them a series",
                f"Turn it into one row per series and time{self._melted()}.",
            )
        named = [c for c in numeric if self._is_named_target(c)]
        if named:
            target = sample.best(named, (*TARGET_WORDS, *sorted(_domain_targets())))
        else:  # codes are whole numbers that repeat; demand has fractions or the most different values
            pool = [c for c in numeric if sample.word(c) not in (*ITEM_WORDS, *_domain_items())] or numeric
            pool = [c for c in pool if sample.has_fractions(c)] or pool
            target = max(pool, key=lambda c: sample.frame[c].nunique())
        self.reasons.append(f"{sample.label(target)} is what is forecast: it holds the demand.")
        return target

    def _is_named_target(self, column: int) -> bool:
        return self.sample.word(column) in (*TARGET_WORDS, *_domain_targets())

    def _no_number(self) -> BadInput:
        sample = self.sample
        looks = [c for c in sample.columns if self._is_named_target(c)]
        looks = [c for c in (*looks, *sample.looks_like(re.compile(r".*[0-9].*"))) if c != self.time]
        if not looks:
            return unusable("no column holds numbers", "Add the demand as a column of numbers.")
        cell = sample.first_unlike(looks[0], is_number_or_empty)
        if not re.search("[0-9]", cell):
            return unusable(
                f"no column holds numbers in most of its cells ({sample.label(looks[0])} has {cell})",
                "Give the demand as a column of numbers, and leave a cell empty if its number is not known.",
            )
        return unusable(
            f"no column holds numbers in a form that the service reads ({sample.label(looks[0])} has {cell})",
            "Write them with a decimal point, without marks between thousands and without a unit.",
        )

    def _item(self) -> tuple[int, list[int]]:
        sample = self.sample
        rest = [c for c in sample.columns if c not in (self.time, self.target)]
        if all(sample.word(c) in CALENDAR_WORDS for c in rest):
            raise unusable(
                "there is no column that says which item a row belongs to",
                "Add one, with the same text in every row if there is only one series: `item_id` = `total`.",
            )
        named = [c for c in rest if sample.word(c) in (*ITEM_WORDS, *_domain_items())]
        self._refuse_numbers(rest, named)
        others = [c for c in rest if sample.word(c) not in CALENDAR_WORDS]
        item = (
            sample.best(named, ITEM_WORDS) if named else max(others, key=lambda c: sample.frame[c].nunique())
        )
        where = " in the first rows" if sample.is_cut else ""
        count = sample.frame[item].nunique()
        there = f"there {_by_number(count, 'is', 'are')} {count}{where}"
        self.reasons.append(f"{sample.label(item)} names the items; {there}.")
        return item, [c for c in rest if c != item]

    def _refuse_numbers(self, rest: list[int], named: list[int]) -> None:
        """Numbers that are neither the target nor a key: features, series beside each other, or a counter."""
        sample = self.sample
        numeric = [c for c in rest if c in sample.numeric and c not in named]
        distinct = {c: sample.frame[c].nunique() for c in numeric}
        is_guess = not named and not sample.frame[self.time].duplicated().any()  # each time comes once
        varying = [c for c in numeric if distinct[c] > 1]
        if is_guess and varying and numeric == rest and not self._is_named_target(self.target):
            raise self._wide(sorted([self.target, *numeric]))
        counters = [c for c in numeric if distinct[c] == len(sample.frame) > 1]
        if counters and len(rest) > len(counters):
            count = len(counters)
            tells = _by_number(
                count, "is different in every row and tells", "are different in every row and tell"
            )
            remedy = f"Remove {_by_number(count, 'it', 'them')}."
            raise unusable(f"{sample.names(counters)} {tells} no series apart", remedy)
        fractional = {c for c in numeric if sample.share(c, lambda cell: "." in cell) > MOST}
        further = [c for c in numeric if c in fractional or (is_guess and distinct[c] > 1)]
        if further:
            holds = _by_number(len(further), "holds", "hold")
            raise unusable(
                f"{sample.names(further)} {holds} further numbers, and a target time series has only one",
                "Move them to a file of related data, or remove them. If each of them is a series, turn the "
                f"file into one row per series and time{self._melted()}.",
            )

    def _wide(self, columns: list[int]) -> BadInput:
        """The error for a file with a column for each series."""
        return unusable(
            f"it looks like wide form, with one column for each series ({self.sample.names(columns)})",
            f"Turn it into one row per series and time{self._melted()}. If only one of them is the demand, "
            "remove the others, and add a column with the same text in every row that names the series.",
        )

    def _melted(self) -> str:
        """How a wide file is brought into long form, where a header makes that one call."""
        if not self.sample.header:
            return ": timestamp, value, item"
        time = self.sample.labels[self.time]
        melt = f"melt({time!r}, var_name='item_id', value_name='target_value')"
        return f", such as with pandas: read_csv(…).{melt}.to_csv(…, index=False)"

    def _dimensions(self) -> list[int]:
        """The further columns without which an item would have several rows at a time."""
        needed = self._needed()
        if needed:
            tell = _by_number(len(needed), "tells", "tell")
            self.reasons.append(
                f"An item has several rows at a time, so {self.sample.names(needed)} {tell} series apart as "
                "well."
            )
        if rest := [c for c in self.others if c not in needed]:
            is_not = _by_number(len(rest), "is not", "are not")
            stays = _by_number(len(rest), "stays", "stay")
            self.reasons.append(
                f"{self.sample.names(rest)} {is_not} needed to tell series apart and {stays} out of the "
                "forecast."
            )
        return needed

    def _needed(self) -> list[int]:
        """What is left when each column goes that takes no rows apart; those of most values go first."""
        frame = self.sample.frame
        needed = [c for c in self.others if not self._leaves_too_short(c)]
        few = FEW_REPEATS * len(frame)
        for column in sorted(needed, key=lambda c: (-frame[c].nunique(), -c)):
            rest = [c for c in needed if c != column]
            more = self._repeated([self.item, *rest]).sum() - self._repeated([self.item, *needed]).sum()
            if more <= few:
                needed = rest
        return needed

    def _leaves_too_short(self, column: int) -> bool:
        """Whether the column would cut the items into series too short to forecast, as order numbers do."""
        rows = self.sample.frame.groupby([self.item, column], observed=True).size()
        return bool(rows.median() < SHORTEST)

    def _domain(self) -> str:
        words = {self.sample.word(self.item), self.sample.word(self.target)}
        for domain in DOMAIN_NAMES:
            if words == {DOMAINS[domain].item_key, DOMAINS[domain].target}:
                self.reasons.append(f"The domain is {domain}: the header has its field names.")
                return domain
        self.reasons.append("The domain is CUSTOM: the header has the field names of no other.")
        return "CUSTOM"

    # -- time

    def _frequency(self) -> Frequency:
        series = self._series(self.keys)
        typical = typical_s(self.moments, series)
        if typical is None:
            raise unusable("every series has one row only", "Give a longer history.")
        if not self.is_regular:
            return self._suiting(typical, series)
        frequency = Frequency.parse(step_name(typical))
        self.reasons.append(f"Rows of a series are typically {apart(typical, frequency)}.")
        if frequency.needs_time_of_day and self.java_format == DAY:
            raise unusable("the times have no time of day", f"Write them as {SECOND}.")
        return frequency

    def _suiting(self, typical: float, series: pd.Series) -> Frequency:
        """For rows without a rhythm, such as those of orders, whose distances say nothing of a step."""
        moments = self.moments.dropna()
        is_short = self.java_format == SECOND and moments.max() - moments.min() < SHORT_LOG
        steps = ("H", "D", "W", "M") if is_short else ("D", "W", "M")
        frequency, share = suiting(moments, series, steps)
        self.reasons.append(
            f"Rows of a series come at irregular times, typically {distance(typical)} apart: the step is "
            f"{frequency.span(1)}, and {share:.0%} of the steps have a row."
        )
        return frequency

    @cached_property
    def is_regular(self) -> bool:
        """Whether the rows of a series have a rhythm."""
        return is_regular(self.moments, self._series(self.keys))

    def _series(self, keys: list[int]) -> pd.Series:
        """The number of the series that each row belongs to."""
        return self.sample.frame.groupby(keys).ngroup()

    def _steps(self) -> pd.DataFrame:
        """The series and the step of each row that has a time."""
        times = self.moments.dropna().astype("datetime64[us]").astype(np.int64)
        steps = Grid(self.frequency, int(times.min())).steps(times.to_numpy())
        return pd.DataFrame(
            {"series": self._series(self.keys)[times.index], "step": steps}, index=times.index
        )

    def _meeting(self) -> int:
        """Rows of which the service makes one value with another; of duplicates the checks make one row."""
        rows = self._steps()
        rows = rows[~self._repeated([self.item, *self.others])[rows.index]]
        return int(rows.duplicated().sum())

    def _tell_of_aggregation(self) -> None:
        meeting = self._meeting()
        if meeting:
            how = "averaged (aggregation: avg)" if self.is_level else "added up (aggregation: sum)"
            self.reasons.append(
                f"{_rows(meeting)} {_by_number(meeting, 'falls', 'fall')} into a step of "
                f"{self.frequency.span(1)} in which the series has another: the values of a step are {how}."
            )

    def _horizon(self) -> int:
        unit, steps = self.frequency, self.steps
        short, long = (max(1, n // unit.count) for n in HORIZONS[unit.unit])
        wanted = long if steps >= LONG_HISTORY * long else short
        longest = steps // 4
        if longest < 1:
            raise unusable(
                f"the history has {steps} steps; the shortest forecast needs four", "Give a longer history."
            )
        horizon = min(wanted, longest)
        usual = f"usual for steps of {ahead(unit, 1)} and a history of {steps} steps"
        if horizon < wanted:
            why = f"the history has only {steps} steps, and a quarter is the limit"
        elif steps >= LONG_HISTORY * long or long == short:
            why = usual
        else:
            why = f"{usual}; from {LONG_HISTORY * long} steps on it would be {ahead(unit, long)}"
        self.reasons.append(f"The horizon is {ahead(unit, horizon)}: {why}.")
        return horizon

    def _boundary(self) -> dict[str, str]:
        """Where the week begins, if all rows are of one weekday that is not Monday."""
        self._tell_of_moved_times()
        days = self.moments.dropna().dt.day_name().str.upper().unique()
        if self.frequency.unit != "W" or len(days) != 1 or days[0] == "MONDAY":
            return {}
        self.reasons.append(f"All times are a {days[0].title()}: the week begins there.")
        return {"DayOfWeek": str(days[0])}

    def _tell_of_moved_times(self) -> None:
        times = self.moments.dropna().astype("datetime64[us]").astype(np.int64).to_numpy()
        is_coarse = self.frequency.unit in ("D", "M", "Y")
        if is_coarse and not Grid(self.frequency, int(times.min())).is_on(times).all():
            self.reasons.append(
                f"The times are not the beginnings of their steps of {self.frequency.span(1)}: the service "
                "moves them there, and the forecast's times are beginnings, too."
            )

    @cached_property
    def _missing(self) -> int:
        """Steps between the first and the last value of each series that have none."""
        steps = self._steps()
        grouped = steps[self._numbers[steps.index].notna()].groupby("series")["step"]
        return int((grouped.max() - grouped.min() + 1 - grouped.nunique()).sum())

    # -- values

    @property
    def is_level(self) -> bool:
        """Whether the header says that the target is a level, such as a price, which cannot be added up."""
        return bool(self.sample.header) and is_named_level(self.sample.labels[self.target])

    @property
    def _is_amount(self) -> bool:
        return bool(self.sample.header) and is_named_amount(self.sample.labels[self.target])

    @cached_property
    def _values(self) -> Values:
        steps = self._steps()
        steps = steps.loc[self.moments[steps.index].sort_values(kind="stable").index]
        return Values(self._numbers[steps.index], steps["series"])

    @cached_property
    def _numbers(self) -> pd.Series:
        """The target; NaN where a cell is empty or no number."""
        return pd.to_numeric(self.sample.frame[self.target], errors="coerce").astype(float)

    @cached_property
    def _treatment(self) -> tuple[dict[str, str], str]:
        """What becomes of steps without a row, and of several in one, if zero or a sum is wrong; and why."""
        label = self.sample.label(self.target)
        not_known = {"middlefill": "nan", "backfill": "nan"}
        if self.is_level:
            return {"aggregation": "avg", **not_known}, (
                f"{label} holds levels, as its name says: steps without a row are not known rather than zero "
                "(middlefill and backfill: nan), and the values of a step are averaged (aggregation: avg)."
            )
        is_log = not self.is_regular  # of what happened: where nothing is written, nothing did
        if is_log or not self._missing or not self._values.stay_off_zero:
            return {}, ""
        if not self._is_amount and self._values.vary_little:
            return not_known, (
                f"The values of {label} vary little and never come near zero, as those of prices: steps "
                "without a row are not known rather than zero (middlefill and backfill: nan)."
            )
        if self._idle or not self._values.stay_far_from_zero:
            return {}, ""
        return {"middlefill": "nan"}, (
            f"The values of {label} never come near zero: steps between them without a row are not known "
            "rather than zero (middlefill: nan)."
        )

    @cached_property
    def _idle(self) -> str:
        """The weekdays or hours on which there is never a row, such as when a shop is closed."""
        times = self.moments.dropna()
        is_short = times.max() - times.min() < IDLE_WEEKS * pd.Timedelta(weeks=1)
        if is_short or self.frequency.minutes > DAY_MINUTES:
            return ""
        present = set(times.dt.dayofweek)
        if days := [name.title() for day, name in enumerate(WEEKDAYS) if day not in present]:
            return f"a {' or '.join(days)}"
        hours = 24 - times.dt.hour.nunique()
        return f"{hours} of the 24 hours" if hours and self.frequency.minutes <= HOUR_MINUTES else ""

    def _unsure_of_missing(self) -> Iterator[str]:
        if not self._missing:
            return
        steps = f"{self._missing} {_by_number(self._missing, 'step has', 'steps have')} no value"
        if self._idle:
            steps += f"; there is never a row on {self._idle}"
        if not self._treatment[0]:
            yield (
                f"{steps}. Whether that means zero (the default) or not known (middlefill and backfill: "
                "nan) is not in the data."
            )
            return
        known = (
            f"{steps}. They are taken as not known, and an item with one in the window of a backtest does "
            "not count in its accuracy."
        )
        idle = " If there was nothing, such as in a shop that is closed, remove the target's Transformations."
        yield known if self.is_level else known + idle

    def _unsure_of_adding(self) -> Iterator[str]:
        is_added = self._meeting() or self._differing().any()
        if is_added and not self.is_level and not self._is_amount and self._values.stay_off_zero:
            yield (
                "Whether values add up: those of one step do (aggregation: sum). If they are levels, such as "
                'prices or temperatures, choose aggregation: avg, and Checks.Duplicates "last".'
            )

    # -- rows

    @property
    def keys(self) -> list[int]:
        """The columns that tell series apart."""
        return [self.item, *self.dimensions]

    def _repeated(self, keys: list[int]) -> pd.Series:
        return self.sample.frame.duplicated([*keys, self.time])

    def _differing(self) -> pd.Series:
        """Which rows differ from an earlier one in the target alone."""
        line = [self.item, *self.others]
        return self._repeated(line) & ~self.sample.frame.duplicated([*line, self.time, self.target])

    def _duplicates(self) -> str | None:
        """What becomes of rows that differ in the target alone; the checks take others for no duplicates."""
        repeated = int(self._repeated([self.item, *self.others]).sum())
        different = int(self._differing().sum())
        if not repeated:
            return None
        if not different:
            self.reasons.append(
                f"{_rows(repeated)} {_by_number(repeated, 'repeats', 'repeat')} another, value and all: the "
                "last counts (Checks.Duplicates)."
            )
            return "last"
        both = (
            f"{_rows(repeated)} {_by_number(repeated, 'has', 'have')} the series and time of another, "
            f"{different} of them with another value"
        )
        if self.is_level:
            self.reasons.append(f"{both}: the last counts, as levels do not add up (Checks.Duplicates).")
            return "last"
        self.reasons.append(
            f"{both}: they are added up, as the service would (Checks.Duplicates). If the later row is a "
            'correction, choose "last".'
        )
        return "sum"


def _add_related(draft: dict[str, Any], target: _Target, sample: Sample) -> None:
    """Lists related data, and lowers the horizon to what they reach."""
    names, kinds = _shared_columns(target, sample)
    time = next(column for column, name in names.items() if name == "timestamp")
    if sample.time_form(time) != target.java_format:
        raise unusable(f"its times are not in the form {target.java_format}", "Write both files alike.")
    texts = [c for c in sample.columns if c not in names and c not in sample.numeric]
    if texts:
        hold = _by_number(len(texts), "holds", "hold")
        rule = f"{sample.names(texts)} {hold} text that is no forecast dimension"
        raise unusable(rule, "Remove it, or turn it into numbers, such as 0 and 1.")
    moments = _moments(sample, time, target.java_format)
    keys = [c for c in names if c != time]
    typical = typical_s(moments, sample.frame.groupby(keys).ngroup())
    if typical is None or step_name(typical) != str(target.frequency):
        rule = f"its rows are not {target.frequency.span(1)} apart, as the target's are"
        raise unusable(rule, "Write both at one frequency.")
    features = [c for c in sample.columns if c not in names]
    if not features:
        raise unusable("it has no column of numbers", "Add what is known of the demand's causes.")
    for column in features:
        names[column] = target.free_name(sample.labels[column], names.values())
        kinds[column] = "float"
    _name_dataset(draft, "related", "RELATED_TIME_SERIES", sample, names, kinds)
    draft["Datasets"][-1]["DataFrequency"] = str(target.frequency)
    _fill(draft, [names[c] for c in features if (sample.frame[c] == "").any()])
    listed = ", ".join(names[column] for column in features)
    target.reasons.append(f"The related file holds {listed}.")
    _reach(draft, target, moments)


def _reach(draft: dict[str, Any], target: _Target, moments: pd.Series) -> None:
    """Related data that end within the horizon shorten it: the service wants them to reach its end."""
    end, last = target.moments.max().to_pydatetime(), moments.max().to_pydatetime()
    ahead = target.frequency.steps(end, last) - 1 if last > end else 0
    horizon = draft["Predictor"]["ForecastHorizon"]
    span = target.frequency.span
    if ahead <= 0:
        target.reasons.append("The related data end with the target: nothing is known ahead.")
    elif ahead < horizon:
        draft["Predictor"]["ForecastHorizon"] = ahead
        target.reasons.append(f"The horizon is {span(ahead)}: the related data reach no farther.")
    else:
        target.reasons.append(f"The related data reach {span(ahead)} beyond the target, over the horizon.")


def _fill(draft: dict[str, Any], names: list[str]) -> None:
    if names:
        how = dict.fromkeys(("middlefill", "backfill", "futurefill"), "mean")
        configs = [{"AttributeName": name, "Transformations": how} for name in names]
        known = draft["Predictor"].setdefault("DataConfig", {}).setdefault("AttributeConfigs", [])
        known.extend(configs)


def _add_metadata(draft: dict[str, Any], target: _Target, sample: Sample) -> None:
    item = _item_column(target, sample)
    if sample.frame[item].duplicated().any():
        raise unusable("an item has several rows", "Keep one row for each item.")
    names = {item: target.names[target.item]}
    for column in sample.columns:
        if column != item:
            names[column] = target.free_name(sample.labels[column], names.values())
    if len(names) < 2:
        raise unusable("it has nothing but the item key", "Add columns that describe the items.")
    _name_dataset(draft, "metadata", "ITEM_METADATA", sample, names, {})
    target.reasons.append(f"The metadata describe {sample.frame[item].nunique()} items.")


def _shared_columns(target: _Target, sample: Sample) -> tuple[dict[int, str], dict[int, str]]:
    """The columns that a related file has in common with the target, by name, and their types."""
    if not sample.times:
        raise unusable("no column holds times in the target's form", f"Write them as {target.java_format}.")
    time = sample.best(sample.times, TIME_WORDS)
    item = _item_column(target, sample)
    names = {time: "timestamp", item: target.names[target.item]}
    for dimension in target.dimensions:
        values = set(target.sample.frame[dimension])
        rest = [
            c for c in sample.columns if c not in names and sample.share(c, values.__contains__) > MOST_SHARED
        ]
        if rest:
            names[rest[0]] = target.names[dimension]
    return names, {time: "timestamp"}


def _item_column(target: _Target, sample: Sample) -> int:
    """The column whose cells are the target's items."""
    own = target.sample.word(target.item)
    shares = {c: sample.share(c, target.items.__contains__) for c in sample.columns}
    best = max(sample.columns, key=lambda c: (sample.word(c) == own != "", shares[c]))
    if shares[best] <= MOST_SHARED and not target.sample.is_cut:
        raise unusable("no column has the target's items", "Add the item key, spelled as in the target.")
    return best


def _name_dataset(
    draft: dict[str, Any], role: str, kind: str, sample: Sample, names: dict[int, str], kinds: dict[int, str]
) -> None:
    group = draft["DatasetGroup"]
    pairs = [(names[column], kinds.get(column, "string")) for column in sample.columns]
    draft["Datasets"].append(_dataset(f"{group['DatasetGroupName']}_{role}", group["Domain"], kind, pairs))


def _dataset(name: str, domain: str, kind: str, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    attributes = [{"AttributeName": own, "AttributeType": type_} for own, type_ in pairs]
    return {"DatasetName": name, "Domain": domain, "DatasetType": kind, "Schema": {"Attributes": attributes}}


def _moments(sample: Sample, time: int, java_format: str) -> pd.Series:
    moments = pd.to_datetime(sample.frame[time], format=directive(java_format), errors="coerce")
    if moments.isna().all():
        raise unusable("none of its times is a date that exists", f"Write them as {java_format}.")
    return moments


def _domain_targets() -> set[str]:
    return {DOMAINS[name].target for name in DOMAIN_NAMES}


def _domain_items() -> set[str]:
    return {DOMAINS[name].item_key for name in DOMAIN_NAMES}


def _rows(count: int) -> str:
    return f"{count} {_by_number(count, 'row', 'rows')}"


def _by_number(count: int, one: str, several: str) -> str:
    """The word for so many."""
    return one if count == 1 else several


def _unique(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    candidates = itertools.chain([name, f"{name}{ANOTHER}"], numbered)
    lower = {each.lower() for each in taken}
    return next(each for each in candidates if each.lower() not in lower and is_free(each))


def main(arguments: list[str]) -> int:
    """Prints the configuration; reasons and what is not known go to the error stream."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.proposal", description="Propose a params.json for a sample of past demand."
    )
    parser.add_argument("target", help="CSV or Parquet: times, demand, items")
    parser.add_argument("--related", help="a sample of related data, such as prices")
    parser.add_argument("--metadata", help="a sample of item metadata")
    parser.add_argument("--name", default="", help="what the resources are called")
    try:
        given = parser.parse_args(arguments)
        proposal = propose(given.target, given.name, given.related, given.metadata)
    except SystemExit as end:
        return int(end.code or 0)
    except (BadInput, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(proposal.reasons), file=sys.stderr)
    print("\n".join(["Not known:", *(f"- {line}" for line in proposal.unknown)]), file=sys.stderr)
    print(json.dumps(proposal.params, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
