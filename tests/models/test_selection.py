"""By which series candidates are judged, and which candidates there are to choose among."""

import numpy as np
import pandas as pd

from forecastd.models import training
from forecastd.models.backtest import Backtest
from forecastd.models.ensemble import equal_shares
from forecastd.models.quantiles import GRID
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

HORIZON, LENGTH = 5, 40
WINDOW = Window(LENGTH - HORIZON, LENGTH)


def backtest(odd: dict[str, list[int]], size: int = 4) -> Backtest:
    """A good candidate, a bad one, and for each the series of which it forecasts no numbers."""
    values = np.random.default_rng(0).normal(100, 1, (size, LENGTH))
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(size)]})
    times = pd.date_range("2021-01-01", periods=LENGTH)
    panel = Panel(keys, times, values, np.ones(values.shape, bool), Frequency.parse("D"))
    result = Backtest(panel, values, HORIZON, [WINDOW], [], [], {}, seed=0, threads=1)
    for name, level in {"Bad": 150.0, "Good": 100.0}.items():
        forecast = np.full((size, HORIZON, len(GRID)), level, np.float32) + np.linspace(-2, 2, len(GRID))
        forecast[odd.get(name, [])] = np.inf
        result.forecasts[name, WINDOW.start] = forecast
    return result


def weights(odd: dict[str, list[int]]) -> dict[str, float]:
    return dict(training._mixture(backtest(odd), [WINDOW], LENGTH).weights)


def test_one_odd_series_does_not_take_a_candidate_from_all_others() -> None:
    assert max(weights({"Good": [1]}), key=weights({"Good": [1]}).__getitem__) == "Good"


def test_a_candidate_without_numbers_for_most_series_is_not_chosen() -> None:
    assert weights({"Good": [0, 1, 2]}) == {"Bad": 1.0}


def test_without_any_number_all_share_alike() -> None:
    everything = [0, 1, 2, 3]
    assert weights({"Good": everything, "Bad": everything}) == equal_shares(["Bad", "Good"]).weights
