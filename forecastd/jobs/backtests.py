"""The backtest export job: what a predictor forecast in its backtests, and how good that was per item.

Two folders: `forecasted-values` has every item, window and step beside what really happened;
`accuracy-metrics-values` has one row per item and window, and one summary per item. An item that has
missing values inside a window was not evaluated there: its metrics are `not defined`.
"""

from typing import Any

import numpy as np
import pandas as pd

from forecastd.domains import TIMESTAMP
from forecastd.jobs.destination import Destination
from forecastd.jobs.job import Facts, Job
from forecastd.jobs.training import BACKTESTS_FILE, MODEL_FOLDER
from forecastd.series.metrics import item_metrics

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
    """Give one row per item and window, newest first, then the item's summary; undefined metrics are NaN.

    Args:
        table: as of `forecasted_values`, with the same items in the same order in every window.
    """
    windows = [window for _, window in sorted(table.groupby("window_start"), reverse=True)]
    steps = [len(window) // len(window[keys].drop_duplicates()) for window in windows]
    metrics = [_metrics(window, count, quantiles) for window, count in zip(windows, steps, strict=True)]
    parts = [
        _named(
            window, count, keys, "Computed", window["window_start"].iloc[0], window[TIMESTAMP].max()
        ).assign(**values)
        for window, count, values in zip(windows, steps, metrics, strict=True)
    ]
    first, last = table["window_start"].min(), table[TIMESTAMP].max()
    means = {name: _mean_of_defined([values[name] for values in metrics]) for name in metrics[0]}
    parts.append(_named(windows[0], steps[0], keys, "Summary", first, last).assign(**means))
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _named(
    window: pd.DataFrame, steps: int, keys: list[str], kind: str, start: Any, last: Any
) -> pd.DataFrame:
    """Name each item of a window; its end is the last step here, not the step after it."""
    items = window[keys].iloc[::steps].reset_index(drop=True)
    ends = {_START: start.strftime(_ISO), _END: last.strftime(_ISO)}
    return items.assign(backtest_window=kind, **ends)


def _metrics(window: pd.DataFrame, steps: int, quantiles: list[float]) -> dict[str, np.ndarray]:
    """Evaluate every item of a window; NaN where a value of its is missing."""
    shape = len(window) // steps, steps
    forecasts = (
        window[[_column(quantile) for quantile in quantiles]].to_numpy().reshape(*shape, len(quantiles))
    )
    actual, mean = (window[name].to_numpy().reshape(shape) for name in ("target_value", "mean"))
    return item_metrics(actual, forecasts, mean, quantiles)


def _mean_of_defined(values: list[np.ndarray]) -> np.ndarray:
    """The mean over the windows in which an item was evaluated; NaN where there is none."""
    table = np.stack(values)
    count = (~np.isnan(table)).sum(axis=0)
    return np.divide(np.nansum(table, axis=0), count, out=np.full(len(count), np.nan), where=count > 0)


def _column(quantile: float) -> str:
    return f"p{round(quantile * 100)}"
