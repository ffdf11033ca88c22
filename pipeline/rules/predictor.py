"""Rules of the predictor and the forecast: horizon, dimensions, types, algorithm, backtests."""

import re
from collections.abc import Iterable, Iterator

from pipeline.domains import TARGET
from pipeline.errors import Problem
from pipeline.export import TIME, TYPE
from pipeline.quantiles import DEFAULT_TYPES, MEAN, type_label
from pipeline.rules.draft import (
    ALGORITHM_PREFIX,
    ALGORITHMS,
    Draft,
    Rule,
    is_whole,
    object_of,
    strings_of,
)
from pipeline.shapes import nearest, shown

LONGEST_HORIZON = 500
MOST_TYPES = 5
MOST_WINDOWS = 5


def _horizon(draft: Draft) -> Iterator[Problem]:
    horizon = draft.predictor.get("ForecastHorizon")
    if is_whole(horizon) and not 1 <= horizon <= LONGEST_HORIZON:
        rule = f"it has to be from 1 to {LONGEST_HORIZON} steps"
        yield Problem(
            "Predictor.ForecastHorizon", shown(horizon), rule, "Shorten it, or use a coarser frequency."
        )


def _dimensions(draft: Draft) -> Iterator[Problem]:
    target, given = draft.of_type(TARGET), strings_of(draft.settings, "ForecastDimensions")
    where = f"{draft.settings_path}.ForecastDimensions"
    for name in given:
        if given.count(name) > 1:
            yield Problem(where, shown(name), "it is listed twice", "Remove one.")
        if target is not None and name not in target.dimensions:
            rule = "a forecast dimension is a text field of the target data other than the item key"
            there = ", ".join(target.dimensions) or "none"
            yield Problem(where, shown(name), rule, f"There are: {there}.")
        if name.lower() == TIME or TYPE.match(name):
            rule = "the service's exports have a column of this name themselves"
            yield Problem(where, shown(name), rule, f"Call the field {name}_name, say.")


def _types(draft: Draft) -> Iterator[Problem]:
    for member in ("Predictor", "Forecast"):
        where = f"{member}.ForecastTypes"
        given = strings_of(object_of(draft.document, member), "ForecastTypes")
        labels = labels_of(given)
        for each in given:
            if _is_quantile(each) and not 0.01 <= float(each) <= 0.99:
                yield Problem(where, shown(each), "a quantile is from 0.01 to 0.99", "Correct it.")
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            yield Problem(where, label, "it is listed twice", "Remove one.")
        if len(given) > MOST_TYPES:
            yield Problem(where, f"{len(given)} types", f"there can be {MOST_TYPES}", "Remove some.")


def labels_of(types: Iterable[str]) -> list[str]:
    """The labels of those forecast types that are well formed."""
    return [type_label(each) for each in types if each == MEAN or _is_quantile(each)]


def _is_quantile(text: str) -> bool:
    return re.fullmatch(r"0?\.[0-9][0-9]?", text) is not None


def _metric(draft: Draft) -> Iterator[Problem]:
    wanted = draft.predictor.get("OptimizationMetric")
    types = strings_of(draft.predictor, "ForecastTypes") or DEFAULT_TYPES
    if wanted == "AverageWeightedQuantileLoss" and types == ["mean"]:
        rule = "it needs a quantile, and Predictor.ForecastTypes has the mean only"
        yield Problem("Predictor.OptimizationMetric", shown(wanted), rule, "Add a quantile, or use RMSE.")


def _algorithm(draft: Draft) -> Iterator[Problem]:
    if draft.auto or not draft.predictor:
        return
    where, given = "Predictor.AlgorithmArn", draft.predictor.get("AlgorithmArn")
    automl = draft.predictor.get("PerformAutoML") is True
    if automl:
        for member in ("AlgorithmArn", "HPOConfig", "TrainingParameters"):
            if member in draft.predictor:
                rule = "with PerformAutoML the service chooses the algorithm and its parameters"
                yield Problem(f"Predictor.{member}", "", rule, "Leave it out, or set PerformAutoML to false.")
    elif given is None:
        remedy = f"Give {ALGORITHM_PREFIX}<name>, set PerformAutoML to true, or use the AutoPredictor's form."
        yield Problem(where, "", "it is missing, and PerformAutoML is not true", remedy)
    elif isinstance(given, str) and given not in [ALGORITHM_PREFIX + name for name in ALGORITHMS]:
        rule = f"the algorithms are {ALGORITHM_PREFIX}" + "{" + ", ".join(ALGORITHMS) + "}"
        near = nearest(given.rsplit("/", 1)[-1], list(ALGORITHMS))
        remedy = f"Did you mean {ALGORITHM_PREFIX}{near}?" if near else "Choose one of them."
        yield Problem(where, shown(given), rule, remedy)
    if not automl and "AutoMLOverrideStrategy" in draft.predictor:
        rule = "it says how PerformAutoML chooses, which is not true"
        yield Problem("Predictor.AutoMLOverrideStrategy", "", rule, "Leave it out.")


def _backtests(draft: Draft) -> Iterator[Problem]:
    where = "Predictor.EvaluationParameters"
    given, horizon = (
        object_of(draft.predictor, "EvaluationParameters"),
        draft.predictor.get("ForecastHorizon"),
    )
    windows, offset = given.get("NumberOfBacktestWindows"), given.get("BackTestWindowOffset")
    if is_whole(windows) and not 1 <= windows <= MOST_WINDOWS:
        rule = f"there can be 1 to {MOST_WINDOWS}"
        yield Problem(
            f"{where}.NumberOfBacktestWindows", shown(windows), rule, "Choose a number in this range."
        )
    if is_whole(offset) and is_whole(horizon) and offset < horizon:
        rule = f"it must not be less than the horizon, {horizon}"
        yield Problem(f"{where}.BackTestWindowOffset", shown(offset), rule, "Raise it, or leave it out.")


def _explanation(draft: Draft) -> Iterator[Problem]:
    if draft.predictor.get("ExplainPredictor") is True:
        rule = (
            "this workflow does not ask for explanations, which would keep the predictor from being deleted"
        )
        yield Problem("Predictor.ExplainPredictor", "true", rule, "Leave it out.")


RULES: tuple[Rule, ...] = (
    _horizon,
    _dimensions,
    _types,
    _metric,
    _algorithm,
    _backtests,
    _explanation,
)
