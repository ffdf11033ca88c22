"""The accuracy of a predictor in the shape of the API, where backtest windows could not be evaluated."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecastd.jobs.training import evaluation_result
from forecastd.models.predictor import Predictor
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

HORIZON, LENGTH = 5, 60


def evaluated(values: np.ndarray, folder: Path) -> list[dict[str, Any]]:
    """The summary and the windows of a predictor that was trained, kept and read again."""
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(len(values))]})
    times = pd.date_range("2024-01-01", periods=LENGTH)
    panel = Panel(keys, times, values, ~np.isnan(values), Frequency.parse("D"))
    request = TrainingRequest(
        "NPTS", HORIZON, (0.1, 0.9), True, 2, HORIZON, {}, "RMSE", seed=0, threads=1, time_limit_s=None
    )
    train(panel, request, lambda fraction, left: None).save(folder)
    [evaluation] = Predictor.load(folder).evaluations
    return list(evaluation_result(evaluation, automatic=False)["TestWindows"])


def test_a_window_without_any_complete_item_has_no_metrics_and_no_part_in_the_summary(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(50, 9, (2, LENGTH))
    values[:, -1] = np.nan
    summary, newest, older = evaluated(values, tmp_path)
    assert newest["ItemCount"] == 0
    assert newest["Metrics"] == {"WeightedQuantileLosses": [], "ErrorMetrics": [{"ForecastType": "mean"}]}
    assert older["ItemCount"] == 2
    assert summary["Metrics"] == older["Metrics"]
    assert summary["Metrics"]["RMSE"] > 1


def test_where_no_window_could_be_evaluated_the_summary_is_not_defined(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(50, 9, (2, LENGTH))
    values[:, [-1, -HORIZON - 1]] = np.nan
    summary = evaluated(values, tmp_path)[0]
    assert summary["Metrics"] == {"WeightedQuantileLosses": [], "ErrorMetrics": [{"ForecastType": "mean"}]}
