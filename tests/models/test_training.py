import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecastd.errors import JobFailed
from forecastd.models.predictor import Predictor
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.metrics import window_metrics
from forecastd.series.panel import Panel, build_panel

HORIZON = 7
REQUEST = TrainingRequest(
    method="AutoPredictor",
    horizon_steps=HORIZON,
    quantiles=(0.1, 0.5, 0.9),
    want_mean=True,
    windows=2,
    offset_steps=HORIZON,
    hyperparameters={},
    optimization_metric="AverageWeightedQuantileLoss",
    seed=3,
    threads=2,
    time_limit_s=None,
)


def sales(days: int = 200, items: int = 5, seed: int = 0) -> pd.DataFrame:
    """Daily sales with a weekly rhythm."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2021-01-01", periods=days)
    rhythm = 20 + 5 * np.sin(2 * np.pi * np.arange(days) / 7)
    tables = [
        pd.DataFrame(
            {"timestamp": times, "item_id": f"i{n}", "y": (n + 1) * rhythm + random.normal(0, 2, days)}
        )
        for n in range(items)
    ]
    return pd.concat(tables)


def panel(target: pd.DataFrame, **options: Any) -> Panel:
    return build_panel(
        target,
        item_key="item_id",
        target_name="y",
        dimensions=[],
        frequency=Frequency.parse("D"),
        horizon_steps=HORIZON,
        **options,
    )


def ignore(fraction: float, left: float | None) -> None:
    """A progress report that nobody reads."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return train(panel(sales()), REQUEST, ignore)


def test_an_auto_predictor_has_one_evaluation_without_algorithm(predictor: Predictor) -> None:
    assert [evaluation.algorithm for evaluation in predictor.evaluations] == [None]
    assert predictor.chosen == "AutoPredictor"
    assert sum(predictor.mixture.weights.values()) == pytest.approx(1)


def test_windows_are_newest_first_and_end_exclusive(predictor: Predictor) -> None:
    newest, older = predictor.evaluations[0].windows
    assert (newest.end_exclusive, newest.item_count) == (pd.Timestamp("2021-07-20"), 5)
    assert older.end_exclusive == newest.start


def test_metrics_can_be_recomputed_from_the_backtests(predictor: Predictor) -> None:
    for window in predictor.evaluations[0].windows:
        rows = predictor.backtests[predictor.backtests.window_start == window.start]
        shape = (5, HORIZON)
        forecasts = rows[["p10", "p50", "p90"]].to_numpy().reshape(*shape, 3)
        again = window_metrics(
            rows.target_value.to_numpy().reshape(shape),
            forecasts,
            rows["mean"].to_numpy().reshape(shape),
            (0.1, 0.5, 0.9),
        )
        assert again.average_wql == pytest.approx(window.metrics.average_wql)
        assert again.rmse == pytest.approx(window.metrics.rmse)


def test_the_mixture_is_better_than_seasonal_naive(predictor: Predictor) -> None:
    naive = next(c for c in predictor.report["candidates"] if c["algorithm"] == "SeasonalNaive")
    assert naive["weight"] < 0.5
    assert predictor.evaluations[0].summary.wape < 0.1


def test_the_report_can_be_written_as_json(predictor: Predictor) -> None:
    assert json.loads(json.dumps(predictor.report)) == predictor.report


def test_a_forecast_has_a_row_per_series_and_step_in_order(predictor: Predictor) -> None:
    table = predictor.forecast(panel(sales()), (0.9, 0.01, 0.5), want_mean=True)
    assert list(table.columns) == ["item_id", "timestamp", "p1", "p50", "p90", "mean"]
    assert len(table) == 5 * HORIZON
    assert table[["item_id", "timestamp"]].apply(tuple, axis=1).is_monotonic_increasing
    assert table.timestamp.min() == pd.Timestamp("2021-07-20")
    assert (np.diff(table[["p1", "p50", "p90"]].to_numpy(), axis=1) >= 0).all()
    assert table.attrs["methods"] == {"AutoPredictor": 5}


def test_any_quantile_can_be_asked_whatever_was_trained(predictor: Predictor) -> None:
    asked = tuple(round(q / 100, 2) for q in range(1, 100))
    table = predictor.forecast(panel(sales()), asked, want_mean=False)
    values = table[[f"p{q}" for q in range(1, 100)]].to_numpy()
    assert (np.diff(values, axis=1) >= 0).all()


def test_newer_data_and_new_items_are_forecast_without_training(predictor: Predictor) -> None:
    table = predictor.forecast(panel(sales(days=230, items=8)), (0.5,), want_mean=False)
    assert table.timestamp.min() == pd.Timestamp("2021-08-19")
    assert table.item_id.nunique() == 8


def test_what_is_stored_is_no_code_and_forecasts_the_same(predictor: Predictor, tmp_path: Path) -> None:
    predictor.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npz", ".parquet", ".txt"}
    again = Predictor.load(tmp_path)
    new = panel(sales(days=210))
    pd.testing.assert_frame_equal(
        again.forecast(new, (0.1, 0.9), True), predictor.forecast(new, (0.1, 0.9), True)
    )
    assert (again.evaluations, again.report, again.mixture) == (
        predictor.evaluations,
        predictor.report,
        predictor.mixture,
    )
    pd.testing.assert_frame_equal(again.backtests, predictor.backtests, check_dtype=False)


def test_a_folder_without_a_predictor_is_reported(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="cannot be read"):
        Predictor.load(tmp_path)


def test_the_same_seed_gives_the_same_answer_on_one_core_and_on_two(predictor: Predictor) -> None:
    alone = train(panel(sales()), replace(REQUEST, threads=1), ignore)
    new = panel(sales())
    pd.testing.assert_frame_equal(
        alone.forecast(new, (0.1, 0.9), True), predictor.forecast(new, (0.1, 0.9), True)
    )


