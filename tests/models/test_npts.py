"""What the hyperparameters of NPTS do."""

import numpy as np
import pandas as pd
import pytest

from forecastd.models.history import History
from forecastd.models.npts import Npts
from forecastd.models.quantiles import MEDIAN
from forecastd.series.frequency import Frequency

HORIZON, LENGTH = 14, 140
STEP = np.arange(LENGTH)


def history(values: np.ndarray) -> History:
    start, step = pd.Timestamp("2021-01-04"), Frequency.parse("D")
    return History(
        values=values[None].astype(float),
        times=pd.DatetimeIndex([start, *step.after(start, LENGTH + HORIZON - 1)]),
        horizon=HORIZON,
        frequency=step,
        features={},
        static=np.zeros((1, 0), np.int64),
    )


def forecast(values: np.ndarray, **hyperparameters: str) -> np.ndarray:
    """Quantiles [H, K]."""
    return Npts(hyperparameters).forecast(history(values), threads=1)[0]


def test_the_seasonal_model_repeats_the_phase_and_the_other_does_not() -> None:
    week = STEP % 7
    np.testing.assert_allclose(forecast(week)[:, MEDIAN], np.arange(LENGTH, LENGTH + HORIZON) % 7)
    plain = forecast(week, use_seasonal_model="False")
    assert (plain == plain[0]).all()


def test_without_time_features_there_is_no_season() -> None:
    np.testing.assert_array_equal(
        forecast(STEP % 7, use_default_time_features="False"), forecast(STEP % 7, use_seasonal_model="False")
    )


def test_a_uniform_kernel_weighs_old_and_new_alike_and_an_exponential_one_forgets() -> None:
    step = np.where(STEP < 80, 0.0, 10.0)
    flat = {"use_seasonal_model": "False"}
    assert forecast(step, kernel_type="uniform", **flat)[0, MEDIAN] == pytest.approx(0, abs=1e-6)
    assert forecast(step, exp_kernel_weights="0.1", **flat)[0, MEDIAN] == pytest.approx(10)
    assert forecast(step, exp_kernel_weights="0.1", kernel_type="uniform", **flat)[0, MEDIAN] < 5


def test_the_context_is_all_that_is_looked_at() -> None:
    step = np.where(STEP < 80, -100.0, 10.0)
    short = forecast(step, context_length="60", kernel_type="uniform", use_seasonal_model="False")
    assert (short == 10).all()


def test_a_forecast_stays_within_what_was_observed() -> None:
    values = np.random.default_rng(0).normal(size=LENGTH)
    answer = forecast(values)
    assert answer.min() >= values.min()
    assert answer.max() <= values.max()
