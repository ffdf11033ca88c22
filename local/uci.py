"""Reads the public file "Individual household electric power consumption" and gives hourly kWh.

The file of the UCI repository has one line a minute, `;` between fields, `dd/mm/yyyy`, and `?` where the
meter was silent. Here it becomes the training format: whole house and the three sub-meters, one row an hour.

    Global_active_power   kW, a minute's average     mean over the hour  → kWh of the hour
    Sub_metering_1 … 3    Wh in that minute           mean × 60 / 1000    → kWh of the hour
"""

import argparse
import csv
import itertools
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from local.household import HEADER, TIME_FORMAT

FIRST_LINE = (
    "Date;Time;Global_active_power;Global_reactive_power;Voltage;Global_intensity;"
    "Sub_metering_1;Sub_metering_2;Sub_metering_3"
)
FIELDS = len(FIRST_LINE.split(";"))

# Column of each item, and what turns its hourly mean into kWh.
ITEMS = {
    "whole_house": (2, 1.0),
    "kitchen": (6, 0.06),
    "laundry": (7, 0.06),
    "water_heater_and_ac": (8, 0.06),
}

# An hour counts when at least so many of its minutes were read; the others are taken to be like them.
ENOUGH_MINUTES = 30


class NotThatFile(ValueError):
    """A line does not have the form of the UCI file; the text says which line and what is wrong."""


def is_uci(path: Path) -> bool:
    """Whether a file is the UCI one, by its first line."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(len(FIRST_LINE) + 4).strip().strip("\ufeff") == FIRST_LINE


def hourly(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Time, kWh and item of every hour that was read well enough, in order of time.

    Args:
        lines: the file's lines, with the first.

    Raises:
        NotThatFile: a line cannot be read.
    """
    numbered = enumerate(lines, start=1)
    if next(numbered, (1, ""))[1].strip().strip("\ufeff") != FIRST_LINE:
        raise NotThatFile(f"line 1 is not {FIRST_LINE!r}")
    readings = (_reading(number, line) for number, line in numbered if line.strip())
    for hour, minutes in itertools.groupby(readings, key=lambda reading: reading[0]):
        columns = list(zip(*(values for _, values in minutes), strict=True))
        for (item, (_, factor)), column in zip(ITEMS.items(), columns, strict=True):
            read = [value for value in column if value is not None]
            if len(read) >= ENOUGH_MINUTES:
                yield hour.strftime(TIME_FORMAT), f"{sum(read) / len(read) * factor:.4f}", item


def _reading(number: int, line: str) -> tuple[datetime, list[float | None]]:
    """The hour of one line and the value of each item in that minute."""
    fields = line.rstrip("\r\n").split(";")
    if len(fields) != FIELDS:
        raise NotThatFile(f"line {number} has {len(fields)} fields, {FIELDS} are expected: {line.strip()!r}")
    try:
        day, month, year = fields[0].split("/")
        hour = datetime(int(year), int(month), int(day), int(fields[1].split(":")[0]))
        return hour, [_number(fields[column]) for column, _ in ITEMS.values()]
    except ValueError as error:
        raise NotThatFile(f"line {number}: {error}: {line.strip()!r}") from error


def _number(text: str) -> float | None:
    return None if text.strip() in ("?", "") else float(text)


def convert(source: Path, out: TextIO) -> int:
    """Write the training format of the UCI file, with a header.

    Returns:
        The number of rows below the header.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    written = 0
    with source.open(encoding="utf-8", errors="replace") as lines:
        for row in hourly(lines):
            writer.writerow(row)
            written += 1
    return written


def main() -> None:
    """`python -m local.uci household_power_consumption.txt [FILE]`: convert to a file or to stdout."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("file", nargs="?", type=Path)
    given = parser.parse_args()
    if given.file is None:
        convert(given.source, sys.stdout)
        return
    with given.file.open("w", newline="") as out:
        convert(given.source, out)


if __name__ == "__main__":
    main()
