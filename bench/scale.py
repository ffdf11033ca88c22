"""From 1,000 to 100,000 short weekly series through the API: time, CPU time and memory of every stage.

    python -m bench.scale [--series 1000 10000 100000] [--weeks 130] [--workers 2]

The series are made here: level, trend, yearly rhythm, noise, one in ten sold now and then only, one in ten
new, one in fifty with a few weeks alone. They are imported from CSV files, trained by CreateAutoPredictor
with a horizon of 13 weeks, forecast at three quantiles and exported; at the end two series are queried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.service import Cost, Service, Walk

HORIZON = 13
SERIES_PER_FILE = 5000
FIRST_WEEK = "2022-01-03"
SCHEMA = {"item_id": "string", "timestamp": "timestamp", "target_value": "float"}


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--series", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--weeks", type=int, default=130)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    print(f"{'series':>8}  {'stage':12}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}{'CPU ms a series':>17}")
    for size in given.series:
        for cost in measure(size, given.weeks, given.workers):
            print(
                f"{size:8,}  {cost.stage:12}{cost.wall_s:9.2f}{cost.cpu_s:9.2f}{cost.peak_mib:10.0f}"
                f"{1000 * cost.cpu_s / size:17.2f}",
                flush=True,
            )


def measure(size: int, weeks: int, workers: int) -> Iterator[Cost]:
    """The stages of one walk on a server of its own, their total, and two queries."""
    with Service(workers) as service, tempfile.TemporaryDirectory() as folder:
        for low in range(0, size, SERIES_PER_FILE):
            path = Path(folder) / "part.csv"
            write(path, range(low, min(low + SERIES_PER_FILE, size)), weeks)
            service.put(f"data/part-{low:07}.csv", path)
        service.warm_up()
        costs = []
        for cost in service.walk(Walk("data/", SCHEMA, "W", "yyyy-MM-dd", HORIZON)):
            costs.append(cost)
            yield cost
        yield total(costs)
        for stage, number in (("1st query", 0), ("2nd query", size - 1)):
            yield replace(service.ask({"item_id": f"item_{number:06}"}), stage=stage)


def total(costs: list[Cost]) -> Cost:
    """All stages together; the memory is the most that any of them used."""
    wall, cpu = (sum(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s"))
    return Cost("total", wall, cpu, max(cost.peak_mib for cost in costs))


def write(path: Path, numbers: range, weeks: int) -> None:
    """Write some series as CSV; each follows from its number alone."""
    values, known = series(numbers, weeks)
    names = np.array([f"item_{number:06}" for number in numbers])
    times = pd.date_range(FIRST_WEEK, periods=weeks, freq="7D").strftime("%Y-%m-%d").to_numpy()
    row, step = np.nonzero(known)
    frame = pd.DataFrame({"item": names[row], "time": times[step], "value": values[row, step]})
    frame.to_csv(path, header=False, index=False)


def series(numbers: range, weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Values [N, weeks], and which of them exist."""
    random = np.random.default_rng(numbers.start)
    size, week = len(numbers), np.arange(weeks)
    level = random.lognormal(3.0, 1.2, (size, 1))
    trend = 1 + random.normal(0, 0.15, (size, 1)) * week / 52
    phase = random.uniform(0, 2 * np.pi, (size, 1))
    rhythm = 1 + random.uniform(0, 0.5, (size, 1)) * np.sin(2 * np.pi * week / 52.18 + phase)
    mean = np.maximum(level * trend * rhythm, 0.05)
    mean[np.arange(size) % 10 == 3] *= random.random((size, weeks))[np.arange(size) % 10 == 3] < 0.2
    start = np.zeros(size, int)
    start[np.arange(size) % 10 == 7] = random.integers(weeks // 4, weeks // 2)
    start[np.arange(size) % 50 == 11] = weeks - 10
    return random.poisson(mean * random.gamma(4, 0.25, (size, weeks))), week >= start[:, None]


if __name__ == "__main__":
    sys.exit(main())
