"""What the service costs over calling its models directly on the same frame.

    FORECAST_DATA=/path/to/data python -m bench.overhead [--pairs 3]

500 daily series of three years, horizon 31: `direct` builds the panel from a frame in memory, trains the
AutoPredictor and forecasts, in a process of its own that has loaded its libraries; `service` does the same
through the API, from a CSV file in S3 to an export in S3. Both run one after the other, in pairs, so that
whatever else the machine does hits both; the overhead is the median over the pairs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.scale import total
from bench.service import ROOT, Cost, Meter, Service, Walk
from forecastd.operations.autopredictors import MOST_WINDOWS

CASE = Path("amazon") / "store_item_demand500" / "target_time_series.csv"
HORIZON = 31
SCHEMA = {"timestamp": "timestamp", "item_id": "string", "store": "string", "target_value": "float"}
WALK = Walk("data.csv", SCHEMA, "D", "yyyy-MM-dd", HORIZON, {"ForecastDimensions": ["store"]})


def main() -> None:
    """Print the pairs and the overhead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    path = Path(os.environ["FORECAST_DATA"]) / CASE
    print(f"{'pair':>4}  {'':14}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}")
    ratios = []
    with Service() as service:
        service.put(WALK.path, path)
        service.warm_up()
        for pair in range(1, given.pairs + 1):
            costs = list(service.walk(WALK))
            for cost in costs:
                _print(pair, cost.stage, cost)
            served, direct = total(costs), measure_direct(path)
            _print(pair, "service", served)
            _print(pair, "direct", direct)
            ratios.append((served.wall_s / direct.wall_s, served.cpu_s / direct.cpu_s))
    wall, cpu = (statistics.median(pair) - 1 for pair in zip(*ratios, strict=True))
    print(f"overhead of the service: {wall:+.0%} of the wall time, {cpu:+.0%} of the CPU time")


def _print(pair: int, name: str, cost: Cost) -> None:
    print(f"{pair:4}  {name:14}{cost.wall_s:9.1f}{cost.cpu_s:9.1f}{cost.peak_mib:10.0f}", flush=True)


def measure_direct(path: Path) -> Cost:
    """Train and forecast in a process that has loaded libraries and data, and is then told to begin."""
    command = [sys.executable, "-m", "bench.overhead", "--direct", str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        with Meter(child.pid) as meter:
            print("go", file=child.stdin, flush=True)
            if child.stdout.readline().strip() != "done":
                raise RuntimeError("the direct run broke; its traceback is above")
    return Cost("direct", meter.wall_s, meter.cpu_s, meter.peak_mib)


def direct(path: Path) -> None:
    """What a program of one's own would do: a frame in memory becomes a frame of forecasts."""
    import lightgbm  # noqa: F401 - loaded before the clock starts, as in a worker
    import pandas as pd

    from forecastd.models.training import TrainingRequest, train
    from forecastd.series.frequency import Frequency
    from forecastd.series.panel import build_panel

    frame = pd.read_csv(path, names=list(SCHEMA), dtype={"item_id": str, "store": str})
    request = TrainingRequest(threads=os.cpu_count() or 1, **_REQUEST)
    print("ready", flush=True)
    sys.stdin.readline()
    panel = build_panel(
        frame,
        item_key="item_id",
        target_name="target_value",
        dimensions=["store"],
        frequency=Frequency.parse("D"),
        horizon_steps=HORIZON,
    )
    predictor = train(panel, request, lambda fraction, left: None)
    predictor.forecast(panel, request.quantiles, want_mean=False)
    print("done", flush=True)
    sys.stdin.readline()  # stay, so that the meter sees the last of it


_REQUEST: dict[str, Any] = {
    "method": "AutoPredictor",
    "horizon_steps": HORIZON,
    "quantiles": (0.1, 0.5, 0.9),
    "want_mean": True,
    "windows": MOST_WINDOWS,  # the service evaluates as many of an AutoPredictor
    "offset_steps": HORIZON,
    "hyperparameters": {},
    "optimization_metric": "AverageWeightedQuantileLoss",
    "seed": 0,
    "time_limit_s": None,
}

if __name__ == "__main__":
    if "--direct" in sys.argv:
        direct(Path(sys.argv[-1]))
    else:
        main()
