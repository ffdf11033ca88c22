import numpy as np
import pandas as pd
import pytest

from forecastd.errors import JobFailed
from forecastd.models.credible import credible
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

LENGTH = 60


def panel(values: np.ndarray) -> Panel:
    """Weekly series of two stores."""
    keys = pd.DataFrame({"item_id": [f"i{n}" for n in range(len(values))], "store": "s"})
    times = pd.date_range("2021-01-04", periods=values.shape[1], freq="7D")
    return Panel(keys, times, values, ~np.isnan(values), Frequency.parse("W"))


def noise(size: float = 100.0, series: int = 3) -> np.ndarray:
    return np.asarray(size * np.random.default_rng(0).normal(10, 1, (series, LENGTH)))


@pytest.mark.parametrize("value", [1e150, -1e31, np.inf])
def test_a_series_too_large_to_be_computed_with_is_refused_by_name(value: float) -> None:
    values = noise()
    values[1, 30:] = value
    with pytest.raises(JobFailed, match=r"up to 1e\+30 only: correct the value") as refused:
        credible(panel(values))
    assert f"Item i1 / s has the value {value:g} at 2021-08-02" in str(refused.value)


def test_one_cell_as_large_is_a_slip() -> None:
    values = noise()
    values[1, 30] = 1e150
    assert np.isnan(credible(panel(values)).values[1, 30])


def test_ordinary_and_empty_series_are_not_touched() -> None:
    history = panel(np.concatenate([noise(), np.full((1, LENGTH), np.nan), noise(1e25, 1)]))
    assert credible(history) is history


def mixture(values: np.ndarray) -> dict[str, float]:
    request = TrainingRequest(
        "AutoPredictor", 4, (0.1, 0.5, 0.9), True, 1, 4, {},
        "AverageWeightedQuantileLoss", seed=0, threads=1, time_limit_s=None,
    )  # fmt: skip
    trained = train(panel(values), request, lambda fraction, left: None)
    table = trained.forecast(panel(values), (0.1, 0.5, 0.9), want_mean=True)
    assert np.isfinite(table[["p10", "p50", "p90", "mean"]].to_numpy()).all()
    return dict(trained.mixture.weights)


def test_a_cell_beyond_single_precision_changes_nothing_for_the_others() -> None:
    slipped = noise()
    slipped[1, 30] = 1e40
    assert set(mixture(slipped)) == set(mixture(np.where(slipped == 1e40, np.nan, slipped)))
