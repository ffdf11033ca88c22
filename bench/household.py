"""Wall and CPU time of AutoPredictor on four hourly household series of 34,168 hours, and its accuracy.

FORECAST_DATA=/path/to/data python bench/household.py [horizon …]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pandas as pd

from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel


def main() -> None:
    """Print a line per horizon."""
    for text in sys.argv[1:] or ["24", "72"]:
        horizon = int(text)
        panel = household(horizon)
        wall, cpu = time.perf_counter(), time.process_time()
        predictor = train(panel, request(horizon), lambda fraction, left: None)
        trained = time.perf_counter() - wall
        predictor.forecast(panel, (0.1, 0.5, 0.9), want_mean=True)
        print(
            f"horizon {horizon}: train {trained:.1f} s, with forecast {time.perf_counter() - wall:.1f} s, "
            f"CPU {time.process_time() - cpu:.1f} s, wQL {predictor.evaluations[0].summary.average_wql:.4f}"
        )
        for candidate in predictor.report["candidates"]:
            print("   ", candidate)


def household(horizon: int) -> Panel:
    """The panel of the household data."""
    path = Path(os.environ["FORECAST_DATA"]) / "household" / "target_time_series.csv"
    return build_panel(
        pd.read_csv(path),
        item_key="item_id",
        target_name="target_value",
        dimensions=[],
        frequency=Frequency.parse("H"),
        horizon_steps=horizon,
    )


def request(horizon: int) -> TrainingRequest:
    """One backtest window, three quantiles."""
    return TrainingRequest(
        method="AutoPredictor",
        horizon_steps=horizon,
        quantiles=(0.1, 0.5, 0.9),
        want_mean=True,
        windows=1,
        offset_steps=horizon,
        hyperparameters={},
        optimization_metric="AverageWeightedQuantileLoss",
        seed=0,
        threads=2,
        time_limit_s=None,
    )


if __name__ == "__main__":
    main()
