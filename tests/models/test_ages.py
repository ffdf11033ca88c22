"""Series that began late or ended early, beside others: forecast as if they were among their own."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecastd.models.algorithm import Algorithm
from forecastd.models.boosting import Boosting
from forecastd.models.decomposition import Decomposition
from forecastd.models.history import History
from forecastd.models.linear import Linear
from forecastd.models.naive import SeasonalNaive
from forecastd.models.quantiles import GRID
from forecastd.models.regression import Regression
from forecastd.models.seasonal_trend import SeasonalTrend
from forecastd.models.transform import Log, Plain
from forecastd.series.frequency import Frequency

MONTHS, HORIZON = 240, 6
LOW, HIGH = (int(np.flatnonzero(level == GRID)[0]) for level in (0.1, 0.9))
OF_LEVEL = (partial(Decomposition, Plain), partial(Decomposition, Log), partial(SeasonalTrend, Plain))


def months(size: int, seed: int = 0) -> np.ndarray:
    """Series with a rhythm of the year and noise, [N, T]."""
    year = 1 + 0.3 * np.sin(2 * np.pi * np.arange(MONTHS) / 12)
    return 100 * (year + 0.1 * np.random.default_rng(seed).normal(size=(size, MONTHS)))


def view(values: np.ndarray) -> History:
    times = pd.date_range("2000-01-01", periods=values.shape[1] + HORIZON, freq="MS")
    return History(values, times, HORIZON, Frequency.parse("M"), {}, np.zeros((len(values), 0), int))


def forecast(make: Callable[[], Algorithm], values: np.ndarray) -> np.ndarray:
    algorithm, history = make(), view(values)
    algorithm.fit(history, seed=0, threads=1)
    return algorithm.forecast(history, threads=1)


@pytest.mark.parametrize("make", [*OF_LEVEL, partial(Regression, Plain)])
def test_young_series_are_forecast_beside_old_ones_as_they_are_alone(make: Callable[[], Algorithm]) -> None:
    old, young = months(2), months(8, seed=1)
    beside = np.where(np.arange(MONTHS) < MONTHS - 40, np.nan, young)
    alone = forecast(make, young[:, -40:])
    np.testing.assert_allclose(forecast(make, np.concatenate([beside, old]))[:8], alone, rtol=1e-9)


@pytest.mark.parametrize("make", OF_LEVEL)
def test_series_that_ended_whole_years_ago_are_forecast_from_their_end(make: Callable[[], Algorithm]) -> None:
    ended = months(5)
    ended[:, -60:] = np.nan
    np.testing.assert_allclose(forecast(make, ended), forecast(make, ended[:, :-60]), rtol=1e-9)


@pytest.mark.parametrize(
    "make",
    [*OF_LEVEL, partial(Regression, Plain), SeasonalNaive, Linear, Boosting],
    ids=lambda make: str(make),
)
def test_an_early_end_takes_neither_rhythm_nor_width(make: Callable[[], Algorithm]) -> None:
    whole, ended = months(40), months(40)
    ended[:20, -20:] = np.nan  # neither whole years nor few
    there, found = forecast(make, whole)[:20], forecast(make, ended)[:20]
    width = (there[..., HIGH] - there[..., LOW]).mean()
    assert 0.6 < (found[..., HIGH] - found[..., LOW]).mean() / width < 1.7
    middle = slice(LOW, HIGH + 1)
    truth = 100 * (1 + 0.3 * np.sin(2 * np.pi * (MONTHS + np.arange(HORIZON)) / 12))
    assert np.abs(found[..., middle].mean(axis=-1) - truth).mean() < 0.75 * width


def test_before_and_after_all_values_stands_the_nearest_season() -> None:
    values = np.tile(np.arange(12.0), (2, 4))
    values[:, :7], values[:, -9:] = np.nan, np.nan
    values[1, :-20] = np.nan  # less than two years are left: the nearest value
    filled = view(values).filled
    np.testing.assert_array_equal(filled[0], np.tile(np.arange(12.0), 4))
    assert set(filled[1, :28]) == {values[1, 28]}
    assert set(filled[1, -9:]) == {values[1, -10]}


def test_a_panel_without_gaps_at_its_ends_is_one_class() -> None:
    values = months(3)
    values[:, 100] = np.nan
    history = view(values)
    assert history.carried[0] is history.filled
    np.testing.assert_array_equal(history.carried[1], [0, 0, 0])
