"""What becomes of each row of an input file: imported, set aside for a reason, merged, or changed."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np

KEPT = 0
MOST_REASONS = 250  # of one file; a row remembers the first of its own
MERGED = 251  # another row stands for it
BLANK = 252
HEADING = 253  # a header line that the service could take for data


class FateMap:
    """One byte per row, on disk: files of any size are remembered without memory of their size."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - see close()
        self._size = 0

    def add(self, fates: np.ndarray) -> None:
        fates.astype(np.uint8).tofile(self._file)
        self._size += len(fates)

    @property
    def size(self) -> int:
        return self._size

    def rows(self, start: int, count: int) -> np.ndarray:
        """The fates of rows, to read and to change. uint8 [count]"""
        if not count:
            return np.zeros(0, dtype=np.uint8)
        self._file.flush()
        return np.memmap(self._file, dtype=np.uint8, mode="r+", offset=start, shape=(count,))

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class RowNumbers:
    """Row numbers in a file, counted from 1, by place among its whole rows."""

    broken: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # places before which

    @classmethod
    def of(cls, broken_numbers: Sequence[int]) -> "RowNumbers":
        """From the numbers of the rows that are not whole, ascending."""
        return cls(np.array([number - 1 - place for place, number in enumerate(broken_numbers)], np.int64))

    def __call__(self, places: Sequence[int] | np.ndarray) -> list[int]:
        found = np.asarray(places, dtype=np.int64)
        return [int(n) for n in found + 1 + np.searchsorted(self.broken, found, side="right")]


@dataclass
class FileFate:
    """One file as it was examined: where its rows' fates stand, and what they mean."""

    key: str
    name: str  # train/a.csv
    start: int  # in the map
    rows: int = 0  # whole rows, the header included
    broken: int = 0  # rows that are not whole, and never imported
    numbers: RowNumbers = field(default_factory=RowNumbers)
    reasons: list[tuple[str, str]] = field(default_factory=list)  # column and rule; fate n is reasons[n - 1]
    sums: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)  # places, and their new values

    def reason(self, column: str, rule: str) -> int:
        """The fate of rows that break a rule."""
        if (column, rule) not in self.reasons and len(self.reasons) < MOST_REASONS:
            self.reasons.append((column, rule))
        pair = (column, rule)
        return self.reasons.index(pair) + 1 if pair in self.reasons else MOST_REASONS

    def new_values(self) -> tuple[np.ndarray, np.ndarray]:
        """Places, ascending, and the sums that replace their values."""
        if not self.sums:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        places, values = (np.concatenate(arrays) for arrays in zip(*self.sums, strict=True))
        order = np.argsort(places)
        return places[order], values[order]
