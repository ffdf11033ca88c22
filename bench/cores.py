"""One worker against two: the same answer, and how much sooner.

    python -m bench.cores [--series 4000] [--pairs 2] [--engines processes dask]

Training and forecast of weekly series by one and by two processes, and by one and by two Dask workers of
one thread each, which are started before the clock. One and two take turns, so that whatever else the
machine does hits both; the speed-up is the median over the pairs. Every answer is compared with the
first, number by number.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd

from bench.scale import FIRST_WEEK, HORIZON, series
from forecastd.models.cluster import Cluster, cluster_crew
from forecastd.models.crew import Crew, Processes
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel

WEEKS = 130


def main() -> None:
    """Print a line for each run, and the speed-up of each engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--series", type=int, default=4000)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--engines", nargs="+", choices=("processes", "dask"), default=["processes", "dask"])
    given = parser.parse_args()
    panel = weekly(given.series)
    expected: pd.DataFrame | None = None
    print(f"{'engine':12}{'workers':>8}{'wall s':>9}  same answer")
    for engine in given.engines:
        crews = _crews(engine)
        seconds: dict[int, list[float]] = {size: [] for size in crews}
        for size, crew in [*crews.items()] * given.pairs:
            began = time.perf_counter()
            answer = work(panel, crew)
            seconds[size].append(time.perf_counter() - began)
            expected = answer if expected is None else expected
            same = "yes" if answer.equals(expected) else "NO"
            print(f"{engine:12}{size:8}{seconds[size][-1]:9.1f}  {same}", flush=True)
        ratios = [alone / both for alone, both in zip(seconds[1], seconds[2], strict=True)]
        print(f"{engine}: two workers are {statistics.median(ratios):.2f} times as fast as one", flush=True)
        for crew in crews.values():
            if isinstance(crew, Cluster):
                crew.close()


def _crews(engine: str) -> dict[int, Crew]:
    if engine == "processes":
        return {1: Crew(), 2: Processes(2)}
    return {size: cluster_crew(f"local:{size}") for size in (1, 2)}


def work(panel: Panel, crew: Crew) -> pd.DataFrame:
    """The forecasts and the backtests, one below the other."""
    predictor = train(panel, REQUEST, lambda fraction, left: None, crew)
    forecast = predictor.forecast(panel, (0.1, 0.5, 0.9), want_mean=True, crew=crew)
    return pd.concat([forecast, predictor.backtests], ignore_index=True)


def weekly(size: int) -> Panel:
    """The panel of the series of `bench.scale`."""
    values, known = series(range(size), WEEKS)
    names = np.array([f"item_{number:06}" for number in range(size)], object)
    times = pd.date_range(FIRST_WEEK, periods=WEEKS, freq="7D")
    row, step = np.nonzero(known)
    return build_panel(
        pd.DataFrame({"item_id": names[row], "timestamp": times[step], "y": values[row, step]}),
        item_key="item_id",
        target_name="y",
        dimensions=[],
        frequency=Frequency.parse("W"),
        horizon_steps=HORIZON,
    )


REQUEST = TrainingRequest(
    method="AutoPredictor",
    horizon_steps=HORIZON,
    quantiles=(0.1, 0.5, 0.9),
    want_mean=True,
    windows=1,
    offset_steps=HORIZON,
    hyperparameters={},
    optimization_metric="AverageWeightedQuantileLoss",
    seed=0,
    threads=1,
    time_limit_s=None,
)

if __name__ == "__main__":
    main()
