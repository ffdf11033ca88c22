"""One statsforecast model on one table of series, in an environment of its own; bench/methods.py runs it.

    python statsforecast_peer.py TRAIN.parquet FORECAST.parquet FREQUENCY HORIZON MODEL THREADS [SEASON …]

TRAIN has item_id, timestamp and target; FORECAST gets item_id, timestamp, p10, p50 and p90. SEASON are the
lengths of the data's rhythms in steps, shortest first.
"""

from __future__ import annotations

import sys

import pandas as pd


def main() -> None:
    """Fit and forecast every series."""
    source, target, frequency, horizon, name, threads, *rhythms = sys.argv[1:]
    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoETS, DynamicOptimizedTheta, SeasonalNaive

    seasons = [int(rhythm) for rhythm in rhythms] or [1]
    models = {
        "MSTL+AutoETS": lambda: MSTL(season_length=seasons, trend_forecaster=AutoETS(model="ZZN")),
        "AutoETS": lambda: AutoETS(season_length=seasons[0]),
        "DynamicOptimizedTheta": lambda: DynamicOptimizedTheta(season_length=seasons[0]),
        "SeasonalNaive": lambda: SeasonalNaive(season_length=seasons[-1]),
    }
    frame = pd.read_parquet(source).rename(columns={"item_id": "unique_id", "timestamp": "ds", "target": "y"})
    engine = StatsForecast(models=[models[name]()], freq=frequency, n_jobs=int(threads))
    answer = engine.forecast(df=frame, h=int(horizon), level=[80])
    model = next(column for column in answer.columns if column not in ("unique_id", "ds"))
    answer = answer.rename(
        columns={"unique_id": "item_id", "ds": "timestamp", model: "p50"}
        | {f"{model}-lo-80": "p10", f"{model}-hi-80": "p90"}
    )
    answer[["item_id", "timestamp", "p10", "p50", "p90"]].to_parquet(target, index=False)


if __name__ == "__main__":
    main()
