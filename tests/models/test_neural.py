"""The networks, where the optional packages are installed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="requirements-neural.txt is not installed")
pytest.importorskip("gluonts", reason="requirements-neural.txt is not installed")

from forecastd.errors import JobFailed
from forecastd.models import archive, candidates
from forecastd.models.algorithm import Algorithm
from forecastd.models.deepar import DeepAr
from forecastd.models.history import History
from forecastd.models.predictor import Predictor
from forecastd.models.quantiles import GRID, MEDIAN
from forecastd.models.training import TrainingRequest, train
from forecastd.series.algorithms import LIKELIHOODS, NEURAL, RELATED_KINDS
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from forecastd.series.tuning import Range

HORIZON, LENGTH = 7, 120
QUICK = {"epochs": "2", "context_length": "14"}


def panel(items: int = 6, frequency: str = "D", length: int = LENGTH, **options: Any) -> Panel:
    """A rhythm of seven steps at very different levels, with a little noise."""
    random, step = np.random.default_rng(3), Frequency.parse(frequency)
    start = pd.Timestamp("2021-01-04")
    rhythm = 20 + 8 * np.sin(2 * np.pi * np.arange(length) / 7)
    values = np.stack([10.0**n * (rhythm + random.normal(0, 0.5, length)) for n in range(items)])
    return Panel(
        keys=pd.DataFrame({"item_id": [f"i{n}" for n in range(items)]}),
        times=pd.DatetimeIndex([start, *step.after(start, length - 1)]),
        values=values,
        observed=np.ones(values.shape, bool),
        frequency=step,
        **options,
    )


def fitted(name: str, history: History, **hyperparameters: str) -> Algorithm:
    algorithm = candidates.make(name, {**QUICK, **hyperparameters})
    algorithm.fit(history, seed=1, threads=1)
    return algorithm


@pytest.mark.parametrize("name", NEURAL)
def test_a_network_learns_a_rhythm_whatever_the_level(name: str) -> None:
    whole = panel(length=LENGTH + HORIZON)
    history = History.of(whole, HORIZON, origin=LENGTH)
    forecast = fitted(name, history, epochs="80" if name == "Deep_AR_Plus" else "12").forecast(history, 1)
    actual = whole.values[:, LENGTH:]
    error = np.abs(forecast[..., MEDIAN] - actual).mean(axis=1) / actual.mean(axis=1)
    assert (error < 0.15).all()  # the level alone is 0.25 off
    assert (np.diff(forecast, axis=-1) >= 0).all()


@pytest.mark.parametrize("name", NEURAL)
def test_stored_and_read_again_a_network_forecasts_the_same(name: str, tmp_path: Any) -> None:
    history = History.of(panel(), HORIZON)
    algorithm = fitted(name, history)
    archive.write(tmp_path, algorithm.state())
    again = candidates.make(name, algorithm.effective())
    again.restore(archive.read(tmp_path))
    np.testing.assert_array_equal(again.forecast(history, 1), algorithm.forecast(history, 2))


@pytest.mark.parametrize("name", NEURAL)
def test_the_same_seed_learns_the_same(name: str) -> None:
    history = History.of(panel(), HORIZON)
    one, other = (fitted(name, history).forecast(history, 1) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NEURAL)
@pytest.mark.parametrize("frequency", ["15min", "H", "W", "M", "Y"])
def test_every_frequency_works(name: str, frequency: str) -> None:
    history = History.of(panel(frequency=frequency), 3)
    assert np.isfinite(fitted(name, history).forecast(history, 1)).all()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_gives_ordered_quantiles(likelihood: str) -> None:
    whole = panel(items=4)
    values = np.clip(whole.values[:4] / whole.values.max(axis=1, keepdims=True)[:4] * 0.9, 0.01, 0.99)
    history = History.of(
        replace(whole, values=np.round(values * 20) if "neg" in likelihood else values), HORIZON
    )
    forecast = fitted("Deep_AR_Plus", history, likelihood=likelihood).forecast(history, 1)
    assert np.isfinite(forecast).all()
    assert (np.diff(forecast, axis=-1) >= 0).all()
    if likelihood == "deterministic-L1":
        assert (forecast[..., 0] == forecast[..., -1]).all()
    if likelihood == "beta":
        assert ((forecast > 0) & (forecast < 1)).all()
    if likelihood == "negative-binomial":
        assert (forecast >= 0).all()


@pytest.mark.parametrize(
    ("likelihood", "values", "sentence"),
    [
        ("negative-binomial", -1.0, "is one of counts, but the target holds -1"),
        ("beta", 3.0, "above 0 and below 1, but the target goes from"),
    ],
)
def test_a_likelihood_that_the_data_cannot_have_is_refused(
    likelihood: str, values: float, sentence: str
) -> None:
    whole = panel()
    history = History.of(replace(whole, values=np.full(whole.values.shape, values)), HORIZON)
    with pytest.raises(JobFailed, match=sentence):
        fitted("Deep_AR_Plus", history, likelihood=likelihood)


@pytest.mark.parametrize("name", NEURAL)
def test_too_little_to_learn_from_is_said(name: str) -> None:
    with pytest.raises(JobFailed, match=r"found 240 observations in 2 time series\): .* needs 300"):
        fitted(name, History.of(panel(items=2), HORIZON))
    with pytest.raises(JobFailed, match="No series is longer than the horizon of 60 steps"):
        fitted(name, History.of(panel(items=6, length=60), 60))


@pytest.mark.parametrize("name", NEURAL)
def test_a_time_limit_ends_the_training(name: str) -> None:
    history, algorithm = History.of(panel(), HORIZON), candidates.make(name, {**QUICK, "epochs": "10000"})
    algorithm.limit_s = 0.05
    algorithm.fit(history, seed=1, threads=1)
    assert np.isfinite(algorithm.forecast(history, 1)).all()


@pytest.mark.parametrize("kind", RELATED_KINDS)
def test_related_features_are_used_as_asked_and_metadata_too(kind: str) -> None:
    random = np.random.default_rng(0)
    ahead = random.normal(size=(6, LENGTH + HORIZON))
    behind = np.where(np.arange(LENGTH + HORIZON) < LENGTH, ahead + 1, np.nan)
    static = pd.DataFrame({"kind": ["a", "b", "a", "b", "a", ""]})
    whole = panel(features={"price": ahead, "sold": behind}, static=static)
    history = History.of(whole, HORIZON)
    algorithm = fitted("CNN-QR", history, use_related_data=kind)
    used = {"ALL": ["price", "sold"], "NONE": [], "HISTORICAL": ["sold"], "FORWARD_LOOKING": ["price"]}
    encoding = algorithm.state()["encoding"]
    assert encoding["related"] == used[kind]
    assert len(encoding["levels"]) == 1
    assert len(fitted("CNN-QR", history, use_item_metadata="NONE").state()["encoding"]["levels"]) == 0
    newer = History.of(replace(whole, features={}, static=None), HORIZON)
    assert np.isfinite(algorithm.forecast(newer, 1)).all()


def test_what_only_the_past_knows_is_hidden_in_the_horizon() -> None:
    step = np.tile(np.arange(LENGTH + HORIZON), (6, 1))
    sold = np.where(step < LENGTH, 5.0 + step, np.nan)
    whole = panel(features={"sold": sold})
    changed = replace(whole, features={"sold": np.where((step >= 100) & (step < LENGTH), 999.0, sold)})
    one, other = (History.of(each, HORIZON, origin=100) for each in (whole, changed))
    np.testing.assert_array_equal(
        fitted("CNN-QR", one).forecast(one, 1), fitted("CNN-QR", other).forecast(other, 1)
    )


def test_deepar_takes_amazons_hyperparameters() -> None:
    given = {
        "learning_rate": "0.01",
        "learning_rate_decay": "0.7",
        "max_learning_rate_decays": "2",
        "num_averaged_models": "3",
        "num_cells": "30",
        "num_layers": "1",
    }
    history = History.of(panel(), HORIZON)
    algorithm = fitted("Deep_AR_Plus", history, **given)
    assert isinstance(algorithm, DeepAr)
    schedule = algorithm.schedule()
    assert (schedule.epochs, schedule.rate, schedule.decay) == (2, 0.01, 0.7)
    assert (schedule.decays, schedule.averaged) == (2, 3)
    weights = algorithm.state()["weights"]
    assert weights["rnn.weight_hh_l0"].shape == (4 * 30, 30)
    assert "rnn.weight_hh_l1" not in weights
    assert algorithm.effective() == {**QUICK, **given, "likelihood": "student-t"}


@pytest.mark.parametrize(
    ("name", "given", "effective"),
    [
        ("Deep_AR_Plus", {}, "14"),
        ("Deep_AR_Plus", {"context_length": "5"}, "5"),
        ("CNN-QR", {}, "14"),
        ("CNN-QR", {"context_length": "20"}, "20"),
        ("CNN-QR", {"context_length": "5"}, "14"),
        ("CNN-QR", {"context_length": "501"}, "14"),
    ],
)
def test_the_context_is_chosen_where_it_is_not_given(
    name: str, given: dict[str, str], effective: str
) -> None:
    algorithm = candidates.make(name, {"epochs": "1", **given})
    algorithm.fit(History.of(panel(), HORIZON), seed=1, threads=1)
    assert algorithm.effective()["context_length"] == effective
    assert algorithm.forecast(History.of(panel(), HORIZON), 1).shape == (6, HORIZON, len(GRID))


REQUEST = TrainingRequest(
    method="CNN-QR",
    horizon_steps=HORIZON,
    quantiles=(0.1, 0.5, 0.9),
    want_mean=True,
    windows=1,
    offset_steps=HORIZON,
    hyperparameters={"epochs": "2"},
    optimization_metric="AverageWeightedQuantileLoss",
    seed=1,
    threads=2,
    time_limit_s=None,
)


def ignore(fraction: float, left: float | None) -> None:
    """A progress report that nobody reads."""


def test_two_cores_give_the_same_predictor_as_one_and_tell_what_was_used(tmp_path: Any) -> None:
    one, two = (train(panel(), replace(REQUEST, threads=threads), ignore) for threads in (1, 2))
    pd.testing.assert_frame_equal(one.backtests, two.backtests)
    assert two.hyperparameters["context_length"] == "14"
    two.save(tmp_path)
    pd.testing.assert_frame_equal(
        Predictor.load(tmp_path).forecast(panel(), (0.1, 0.9), True), one.forecast(panel(), (0.1, 0.9), True)
    )


def test_what_cannot_be_learnt_from_fails_with_its_sentence_from_another_process_too() -> None:
    with pytest.raises(JobFailed, match=r"found 226 observations in 2 time series\): CNN-QR needs 300"):
        train(panel(items=2), REQUEST, ignore)


def test_the_time_limit_is_shared_by_all_fits() -> None:
    endless = replace(REQUEST, hyperparameters={"epochs": "10000"}, time_limit_s=2.0)
    assert train(panel(), endless, ignore).report["seconds"] < 60


def test_a_tuning_chooses_within_its_ranges_and_is_reported() -> None:
    ranges = (Range("context_length", "integer", low=10, high=30),)
    trained = train(panel(), replace(REQUEST, tuning=ranges), ignore)
    assert 10 <= int(trained.hyperparameters["context_length"]) <= 30
    assert trained.hyperparameters["epochs"] == "2"
    assert len(trained.report["trials"]) == 8
