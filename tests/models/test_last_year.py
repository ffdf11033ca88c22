import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates
from forecastd.models.history import History
from forecastd.models.last_year import MOST_SERIES, repeated
from forecastd.models.quantiles import GRID, MEDIAN
from forecastd.series.frequency import Frequency

YEAR, LENGTH, HORIZON = 52, 96, 8
CHRISTMAS = 100  # in the horizon; the history holds the one before, at step 48
HOLIDAYS = {8: 0.8, 20: 1.25, 35: 0.85, 48: 0.6}  # of a year, and what they multiply


def weeks(size: int, comes_back: bool = True, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Series [N, LENGTH + HORIZON] of different levels with holidays, which come back or are of one year."""
    random = np.random.default_rng(seed)
    step = np.arange(LENGTH + HORIZON)
    holidays = np.ones(len(step))
    for week, factor in HOLIDAYS.items():
        holidays[week] = factor
        if comes_back:
            holidays[week + YEAR] = factor
    level = np.exp(random.normal(3, 1, (size, 1))) * (1 + 0.001 * step)
    return level * holidays * (1 + random.normal(0, noise, (size, len(step))))


def history(values: np.ndarray, horizon: int = HORIZON, frequency: str = "W") -> History:
    size, length = values.shape
    kind = Frequency.parse(frequency)
    times = pd.date_range("2024-01-01", periods=length + horizon, freq=kind.offset)
    return History(values, times, horizon, kind, {}, np.zeros((size, 0)))


def factor(values: np.ndarray, horizon: int = HORIZON, frequency: str = "W") -> np.ndarray:
    """By how much a forecast is multiplied at each step, [H]."""
    ones = np.ones((len(values), horizon, len(GRID)))
    return repeated(history(values, horizon, frequency), ones)[0, :, 0]


def test_a_holiday_comes_back_where_others_did() -> None:
    found = factor(weeks(30)[:, :LENGTH])
    assert 0.55 < found[CHRISTMAS - LENGTH] < 0.7
    np.testing.assert_allclose(np.delete(found, CHRISTMAS - LENGTH), 1.0, atol=0.03)


def test_what_happened_once_does_not_come_back() -> None:
    np.testing.assert_allclose(factor(weeks(30, comes_back=False)[:, :LENGTH]), 1.0, atol=0.02)


def test_weeks_with_nothing_in_common_change_nothing() -> None:
    random = np.random.default_rng(3)
    np.testing.assert_allclose(factor(random.gamma(2.0, 1.0, (500, LENGTH))), 1.0, atol=0.03)


def test_a_series_alone_is_believed_less() -> None:
    one, many = (factor(weeks(size, noise=0.08, seed=5)[:, :LENGTH]) for size in (1, 200))
    assert many[CHRISTMAS - LENGTH] < 0.7
    assert many[CHRISTMAS - LENGTH] <= one[CHRISTMAS - LENGTH] <= 1.0


@pytest.mark.parametrize(
    ("length", "frequency"), [(2 * YEAR, "W"), (YEAR + 15, "W"), (LENGTH, "D"), (90, "H")]
)
def test_only_weeks_whose_year_is_held_once_are_touched(length: int, frequency: str) -> None:
    values = np.concatenate([weeks(5), weeks(5)], axis=1)[:, :length]
    assert (factor(values, frequency=frequency) == 1).all()


def test_a_horizon_beyond_a_year_goes_round_again() -> None:
    found = factor(weeks(30)[:, :LENGTH], horizon=60)
    np.testing.assert_allclose(found[YEAR:], found[: 60 - YEAR])


def test_late_starts_zeros_and_many_series_are_no_trouble() -> None:
    values = weeks(MOST_SERIES + 500)[:, :LENGTH]
    values[::2, :60] = np.nan
    values[1] = 0.0
    assert 0.55 < factor(values)[CHRISTMAS - LENGTH] < 0.75
    assert (factor(np.zeros((3, LENGTH))) == 1).all()


@pytest.mark.parametrize(
    "name", ["StateSpace", "Decomposition", "SeasonalTrend", "SeasonalTrendLog", "Linear"]
)
def test_models_of_level_and_rhythm_forecast_christmas_from_one_christmas(name: str) -> None:
    values = weeks(60)
    past = history(values[:, :LENGTH])
    algorithm = candidates.make(name)
    algorithm.fit(past, 0, 1)
    found = algorithm.forecast(past, 1)[..., MEDIAN] / values[:, LENGTH:]
    assert 0.8 < np.median(found[:, CHRISTMAS - LENGTH]) < 1.2
    assert 0.9 < np.median(found) < 1.1
