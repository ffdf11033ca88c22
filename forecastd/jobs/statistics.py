"""Field statistics of an import, exact and in bounded memory, from one pass over the data.

Texts are told apart by 64-bit hashes: among ten million different ones two meet with a chance of three in a
million, and then count as one. Distinct hashes, numbers and times are counted in two steps: batches are made
unique as they come; when many have gathered they are spread over files by value, and each file is made unique
at the end. Sums of squares are kept about the running mean, so large values with small spread lose nothing.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_IN_MEMORY = 2_000_000  # distinct 8-byte values kept before they go to disk
_FILES = 64
_LARGEST_INT = 2**31 - 1

_Counts = dict[str, Any]


class DistinctNumbers:
    """Counts the distinct values among 64-bit numbers."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._gathered: list[np.ndarray] = []
        self._size = 0
        self._spilled = False

    def add(self, values: np.ndarray) -> None:
        """Take in values; equal numbers must have equal bits."""
        unique = np.unique(values.view(np.int64))
        self._gathered.append(unique)
        self._size += len(unique)
        if self._size > _IN_MEMORY:
            self._gathered = [np.unique(np.concatenate(self._gathered))]
            self._size = len(self._gathered[0])
            if self._size > _IN_MEMORY // 2:
                self._spill()

    def count(self) -> int:
        """Give the number of distinct values so far."""
        if not self._gathered and not self._spilled:
            return 0
        if not self._spilled:
            return len(np.unique(np.concatenate(self._gathered)))
        self._spill()
        return sum(len(np.unique(np.fromfile(path, np.int64))) for path in self._paths() if path.exists())

    def _spill(self) -> None:
        values = np.unique(np.concatenate(self._gathered)) if self._gathered else np.empty(0, np.int64)
        mixed = (values.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58)
        for place, path in enumerate(self._paths()):
            with path.open("ab") as file:
                values[mixed == place].tofile(file)
        self._gathered, self._size, self._spilled = [], 0, True

    def _paths(self) -> list[Path]:
        return [self._folder / f"distinct-{self._name}-{place}" for place in range(_FILES)]


class TextStatistics:
    """Count, distinct and null of a text column."""

    def __init__(self, folder: Path, name: str) -> None:
        self._distinct = DistinctNumbers(folder, name)
        self._count = self._null = 0

    def add(self, values: pd.Series) -> None:
        """Take in texts, None = null."""
        self._count += len(values)
        known = values.dropna()
        self._null += len(values) - len(known)
        self._distinct.add(pd.util.hash_array(known.unique().astype(object), categorize=False))

    def result(self) -> _Counts:
        """Give the statistics so far."""
        return _counts(Count=self._count, CountDistinct=self._distinct.count(), CountNull=self._null)


class TimeRange:
    """The first and the last of many times."""

    def __init__(self) -> None:
        self._ends: list[pd.Timestamp] = []

    def add(self, times: pd.Series) -> None:
        """Take in times (datetime64), none of them null."""
        if len(times):
            self._ends = [min([*self._ends, times.min()]), max([*self._ends, times.max()])]

    def result(self) -> dict[str, str]:
        """Give them as Min and Max, nothing where there was no time."""
        ends = [end.strftime("%Y-%m-%dT%H:%M:%SZ") for end in self._ends]
        return dict(zip(("Min", "Max"), ends, strict=False))


class TimeStatistics:
    """Count, distinct, null and range of a time column."""

    def __init__(self, folder: Path, name: str) -> None:
        self._distinct = DistinctNumbers(folder, name)
        self._count = self._null = 0
        self._range = TimeRange()

    def add(self, values: pd.Series) -> None:
        """Take in times (datetime64), NaT = null."""
        self._count += len(values)
        known = values.dropna()
        self._null += len(values) - len(known)
        self._range.add(known)
        if len(known):
            self._distinct.add(known.to_numpy("datetime64[ns]").astype(np.int64))

    def result(self) -> _Counts:
        """Give the statistics so far."""
        counts = _counts(Count=self._count, CountDistinct=self._distinct.count(), CountNull=self._null)
        return {**counts, **self._range.result()}


class NumberStatistics:
    """Count, distinct, null, NaN, range, mean and sample standard deviation of a number column."""

    def __init__(self, folder: Path, name: str, written: Callable[[float], str]) -> None:
        self._distinct = DistinctNumbers(folder, name)
        self._written = written
        self._count = self._null = self._nan = self._known = 0
        self._least, self._most = math.inf, -math.inf
        self._mean = self._squares = 0.0

    def add(self, values: np.ndarray, null: np.ndarray) -> None:
        """Take in numbers [n] and where they are null [n]; a NaN that is not null is explicit."""
        self._count += len(values)
        self._null += int(null.sum())
        self._nan += int((np.isnan(values) & ~null).sum())
        known = values[~np.isnan(values)] + 0.0  # -0.0 becomes 0.0: one value, one bit pattern
        if len(known):
            self._distinct.add(known)
            self._least, self._most = min(self._least, known.min()), max(self._most, known.max())
            self._merge(known)

    def result(self) -> _Counts:
        """Give the statistics so far."""
        counts = _counts(
            Count=self._count,
            CountDistinct=self._distinct.count(),
            CountNull=self._null,
            CountNan=self._nan,
        )
        if not self._known:
            return counts
        deviation = math.sqrt(self._squares / (self._known - 1)) if self._known > 1 else 0.0
        ends = {"Min": self._written(self._least), "Max": self._written(self._most)}
        both = {"Avg": float(self._mean), "Stddev": deviation}
        # Beyond 1e154 a square is no number any more: then nothing is said of it.
        return {**counts, **ends, **{name: number for name, number in both.items() if math.isfinite(number)}}

    def _merge(self, known: np.ndarray) -> None:
        """Join the batch's mean and squares with those so far (Chan, Golub and LeVeque)."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(known.mean())
            squares = float(np.square(known - mean).sum())
        total = self._known + len(known)
        distance = mean - self._mean
        self._squares += squares + distance * distance * self._known * len(known) / total
        self._mean += distance * len(known) / total
        self._known = total


def written_float(value: float) -> str:
    """Write the end of a range as the service does: 0.0, 168200.0."""
    return repr(float(value))


def written_integer(value: float) -> str:
    """Write the end of a range of whole numbers."""
    return str(int(value))


def _counts(**counts: int) -> _Counts:
    """Every count twice: the 32-bit member is -1 where it does not suffice."""
    narrow = {name: count if count <= _LARGEST_INT else -1 for name, count in counts.items()}
    return {**narrow, **{f"{name}Long": count for name, count in counts.items()}}
