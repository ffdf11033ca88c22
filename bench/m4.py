"""M4 hourly: this engine next to AutoGluon and statsforecast; bench/methods.py says how.

FORECAST_DATA=/path/to/data python -m bench.m4 --peers FOLDER [--install] [peer …]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from bench.methods import Problem, add_arguments, compare, parsed
from forecastd.series.frequency import Frequency

END = pd.Timestamp("2020-01-01")  # of every series: the competition does not tell their real dates


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="M4 hourly next to AutoGluon and statsforecast.")
    parser.add_argument("--series", type=int, help="only that many, evenly over the list")
    add_arguments(parser)
    arguments = parsed(parser)
    rows, actual = load(Path(os.environ["FORECAST_DATA"]) / "m4_hourly", arguments.series)
    compare(Problem(rows, actual, Frequency.parse("H")), arguments, str(arguments.series or "all"))


def load(folder: Path, count: int | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows to train on, and the actuals [N, H] of the series in the order of their names."""
    wide = pd.read_csv(folder / "train.csv", index_col=0).sort_index()
    test = pd.read_csv(folder / "test.csv", index_col=0).sort_index()
    if count:
        keep = np.linspace(0, len(wide) - 1, count).astype(int)
        wide, test = wide.iloc[keep], test.iloc[keep]
    parts = []
    for name, row in wide.iterrows():
        values = row.dropna().to_numpy(float)
        times = pd.date_range(end=END, periods=len(values), freq="h")
        parts.append(pd.DataFrame({"item_id": str(name), "timestamp": times, "target": values}))
    return pd.concat(parts, ignore_index=True), test.to_numpy(float)


if __name__ == "__main__":
    main()
