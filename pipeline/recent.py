"""What the items did lately: their history at the step of the forecast, counted back from its first time.

    rows of the input          t   ─▶  steps back  3  2  1 │ forecast
    finer or several per step      ─▶  added up, or averaged where params.json says so

Up to a year is kept, so that a season is seen; less where that would be more than five million values. What
is kept are the steps that have rows: one number each, whatever the size of the files.
"""

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage, timestamps
from pipeline.cells import SEPARATOR
from pipeline.datafile import CsvFile, ParquetFile, format_of
from pipeline.errors import translated
from pipeline.forecastfile import Key
from pipeline.form import CSV
from pipeline.frequency import Frequency
from pipeline.params import Params
from pipeline.quantiles import quantile
from pipeline.workload import Workload

MOST_CELLS = 5_000_000
FEWEST_STEPS = 10  # with fewer an item tells nothing; so many are kept whatever the number of items
LEAST_STEPS = 48
YEAR_MINUTES = 365.25 * 24 * 60
ROWS_HELD = 1_000_000  # beside those that have been added up, before they are, too


def steps_back(times: np.ndarray, first: dt.datetime, frequency: Frequency) -> np.ndarray:
    """How many steps before `first` the step of each time begins: 1 for the one directly before it.

    Args:
        times: datetime64. first: the beginning of a step.
    """
    if frequency.unit not in ("M", "Y"):
        step = np.timedelta64(round(frequency.minutes * 60), "s")
        return -((times - np.datetime64(first)) // step)
    months = frequency.count * (12 if frequency.unit == "Y" else 1)
    own = times.astype("datetime64[M]").astype(int)
    into = times - times.astype("datetime64[M]").astype(times.dtype)
    anchor = np.datetime64(first, "M")
    early = into < np.datetime64(first) - anchor.astype("datetime64[s]")
    return -((own - int(anchor.astype(int)) - early) // months)


def steps_ahead(first: dt.datetime, frequency: Frequency, horizon: int) -> list[dt.datetime]:
    """The times of a forecast without gaps."""
    return [shifted(first, frequency, step) for step in range(horizon)]


def shifted(moment: dt.datetime, frequency: Frequency, steps: int) -> dt.datetime:
    """The time so many steps later; earlier for a negative number."""
    count = frequency.count * steps
    if frequency.unit == "M":
        return (pd.Timestamp(moment) + pd.DateOffset(months=count)).to_pydatetime()
    if frequency.unit == "Y":
        return (pd.Timestamp(moment) + pd.DateOffset(years=count)).to_pydatetime()
    return moment + dt.timedelta(minutes=frequency.minutes * steps)


@dataclass(frozen=True)
class Recent:
    """The items' last values.

    `item`, `back` and `values` are parallel: one entry for each item and step that has a value, sorted by
    item and value.
    """

    items: pd.Index  # [N] keys joined by SEPARATOR
    lowest: np.ndarray  # [N] of all rows, not only the recent ones; NaN for an item without a value
    item: np.ndarray  # [C] places in `items`
    back: np.ndarray  # [C] steps before the forecast
    values: np.ndarray  # [C]
    last_back: int  # the step of the newest row of all, with or without a value

    @cached_property
    def observed(self) -> np.ndarray:
        """[N] recent steps that have a value."""
        return np.bincount(self.item, minlength=len(self.items))

    @cached_property
    def starts(self) -> np.ndarray:
        """[N] where each item's cells begin."""
        return np.concatenate([[0], np.cumsum(self.observed)[:-1]]).astype(int)

    @property
    def low(self) -> np.ndarray:
        """[N] the lowest recent value; NaN for none."""
        return self._at(self.starts)

    @property
    def high(self) -> np.ndarray:
        """[N] the highest recent value; NaN for none."""
        return self._at(self.starts + self.observed - 1)

    @cached_property
    def ranges(self) -> np.ndarray:
        """[N] from the lowest to the highest, at least a tenth of the larger and a hundredth of the usual."""
        largest = np.fmax(np.abs(self.low), np.abs(self.high))
        usual = float(np.nanmean(largest)) if np.isfinite(largest).any() else 0.0
        least = 0.01 * usual or 1.0
        return np.fmax(np.fmax(self.high - self.low, 0.1 * largest), least)

    @cached_property
    def steps(self) -> np.ndarray:
        """[N] from each item's oldest recent value to the forecast."""
        oldest = np.zeros(len(self.items), dtype=int)
        np.maximum.at(oldest, self.item, self.back)
        return oldest

    def level(self, types: Sequence[str], *, with_zeros: bool) -> np.ndarray:
        """[N] the mean over the types of what each would be for a forecast like the recent past.

        Args:
            with_zeros: whether steps without a value count as zero.
        """
        return np.mean([self.of_type(label, with_zeros) for label in types], axis=0)

    def of_type(self, label: str, with_zeros: bool) -> np.ndarray:
        """[N] the mean of each item's values, or a quantile of them (the value at or below it)."""
        count = self.steps if with_zeros else self.observed
        share = quantile(label)
        if share is None:
            total = np.bincount(self.item, weights=self.values, minlength=len(self.items))
            with np.errstate(invalid="ignore", divide="ignore"):
                return total / count
        place = np.floor((count - 1) * share).astype(int) - (count - self.observed)
        found = self._at(self.starts + np.maximum(place, 0))
        return np.where(place < 0, 0.0, found)

    def totals(self) -> np.ndarray:
        """[B] all items together, from the step directly before the forecast backwards."""
        return np.bincount(self.back, weights=self.values)[1:]

    def reported(self) -> np.ndarray:
        """[B] whether any item has a value in the step."""
        return np.bincount(self.back)[1:] > 0

    def of(self, places: np.ndarray) -> "Recent":
        """The history of some items, in another order; -1 stands for one that is not there."""
        target = np.full(len(self.items) + 1, -1)
        target[places] = np.arange(len(places))
        moved = target[self.item]
        kept = np.flatnonzero(moved >= 0)
        order = kept[np.lexsort((self.values[kept], moved[kept]))]
        lowest = (
            np.where(places < 0, np.nan, self.lowest[places])
            if len(self.items)
            else np.full(len(places), np.nan)
        )
        return Recent(
            pd.RangeIndex(len(places)),
            lowest,
            moved[order],
            self.back[order],
            self.values[order],
            self.last_back,
        )

    def since(self, steps: int) -> "Recent":
        """The same with no more than so many steps."""
        kept = self.back <= steps
        return Recent(
            self.items, self.lowest, self.item[kept], self.back[kept], self.values[kept], self.last_back
        )

    def _at(self, places: np.ndarray) -> np.ndarray:
        if not len(self.values):
            return np.full(len(self.items), np.nan)
        return np.where(self.observed > 0, self.values[np.minimum(places, len(self.values) - 1)], np.nan)


def read(
    s3: Any, workload: Workload, params: Params, keys: Iterable[str], first: dt.datetime, items: int
) -> Recent:
    """The recent history in the objects of these keys, read in a stream.

    Args:
        first: the forecast's first time.
        items: about how many items there are.
    """
    gathered = _Gathered(reach(params, items))
    for rows in uploaded(s3, workload, params, keys):
        gathered.add(rows, steps_back(rows["time"].to_numpy(), first, params.frequency))
    return gathered.recent(averaged=is_averaged(params))


def uploaded(s3: Any, workload: Workload, params: Params, keys: Iterable[str]) -> Iterator[pd.DataFrame]:
    """The rows in the objects of these keys, in a stream: item (its key, joined), time and value."""
    for key in keys:
        with translated(f"reading s3://{workload.bucket}/{key}"):
            body = s3.get_object(Bucket=workload.bucket, Key=key)["Body"]
            yield from _rows(body, key, params)


def staged(s3: Any, workload: Workload, run: str) -> list[str]:
    """The keys of what a run imports as its history."""
    return storage.keys(s3, workload, f"runs/{run}/input/train/")


def reach(params: Params, items: int) -> int:
    """How many steps are kept, for about so many items."""
    wanted = max(math.ceil(YEAR_MINUTES / params.frequency.minutes), 4 * params.horizon, LEAST_STEPS)
    return max(FEWEST_STEPS, min(wanted, MOST_CELLS // max(items, 1)))


def is_averaged(params: Params) -> bool:
    """Whether several values of one step are one value between them rather than their sum."""
    given = params.predictor.get("DataConfig", {}).get("AttributeConfigs", ())
    older = params.predictor.get("FeaturizationConfig", {}).get("Featurizations", ())
    chosen = [one["Transformations"] for one in given if one["AttributeName"] == params.target.target_field]
    chosen += [
        step.get("FeaturizationMethodParameters", {})
        for one in older
        if one["AttributeName"] == params.target.target_field
        for step in one.get("FeaturizationPipeline", ())
    ]
    return any(one.get("aggregation", "sum") != "sum" for one in chosen)


def _rows(body: Any, key: str, params: Params) -> Iterator[pd.DataFrame]:
    """Item, time and value of the rows that have a time: so a header is none."""
    spec = params.target
    columns = [spec.position(name) for name in (spec.item_key, *params.dimensions)]
    file = CsvFile(body, len(spec.columns)) if format_of(key) == CSV else ParquetFile(body)
    for chunk in file.chunks():
        times = time_cells(chunk.arrays[spec.position("timestamp")], params.timestamp_format)
        known = pc.is_valid(times)
        texts = [text_cells(chunk.arrays[place].filter(known)) for place in columns]
        joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, SEPARATOR)
        yield pd.DataFrame(
            {
                "item": joined.dictionary_encode().to_pandas(),
                "time": times.filter(known).to_numpy(zero_copy_only=False),
                "value": number_cells(chunk.arrays[spec.position(spec.target_field)].filter(known)),
            }
        )
    if isinstance(file, ParquetFile):
        file.close()


def text_cells(array: pa.Array) -> pa.Array:
    """The cells as text; empty for one that is missing."""
    return pc.fill_null(pc.cast(array, pa.string()), "")


def time_cells(array: pa.Array, java_format: str) -> pa.Array:
    """The times, in seconds; those with a zone in UTC, and null for what is none."""
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return pc.cast(array, pa.timestamp("s"), safe=False)
    form = timestamps.directive(java_format)
    return pc.strptime(text_cells(array), format=form, unit="s", error_is_null=True)


def number_cells(array: pa.Array) -> np.ndarray:
    """The numbers; NaN for everything else."""
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_decimal(array.type):
        return pc.cast(array, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    texts = text_cells(array)
    try:
        numbers = pc.cast(pc.if_else(pc.equal(texts, ""), None, texts), pa.float64())
        return numbers.to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:  # a cell that is none, or one in a form that only Python reads
        return pd.to_numeric(texts.to_pandas(), errors="coerce").to_numpy(dtype=float)


class _Gathered:
    """Rows, added up by item and step as they come."""

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._codes: dict[str, int] = {}
        self._held: list[pd.DataFrame] = []
        self._added_up = 0  # cells of the first frame, which have been added up already
        self._lowest: list[pd.Series] = []
        self._last_back = 2**62

    def add(self, rows: pd.DataFrame, back: np.ndarray) -> None:
        """Takes rows of item, time and value that lie so many steps back."""
        if not len(rows):
            return
        self._last_back = min(self._last_back, int(back.min()))
        names = rows["item"].cat.categories
        codes = np.array([self._codes.setdefault(name, len(self._codes)) for name in names], dtype=np.int32)
        cells = pd.DataFrame(
            {"item": codes[rows["item"].cat.codes], "back": back.astype(np.int32), "sum": rows["value"]}
        )
        cells = cells[np.isfinite(cells["sum"])]
        self._lowest.append(cells.groupby("item")["sum"].min())
        recent = cells[(cells["back"] <= self._reach) & (cells["back"] > 0)].assign(count=1)
        self._held.append(_added(recent))
        if sum(map(len, self._held)) > self._added_up + ROWS_HELD:
            self._held = [_added(pd.concat(self._held))]
            self._added_up = len(self._held[0])
        if len(self._lowest) > 100:
            self._lowest = [pd.concat(self._lowest).groupby(level=0).min()]

    def recent(self, averaged: bool) -> Recent:
        """What was gathered."""
        cells = (
            _added(pd.concat(self._held))
            if self._held
            else _added(pd.DataFrame(columns=["item", "back", "sum", "count"], dtype=float))
        )
        values = (cells["sum"] / cells["count"] if averaged else cells["sum"]).to_numpy(dtype=float)
        item = cells["item"].to_numpy(dtype=np.int32)
        order = np.lexsort((values, item))
        lowest = np.full(len(self._codes), np.nan)
        if self._lowest:
            least = pd.concat(self._lowest).groupby(level=0).min()
            lowest[least.index] = least.to_numpy()
        items = pd.Index(list(self._codes), dtype=object)
        back = cells["back"].to_numpy(dtype=np.int32)
        return Recent(items, lowest, item[order], back[order], values[order], self._last_back)


def _added(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.groupby(["item", "back"], as_index=False, sort=False)[["sum", "count"]].sum()


def joined(key: Key) -> str:
    """The key as `Recent.items` has it."""
    return SEPARATOR.join(key)


def separated(item: str) -> Key:
    """The key of an item of `Recent.items`."""
    return tuple(item.split(SEPARATOR))
