"""Which column of a sample of past demand holds what: times, demand, items, forecast dimensions."""

import re
from functools import cached_property

import pandas as pd

from pipeline.domains import DOMAINS
from pipeline.errors import BadInput
from pipeline.inspection import zone_problem
from pipeline.proposal.words import by_number
from pipeline.sample import MOST, OTHER_TIMES, WIDE, Sample, is_number_or_empty, is_time, unusable
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
FEW_REPEATS = 0.01  # of all rows; so many of one series and time are exceptions and no series of their own
SHORTEST = 4  # rows of a series; the service wants a history of four horizons
DOMAIN_NAMES = ("RETAIL", "EC2_CAPACITY", "WORK_FORCE", "METRICS")  # whose field names tell them apart


class Columns:
    """The columns of a target, told by the words of the header and by their cells.

    Args:
        sample: the target's first rows.
        reasons: where each choice is written down with its reason.

    Raises:
        BadInput: if there is nothing to forecast, with what to add or change.
    """

    def __init__(self, sample: Sample, reasons: list[str]) -> None:
        self.sample, self._reasons = sample, reasons
        reasons.append(
            f"The first line is a header ({', '.join(sample.header)})."
            if sample.header
            else "There is no header line: the columns are told by their content."
        )
        self.time = self._time()
        self.java_format = sample.time_form(self.time)
        reasons.append(f"{sample.label(self.time)} holds the times, in the form {self.java_format}.")
        self.target = self._target()
        self.item, self.others = self._item()
        self.moments = moments(sample, self.time, self.java_format)
        self.dimensions = self._dimensions()

    @property
    def keys(self) -> list[int]:
        """The columns that tell series apart."""
        return [self.item, *self.dimensions]

    @cached_property
    def series(self) -> pd.Series:
        """The number of the series that each row belongs to."""
        return self.sample.frame.groupby(self.keys).ngroup()

    @cached_property
    def repeated(self) -> pd.Series:
        """Which rows have all that an earlier one has but the target."""
        return self._repeated([self.item, *self.others])

    @cached_property
    def differing(self) -> pd.Series:
        """Which rows differ from an earlier one in the target alone."""
        line = [self.item, *self.others, self.time, self.target]
        return self.repeated & ~self.sample.frame.duplicated(line)

    def domain(self) -> str:
        """The service's domain whose field names the header has."""
        words = {self.sample.word(self.item), self.sample.word(self.target)}
        for domain in DOMAIN_NAMES:
            if words == {DOMAINS[domain].item_key, DOMAINS[domain].target}:
                self._reasons.append(f"The domain is {domain}: the header has its field names.")
                return domain
        self._reasons.append("The domain is CUSTOM: the header has the field names of no other.")
        return "CUSTOM"

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
        self._reasons.append(f"{sample.label(target)} is what is forecast: it holds the demand.")
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
        count = sample.frame[item][sample.frame[item] != ""].nunique()
        there = f"there {by_number(count, 'is', 'are')} {count}{where}"
        self._reasons.append(f"{sample.label(item)} names the items; {there}.")
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
            tells = by_number(
                count, "is different in every row and tells", "are different in every row and tell"
            )
            remedy = f"Remove {by_number(count, 'it', 'them')}."
            raise unusable(f"{sample.names(counters)} {tells} no series apart", remedy)
        fractional = {c for c in numeric if sample.share(c, lambda cell: "." in cell) > MOST}
        further = [c for c in numeric if c in fractional or (is_guess and distinct[c] > 1)]
        if further:
            holds = by_number(len(further), "holds", "hold")
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
            tell = by_number(len(needed), "tells", "tell")
            self._reasons.append(
                f"An item has several rows at a time, so {self.sample.names(needed)} {tell} series apart as "
                "well."
            )
        if rest := [c for c in self.others if c not in needed]:
            is_not = by_number(len(rest), "is not", "are not")
            stays = by_number(len(rest), "stays", "stay")
            self._reasons.append(
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

    def _repeated(self, keys: list[int]) -> pd.Series:
        return self.sample.frame.duplicated([*keys, self.time])


def moments(sample: Sample, time: int, java_format: str) -> pd.Series:
    """The time of each row; NaT where a cell is none.

    Raises:
        BadInput: if an upload of such times is refused.
    """
    if sample.kinds and (problem := zone_problem(sample.kinds[time])):
        raise unusable(*problem, f"the file, column {sample.labels[time]!r}")
    times = pd.to_datetime(sample.frame[time], format=directive(java_format), errors="coerce")
    if times.isna().all():
        raise unusable("none of its times is a date that exists", f"Write them as {java_format}.")
    return times


def _domain_targets() -> set[str]:
    return {DOMAINS[name].target for name in DOMAIN_NAMES}


def _domain_items() -> set[str]:
    return {DOMAINS[name].item_key for name in DOMAIN_NAMES}
