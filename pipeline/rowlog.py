"""What has to be known of every row to compare it with others: kept on disk, read back a part at a time.

    rows of all files ──▶ parts by series ──▶ each part in order of series, time and upload

A part holds whole series and fits into memory. Rows are told apart by 64-bit hashes of their keys: among the
5,000,000 series of an account two meet with a chance of one in a million.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import pandas as pd

PART_BYTES = 64 * 2**20  # of input: one or two million rows, some times as many bytes when compared
MOST_PARTS = 64  # open files of a dataset; beyond 4 GB of input the parts grow
ROW = np.dtype(
    [
        ("series", np.uint64),  # item and forecast dimensions
        ("line", np.uint64),  # further text columns, which are summed over; 0 where there are none
        ("time", np.int64),  # microseconds
        ("file", np.uint32),  # the file's number
        ("place", np.int64),  # among the file's whole rows
        ("value", np.float64),  # of the target; NaN where it is missing
    ]
)


class RowLog:
    """All rows without a fault of one dataset.

    Args:
        size_bytes: of the files together, as far as known.
    """

    def __init__(self, size_bytes: int) -> None:
        count = min(1 + size_bytes // PART_BYTES, MOST_PARTS)
        self._parts: list[IO[bytes]] = [
            tempfile.TemporaryFile()  # noqa: SIM115 - see close()
            for _ in range(count)
        ]

    def add(self, rows: np.ndarray) -> None:
        """Takes rows of the type ROW."""
        if len(self._parts) == 1:
            rows.tofile(self._parts[0])
            return
        part = rows["series"] % np.uint64(len(self._parts))
        for number in np.unique(part):
            rows[part == number].tofile(self._parts[int(number)])

    def parts(self, upload_order: np.ndarray) -> Iterator["Part"]:
        """The rows, some series at a time.

        Args:
            upload_order: by file number, the place of the file in the order of uploads.
        """
        for part in self._parts:
            part.seek(0)
            rows = np.fromfile(part, dtype=ROW)
            if len(rows):
                yield Part(_in_order(rows, upload_order))

    def close(self) -> None:
        """Frees the disk."""
        for part in self._parts:
            part.close()


@dataclass(frozen=True)
class Part:
    """Rows of whole series, by series, time, line, and upload. [N] each."""

    rows: np.ndarray

    @property
    def begins(self) -> np.ndarray:
        """Where a series begins. bool [N]"""
        series = self.rows["series"]
        return np.concatenate([[True], series[1:] != series[:-1]])

    @property
    def starts(self) -> np.ndarray:
        """The places where the S series begin. [S]"""
        return np.flatnonzero(self.begins)

    @property
    def ends(self) -> np.ndarray:
        """The places of their last rows. [S]"""
        return np.append(self.starts[1:], len(self.rows)) - 1

    @property
    def repeats(self) -> np.ndarray:
        """Which rows have the series, line and time of the row before. bool [N]"""
        same = np.zeros(len(self.rows), dtype=bool)
        before, after = self.rows[:-1], self.rows[1:]
        same[1:] = before["time"] == after["time"]
        for name in ("series", "line"):
            same[1:] &= before[name] == after[name]
        return same


def hashes(texts: list[str]) -> np.ndarray:
    """A 64-bit number for each text; equal for equal texts, today and tomorrow."""
    return pd.util.hash_array(np.array(texts, dtype=object), categorize=False)


def _in_order(rows: np.ndarray, upload_order: np.ndarray) -> np.ndarray:
    """Sorted; rows that come as most files have them, series after series in time, are left as they are."""
    if _is_ordered(rows):
        return rows
    uploaded = upload_order[rows["file"]]
    return rows[np.lexsort((rows["place"], uploaded, rows["line"], rows["time"], rows["series"]))]


def _is_ordered(rows: np.ndarray) -> bool:
    series, time = rows["series"], rows["time"]
    changes = series[1:] != series[:-1]
    runs = series[np.concatenate([[True], changes])]
    return bool((changes | (time[1:] > time[:-1])).all()) and len(np.unique(runs)) == len(runs)
