import numpy as np
import pandas as pd
import pytest

from forecastd.models.history import History
from forecastd.models.loess import rhythms, smoothed
from forecastd.models.quantiles import MEDIAN
from forecastd.models.seasonal_trend import SeasonalTrend
from forecastd.models.transform import Log, Plain
from forecastd.series.frequency import Frequency

DAY, WEEK = 24, 168


def hours(count: int) -> np.ndarray:
    """Two series with a rhythm of the day, one of the week, and a slow rise."""
    step = np.arange(count)
    day, week = np.sin(2 * np.pi * step / DAY), np.sin(2 * np.pi * step / WEEK)
    return np.stack([100 + 10 * day + 5 * week + 0.01 * step, 50 + 3 * day])


def test_a_straight_line_stays_as_it_is_when_smoothed_to_its_ends() -> None:
    line = np.arange(50.0)[None]
    np.testing.assert_allclose(smoothed(line, 7), line, atol=1e-9)
    np.testing.assert_allclose(smoothed(line, 101), line, atol=1e-9)


def test_each_rhythm_is_found_beside_the_others() -> None:
    series = hours(10 * WEEK)
    found = rhythms(series, [DAY, WEEK])
    step = np.arange(series.shape[1])
    np.testing.assert_allclose(found[DAY][1], 3 * np.sin(2 * np.pi * step / DAY), atol=0.1)
    np.testing.assert_allclose(found[WEEK][0], 5 * np.sin(2 * np.pi * step / WEEK), atol=0.6)


def test_a_rhythm_that_changes_its_shape_is_followed() -> None:
    step = np.arange(40 * 7)
    grown = np.linspace(1, 5, len(step)) * (step % 7 == 0)
    found = rhythms(grown[None], [7])[7][0]
    assert found[-7:].max() > 2 * found[:7].max()


@pytest.mark.parametrize("transform", [Plain, Log])
def test_what_repeats_is_carried_on(transform: type[Plain]) -> None:
    length, horizon = 6 * WEEK, 30
    truth = hours(length + horizon)
    times = pd.date_range("2024-01-01", periods=length + horizon, freq="h")
    history = History(truth[:, :length], times, horizon, Frequency.parse("H"), {}, np.zeros((2, 0)))
    forecast = SeasonalTrend(transform).forecast(history, 1)
    np.testing.assert_allclose(forecast[..., MEDIAN], truth[:, length:], rtol=0.03)


def test_a_history_shorter_than_a_cycle_has_no_rhythm() -> None:
    times = pd.date_range("2024-01-01", periods=12, freq="D")
    history = History(np.ones((1, 7)), times, 5, Frequency.parse("D"), {}, np.zeros((1, 0)))
    np.testing.assert_allclose(SeasonalTrend().forecast(history, 1)[..., MEDIAN], 1.0)
