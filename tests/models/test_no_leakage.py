"""What happened in a backtest window has no part in the forecast of that window, to the last bit."""

import numpy as np
import pandas as pd
import pytest

from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

HORIZON, LENGTH = 4, 60
FORECASTS = ["p10", "p50", "p90", "mean"]


def panel(values: np.ndarray) -> Panel:
    """Weekly series, one of which has a gap that was filled with zero."""
    observed = np.ones(values.shape, bool)
    observed[1, 30] = False
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(len(values))]})
    times = pd.date_range("2021-01-04", periods=LENGTH, freq="7D")
    return Panel(keys, times, np.where(observed, values, 0.0), observed, Frequency.parse("W"))


def backtest(values: np.ndarray, start: int) -> pd.DataFrame:
    """The backtest of the window that starts at a step."""
    request = TrainingRequest(
        "AutoPredictor", HORIZON, (0.1, 0.5, 0.9), True, 2, HORIZON, {},
        "AverageWeightedQuantileLoss", seed=0, threads=1, time_limit_s=None,
    )  # fmt: skip
    table = train(panel(values), request, lambda fraction, left: None).backtests
    return table[table["window_start"] == pd.Timestamp("2021-01-04") + pd.Timedelta(weeks=start)]


@pytest.mark.parametrize("start", [LENGTH - HORIZON, LENGTH - 2 * HORIZON])
def test_other_values_in_a_window_do_not_change_its_forecast(start: int) -> None:
    values = np.random.default_rng(0).normal(100, 10, (6, LENGTH))
    values[:, ::4] += 40
    changed = values.copy()
    changed[:, start : start + HORIZON] *= -40
    one, other = backtest(values, start), backtest(changed, start)
    assert (one["target_value"] != other["target_value"]).all()
    pd.testing.assert_frame_equal(one[FORECASTS], other[FORECASTS], check_exact=True)
