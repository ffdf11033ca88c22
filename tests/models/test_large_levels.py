"""Values that are large against their differences are measured on what was forecast, not on its rounding."""

import numpy as np
import pandas as pd
import pytest

from forecastd.models.backtest import Backtest
from forecastd.models.predictor import Predictor
from forecastd.models.stretch import Candidate, Stretch, forecast_stretch, levels
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

HORIZON, LENGTH, LEVEL = 6, 90, 1e12


def panel(values: np.ndarray) -> Panel:
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(len(values))]})
    times = pd.date_range("2021-01-04", periods=LENGTH, freq="7D")
    return Panel(keys, times, values, ~np.isnan(values), Frequency.parse("W"))


def noise() -> np.ndarray:
    return 1000 * np.random.default_rng(0).normal(size=(4, LENGTH))


def trained(values: np.ndarray, method: str) -> Predictor:
    request = TrainingRequest(
        method, HORIZON, (0.1, 0.5, 0.9), True, 2, HORIZON, {}, "RMSE", seed=0, threads=1, time_limit_s=None
    )
    return train(panel(values), request, lambda fraction, left: None)


def test_a_level_of_a_trillion_does_not_hide_errors_of_a_thousand() -> None:
    predictor = trained(LEVEL + noise(), "AutoPredictor")
    assert 700 < predictor.evaluations[0].summary.rmse < 1500
    assert np.abs(predictor.backtests["p50"] - LEVEL).max() < 3000


def test_backtests_of_a_trillion_more_are_a_trillion_more() -> None:
    low, high = trained(noise(), "NPTS"), trained(LEVEL + noise(), "NPTS")
    for column in ("p10", "p50", "p90", "mean"):
        np.testing.assert_allclose(high.backtests[column] - LEVEL, low.backtests[column], atol=0.1)
    assert high.evaluations[0].summary.rmse == pytest.approx(low.evaluations[0].summary.rmse, rel=1e-3)


def test_forecasts_are_kept_as_distances_from_the_newest_value_before_their_window() -> None:
    values = LEVEL + noise()
    values[1, 70:80] = np.nan
    window = Window(80, 86)
    history = panel(values)
    backtest = Backtest(history, values, HORIZON, [window], [], [], {}, seed=0, threads=1)
    [kept] = forecast_stretch(history, Stretch(Candidate("NPTS", {}, HORIZON, 0, 1), (window,), slice(0, 4)))
    assert kept.dtype == np.float32
    assert np.abs(kept).max() < 100_000
    newest = values[[0, 1, 2, 3], [79, 69, 79, 79]]
    np.testing.assert_array_equal(backtest.levels(window)[:, 0], newest.astype(np.float32))
    np.testing.assert_array_equal(backtest.modelled(window), values[:, 80:86] - backtest.levels(window))
    np.testing.assert_array_equal(backtest.actual(window), values[:, 80:86])


def test_a_forecast_of_zero_is_kept_as_zero() -> None:
    values = np.where(np.isin(np.arange(LENGTH), [10, 30, LENGTH - HORIZON - 1]), 3.1, 0.0)[None]
    predictor = trained(values, "NPTS")
    assert (predictor.backtests["p10"] == 0).all()


def test_a_series_without_values_has_the_level_zero() -> None:
    assert levels(np.array([[np.nan, np.nan], [1.0, np.nan]])).tolist() == [0.0, 1.0]
