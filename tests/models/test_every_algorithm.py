"""One contract for every algorithm of the catalogue, on the series that break forecasters."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates
from forecastd.models.algorithm import Algorithm
from forecastd.models.fallback import completed
from forecastd.models.history import History
from forecastd.models.per_series import PerSeries
from forecastd.models.quantiles import GRID, MEDIAN
from forecastd.series.algorithms import AUTO_ML_CANDIDATES
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

HORIZON = 6
LENGTH = 120


def pathological_values() -> dict[str, np.ndarray]:
    """A series of each kind that has broken a forecaster somewhere, each [LENGTH]."""
    step = np.arange(LENGTH)
    noise = np.random.default_rng(7).normal(size=LENGTH)
    season = 10 + 3 * np.sin(2 * np.pi * step / 7)
    late = np.where(step < LENGTH - 20, np.nan, season + noise)
    gappy = np.where(step % 3 == 0, np.nan, season + noise)
    return {
        "seasonal": season + 0.3 * noise,
        "constant": np.full(LENGTH, 5.0),
        "zero": np.zeros(LENGTH),
        "one spike": np.where(step == 60, 1000.0, 0.0),
        "sparse": np.where(step % 11 == 0, 4.0, 0.0),
        "negative": -season * 100 + noise,
        "around zero": noise,
        "huge": 1e12 * season,
        "tiny": 1e-12 * season,
        "exponential": 1.08**step,
        "level shift": np.where(step < 100, 10.0, 500.0) + noise,
        "late": late,
        "gappy": gappy,
        "ended": np.where(step > 80, np.nan, season),
        "alternating": np.where(step % 2 == 0, 1.0, -1.0),
        "counts": np.random.default_rng(3).poisson(0.4, LENGTH).astype(float),
    }


def panel_of(values: dict[str, np.ndarray], frequency: str = "D") -> Panel:
    table = np.stack(list(values.values())).astype(float)
    start = pd.Timestamp("2020-01-01")
    step = Frequency.parse(frequency)
    return Panel(
        keys=pd.DataFrame({"item_id": list(values)}),
        times=pd.DatetimeIndex([start, *step.after(start, table.shape[1] - 1)]),
        values=table,
        observed=~np.isnan(table),
        frequency=step,
        holiday_country="US",
    )


def fitted(name: str, history: History) -> Algorithm:
    algorithm = candidates.make(name)
    algorithm.fit(history, seed=1, threads=1)
    return algorithm


HISTORY = History.of(panel_of(pathological_values()), HORIZON)


@cache
def trained(name: str) -> tuple[Algorithm, np.ndarray]:
    """An algorithm fitted on all pathological series, and its forecast."""
    algorithm = fitted(name, HISTORY)
    return algorithm, algorithm.forecast(HISTORY, threads=2)


@pytest.mark.parametrize("name", candidates.NAMES)
def test_every_series_gets_finite_quantiles(name: str) -> None:
    forecast = trained(name)[1]
    assert forecast.shape == (HISTORY.size, HORIZON, len(GRID))
    assert np.isfinite(forecast).all()


@pytest.mark.parametrize("name", candidates.NAMES)
def test_a_forecast_stays_near_what_was_seen(name: str) -> None:
    known = np.nan_to_num(HISTORY.values)
    size = np.abs(known).max(axis=1) + np.ptp(known, axis=1)
    assert (np.abs(trained(name)[1][..., MEDIAN]).max(axis=1) <= 20 * size + 1e-6).all()


@pytest.mark.parametrize("name", candidates.NAMES)
def test_fitted_again_and_stored_it_forecasts_the_same_on_any_number_of_threads(name: str) -> None:
    again = candidates.make(name)
    again.restore(fitted(name, HISTORY).state())
    count = (
        6 if isinstance(again, PerSeries) else HISTORY.size
    )  # each on its own: some are enough, and quicker
    some = replace(HISTORY, values=HISTORY.values[:count], static=HISTORY.static[:count])
    np.testing.assert_allclose(again.forecast(some, threads=1), trained(name)[1][:count], rtol=1e-6)


@pytest.mark.parametrize("name", candidates.NAMES)
@pytest.mark.parametrize(
    ("frequency", "steps"), [("15min", 60), ("H", 60), ("W", 30), ("M", 26), ("3M", 9), ("Y", 7)]
)
def test_every_frequency_and_a_short_history_work(name: str, frequency: str, steps: int) -> None:
    noise = np.random.default_rng(1).normal(size=steps)
    values = {"a": np.arange(steps) % 5 + noise, "b": np.arange(steps) * 2.0 + noise}
    history = History.of(panel_of(values, frequency), 3)
    forecast = fitted(name, history).forecast(history, threads=1)
    answered = np.isfinite(forecast).all()
    assert forecast.shape == (2, 3, len(GRID))
    too_little = steps < 10 or candidates.make(name).learns  # to estimate, or to learn from
    assert answered or too_little
    assert np.isfinite(completed(history, forecast)[0]).all()


@pytest.mark.parametrize("name", candidates.NAMES)
def test_the_algorithms_see_nothing_beyond_the_origin(name: str) -> None:
    values = {kind: pathological_values()[kind] for kind in ("seasonal", "around zero", "counts")}
    changed = {key: np.where(np.arange(LENGTH) < 100, series, 777.0) for key, series in values.items()}
    one, other = (History.of(panel_of(table), HORIZON, origin=100) for table in (values, changed))
    np.testing.assert_array_equal(
        fitted(name, one).forecast(one, threads=1), fitted(name, other).forecast(other, threads=1)
    )


@pytest.mark.parametrize("name", ["ARIMA", "ETS"])
@pytest.mark.parametrize("frequency", ["H", "W", "15min"])
def test_a_long_season_does_not_make_a_forecast_run_away(name: str, frequency: str) -> None:
    history = History.of(panel_of(pathological_values(), frequency), 72)
    forecast = fitted(name, history).forecast(history, threads=1)
    known = np.nan_to_num(history.values)
    size = np.abs(known).max(axis=1) + np.ptp(known, axis=1)
    assert np.isfinite(forecast).all()
    assert (np.diff(forecast, axis=2) >= 0).all()
    ordinary = [row for row, kind in enumerate(pathological_values()) if kind != "exponential"]
    assert (np.abs(forecast[..., MEDIAN]).max(axis=1) <= 20 * size + 1e-6)[ordinary].all()


def hourly_values(steps: int, week: float = 5.0) -> np.ndarray:
    """A rhythm of a day and one of a week of height ``week``, with a little noise, [steps]."""
    step = np.arange(steps)
    rhythm = 10 * np.sin(2 * np.pi * step / 24) + week * np.cos(2 * np.pi * step / 168)
    return 50 + rhythm + np.random.default_rng(0).normal(0, 0.5, steps)


@pytest.mark.parametrize(("name", "week"), [("ARIMA", 5.0), ("ETS", 0.0)])
def test_hours_follow_the_day_and_an_arima_also_the_week(name: str, week: float) -> None:
    horizon, values = 72, hourly_values(1100, week)
    history = History.of(panel_of({"a": values}, "H"), horizon, origin=1100 - horizon)
    median = fitted(name, history).forecast(history, threads=1)[0, :, MEDIAN]
    assert np.abs(median - values[-horizon:]).mean() < 0.6


@pytest.mark.parametrize(("name", "steps"), [("ARIMA", 1000), ("ETS", 504)])
def test_what_is_older_than_the_newest_part_costs_and_changes_nothing(name: str, steps: int) -> None:
    values = hourly_values(1100)
    other = np.where(np.arange(1100) < 1100 - steps, 1e6, values)
    one, changed = (History.of(panel_of({"a": table}, "H"), HORIZON) for table in (values, other))
    np.testing.assert_array_equal(
        fitted(name, one).forecast(one, threads=1), fitted(name, changed).forecast(changed, threads=1)
    )
    year, ten_years = (
        candidates.guess_s(name, panel_of({"a": np.ones(length)}, "H")) for length in (8760, 87600)
    )
    assert year == ten_years


def test_what_the_api_offers_is_in_the_catalogue() -> None:
    assert set(AUTO_ML_CANDIDATES) <= set(candidates.NAMES)
    assert set(candidates.AUTO_PREDICTOR_CANDIDATES) <= set(candidates.NAMES)
