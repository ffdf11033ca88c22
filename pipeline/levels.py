"""Whether values are amounts, such as sales, or levels, such as prices and temperatures.

    amounts   add up over rows; a step without a row may have had none
    levels    are there all the time: a step without a row is not known, and several rows are averaged

Names tell best. Values alone tell that zero would be no value of the series, and hardly ever more: steady
sales look like prices.
"""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

LEVEL_WORDS = frozenset(
    ("price", "prices", "close", "rate", "temperature", "temp", "celsius", "fahrenheit", "kelvin", "humidity",
     "pressure", "voltage", "speed", "ratio", "percent", "percentage", "index")
)  # fmt: skip
AMOUNT_WORDS = frozenset(
    ("demand", "sales", "sold", "qty", "quantity", "units", "amount", "count", "consumption", "kwh", "volume",
     "revenue", "traffic", "orders", "visits", "turnover")
)  # fmt: skip
NEAR_ZERO = 0.1  # of the median of a series; what comes so near may be zero as well
NARROW = 0.5  # of the median: so close together lie all values of a series that varies little
# From row to row, in ranges between a series' quartiles. Values without a memory move by 0.7 of them, a
# price of which only the changes are by chance by less than 0.1 within months.
SMOOTH = 0.25
FEWEST = 5  # values of a series that tell something
NEARLY_ALL = 0.95  # of the series


def words(name: str) -> set[str]:
    """The words of a column's name, in small letters: `closePrice` and `close_price` have two."""
    return {word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}


def is_named_level(name: str) -> bool:
    """Whether the name of a column says that it holds levels."""
    return bool(words(name) & LEVEL_WORDS) and not is_named_amount(name)


def is_named_amount(name: str) -> bool:
    """Whether the name of a column says that it holds amounts."""
    return bool(words(name) & AMOUNT_WORDS)


class Values:
    """The values of several series.

    Args:
        values: in the order of their times; NaN for those that are missing.
        series: the series of each.
    """

    def __init__(self, values: pd.Series, series: pd.Series) -> None:
        known = values[np.isfinite(values)]
        grouped = known.groupby(series[known.index])
        long = grouped.transform("size") >= FEWEST
        self._known = known[long]
        self._series = series[self._known.index]

    @property
    def stay_off_zero(self) -> bool:
        """Whether in nearly all series no value comes near zero, or goes to the other side of it."""
        stats = self._known.groupby(self._series).agg(["min", "max", "median"])
        nearest = np.where(stats["min"] > 0, stats["min"], np.where(stats["max"] < 0, -stats["max"], 0.0))
        return _nearly_all((nearest > 0) & (nearest >= NEAR_ZERO * stats["median"].abs()))

    @property
    def vary_little(self) -> bool:
        """Whether in nearly all series the values lie close together, or move little from row to row."""
        grouped = self._known.groupby(self._series)
        stats = grouped.agg(["min", "max", "median"])
        is_narrow = stats["max"] - stats["min"] <= NARROW * stats["median"].abs()
        moves = grouped.diff().abs().groupby(self._series).median()
        quartiles = grouped.quantile(0.75) - grouped.quantile(0.25)
        return _nearly_all(is_narrow | (moves <= SMOOTH * quartiles))


def _nearly_all(facts: Iterable[bool]) -> bool:
    share = np.mean(list(facts) or [False])
    return bool(share >= NEARLY_ALL)
