"""The backtest export job: what a predictor forecast in its backtests, and how good that was per item.

Two folders: `forecasted-values` has every item, window and step beside what really happened;
`accuracy-metrics-values` has one row per item and window, and one summary per item. An item that has
missing values inside a window was not evaluated there: its metrics are `not defined`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from forecastd.domains import TIMESTAMP
from forecastd.jobs.destination import Destination
from forecastd.jobs.job import Facts, Job
from forecastd.jobs.training import BACKTESTS_FILE, MODEL_FOLDER
from forecastd.series.metrics import Metrics, summary, window_metrics

NOT_DEFINED = "not defined"
_START, _END = "backtestwindow_start_time", "backtestwindow_end_time"
_ISO = "%Y-%m-%dT%H:%M:%S"


def run_backtest_export(job: Job) -> Facts:
    """Write the backtests of a predictor.

    Raises:
        JobFailed: the predictor is gone, or S3 refuses.
    """
    predictor = job.record.plan["source"]
    plan = job.parent(predictor).plan
    destination = Destination(job)
    destination.begin()
    table = pd.read_parquet(job.parent_folder(predictor) / MODEL_FOLDER / BACKTESTS_FILE)
    keys = [plan["item_key"], *plan["dimensions"]]
    job.progress(0.0)
    destination.write(
        forecasted_values(table, keys, plan["quantiles"], plan["want_mean"]), 0, "forecasted-values"
    )
    job.progress(0.5)
    accuracy = accuracy_values(table, keys, plan["quantiles"])
    if not destination.is_parquet:
        accuracy = accuracy.astype(object).where(accuracy.notna(), NOT_DEFINED)
    destination.write(accuracy, 0, "accuracy-metrics-values")
    destination.finish()
    return {}


def forecasted_values(
    table: pd.DataFrame, keys: list[str], quantiles: list[float], want_mean: bool
) -> pd.DataFrame:
    """Give one row per item, window and step.

    Args:
        table: keys, `timestamp`, `target_value`, `window_start`, `window_end` (exclusive), `p10`…, `mean`.
    """
    types = [*(["mean"] if want_mean else []), *(_column(quantile) for quantile in quantiles)]
    last = table.groupby([*keys, "window_start"], sort=False)[TIMESTAMP].transform("max")
    values: dict[str, Any] = {
        **{name: table[name] for name in keys},
        TIMESTAMP: table[TIMESTAMP].dt.strftime(_ISO),
        "target_value": table["target_value"],
        _START: table["window_start"].dt.strftime(_ISO),
        _END: last.dt.strftime(_ISO),
        **{name: table[name] for name in types},
    }
    return pd.DataFrame(values)


def accuracy_values(table: pd.DataFrame, keys: list[str], quantiles: list[float]) -> pd.DataFrame:
    """Give one row per item and window, newest first, then the item's summary; undefined metrics are NaN."""
    rows = [
        row for key, item in table.groupby(keys, sort=False) for row in _item_rows(key, item, keys, quantiles)
    ]
    return pd.DataFrame(rows)


def _item_rows(
    key: Any, item: pd.DataFrame, keys: list[str], quantiles: list[float]
) -> Iterator[dict[str, Any]]:
    names = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
    starts = sorted(item["window_start"].unique(), reverse=True)
    defined = []
    for start in starts:
        window = item[item["window_start"] == start]
        metrics = _metrics(window, quantiles)
        defined += [metrics] if metrics else []
        yield {**names, **_window("Computed", start, window[TIMESTAMP].max()), **_columns(metrics, quantiles)}
    ends = starts[-1], item[TIMESTAMP].max()
    yield {**names, **_window("Summary", *ends), **_columns(summary(defined) if defined else None, quantiles)}


def _metrics(window: pd.DataFrame, quantiles: list[float]) -> Metrics | None:
    """Evaluate one item in one window; None where a value is missing."""
    actual = window["target_value"].to_numpy()[np.newaxis, :]  # [1, H]
    if np.isnan(actual).any():
        return None
    forecasts = window[[_column(quantile) for quantile in quantiles]].to_numpy()[np.newaxis]  # [1, H, Q]
    return window_metrics(actual, forecasts, window["mean"].to_numpy()[np.newaxis, :], quantiles)


def _window(kind: str, start: Any, last: Any) -> dict[str, str]:
    """Name a window; its end is the last step here, not the step after it."""
    return {"backtest_window": kind, _START: start.strftime(_ISO), _END: last.strftime(_ISO)}


def _columns(metrics: Metrics | None, quantiles: list[float]) -> dict[str, float | None]:
    names = [*(f"wQL[{quantile:g}]" for quantile in quantiles), *(["Average wQL"] if quantiles else [])]
    names += ["RMSE", "WAPE", "MAPE", "MASE"]
    if metrics is None:
        return dict.fromkeys(names)
    losses = [metrics.weighted_quantile_loss[quantile] for quantile in quantiles]
    average = [metrics.average_wql] if quantiles else []
    values = [*losses, *average, metrics.rmse, metrics.wape, metrics.mape, metrics.mase]
    return dict(zip(names, values, strict=True))


def _column(quantile: float) -> str:
    return f"p{round(quantile * 100)}"
