import itertools

import numpy as np
import pandas as pd
import pytest

from forecastd.models.backtest import looks, selection_windows
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

HORIZON = 24


def panel_of(size: int, length: int) -> Panel:
    values = np.zeros((size, length))
    return Panel(
        keys=pd.DataFrame({"item_id": [f"i{n}" for n in range(size)]}),
        times=pd.date_range("2020-01-01", periods=length),
        values=values,
        observed=np.ones_like(values, bool),
        frequency=Frequency.parse("D"),
    )


def windows_of(size: int, length: int) -> list[Window]:
    """The windows before one evaluated window at the end."""
    return selection_windows(panel_of(size, length), HORIZON, [Window(length - HORIZON, length)])


def test_a_single_series_is_forecast_from_more_moments_of_the_same_time() -> None:
    alone, many = windows_of(1, 363), windows_of(20, 363)
    assert len(alone) > len(many) > 1
    assert alone[0] == many[0] == Window(315, 339)
    assert min(window.start for window in alone) >= 339 - 6 * HORIZON


def test_windows_of_several_series_do_not_overlap() -> None:
    windows = windows_of(20, 1000)
    assert all(newer.start == older.end for newer, older in itertools.pairwise(windows))


@pytest.mark.parametrize("length", [30, 48, 60, 100, 363, 5000])
def test_selection_leaves_most_of_the_history_to_learn_from(length: int) -> None:
    windows = windows_of(1, length)
    assert all(window.end - window.start == HORIZON for window in windows)
    assert all(window.start >= length // 3 for window in windows)
    assert all(window.end <= length - HORIZON for window in windows)


def test_what_windows_share_is_looked_at_once() -> None:
    apart = [Window(48, 72), Window(24, 48)]
    assert looks(apart, size=3, season=24) == 6
    assert looks([*apart, Window(36, 60)], size=3, season=24) == 6
    assert looks([Window(0, 24), Window(12, 36)], size=1, season=24) == 1.5


def test_a_window_is_one_look_for_each_rhythm_in_it() -> None:
    assert looks([Window(0, 480)], size=1, season=24) == 20
    assert looks([Window(0, 13)], size=1, season=52) == 1
