"""The training job: a panel and a plan become a predictor, with the accuracy of its backtests."""

import math
from typing import Any

import pandas as pd

from forecastd.jobs.data import load_panel
from forecastd.jobs.hands import crew_of
from forecastd.jobs.job import Facts, Job
from forecastd.models.history import is_forward
from forecastd.models.training import TrainingRequest, train
from forecastd.series.algorithms import AUTO_PREDICTOR, USING_RELATED
from forecastd.series.panel import Panel
from forecastd.series.tuning import Range

MODEL_FOLDER = "model"
BACKTESTS_FILE = "backtests.parquet"  # what Predictor.save writes into it
KNOWN_AHEAD = "RelatedKnownAhead"  # a fact of the predictor that no operation shows
_ALGORITHM_PREFIX = "arn:aws:forecast:::algorithm/"


def run_training(job: Job) -> Facts:
    """Train, keep the predictor in the job's folder, and tell how good it was.

    Raises:
        JobFailed: the data is not enough, or breaks a rule.
    """
    plan = job.record.plan
    job.progress(0.0)
    panel = load_panel(job, plan, plan["imports"])
    predictor = train(panel, _request(job, plan), job.progress, crew_of(job.settings))
    predictor.save(job.folder / MODEL_FOLDER)
    return {**_facts(plan, predictor), KNOWN_AHEAD: _known_ahead(panel, predictor.chosen)}


def _known_ahead(panel: Panel, chosen: str) -> list[str]:
    """Name the related features that the predictor saw beyond the target and needs there in each forecast."""
    if chosen not in USING_RELATED:
        return []
    return [name for name, feature in panel.features.items() if is_forward(feature, panel.length)]


def _request(job: Job, plan: dict[str, Any]) -> TrainingRequest:
    return TrainingRequest(
        method=plan["method"],
        horizon_steps=plan["horizon"],
        quantiles=tuple(plan["quantiles"]),
        want_mean=plan["want_mean"],
        windows=plan["windows"],
        offset_steps=plan["offset"],
        hyperparameters=plan["hyperparameters"],
        optimization_metric=plan["metric"],
        seed=job.settings.seed,
        threads=job.settings.threads,
        time_limit_s=job.settings.training_limit_s,
        tuning=tuple(Range.from_json(item) for item in plan.get("tuning", [])),
    )


def _facts(plan: dict[str, Any], predictor: Any) -> Facts:
    automatic = plan["method"] == AUTO_PREDICTOR
    results = [
        evaluation_result(each, automatic) for each in predictor.evaluations[: 1 if automatic else None]
    ]
    facts: Facts = {"PredictorEvaluationResults": results}
    if automatic:
        return facts
    chosen = f"{_ALGORITHM_PREFIX}{predictor.chosen}"
    return {
        **facts,
        "AlgorithmArn": chosen,
        "AutoMLAlgorithmArns": [chosen],
        "TrainingParameters": {**predictor.hyperparameters, "prediction_length": str(plan["horizon"])},
        "PredictorExecutionDetails": {"PredictorExecutions": [_execution(result) for result in results]},
    }


def evaluation_result(evaluation: Any, automatic: bool) -> dict[str, Any]:
    """Write one algorithm's backtest as GetAccuracyMetrics shows it.

    An AutoPredictor shows its summary only, and no algorithm.
    """
    summary = {"EvaluationType": "SUMMARY", "Metrics": metrics_shape(evaluation.summary)}
    if automatic:
        return {"TestWindows": [summary]}
    return {
        "AlgorithmArn": f"{_ALGORITHM_PREFIX}{evaluation.algorithm}",
        "TestWindows": [summary, *(_window(window) for window in evaluation.windows)],
    }


def _window(window: Any) -> dict[str, Any]:
    return {
        "EvaluationType": "COMPUTED",
        "TestWindowStart": _epoch(window.start),
        "TestWindowEnd": _epoch(window.end_exclusive),
        "ItemCount": int(window.item_count),
        "Metrics": metrics_shape(window.metrics),
    }


def metrics_shape(metrics: Any) -> dict[str, Any]:
    """Write metrics as the API does: quantiles descending, undefined values left out."""
    losses = sorted(metrics.weighted_quantile_loss.items(), reverse=True)
    errors = {"WAPE": metrics.wape, "RMSE": metrics.rmse, "MASE": metrics.mase, "MAPE": metrics.mape}
    return {
        **_defined({"RMSE": metrics.rmse, "AverageWeightedQuantileLoss": metrics.average_wql}),
        "WeightedQuantileLosses": [
            {"Quantile": float(quantile), "LossValue": float(loss)}
            for quantile, loss in losses
            if math.isfinite(loss)
        ],
        "ErrorMetrics": [{"ForecastType": "mean", **_defined(errors)}],
    }


def _execution(result: dict[str, Any]) -> dict[str, Any]:
    windows = [window for window in result["TestWindows"] if window["EvaluationType"] == "COMPUTED"]
    shown = ("TestWindowStart", "TestWindowEnd")
    return {
        "AlgorithmArn": result["AlgorithmArn"],
        "TestWindows": [{**{name: each[name] for name in shown}, "Status": "ACTIVE"} for each in windows],
    }


def _defined(values: dict[str, float | None]) -> dict[str, float]:
    return {
        name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)
    }


def _epoch(time: pd.Timestamp) -> float:
    """Local times travel as if they were UTC."""
    return time.tz_localize("UTC").timestamp()
