import numpy as np
import pandas as pd
import pytest

from forecastd.models.outliers import without_outliers
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

LENGTH = 120


def panel(*series: np.ndarray) -> Panel:
    """Weekly series."""
    values = np.array(series, float)
    keys = pd.DataFrame({"item_id": [f"i{number}" for number in range(len(values))]})
    times = pd.date_range("2021-01-04", periods=values.shape[1], freq="7D")
    return Panel(keys, times, values, ~np.isnan(values), Frequency.parse("W"))


def level(size: float = 100.0, steps: int = LENGTH) -> np.ndarray:
    """Values around a level, a tenth of it apart."""
    return np.asarray(size * (1 + 0.1 * np.random.default_rng(0).normal(size=steps)))


def but(values: np.ndarray, **changed: float) -> np.ndarray:
    """The values with others at some steps: ``at_60=5``."""
    values = values.copy()
    for name, value in changed.items():
        values[int(name.removeprefix("at_"))] = value
    return values


def slips(*series: np.ndarray, origins: tuple[int, ...] = ()) -> list[int]:
    """The steps of the first series that are gaps to the models."""
    seen = without_outliers(panel(*series), origins)
    return [int(step) for step in np.flatnonzero(np.isnan(seen.values[0]))]


@pytest.mark.parametrize("value", [1e5, -1e5, 1e30])
@pytest.mark.parametrize("step", [0, 60, LENGTH - 1])
def test_a_single_absurd_value_is_a_gap(value: float, step: int) -> None:
    assert slips(but(level(), **{f"at_{step}": value})) == [step]


def test_a_hundred_and_twenty_weeks_of_ones_do_not_hold_a_thousand() -> None:
    assert slips(but(np.ones(LENGTH), at_60=1000)) == [60]


@pytest.mark.parametrize(
    "ordinary",
    [
        but(level(), at_60=2000),  # a promotion
        but(level(), at_60=1e5, at_61=1e5),  # it lasted
        but(level(steps=400), at_60=1e5, at_160=2e5, at_260=1e5),  # it came again and again
        but(np.zeros(LENGTH), at_60=1000),  # nothing to compare with
        but(level(), at_60=0, at_80=-100),
        1.2 ** np.arange(LENGTH),
        np.where(np.arange(LENGTH) < LENGTH - 2, 1.0, 1e4),  # a new level
        np.random.default_rng(0).lognormal(0, 2, LENGTH),
        but(level(steps=19), at_9=1e5),  # too short to know
    ],
)
def test_what_may_be_an_event_stays(ordinary: np.ndarray) -> None:
    history = panel(ordinary)
    assert without_outliers(history) is history


def test_only_the_series_with_the_slip_is_changed() -> None:
    history = panel(but(level(), at_60=1e5), level(3.0))
    seen = without_outliers(history)
    np.testing.assert_array_equal(seen.values[1], history.values[1])
    assert history.values[0, 60] == 1e5  # and counts for accuracy


def test_a_value_before_a_backtest_is_judged_without_what_came_later() -> None:
    grown = np.where(np.arange(LENGTH) < 100, but(level(), at_60=1e5), 1e5)
    assert slips(grown) == []
    assert slips(grown, origins=(100, 110)) == [60]


@pytest.mark.parametrize(("size", "value", "step"), [(100.0, 1e5, 60), (1.0, 1e3, 110), (100.0, 1e5, 119)])
def test_one_absurd_week_does_not_decide_the_forecast(size: float, value: float, step: int) -> None:
    request = TrainingRequest(
        "AutoPredictor", 4, (0.1, 0.5, 0.9), True, 1, 4, {},
        "AverageWeightedQuantileLoss", seed=0, threads=1, time_limit_s=None,
    )  # fmt: skip
    clean, wrong = panel(level(size)), panel(but(level(size), **{f"at_{step}": value}))
    expected, table = (
        train(history, request, lambda fraction, left: None).forecast(history, (0.1, 0.5, 0.9), True)
        for history in (clean, wrong)
    )
    for column in ("p10", "p50", "p90", "mean"):
        assert table[column].to_numpy() == pytest.approx(expected[column].to_numpy(), abs=0.08 * size)


def test_a_trained_predictor_sees_newer_data_without_slips() -> None:
    request = TrainingRequest(
        "ETS", 4, (0.1, 0.5, 0.9), True, 1, 4, {}, "RMSE", seed=0, threads=1, time_limit_s=None
    )
    trained = train(panel(level()), request, lambda fraction, left: None)
    table = trained.forecast(panel(but(level(), at_119=1e5)), (0.1, 0.9), want_mean=True)
    assert table["p90"].max() < 130