def test_every_item_gets_a_labelled_forecast() -> None:
    target = sales(days=120)
    extra = pd.DataFrame({"timestamp": [pd.Timestamp("2021-04-30")], "item_id": "short", "y": 3.0})
    metadata = pd.DataFrame({"item_id": ["i0", "cold"], "kind": ["a", "a"]})
    new = panel(pd.concat([target, extra]), metadata=metadata)
    trained = train(new, replace(REQUEST, windows=1), ignore)
    table = trained.forecast(new, (0.1, 0.5, 0.9), want_mean=True)
    assert table.attrs["methods"] == {"AutoPredictor": 5, "cold start": 1, "short history": 1}
    assert np.isfinite(table[["p10", "p50", "p90", "mean"]].to_numpy()).all()
    cold, alike = (table[table.item_id == name].p50.mean() for name in ("cold", "i0"))
    assert cold == pytest.approx(alike, rel=0.1)


def test_progress_rises_to_the_end_and_its_estimate_falls_to_nothing() -> None:
    seen: list[tuple[float, float | None]] = []
    train(panel(sales(days=90, items=2)), replace(REQUEST, method="NPTS"), lambda f, s: seen.append((f, s)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert seen[-1] == (1.0, 0.0)


def test_a_time_limit_leaves_out_what_is_costly_and_says_so() -> None:
    trained = train(panel(sales()), replace(REQUEST, time_limit_s=0.0), ignore)
    assert [item["algorithm"] for item in trained.report["candidates"]] == ["SeasonalNaive"]
    reasons = {item["algorithm"]: item["reason"] for item in trained.report["skipped"]}
    assert "time limit of 0 seconds" in reasons["Boosting"]


def test_auto_ml_evaluates_all_and_takes_the_best_by_the_metric() -> None:
    trained = train(
        panel(sales(days=70, items=2)),
        replace(REQUEST, method="AutoML", windows=1, optimization_metric="RMSE"),
        ignore,
    )
    assert {evaluation.algorithm for evaluation in trained.evaluations} == {"ARIMA", "ETS", "NPTS", "Prophet"}
    errors = [evaluation.summary.rmse for evaluation in trained.evaluations]
    assert errors == sorted(errors)
    assert trained.chosen == trained.evaluations[0].algorithm


def test_a_single_algorithm_echoes_its_hyperparameters_as_texts() -> None:
    settings = {"exp_kernel_weights": "0.5", "context_length": "30"}
    trained = train(panel(sales()), replace(REQUEST, method="NPTS", hyperparameters=settings), ignore)
    assert trained.hyperparameters == {
        "exp_kernel_weights": "0.5",
        "context_length": "30",
        "kernel_type": "exponential",
        "use_seasonal_model": "True",
        "use_default_time_features": "True",
        "prediction_length": "7",
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "Oracle"}, "'Oracle' cannot be trained"),
        (
            {"method": "NPTS", "hyperparameters": {"epochs": "3"}},
            "has no hyperparameter epochs: allowed are context_length",
        ),
        ({"windows": 40}, "has 200 steps of D; 40 backtest windows"),
    ],
)
def test_a_request_that_cannot_be_served_says_what_to_change(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(JobFailed, match=sentence):
        train(panel(sales()), replace(REQUEST, **change), ignore)


def test_holidays_are_learnt_where_they_matter() -> None:
    days = pd.date_range("2018-01-01", "2021-12-24")
    closed = np.isin(days.strftime("%m-%d"), ["12-25", "01-01", "07-04"])
    noise = np.random.default_rng(0).normal(0, 4, len(days))
    target = pd.DataFrame({"timestamp": days, "item_id": "a", "y": np.where(closed, 10.0, 100.0) + noise})
    new = panel(target, holiday_country="US")
    trained = train(new, replace(REQUEST, windows=1), ignore)
    assert trained.report["windows"]["year earlier"] == 2  # the newest windows hold no holiday
    table = trained.forecast(new, (0.5,), want_mean=False).set_index("timestamp")
    assert table.p50["2021-12-25"] < table.p50["2021-12-28"] - 10


def test_related_features_and_metadata_help_and_may_be_missing_later() -> None:
    target = sales()
    price = np.random.default_rng(5).uniform(-1, 1, 200 + HORIZON)
    days = pd.date_range("2021-01-01", periods=200 + HORIZON)
    related = pd.concat(
        [pd.DataFrame({"timestamp": days, "item_id": f"i{n}", "price": price}) for n in range(5)]
    )
    target["y"] += 30 * np.tile(price[:200], 5)
    metadata = pd.DataFrame({"item_id": ["i0", "i1"], "kind": ["a", "b"]})
    full = panel(target, related=related, metadata=metadata)
    with_price = train(full, replace(REQUEST, windows=1), ignore)
    without = train(panel(target), replace(REQUEST, windows=1), ignore)
    assert with_price.evaluations[0].summary.wape < 0.7 * without.evaluations[0].summary.wape
    table = with_price.forecast(panel(target), (0.1, 0.9), want_mean=True)
    assert np.isfinite(table[["p10", "p90", "mean"]].to_numpy()).all()


def test_what_has_never_been_negative_is_not_forecast_to_be() -> None:
    days = pd.date_range("2021-01-01", periods=120)
    counts = np.random.default_rng(2).poisson(0.5, 120).astype(float)
    target = pd.DataFrame({"timestamp": days, "item_id": "a", "y": counts})
    trained = train(panel(target), replace(REQUEST, method="ETS", windows=1), ignore)
    assert (
        trained.forecast(panel(target), (0.01, 0.1), want_mean=True)[["p1", "p10", "mean"]].min().min() >= 0
    )
