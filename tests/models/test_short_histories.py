"""A history hardly longer than the horizon: whatever cannot be learnt, every series is forecast."""

import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates
from forecastd.models.history import History
from forecastd.models.stretch import Candidate, Stretch, forecast_stretch, learn, levels
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Boundary, Frequency
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

FREQUENCIES = ("1min", "15min", "30min", "H", "D", "W", "M", "Y")
LEARNERS = [name for name in candidates.NAMES if candidates.make(name).learns]
QUANTILES = (0.1, 0.5, 0.9)


def panel(values: np.ndarray, frequency: str = "D") -> Panel:
    """Series of plain values [N, T]."""
    parsed = Frequency.parse(frequency)
    bounds = Boundary.parse(None, parsed.unit)
    first = int(parsed.unit_numbers(pd.DatetimeIndex(["2021-01-04"]), bounds)[0])
    units = first + np.arange(values.shape[1], dtype=np.int64) * parsed.count
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(len(values))]})
    return Panel(keys, parsed.unit_starts(units, bounds), values, ~np.isnan(values), parsed)


def forecast(history: Panel, horizon: int) -> pd.DataFrame:
    request = TrainingRequest(
        "AutoPredictor", horizon, QUANTILES, True, 1, horizon, {},
        "AverageWeightedQuantileLoss", seed=0, threads=1, time_limit_s=None,
    )  # fmt: skip
    trained = train(history, request, lambda fraction, left: None)
    return trained.forecast(history, QUANTILES, want_mean=True)


@pytest.mark.parametrize("frequency", FREQUENCIES)
@pytest.mark.parametrize("horizon", [4, 14])
def test_one_step_more_than_the_horizon_is_enough_at_any_frequency(frequency: str, horizon: int) -> None:
    values = np.random.default_rng(0).normal(100, 3, (3, horizon + 1))
    table = forecast(panel(values, frequency), horizon)
    assert table["p50"].between(80, 120).all()


def test_series_that_begin_at_the_end_of_a_long_axis_are_forecast_from_what_they_have() -> None:
    values = np.full((1, 105), np.nan)
    values[0, -3:] = [1.0, 2.0, 3.0]
    table = forecast(panel(values), 14)
    assert table.attrs["methods"] == {"short history": 1}
    assert table["p50"].to_numpy() == pytest.approx(2.0)


def test_a_single_value_is_enough() -> None:
    values = np.full((1, 120), np.nan)
    values[0, 60] = 3.0
    table = forecast(panel(values, "W"), 8)
    assert table["p50"].to_numpy() == pytest.approx(3.0)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_had_nothing_to_learn_from_has_a_state_and_no_answer(name: str) -> None:
    candidate = Candidate(name, {}, 7, 0, 1)
    state = learn(panel(np.full((2, 30), np.nan)), candidate)
    restored = candidates.make(name)
    restored.restore(state)
    assert np.isnan(restored.forecast(History.of(panel(np.ones((2, 60))), 7), 1)).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_a_candidate_is_fitted_before_the_first_window_that_has_a_history(name: str) -> None:
    step = np.arange(400)
    values = np.where(step < 100, np.nan, 10 + np.sin(2 * np.pi * step / 24))[None]
    windows = (Window(50, 57), Window(300, 307))
    stretch = Stretch(Candidate(name, {}, 7, 0, 1), windows, slice(0, 1))
    early, late = forecast_stretch(panel(values, "H"), stretch)
    assert np.isnan(early).all()
    level = levels(values[:, :300])[0]  # from which the forecasts are distances
    assert np.abs(level + late[0, :, 3] - values[0, 300:307]).max() < 0.5
