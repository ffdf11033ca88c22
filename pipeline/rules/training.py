"""Rules of what an algorithm is trained with: TrainingParameters, and the ranges that a tuning searches."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.errors import Problem
from pipeline.rules.draft import Draft, Rule, number_of, object_of, text_of
from pipeline.shapes import nearest, shown


class Values(NamedTuple):
    """What a parameter may be: in words, and as a question of a text."""

    rule: str
    fit: Callable[[str], bool]


def _whole(least: int, most: int | None = None) -> Values:
    end = "on" if most is None else f"to {most}"
    rule = f"it has to be a whole number from {least} {end}"
    return Values(
        rule, lambda text: (n := number_of(text.strip())) % 1 == 0 and least <= n <= (most or math.inf)
    )


def _positive(most: float = math.inf) -> Values:
    rule = "it has to be a number above 0" + ("" if math.isinf(most) else f", at most {most:g}")
    return Values(rule, lambda text: 0 < number_of(text.strip()) <= most)


def _one_of(*choices: str) -> Values:
    known = {choice.lower() for choice in choices}
    return Values(f"it has to be one of {', '.join(choices)}", lambda text: text.strip().lower() in known)


_YES_OR_NO = _one_of("True", "False")
# The parameters by algorithm; the other algorithms have none. Amazon's guide names typical values, which are
# no limits; the ends here are those of `forecastd` where the guide has none.
PARAMETERS: Mapping[str, Mapping[str, Values]] = {
    "CNN-QR": {
        "context_length": _whole(1),
        "use_related_data": _one_of("ALL", "NONE", "HISTORICAL", "FORWARD_LOOKING"),
        "use_item_metadata": _one_of("ALL", "NONE"),
        "epochs": _whole(1, 10_000),
    },
    "Deep_AR_Plus": {
        "context_length": _whole(1, 5_000),
        "epochs": _whole(1, 10_000),
        "learning_rate": _positive(1),
        "learning_rate_decay": _positive(1),
        "likelihood": _one_of(
            "beta", "deterministic-L1", "gaussian", "negative-binomial", "piecewise-linear", "student-T"
        ),
        "max_learning_rate_decays": _whole(0, 10),
        "num_averaged_models": _whole(1, 5),
        "num_cells": _whole(1, 500),
        "num_layers": _whole(1, 8),
    },
    "NPTS": {
        "context_length": _whole(1),
        "kernel_type": _one_of("exponential", "uniform"),
        "exp_kernel_weights": _positive(),
        "use_seasonal_model": _YES_OR_NO,
        "use_default_time_features": _YES_OR_NO,
    },
}
_CATEGORICAL, _INTEGER, _CONTINUOUS = (
    f"{kind}ParameterRanges" for kind in ("Categorical", "Integer", "Continuous")
)
# The parameters that can be tuned, each with the list of HPOConfig that takes its range.
TUNABLE: Mapping[str, Mapping[str, str]] = {
    "CNN-QR": {
        "context_length": _INTEGER,
        "use_related_data": _CATEGORICAL,
        "use_item_metadata": _CATEGORICAL,
    },
    "Deep_AR_Plus": {"context_length": _INTEGER, "learning_rate": _CONTINUOUS},
}


def _training_parameters(draft: Draft) -> Iterator[Problem]:
    algorithm = draft.algorithm
    if not algorithm:
        return
    known = PARAMETERS.get(algorithm, {})
    for name, value in object_of(draft.predictor, "TrainingParameters").items():
        where = f"Predictor.TrainingParameters.{name}"
        if name not in known:
            near = nearest(name, list(known))
            remedy = f"Did you mean {near}?" if near else f"There are: {', '.join(known) or 'none'}."
            yield Problem(where, "", f"{algorithm} has no such parameter", remedy)
        elif isinstance(value, str):
            yield from _misfit(where, value, known[name])


def _misfit(where: str, value: str | float, values: Values) -> Iterator[Problem]:
    if not values.fit(str(value)):
        yield Problem(where, shown(value), values.rule, "Correct it, or leave it out.")


def _tuning(draft: Draft) -> Iterator[Problem]:
    tuned = draft.predictor.get("PerformHPO") is True
    algorithm = str(draft.predictor.get("AlgorithmArn", "")).rsplit("/", 1)[-1]
    if tuned and (draft.predictor.get("PerformAutoML") is True or algorithm not in TUNABLE):
        rule = f"tuning is for {' and '.join(TUNABLE)} only, without PerformAutoML"
        yield Problem(
            "Predictor.PerformHPO", "true", rule, "Set it to false, or choose one of these algorithms."
        )
    if "HPOConfig" in draft.predictor and not tuned:
        yield Problem(
            "Predictor.HPOConfig", "", "it needs PerformHPO", "Set PerformHPO to true, or leave it out."
        )


def _ranges(draft: Draft) -> Iterator[Problem]:
    algorithm = draft.algorithm
    if algorithm not in TUNABLE or draft.predictor.get("PerformHPO") is not True:
        return
    tunable, named = TUNABLE[algorithm], set()
    for where, member, given in _listed_ranges(draft.predictor):
        name = text_of(given, "Name")
        if tunable.get(name) != member:
            there = ", ".join(each for each in tunable if tunable[each] == member) or "none"
            rule = f"{algorithm} has no such parameter to tune in {member}"
            yield Problem(where, shown(name), rule, f"There are: {there}.")
        elif name in named:
            yield Problem(where, shown(name), "two ranges are of this parameter", "Keep one.")
        else:
            yield from _range(where, given, PARAMETERS[algorithm][name])
        named.add(name)


def _listed_ranges(predictor: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where, in which list, and what: each range that is an object."""
    groups = object_of(object_of(predictor, "HPOConfig"), "ParameterRanges")
    for member in (_CATEGORICAL, _INTEGER, _CONTINUOUS):
        listed = groups.get(member)
        for place, given in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(given, dict):
                yield f"Predictor.HPOConfig.ParameterRanges.{member}[{place}]", member, given


def _range(where: str, given: Mapping[str, Any], values: Values) -> Iterator[Problem]:
    choices = given.get("Values")
    for value in choices if isinstance(choices, list) else []:
        if isinstance(value, str):
            yield from _misfit(f"{where}.Values", value, values)
    ends = {end: given[end] for end in ("MinValue", "MaxValue") if isinstance(given.get(end), int | float)}
    for end, number in ends.items():
        yield from _misfit(f"{where}.{end}", number, values)
    if len(ends) == 2 and ends["MinValue"] > ends["MaxValue"]:
        rule = f"it is above MaxValue, {shown(ends['MaxValue'])}"
        yield Problem(f"{where}.MinValue", shown(ends["MinValue"]), rule, "Lower it, or raise MaxValue.")


RULES: tuple[Rule, ...] = (
    _training_parameters,
    _tuning,
    _ranges,
)
