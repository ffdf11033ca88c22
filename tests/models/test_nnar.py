import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates, nnar
from forecastd.models.history import History
from forecastd.models.nnar import Nnar
from forecastd.models.quantiles import MEDIAN
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from tests.models.test_analogs import DAY, HORIZON, days, history


def forecast(given: History, seed: int = 0) -> np.ndarray:
    model = Nnar()
    model.fit(given, seed, 1)
    return model.forecast(given, 1)


def noisy(size: int = 1, weeks: int = 6) -> np.ndarray:
    """Days of a rhythm and of noise that lasts for some hours, never below 0."""
    random = np.random.default_rng(3)
    steps = np.arange(weeks * 7 * DAY)
    noise = random.normal(0, 1, (size, len(steps)))
    for step in steps[1:]:
        noise[:, step] += 0.8 * noise[:, step - 1]
    return 40 + 10 * np.sin(2 * np.pi * steps / DAY) + noise


def test_what_depends_on_the_hours_before_is_learnt() -> None:
    # Whether the day is high or low turns on the day before alone: no average over days knows it.
    types = np.resize([0, 1], 61)
    coming = forecast(history(days(types[:-1])[None]))
    np.testing.assert_allclose(coming[0, :, MEDIAN], days(types[-1:]), atol=0.2)


def test_spread_grows_ahead_as_errors_add_up() -> None:
    width = np.ptp(forecast(history(noisy()))[0], axis=1)
    assert width[0] < 0.8 * width[5:].mean()


def test_most_of_what_comes_lies_within_the_quantiles() -> None:
    values = noisy(size=8)
    known, coming = values[:, :-HORIZON], values[:, -HORIZON:]
    quantiles = forecast(history(known))
    assert (np.diff(quantiles, axis=2) >= 0).all()
    inside = (coming >= quantiles[..., 1]) & (coming <= quantiles[..., 5])
    assert 0.7 < inside.mean() < 0.9


def test_the_same_seed_gives_the_same_forecast_and_another_seed_another() -> None:
    given = history(noisy())
    first = forecast(given, seed=1)
    np.testing.assert_array_equal(forecast(given, seed=1), first)
    assert not np.array_equal(forecast(given, seed=2), first)


def test_what_was_learnt_comes_back_from_its_state() -> None:
    given, learnt, restored = history(noisy(2)), Nnar(), Nnar()
    learnt.fit(given, 0, 1)
    restored.restore(learnt.state())
    np.testing.assert_array_equal(restored.forecast(given, 1), learnt.forecast(given, 1))


def test_the_unit_of_the_series_does_not_matter() -> None:
    values = noisy()
    np.testing.assert_allclose(
        forecast(history(1e6 * values - 7)), 1e6 * forecast(history(values)) - 7, rtol=1e-2
    )


def test_gaps_are_not_learnt_from_and_a_late_start_waits_for_its_past() -> None:
    values = noisy(2)
    values[0, 300:310] = np.nan
    values[1, :500] = np.nan
    rows = nnar._rows(history(values), 200, np.random.default_rng(0))
    learnt = {series: set(rows[rows[:, 0] == series, 1]) for series in (0, 1)}
    assert min(learnt[0]) == 200
    assert not learnt[0] & set(range(300, 310))
    assert min(learnt[1]) == 700
    assert np.isfinite(forecast(history(values))).all()


def test_before_a_step_stand_the_history_and_then_the_path() -> None:
    past, ahead = np.arange(10.0)[None], 10 + np.arange(8.0) * np.ones((2, 1, 3, 1))
    ahead[1, 0, 2] += 100
    lags = np.array([1, 2, 5, 9])
    before = nnar._before(past, ahead, 3, lags)
    np.testing.assert_array_equal(before[0, 0, 0], 13 - lags)
    np.testing.assert_array_equal(before[1, 0, 2], [112, 111, 8, 4])


def test_a_horizon_longer_than_the_rhythms_keeps_them() -> None:
    values = noisy(weeks=10)
    known, coming = values[:, :-400], values[:, -400:]
    quantiles = forecast(history(known, horizon=400))
    assert np.abs(quantiles[0, -DAY:, MEDIAN] - coming[0, -DAY:]).mean() < 2.0
    assert 0.65 < ((coming >= quantiles[..., 1]) & (coming <= quantiles[..., 5])).mean() < 0.92


def test_of_very_many_values_some_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nnar, "ROWS", (200, 500))
    rows = nnar._rows(history(noisy(3)), 200, np.random.default_rng(0))
    assert len(np.unique(rows, axis=0)) == 500
    assert set(rows[:, 0]) == {0, 1, 2}


@pytest.mark.parametrize("values", [np.full((1, 800), 3.0), np.zeros((1, 800))])
def test_a_constant_stays_what_it_is(values: np.ndarray) -> None:
    np.testing.assert_array_equal(forecast(history(values)), values[0, 0])


def test_too_short_a_past_has_no_answer() -> None:
    assert np.isnan(forecast(history(noisy()[:, :100]))).all()


@pytest.mark.parametrize(("frequency", "length"), [("10min", 15), ("30min", 20), ("4H", 60)])
def test_other_steps_than_hours_work(frequency: str, length: int) -> None:
    day = Frequency.parse(frequency).seasonality
    steps = np.arange(length * day)
    values = 10 + np.sin(2 * np.pi * steps / day)[None]
    given = history(values, horizon=day, frequency=frequency)
    expected = 10 + np.sin(2 * np.pi * np.arange(length * day, (length + 1) * day) / day)
    np.testing.assert_allclose(forecast(given)[0, :, MEDIAN], expected, atol=0.3)


@pytest.mark.parametrize(
    ("frequency", "size", "tried"), [("H", 1, True), ("15min", 30, True), ("H", 31, False), ("D", 1, False)]
)
def test_auto_predictor_tries_it_on_few_series_of_parts_of_days(
    frequency: str, size: int, tried: bool
) -> None:
    kind = Frequency.parse(frequency)
    times = pd.date_range("2024-01-01", periods=10, freq=kind.offset)
    keys = pd.DataFrame({"item_id": [f"{number}" for number in range(size)]})
    panel = Panel(keys, times, np.ones((size, 10)), np.ones((size, 10), bool), kind)
    assert ("NNAR" in candidates.for_auto_predictor(panel)) == tried
