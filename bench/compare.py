"""Your own data: this engine next to AutoGluon and statsforecast; bench/methods.py says how.

    python -m bench.compare sales.csv --frequency W --horizon 8 --peers FOLDER [--install] [peer …]

The file has a header with item_id, timestamp and target_value. The newest steps of it, as many as the
horizon has, are kept from all methods and are what they are judged by. Items whose history ends earlier, or
has no more steps than the horizon before that, are left out and counted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from bench.methods import Problem, add_arguments, compare, parsed
from forecastd.series.frequency import Frequency

COLUMNS = ["item_id", "timestamp", "target_value"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Your own data next to AutoGluon and statsforecast.")
    parser.add_argument("file", type=Path, help=f"CSV with {', '.join(COLUMNS)}")
    parser.add_argument("--frequency", required=True, help="15min, H, D, W, M, 3M, Y, …")
    parser.add_argument("--horizon", type=int, required=True, help="steps")
    add_arguments(parser)
    arguments = parsed(parser)
    table = pd.read_csv(arguments.file, dtype={"item_id": str})
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        parser.error(f"{arguments.file} has no column {', '.join(missing)}: it needs {', '.join(COLUMNS)}.")
    try:
        problem, left_out = split(table, Frequency.parse(arguments.frequency), arguments.horizon)
    except ValueError as error:
        parser.error(str(error))
    print(f"{len(problem.actual):,} items, {left_out:,} left out", file=sys.stderr)
    compare(problem, arguments, f"{arguments.file.stem}_{arguments.frequency}_{arguments.horizon}")


def split(table: pd.DataFrame, frequency: Frequency, horizon: int) -> tuple[Problem, int]:
    """The newest steps apart from the rest, and how many items were left out.

    Args:
        table: item_id, timestamp, target_value.
        frequency: Of the data; the timestamps of all items have to lie on one grid of it.
        horizon: H.

    Raises:
        ValueError: The data does not allow it; the sentence says why.
    """
    times = pd.DatetimeIndex(pd.to_datetime(table["timestamp"]))
    grid = pd.date_range(times.min(), times.max(), freq=frequency.offset)
    if not times.isin(grid).all():
        raise ValueError(
            f"{(~times.isin(grid)).sum():,} timestamps do not lie on the grid of {frequency} that begins "
            f"at {times.min()}: aggregate the data first."
        )
    cells = table.assign(timestamp=times).groupby(["item_id", "timestamp"])["target_value"]
    wide = cells.sum(min_count=1).unstack().reindex(columns=grid).sort_index()
    known = wide.notna().to_numpy()
    usable = known[:, -1] & (known[:, :-horizon].sum(axis=1) > horizon)
    if not usable.any():
        raise ValueError(
            f"No item has values at {grid[-1]} and at more than {horizon} steps before the last {horizon}."
        )
    rows = wide[usable].iloc[:, :-horizon].stack().dropna().rename("target").reset_index()
    rows.columns = pd.Index(["item_id", "timestamp", "target"])
    actual = wide[usable].iloc[:, -horizon:].to_numpy(float)
    return Problem(rows, actual, frequency), int((~usable).sum())


if __name__ == "__main__":
    main()
