import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates, state_space
from forecastd.models.history import History
from forecastd.models.quantiles import GRID, MEDIAN
from forecastd.models.state_space import StateSpace
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

HORIZON = 8
P10, P90 = GRID.tolist().index(0.1), GRID.tolist().index(0.9)


def history(values: np.ndarray, frequency: str = "M", horizon: int = HORIZON) -> History:
    size, length = values.shape
    kind = Frequency.parse(frequency)
    times = pd.date_range("2001-01-01", periods=length + horizon, freq=kind.offset)
    return History(values, times, horizon, kind, {}, np.zeros((size, 0)))


def forecast(values: np.ndarray, frequency: str = "M", horizon: int = HORIZON) -> np.ndarray:
    return StateSpace().forecast(history(values, frequency, horizon), 1)


def covariance(model: state_space._Model, steps: int) -> np.ndarray:
    """Of all values of a model, [steps, steps], by its definition and without a filter."""
    state, turns = model.begins, [np.linalg.matrix_power(model.turn, n) for n in range(steps)]
    table = np.empty((steps, steps))
    for step in range(steps):
        for later in range(step, steps):
            table[step, later] = table[later, step] = model.seen @ turns[later - step] @ state @ model.seen
        state = model.turn @ state @ model.turn.T + model.shocks
    return table + model.noise * np.eye(steps)


@pytest.mark.parametrize("number", range(0, 72, 5))
def test_a_filter_forecasts_what_follows_from_its_model(number: int) -> None:
    steps, season = 20, 4
    model = state_space._models(season)[number]
    found = state_space._filter(model, HORIZON, (12, steps))
    for length in (12, steps):
        whole = covariance(model, length + HORIZON)
        past, between = whole[:length, :length], whole[length:, :length]
        gain = np.linalg.solve(past, between.T).T
        spread = np.diag(whole[length:, length:] - gain @ between.T)
        values = np.random.default_rng(0).normal(0, 3, length)
        np.testing.assert_allclose(found.ahead[length] @ values, gain @ values, rtol=0.01, atol=0.01)
        np.testing.assert_allclose(found.spread[length], spread, rtol=0.01, atol=0.01)


def test_the_errors_of_a_filter_have_the_variances_that_it_says() -> None:
    model = state_space._models(4)[30]
    found = state_space._filter(model, HORIZON, (15,))
    errors = found.errors @ covariance(model, 15) @ found.errors.T
    np.testing.assert_allclose(np.diag(errors)[6:], found.variances[6:], rtol=0.01)


def test_a_straight_line_goes_on() -> None:
    line = 50 + 2.0 * np.arange(40 + HORIZON)
    found = forecast(line[None, :40], "Y")
    np.testing.assert_allclose(found[0, :, MEDIAN], line[40:], rtol=0.01)


@pytest.mark.parametrize(("frequency", "season"), [("M", 12), ("3M", 4), ("D", 7)])
def test_a_season_goes_on_whatever_its_shape(frequency: str, season: int) -> None:
    random = np.random.default_rng(3)
    shape = random.normal(0, 10, season)
    step = np.arange(6 * season + HORIZON)
    truth = 100 + 0.2 * step + shape[step % season]
    noisy = truth + random.normal(0, 0.3, len(step))
    found = forecast(noisy[None, :-HORIZON], frequency)
    np.testing.assert_allclose(found[0, :, MEDIAN], truth[-HORIZON:], atol=2.0)


def test_a_season_of_a_year_of_weeks_is_a_few_waves() -> None:
    step = np.arange(4 * 52 + HORIZON)
    truth = 100 + 20 * np.sin(2 * np.pi * step / 52)
    noisy = truth + np.random.default_rng(0).normal(0, 1, len(step))
    found = forecast(noisy[None, :-HORIZON], "W")
    np.testing.assert_allclose(found[0, :, MEDIAN], truth[-HORIZON:], atol=3.0)


def test_effects_that_multiply_are_seen_on_the_logarithmic_scale() -> None:
    step = np.arange(10 * 12 + HORIZON)
    truth = np.exp(0.02 * step + 0.5 * np.sin(2 * np.pi * step / 12))
    found = forecast(truth[None, :-HORIZON])
    np.testing.assert_allclose(found[0, :, MEDIAN], truth[-HORIZON:], rtol=0.05)


def test_intervals_hold_what_they_promise() -> None:
    random = np.random.default_rng(1)
    walks = 1000 + np.cumsum(random.normal(0, 1, (400, 60 + HORIZON)), axis=1)
    values = walks + random.normal(0, 2, walks.shape)
    found = forecast(values[:, :60], "Y")
    actual = values[:, 60:]
    held = (actual >= found[..., P10]) & (actual <= found[..., P90])
    assert 0.75 < held.mean() < 0.85


def test_each_series_is_forecast_from_its_own_past_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).gamma(2.0, 10.0, (5, 50))
    together = forecast(values)
    monkeypatch.setattr(state_space, "NUMBERS_AT_A_TIME", 1)
    np.testing.assert_allclose(forecast(values), together, rtol=1e-3)
    for row in range(5):
        np.testing.assert_allclose(forecast(values[row : row + 1])[0], together[row], rtol=1e-3)


def test_what_is_missing_before_the_first_value_tells_nothing() -> None:
    values = np.random.default_rng(2).gamma(2.0, 10.0, (1, 30))
    late = np.concatenate([np.full((1, 100), np.nan), values], axis=1)
    beside = np.concatenate([late, np.random.default_rng(5).normal(0, 1, (1, 130))])
    np.testing.assert_allclose(forecast(beside)[0], forecast(values)[0], rtol=1e-3)


def test_the_unit_of_the_series_does_not_matter() -> None:
    values = np.random.default_rng(4).gamma(2.0, 1.0, (1, 48))
    np.testing.assert_allclose(forecast(1e6 * values), 1e6 * forecast(values), rtol=1e-3)


def test_a_constant_series_stays_constant_and_one_value_is_enough() -> None:
    values = np.full((2, 30), 7.0)
    values[1, :-1] = np.nan
    np.testing.assert_allclose(forecast(values)[0], 7.0, atol=0.01)
    assert np.isfinite(forecast(values)).all()
    assert (np.diff(forecast(values), axis=2) >= 0).all()


@pytest.mark.parametrize(
    ("frequency", "size", "tried"),
    [("H", 1, False), ("D", 30, True), ("D", 31, False), ("W", 31, True), ("3M", 31, True), ("Y", 31, True)],
)
def test_only_where_it_gains_for_its_time_is_it_a_candidate(frequency: str, size: int, tried: bool) -> None:
    kind = Frequency.parse(frequency)
    times = pd.date_range("2024-01-01", periods=20, freq=kind.offset)
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(size)]})
    panel = Panel(keys, times, np.ones((size, 20)), np.ones((size, 20), bool), kind)
    assert ("StateSpace" in candidates.for_auto_predictor(panel)) == tried
