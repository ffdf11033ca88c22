"""AutoGluon-TimeSeries on one table of series, in an environment of its own; bench/methods.py runs it.

    python autogluon_peer.py TRAIN.parquet FORECAST.parquet FREQUENCY HORIZON PRESET THREADS LIMIT_S

TRAIN has item_id, timestamp and target; FORECAST gets item_id, timestamp, p10, p50 and p90. Pretrained
models are left out for everyone: they would have to be downloaded.
"""

from __future__ import annotations

import os
import sys
import tempfile

PRETRAINED = ["Chronos", "Chronos2", "Toto", "Toto2", "TabPFN-TS"]


def main() -> None:
    """Train with a preset and forecast."""
    source, target, frequency, horizon, preset, threads, limit_s = sys.argv[1:]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = threads
    os.environ["HF_HUB_OFFLINE"] = "1"

    import pandas as pd
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    frame = TimeSeriesDataFrame.from_data_frame(pd.read_parquet(source))
    with tempfile.TemporaryDirectory() as folder:
        predictor = TimeSeriesPredictor(
            prediction_length=int(horizon),
            freq=frequency,
            eval_metric="WQL",
            quantile_levels=[0.1, 0.5, 0.9],
            path=folder,
            verbosity=2,
        )
        predictor.fit(
            frame,
            presets=preset,
            time_limit=float(limit_s) or None,
            excluded_model_types=PRETRAINED,
            random_seed=0,
        )
        forecast = predictor.predict(frame).reset_index()
        print(predictor.leaderboard(), flush=True)
    forecast = forecast.rename(columns={"0.1": "p10", "0.5": "p50", "0.9": "p90"})
    forecast[["item_id", "timestamp", "p10", "p50", "p90"]].to_parquet(target, index=False)


if __name__ == "__main__":
    main()
