"""A trained predictor: what it learnt, how good it was, and its forecasts of any newer data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecastd.errors import JobFailed
from forecastd.models import archive, candidates, quantiles
from forecastd.models.algorithm import Algorithm
from forecastd.models.cores import single_threaded_algebra
from forecastd.models.credible import credible
from forecastd.models.crew import Crew
from forecastd.models.earlier_years import doubted
from forecastd.models.ensemble import Mixture
from forecastd.models.fallback import MODEL, completed
from forecastd.models.history import History
from forecastd.models.inference import Forecaster, mixed_forecast
from forecastd.models.stretch import crew_for
from forecastd.series.algorithms import AUTO_PREDICTOR
from forecastd.series.metrics import Metrics
from forecastd.series.panel import Panel


@dataclass(frozen=True)
class WindowMetrics:
    """Accuracy on one backtest window."""

    start: pd.Timestamp
    end_exclusive: pd.Timestamp
    item_count: int
    metrics: Metrics


@dataclass(frozen=True)
class Evaluation:
    """Accuracy of one algorithm; the algorithm is None for an AutoPredictor's mixture."""

    algorithm: str | None
    windows: list[WindowMetrics]  # newest first
    summary: Metrics


def column_name(quantile: float) -> str:
    """The column of a quantile: 0.1 is p10."""
    return f"p{round(quantile * 100)}"


@dataclass
class Predictor:
    """The result of ``train``."""

    chosen: str  # an algorithm's name, or "AutoPredictor"
    horizon: int
    mixture: Mixture  # of algorithms; a single one has all of it
    algorithms: dict[str, Algorithm]
    hyperparameters: dict[str, str]
    evaluations: list[Evaluation]  # one per algorithm tried, best first
    report: dict[str, Any]
    backtests: pd.DataFrame
    threads: int = 1

    def forecast(
        self,
        panel: Panel,
        quantiles: Sequence[float],
        want_mean: bool,
        progress: Callable[[float, float | None], None] = lambda fraction, left: None,
        crew: Crew | None = None,
    ) -> pd.DataFrame:
        """The horizon after the panel's last step, for every series of the panel.

        Args:
            panel: Any panel of the same frequency: newer than the training's, with other series if need be.
            quantiles: Each between 0.01 and 0.99.
            want_mean: Whether to add the column ``mean``.
            progress: Told the fraction done and the seconds left.
            crew: Who does the work; processes on this machine if not given. The answer is the same.

        Returns:
            N × H rows sorted by key and time: key columns, ``timestamp``, ``p10`` and so on in ascending
            order, then ``mean``. ``attrs["labels"]`` says for each series of the panel which method forecast
            it, ``attrs["methods"]`` how many series each method forecast.
        """
        with single_threaded_algebra():
            grid, labels = self.grid_forecast(panel, progress, crew)
        table = forecast_table(panel.keys, panel.future_times(self.horizon), grid, quantiles, want_mean)
        table.attrs["labels"] = labels
        table.attrs["methods"] = {label: labels.count(label) for label in dict.fromkeys(labels)}
        return table

    def grid_forecast(
        self,
        panel: Panel,
        progress: Callable[[float, float | None], None] = lambda fraction, left: None,
        crew: Crew | None = None,
    ) -> tuple[np.ndarray, list[str]]:
        """Quantiles of the internal grid [N, H, K], ordered and finite, and a label for each series."""
        panel = credible(panel)
        crew = crew or crew_for(panel, self.algorithms.values(), self.threads)
        threads = self.threads if crew.size == 1 else 1
        forecaster = Forecaster(panel, self.algorithms, self.horizon, threads)
        forecast = mixed_forecast(forecaster, self.mixture, crew, progress)
        grid, labels = finished(History.of(panel, self.horizon), forecast, self.chosen)
        return grid, [self.chosen if label == MODEL else str(label) for label in labels]

    def save(self, folder: Path) -> None:
        """Write the predictor as JSON, numpy arrays, text and Parquet: nothing that runs when it is read."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "chosen": self.chosen,
            "horizon": self.horizon,
            "mixture": self.mixture.state(),
            "hyperparameters": self.hyperparameters,
            "threads": self.threads,
            "report": self.report,
            "evaluations": [_evaluation_to_json(evaluation) for evaluation in self.evaluations],
            "algorithms": {name: algorithm.state() for name, algorithm in self.algorithms.items()},
        }
        archive.write(folder, state)
        self.backtests.to_parquet(folder / "backtests.parquet", index=False)

    @classmethod
    def load(cls, folder: Path) -> Predictor:
        """The predictor that ``save`` wrote into ``folder``."""
        try:
            state = archive.read(folder)
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise JobFailed(f"The predictor in {folder} cannot be read ({error}): train it again.") from error
        algorithms = {}
        for name, learnt in state["algorithms"].items():
            algorithms[name] = candidates.make(name, _own(state["hyperparameters"], name))
            algorithms[name].restore(learnt)
        return cls(
            chosen=state["chosen"],
            horizon=state["horizon"],
            mixture=Mixture.restored(state["mixture"]),
            algorithms=algorithms,
            hyperparameters=state["hyperparameters"],
            evaluations=[_evaluation_from_json(item) for item in state["evaluations"]],
            report=state["report"],
            backtests=pd.read_parquet(folder / "backtests.parquet"),
            threads=state["threads"],
        )


def finished(history: History, forecast: np.ndarray, method: str) -> tuple[np.ndarray, list[str]]:
    """The forecast [N, H, K] of what was chosen, made complete, and a label for each series; that of
    AutoPredictor with its doubt. An algorithm chosen by name speaks for itself.
    """
    if method == AUTO_PREDICTOR:
        forecast = doubted(history, forecast)
    return completed(history, forecast)


def _own(hyperparameters: Mapping[str, str], name: str) -> dict[str, str]:
    """The hyperparameters that are the algorithm's own, without what Amazon adds when it echoes them."""
    return {key: text for key, text in hyperparameters.items() if key in candidates.own_names(name)}


