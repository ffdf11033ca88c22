"""Every kind of series that has broken a forecaster: each gets a finite, ordered and labelled forecast.

All kinds lie in one data set, as they do in life, and go the whole way: rows, panel, training, forecast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from forecastd.models.predictor import Predictor
from forecastd.models.training import TrainingRequest, train
from forecastd.series.algorithms import AUTO_ML_CANDIDATES, NEURAL
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel

HORIZON, LENGTH = 6, 120
START = pd.Timestamp("2023-11-03")  # so that the history holds a 29th of February
NAN = np.nan

Shape = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # (step, random) -> values, NaN = no row


def _rhythm(step: np.ndarray) -> np.ndarray:
    return 10 + 3 * np.sin(2 * np.pi * step / 7)


@dataclass(frozen=True)
class Kind:
    """A kind of series, and which method is to be expected where the algorithm is not."""

    shape: Shape
    method: str | None = None  # None: the algorithm itself, or the seasonal naive one where it has no answer


KINDS: dict[str, Kind] = {
    "seasonal": Kind(lambda t, r: _rhythm(t) + 0.3 * r.normal(size=len(t))),
    "white noise": Kind(lambda t, r: r.normal(size=len(t))),
    "random walk": Kind(lambda t, r: np.cumsum(r.normal(size=len(t)))),
    "all missing": Kind(lambda t, r: np.full(len(t), NAN), "cold start"),
    "one point": Kind(lambda t, r: np.where(t == LENGTH - 1, 7.0, NAN), "short history"),
    "two points": Kind(lambda t, r: np.where(t >= LENGTH - 2, 7.0 + t, NAN), "short history"),
    "four points": Kind(lambda t, r: np.where(t >= LENGTH - 4, 7.0 + t, NAN), "short history"),
    "five points": Kind(lambda t, r: np.where(t >= LENGTH - 5, 7.0 + t % 3, NAN)),
    "as long as the horizon": Kind(lambda t, r: np.where(t >= LENGTH - HORIZON, _rhythm(t), NAN)),
    "constant": Kind(lambda t, r: np.full(len(t), 5.0)),
    "constant and huge": Kind(lambda t, r: np.full(len(t), 1e15)),
    "constant zero": Kind(lambda t, r: np.zeros(len(t))),
    "constant but for the end": Kind(lambda t, r: np.where(t == LENGTH - 1, 6.0, 5.0)),
    "intermittent": Kind(lambda t, r: np.where(t % 11 == 0, 4.0, 0.0)),
    "single spike": Kind(lambda t, r: np.where(t == 60, 1000.0, 0.0)),
    "spike at the end": Kind(lambda t, r: np.where(t == LENGTH - 1, 1000.0, 0.0)),
    "one outlier of a billion": Kind(lambda t, r: np.where(t == 80, 1e9, _rhythm(t))),
    "all negative": Kind(lambda t, r: -100 * _rhythm(t) + r.normal(size=len(t))),
    "both signs": Kind(lambda t, r: 50 * np.sin(2 * np.pi * t / 7)),
    "huge": Kind(lambda t, r: 1e15 * _rhythm(t)),
    "tiny": Kind(lambda t, r: 1e-12 * _rhythm(t)),
    "huge level and small rhythm": Kind(lambda t, r: 1e9 + _rhythm(t)),
    "late starting": Kind(lambda t, r: np.where(t >= LENGTH - 20, _rhythm(t), NAN)),
    "discontinued": Kind(lambda t, r: np.where(t < 60, _rhythm(t), NAN)),
    "missing tail": Kind(lambda t, r: np.where(t < LENGTH - 10, _rhythm(t), NAN)),
    "gap of half the history": Kind(lambda t, r: np.where((t > 30) & (t < 90), NAN, _rhythm(t))),
    "every third missing": Kind(lambda t, r: np.where(t % 3 == 0, NAN, _rhythm(t))),
    "only the first and the last": Kind(
        lambda t, r: np.where((t == 0) | (t == LENGTH - 1), 9.0, NAN), "short history"
    ),
    "leap day alone": Kind(lambda t, r: np.where(t == LEAP_DAY, 3.0, NAN), "short history"),
    "alternating": Kind(lambda t, r: np.where(t % 2 == 0, 1.0, -1.0)),
    "step change": Kind(lambda t, r: np.where(t < 100, 10.0, 500.0) + r.normal(size=len(t))),
    "change of variance": Kind(lambda t, r: np.where(t < 60, 0.01, 100.0) * r.normal(size=len(t))),
    "linear growth": Kind(lambda t, r: 3.0 * t),
    "exponential growth": Kind(lambda t, r: 1.08**t),
    "dying out": Kind(lambda t, r: 1000 * 0.9**t),
    "integer counts": Kind(lambda t, r: r.poisson(0.4, len(t)).astype(float)),
    "on and off": Kind(lambda t, r: (r.random(len(t)) > 0.7).astype(float)),
    "saturated": Kind(lambda t, r: np.minimum(40 * _rhythm(t) / 10, 42.0)),
    "heavy tails": Kind(lambda t, r: r.standard_cauchy(len(t))),
    "longer rhythm than the history": Kind(lambda t, r: np.sin(2 * np.pi * t / 365)),
    "duplicated times": Kind(lambda t, r: _rhythm(t)),
    "known to the metadata alone": Kind(lambda t, r: np.full(len(t), NAN), "cold start"),
}
LEAP_DAY = (pd.Timestamp("2024-02-29") - START).days
NO_ROWS = ("known to the metadata alone",)
UNMODELLED = {name for name, kind in KINDS.items() if kind.method}
FAST = ("AutoPredictor", "NPTS", "ETS")
SLOW_KINDS = (
    "seasonal",
    "constant",
    "single spike",
    "huge",
    "tiny",
    "missing tail",
    "alternating",
    "five points",
)


def rows(names: tuple[str, ...]) -> pd.DataFrame:
    """The target time series of some kinds; what is missing at an end has no rows, a missing value in between
    an empty one.
    """
    step = np.arange(LENGTH)
    times = pd.date_range(START, periods=LENGTH)
    tables = []
    for number, name in enumerate(names):
        values = KINDS[name].shape(step, np.random.default_rng(number))
        table = pd.DataFrame({"item_id": name, "timestamp": times, "y": values})
        tables += [table] * (2 if name == "duplicated times" else 1)
    return pd.concat([table for table in tables if table["item_id"].iloc[0] not in NO_ROWS])


def panel_of(names: tuple[str, ...]) -> Panel:
    """The panel of some kinds, gaps left open."""
    target = rows(names)
    metadata = pd.DataFrame({"item_id": list(names), "shelf": ["left", "right"] * (len(names) // 2)})
    return build_panel(
        target,
        item_key="item_id",
        target_name="y",
        dimensions=[],
        frequency=Frequency.parse("D"),
        filling={"middlefill": "nan", "backfill": "nan"},
        metadata=metadata,
        horizon_steps=HORIZON,
        holiday_country="US",
    )


def request(method: str) -> TrainingRequest:
    hyperparameters = {"epochs": "5"} if method in NEURAL else {}
    return TrainingRequest(
        method, HORIZON, (0.1, 0.5, 0.9), True, 1, HORIZON, hyperparameters,
        "AverageWeightedQuantileLoss", seed=1, threads=2, time_limit_s=None,
    )  # fmt: skip


@cache
def forecast(method: str, names: tuple[str, ...]) -> tuple[pd.DataFrame, dict[str, str], Predictor]:
    """What a method forecasts for some kinds, and the label of each."""
    panel = panel_of(names)
    predictor = train(panel, request(method), lambda fraction, left: None)
    table = predictor.forecast(panel, (0.01, 0.1, 0.5, 0.9, 0.99), want_mean=True)
    return table, dict(zip(panel.keys["item_id"], table.attrs["labels"], strict=True)), predictor


def check(method: str, names: tuple[str, ...]) -> None:
    table, labels, predictor = forecast(method, names)
    quantiles = ["p1", "p10", "p50", "p90", "p99"]
    assert set(table["item_id"]) == set(names)
    assert (table.groupby("item_id").size() == HORIZON).all()
    assert np.isfinite(table[[*quantiles, "mean"]].to_numpy()).all()
    assert (np.diff(table[quantiles].to_numpy(), axis=1) >= 0).all()
    for name in names:
        expected = KINDS[name].method
        assert labels[name] in ([expected] if expected else [method, "seasonal naive"]), name
    assert np.isfinite(predictor.backtests[["p10", "p50", "p90", "mean"]].to_numpy()).all()


def test_there_are_more_than_thirty_kinds() -> None:
    assert len(KINDS) >= 40


@pytest.mark.parametrize("method", FAST)
def test_every_kind_of_series_gets_a_forecast_and_a_label(method: str) -> None:
    check(method, tuple(KINDS))


@pytest.mark.parametrize("method", [name for name in AUTO_ML_CANDIDATES if name not in FAST])
def test_the_slow_algorithms_serve_the_worst_kinds_too(method: str) -> None:
    check(method, (*SLOW_KINDS, "all missing", "one point"))


@pytest.mark.skipif(find_spec("torch") is None, reason="requirements-neural.txt is not installed")
@pytest.mark.parametrize("method", NEURAL)
def test_the_networks_serve_every_kind(method: str) -> None:
    check(method, tuple(KINDS))


@pytest.mark.parametrize("method", FAST)
def test_an_ordinary_series_is_forecast_by_the_method_itself_and_well(method: str) -> None:
    table, labels, _ = forecast(method, tuple(KINDS))
    own = table[table["item_id"] == "seasonal"]
    assert labels["seasonal"] == method
    assert np.abs(own["p50"].to_numpy() - _rhythm(np.arange(LENGTH, LENGTH + HORIZON))).mean() < 1.5


@pytest.mark.parametrize("method", FAST)
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("constant", 4.5, 5.5),
        ("constant and huge", 0.9e15, 1.1e15),
        ("constant zero", 0.0, 0.1),
        ("one point", 6.0, 8.0),
        ("tiny", 4e-12, 16e-12),
        ("huge", 4e15, 16e15),
        ("all negative", -1600.0, -400.0),
        ("saturated", 20.0, 60.0),
    ],
)
def test_a_forecast_lies_where_a_person_would_draw_it(
    method: str, name: str, low: float, high: float
) -> None:
    table = forecast(method, tuple(KINDS))[0]
    medians = table.loc[table["item_id"] == name, "p50"]
    assert ((medians >= low) & (medians <= high)).all(), medians.tolist()


@pytest.mark.parametrize("method", FAST)
def test_one_bad_series_changes_nothing_for_the_others_of_a_method_of_single_series(method: str) -> None:
    if method == "AutoPredictor":
        pytest.skip("its mixture is chosen on all series together")
    alone = forecast(method, ("seasonal", "white noise"))[0]
    together = forecast(method, tuple(KINDS))[0]
    same = together[together["item_id"].isin(["seasonal", "white noise"])]
    np.testing.assert_allclose(
        same.drop(columns=["item_id", "timestamp"]).to_numpy(),
        alone.drop(columns=["item_id", "timestamp"]).to_numpy(),
        rtol=1e-6,
    )
