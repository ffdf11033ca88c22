"""Accuracy of a forecast on one backtest window, by the formulas that Amazon Forecast documents.

Sums run over all evaluated pairs of item *i* and step *t* of the window together; y is the actual, q_p the
forecast quantile and f the mean forecast:

    wQL[p]  = 2 * sum( p * max(y - q_p, 0) + (1 - p) * max(q_p - y, 0) ) / sum |y|
    WAPE    = sum |y - f| / sum |y|
    RMSE    = sqrt( mean (y - f)^2 )
    MAPE    = mean |y - f| / |y|              a pair with y = 0 adds 0 and is counted
    MASE    = mean |y - f| / mean |y_t - y_t-1|    differences inside the window, of each item

Where sum |y| is 0, wQL and WAPE are the numerators alone; where the scale of MASE is 0, MASE is 0. In a
window of one step MASE has no scale and is NaN; in one without any evaluated item every metric is. What is
NaN counts in no mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Metrics:
    """Accuracy over one window, or the plain mean of several; NaN where nothing was evaluated."""

    weighted_quantile_loss: dict[float, float]
    average_wql: float | None  # None when no quantile was asked for
    wape: float
    rmse: float
    mase: float
    mape: float


def weighted_quantile_loss(actual: np.ndarray, forecast: np.ndarray, quantile: float) -> float:
    """wQL[p] of any two arrays of one shape."""
    over = np.maximum(forecast - actual, 0.0).sum()
    under = np.maximum(actual - forecast, 0.0).sum()
    return 2.0 * float(quantile * under + (1.0 - quantile) * over) / _weight(actual)


def wape(actual: np.ndarray, mean: np.ndarray) -> float:
    """Weighted absolute percentage error, as a fraction."""
    return float(np.abs(actual - mean).sum()) / _weight(actual)


def rmse(actual: np.ndarray, mean: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((actual - mean) ** 2)))


def mape(actual: np.ndarray, mean: np.ndarray) -> float:
    """Mean absolute percentage error, as a fraction."""
    error = np.abs(actual - mean)
    share = np.divide(error, np.abs(actual), out=np.zeros_like(error), where=actual != 0)
    return float(share.mean())


def mase(actual: np.ndarray, mean: np.ndarray) -> float:
    """Mean absolute scaled error; both arrays [N, H], scaled by the steps from one actual to the next.

    NaN where there is one step alone.
    """
    if actual.shape[1] < 2:
        return math.nan
    scale = float(np.abs(np.diff(actual, axis=1)).mean())
    return float(np.abs(actual - mean).mean()) / scale if scale > 0 else 0.0


def _weight(actual: np.ndarray) -> float:
    total = float(np.abs(actual).sum())
    return total if total > 1e-12 else 1.0


def complete_items(actual: np.ndarray) -> np.ndarray:
    """Which items have every value in the window, bool [N]; only they are evaluated."""
    return ~np.isnan(actual).any(axis=1)


def window_metrics(
    actual: np.ndarray, forecasts: np.ndarray, mean: np.ndarray, quantiles: Sequence[float]
) -> Metrics:
    """All metrics of one window over the items that are complete in it; NaN where there is none.

    Args:
        actual: [N, H], NaN where missing.
        forecasts: [N, H, Q].
        mean: [N, H].
        quantiles: The Q quantiles of ``forecasts``.
    """
    rows = complete_items(actual)
    if not rows.any():
        return _undefined(quantiles)
    actual, forecasts, mean = actual[rows], forecasts[rows], mean[rows]
    losses = {q: weighted_quantile_loss(actual, forecasts[:, :, k], q) for k, q in enumerate(quantiles)}
    return Metrics(
        weighted_quantile_loss=losses,
        average_wql=float(np.mean(list(losses.values()))) if losses else None,
        wape=wape(actual, mean),
        rmse=rmse(actual, mean),
        mase=mase(actual, mean),
        mape=mape(actual, mean),
    )


def _undefined(quantiles: Sequence[float]) -> Metrics:
    """The metrics where nothing was evaluated."""
    nan = math.nan
    return Metrics(dict.fromkeys(quantiles, nan), nan if quantiles else None, nan, nan, nan, nan)


def item_metrics(
    actual: np.ndarray, forecasts: np.ndarray, mean: np.ndarray, quantiles: Sequence[float]
) -> dict[str, np.ndarray]:
    """The metrics of each item of a window alone, by name, each [N]; NaN for an item that is not complete.

    Args:
        actual: [N, H], NaN where missing.
        forecasts: [N, H, Q].
        mean: [N, H].
        quantiles: The Q quantiles of ``forecasts``.
    """
    total = np.abs(actual).sum(axis=1)
    weight = np.where(total > 1e-12, total, 1.0)
    weight[~complete_items(actual)] = np.nan  # and so is whatever is divided by it
    values = {
        f"wQL[{q:g}]": _item_losses(actual, forecasts[:, :, k], q) / weight for k, q in enumerate(quantiles)
    }
    if values:
        values["Average wQL"] = np.mean(list(values.values()), axis=0)
    error = np.abs(actual - mean)
    steps = np.abs(np.diff(actual, axis=1))
    scale = steps.mean(axis=1) if steps.shape[1] else np.full(len(actual), np.nan)
    share = np.divide(error, np.abs(actual), out=np.zeros_like(error), where=actual != 0)
    values["RMSE"] = np.sqrt(np.square(error).mean(axis=1))
    values["WAPE"] = error.sum(axis=1) / weight
    values["MAPE"] = share.mean(axis=1)
    values["MASE"] = np.where(scale == 0, 0.0, error.mean(axis=1) / np.where(scale == 0, 1.0, scale))
    return {name: np.where(np.isnan(weight), np.nan, value) for name, value in values.items()}


def _item_losses(actual: np.ndarray, forecast: np.ndarray, quantile: float) -> np.ndarray:
    """Twice the quantile loss of each item, [N]."""
    over = np.maximum(forecast - actual, 0.0).sum(axis=1)
    under = np.maximum(actual - forecast, 0.0).sum(axis=1)
    return 2.0 * (quantile * under + (1.0 - quantile) * over)


def summary(windows: Sequence[Metrics]) -> Metrics:
    """The plain mean of each metric over the windows in which it is defined, the RMSE included.

    Raises:
        ValueError: There is no window to summarise.
    """
    if not windows:
        raise ValueError("There is no backtest window to summarise: give at least one.")
    quantiles = windows[0].weighted_quantile_loss
    losses = {q: _mean([w.weighted_quantile_loss[q] for w in windows]) for q in quantiles}
    averages = [w.average_wql for w in windows if w.average_wql is not None]
    return Metrics(
        weighted_quantile_loss=losses,
        average_wql=_mean(averages) if averages else None,
        wape=_mean([w.wape for w in windows]),
        rmse=_mean([w.rmse for w in windows]),
        mase=_mean([w.mase for w in windows]),
        mape=_mean([w.mape for w in windows]),
    )


def _mean(values: Sequence[float]) -> float:
    """The mean of what is defined; NaN where nothing is."""
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


METRIC_NAMES = ("AverageWeightedQuantileLoss", "WAPE", "RMSE", "MASE", "MAPE")


def chosen_metric(metrics: Metrics, name: str) -> float:
    """The value of the metric that Amazon calls ``name``; the smaller the better, infinite where it is not
    defined.

    WAPE takes the place of AverageWeightedQuantileLoss where only the mean was asked for, and of MASE where
    windows have one step.
    """
    if name == "AverageWeightedQuantileLoss":
        value = metrics.wape if metrics.average_wql is None else metrics.average_wql
    else:
        value = float(getattr(metrics, name.lower()))
    if name == "MASE" and math.isnan(value):
        value = metrics.wape
    return math.inf if math.isnan(value) else value
