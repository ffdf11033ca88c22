"""One statsforecast model on one table of series; run by bench/m4.py with the Python of its own environment.

    python statsforecast_peer.py TRAIN.parquet FORECAST.parquet HORIZON MODEL THREADS

TRAIN has item_id, timestamp and target; FORECAST gets item_id, timestamp, p10, p50 and p90.
"""

from __future__ import annotations

import sys

import pandas as pd

DAY, WEEK = 24, 168


def main() -> None:
    """Fit and forecast every series."""
    source, target, horizon, name, threads = sys.argv[1:]
    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoETS, DynamicOptimizedTheta, SeasonalNaive

    models = {
        "MSTL+AutoETS": lambda: MSTL(season_length=[DAY, WEEK], trend_forecaster=AutoETS(model="ZZN")),
        "AutoETS": lambda: AutoETS(season_length=DAY),
        "DynamicOptimizedTheta": lambda: DynamicOptimizedTheta(season_length=DAY),
        "SeasonalNaive": lambda: SeasonalNaive(season_length=WEEK),
    }
    frame = pd.read_parquet(source).rename(columns={"item_id": "unique_id", "timestamp": "ds", "target": "y"})
    engine = StatsForecast(models=[models[name]()], freq="h", n_jobs=int(threads))
    answer = engine.forecast(df=frame, h=int(horizon), level=[80])
    model = next(column for column in answer.columns if column not in ("unique_id", "ds"))
    answer = answer.rename(
        columns={"unique_id": "item_id", "ds": "timestamp", model: "p50"}
        | {f"{model}-lo-80": "p10", f"{model}-hi-80": "p90"}
    )
    answer[["item_id", "timestamp", "p10", "p50", "p90"]].to_parquet(target, index=False)


if __name__ == "__main__":
    main()