def forecast_table(
    keys: pd.DataFrame,
    times: pd.DatetimeIndex,
    grid: np.ndarray,
    asked: Sequence[float],
    want_mean: bool,
) -> pd.DataFrame:
    """One row per series and step with the asked quantiles of a grid forecast [N, H, K]."""
    size, horizon = grid.shape[:2]
    columns: dict[str, Any] = {name: np.repeat(keys[name].to_numpy(), horizon) for name in keys.columns}
    columns["timestamp"] = np.tile(times.to_numpy(), size)
    asked = sorted(asked)
    values = quantiles.told(grid, asked)
    for number, quantile in enumerate(asked):
        columns[column_name(quantile)] = values[:, :, number].ravel()
    if want_mean:
        columns["mean"] = quantiles.mean(grid).ravel()
    return pd.DataFrame(columns)


def _evaluation_to_json(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "algorithm": evaluation.algorithm,
        "summary": _metrics_to_json(evaluation.summary),
        "windows": [
            {
                "start": window.start.isoformat(),
                "end_exclusive": window.end_exclusive.isoformat(),
                "item_count": window.item_count,
                "metrics": _metrics_to_json(window.metrics),
            }
            for window in evaluation.windows
        ],
    }


def _evaluation_from_json(item: dict[str, Any]) -> Evaluation:
    windows = [
        WindowMetrics(
            pd.Timestamp(window["start"]),
            pd.Timestamp(window["end_exclusive"]),
            window["item_count"],
            _metrics_from_json(window["metrics"]),
        )
        for window in item["windows"]
    ]
    return Evaluation(item["algorithm"], windows, _metrics_from_json(item["summary"]))


def _metrics_to_json(metrics: Metrics) -> dict[str, Any]:
    """The metrics as JSON values, null where one is not defined."""
    losses = {str(q): _or_null(loss) for q, loss in metrics.weighted_quantile_loss.items()}
    values = {name: _or_null(getattr(metrics, name)) for name in _VALUES}
    return {**values, "weighted_quantile_loss": losses}


def _metrics_from_json(item: dict[str, Any]) -> Metrics:
    losses = {float(q): _or_nan(loss) for q, loss in item["weighted_quantile_loss"].items()}
    average = _or_nan(item["average_wql"]) if losses else None  # None: no quantile was asked for
    wape, rmse, mase, mape = (_or_nan(item[name]) for name in _VALUES[1:])
    return Metrics(losses, average, wape, rmse, mase, mape)


_VALUES = ("average_wql", "wape", "rmse", "mase", "mape")  # of the metrics


def _or_null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
