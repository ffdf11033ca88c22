import numpy as np
import pandas as pd
import pytest

from forecastd.models.boosting import LEAF, Boosting, _settings
from forecastd.models.history import History
from forecastd.models.quantiles import GRID
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from tests.models.test_analogs import days, history

HORIZON, LENGTH, ORIGINS = 24, 500, range(300, 476, 8)
P10, P90 = (int(np.flatnonzero(level == GRID)[0]) for level in (0.1, 0.9))


def noise() -> Panel:
    """One series of which nothing can be known but its distribution."""
    values = np.random.default_rng(5).normal(100, 10, (1, LENGTH))
    return Panel(
        keys=pd.DataFrame({"item_id": ["i"]}),
        times=pd.date_range("2020-01-01", periods=LENGTH),
        values=values,
        observed=np.ones_like(values, bool),
        frequency=Frequency.parse("D"),
    )


def test_the_many_rows_of_one_series_are_not_taken_for_as_many_values() -> None:
    panel, boosting = noise(), Boosting()
    boosting.fit(History.of(panel, HORIZON, ORIGINS[0]), seed=0, threads=1)
    inside = []
    for origin in ORIGINS:
        [forecast] = boosting.forecast(History.of(panel, HORIZON, origin), threads=1)
        actual = panel.values[0, origin : origin + HORIZON]
        inside.append((actual >= forecast[:, P10]) & (actual <= forecast[:, P90]))
    assert 0.65 < np.mean(inside) < 0.9


@pytest.mark.parametrize(
    ("rows", "repeats", "leaf", "at_random"),
    [
        (100_000, 1.2, LEAF, False),  # of many series
        (100_000, 12.0, 240, True),  # of one long series
        (8_000, 24.0, 480, True),  # of one short series
        (800, 24.0, 100, True),  # never so many that nothing can be split
        (300, 1.0, 20, False),
    ],
)
def test_leaves_hold_distinct_values(rows: int, repeats: float, leaf: int, at_random: bool) -> None:
    settings = _settings(rows, repeats)
    assert (settings["min_data_in_leaf"], settings["extra_trees"]) == (leaf, at_random)


def hours(count: int) -> History:
    """Noisy hours of so many days of two types."""
    values = days(np.resize([0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0], count))[None]
    return history(values + 0.05 * np.random.default_rng(1).normal(size=values.shape), HORIZON)


def test_analogs_are_looked_up_for_few_series_within_the_day() -> None:
    boosting, daily = Boosting(), Boosting()
    boosting.fit(hours(60), seed=0, threads=1)
    daily.fit(History.of(noise(), HORIZON), seed=0, threads=1)
    assert (boosting.stride, daily.stride) == (1, 0)
    again = Boosting()
    again.restore(boosting.state())
    newer = hours(70)
    np.testing.assert_allclose(again.forecast(newer, 1), boosting.forecast(newer, 1))


def test_a_model_of_before_there_were_analogs_still_forecasts() -> None:
    past = History.of(noise(), HORIZON)
    old, again = Boosting(), Boosting()
    old.fit(past, seed=0, threads=1)
    again.restore(
        {name: learnt for name, learnt in old.state().items() if name not in ("stride", "year_once")}
    )
    np.testing.assert_allclose(again.forecast(past, 1), old.forecast(past, 1))
