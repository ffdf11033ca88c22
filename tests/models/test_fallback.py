"""Who forecasts what the models cannot: which method, and its label."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from forecastd.models.fallback import COLD, MODEL, NAIVE, NOTHING, SHORT, completed
from forecastd.models.history import History
from forecastd.models.per_series import OneSeries, PerSeries
from forecastd.models.quantiles import GRID, MEDIAN, normal
from forecastd.series.frequency import Frequency

HORIZON, LENGTH = 7, 60


def history(values: np.ndarray) -> History:
    start, step = pd.Timestamp("2021-01-04"), Frequency.parse("D")
    return History(
        values=values,
        times=pd.DatetimeIndex([start, *step.after(start, LENGTH + HORIZON - 1)]),
        horizon=HORIZON,
        frequency=step,
        features={},
        static=np.zeros((len(values), 0), np.int64),
    )


def week(t: np.ndarray) -> np.ndarray:
    return np.asarray(10 + t % 7, float)


STEP = np.arange(LENGTH)
SHORT_ONE = np.where(STEP > LENGTH - 3, 5.0, np.nan)
FOUR = np.stack([week(STEP), week(STEP), SHORT_ONE, np.full(LENGTH, np.nan)])


def test_each_series_is_labelled_by_what_forecast_it() -> None:
    answer = np.full((4, HORIZON, len(GRID)), np.nan)
    answer[0] = 12.0
    forecast, labels = completed(history(FOUR), answer)
    assert labels == [MODEL, NAIVE, SHORT, COLD]
    assert np.isfinite(forecast).all()
    np.testing.assert_array_equal(forecast[0], 12.0)
    np.testing.assert_allclose(forecast[1, :, MEDIAN], week(np.arange(LENGTH, LENGTH + HORIZON)))


def test_without_any_value_there_is_nothing_to_say_but_zero() -> None:
    nothing = np.full((2, LENGTH), np.nan)
    forecast, labels = completed(history(nothing), np.full((2, HORIZON, len(GRID)), np.nan))
    assert labels == [NOTHING] * 2
    assert (forecast == 0).all()


def spread_of(*levels: float, deviation: float) -> np.ndarray:
    """Forecasts of these medians, alike in width, that do not go below zero."""
    shape = (len(levels), HORIZON)
    middle = np.broadcast_to(np.array(levels)[:, None], shape)
    return np.maximum(normal(middle, np.full(shape, deviation)), 0.0)


def test_a_short_history_is_no_wider_for_items_beside_it_that_are_nearly_always_zero() -> None:
    values = np.tile([0.0, 0, 0, 0, 5], (5, LENGTH // 5))
    values[4] = np.nan
    values[4, -3:] = [33, 32, 28]
    answer = np.full((5, HORIZON, len(GRID)), np.nan)
    answer[:4] = spread_of(0.1, 0.1, 0.2, 0.2, deviation=2.0)
    forecast, labels = completed(history(values), answer)
    assert labels[4] == SHORT
    p10, p90 = forecast[4, 0, GRID == 0.1].item(), forecast[4, 0, GRID == 0.9].item()
    np.testing.assert_allclose([p10, forecast[4, 0, MEDIAN], p90], [11.1, 31, 50.9], atol=0.1)
    answer[1:3] = spread_of(10.0, 40.0, deviation=2.0)  # a fifth and a twentieth as wide as they are high
    forecast, _ = completed(history(values), answer)
    p90 = forecast[4, 0, GRID == 0.9].item()
    np.testing.assert_allclose(p90, 31 + 1.28 * 31 * (1 / 5 + 1 / 20) / 2, rtol=0.01)


class Moody(PerSeries):
    """Fails on some series, in every way that a library may."""

    name = "Moody"
    longest = {"D": 100}  # noqa: RUF012

    @property
    def method(self):  # type: ignore[no-untyped-def]
        return moody


def moody(series: OneSeries) -> np.ndarray:
    level = series.values[-1]
    answers = {1.0: np.full((HORIZON, len(GRID)), np.nan), 2.0: np.full((HORIZON, len(GRID)), 1e9)}
    if level == 0.0:
        raise ZeroDivisionError
    return answers.get(level, np.full((HORIZON, len(GRID)), level))


def test_a_series_on_which_a_method_fails_gets_no_answer_of_it() -> None:
    levels = np.array([0.0, 1.0, 2.0, 3.0])
    one = replace(history(FOUR), values=np.tile(levels[:, None], (1, LENGTH)))
    answer = Moody().forecast(one, threads=1)
    assert np.isnan(answer[:3]).all()
    assert (answer[3] == 3.0).all()
    assert completed(one, answer)[1] == [NAIVE, NAIVE, NAIVE, MODEL]


def brands(*codes: int) -> History:
    """Series of these brands; the first four have values, the others none."""
    values = np.full((len(codes), LENGTH), np.nan)
    values[:4] = 1.0
    return replace(history(values), static=np.array(codes)[:, None])


def flat(*levels: float) -> np.ndarray:
    """Forecasts of constants, NaN for those that have none."""
    return np.broadcast_to(np.array(levels)[:, None, None], (len(levels), HORIZON, len(GRID)))


def test_a_cold_series_is_forecast_like_those_of_its_metadata_or_like_all() -> None:
    answer = flat(10, 20, 30, 40, np.nan, np.nan, np.nan)
    forecast, labels = completed(brands(7, 5, 7, 5, 7, 9, 5), answer)
    assert labels == [MODEL] * 4 + [COLD] * 3
    np.testing.assert_allclose(forecast[4:, 0, MEDIAN], [20, 25, 30])
    np.testing.assert_allclose(forecast[4:, 0, [0, -1]], [[10, 30], [10, 40], [20, 40]])


def test_thousands_of_cold_series_that_none_is_like_take_no_time() -> None:
    size = 3000
    history = brands(*range(size))
    history = replace(history, values=np.where(np.arange(size)[:, None] < 1500, 1.0, history.values))
    answer = np.where(
        np.arange(size)[:, None, None] < 1500, np.arange(7.0), np.full((size, HORIZON, 7), np.nan)
    )
    began = time.process_time()
    forecast, _ = completed(history, answer)
    assert time.process_time() - began < 3  # a mixture of all for each of them takes ten times as long
    assert (forecast[1500:] == forecast[1500]).all()
