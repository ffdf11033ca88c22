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
FEW = 10  # of what is counted in whole numbers; where there are so few, there may be none
TAIL = 0.05  # of the values of a series, which may be odd
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
        return _nearly_all(self._is_off_zero())

    @property
    def stay_far_from_zero(self) -> bool:
        """Whether zero would lie farther off in nearly all series than their own values from each other."""
        grouped = self._known.groupby(self._series)
        middle = grouped.quantile(1 - TAIL) - grouped.quantile(TAIL)
        return _nearly_all(self._is_off_zero() & (self._nearest() >= middle))

    def _nearest(self) -> pd.Series:
        """How near each series comes to zero; 0 if it crosses it."""
        stats = self._known.groupby(self._series).agg(["min", "max"])
        return stats["min"].clip(lower=0) + (-stats["max"]).clip(lower=0)

    def _is_off_zero(self) -> pd.Series:
        nearest, median = self._nearest(), self._known.groupby(self._series).median().abs()
        is_whole = (self._known % 1 == 0).groupby(self._series).all()
        return (nearest > 0) & (nearest >= NEAR_ZERO * median) & ~(is_whole & (nearest < FEW))

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
