"""HPOConfig: the ranges that a hyperparameter optimisation searches, checked against the documentation."""

from __future__ import annotations

import math
from typing import Any

from forecastd.errors import InvalidInput
from forecastd.series.algorithms import NEURAL, Hyperparameter, hyperparameters
from forecastd.series.tuning import SCALINGS, Range, default_ranges

MOST_RANGES = 20  # of each kind
_MEMBERS = {
    "CategoricalParameterRanges": "categorical",
    "IntegerParameterRanges": "integer",
    "ContinuousParameterRanges": "continuous",
}
_KIND_OF = {"choice": "categorical", "integer": "integer", "number": "continuous"}


def ranges_of(request: dict[str, Any], algorithm: str, horizon: int) -> tuple[Range, ...]:
    """Give what is to be searched; nothing where the request does not perform HPO.

    Raises:
        InvalidInput: the algorithm has nothing to tune, or a range is not possible.
    """
    if not request.get("PerformHPO"):
        if request.get("HPOConfig"):
            raise InvalidInput("HPOConfig can be given with PerformHPO only: set PerformHPO to true.")
        return ()
    if algorithm not in NEURAL:
        raise InvalidInput(
            f"PerformHPO is not possible with {algorithm}: it has no hyperparameters that are tuned. "
            f"Use {' or '.join(NEURAL)}, or leave PerformHPO out."
        )
    groups = request.get("HPOConfig", {}).get("ParameterRanges", {})
    given = [
        _range(item, _MEMBERS[member], algorithm) for member in _MEMBERS for item in _few(groups, member)
    ]
    ranges = tuple(given) or default_ranges(algorithm, horizon)
    _check_names([each.name for each in ranges])
    return ranges


def _few(groups: dict[str, Any], member: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = groups.get(member, [])
    if len(items) > MOST_RANGES:
        raise InvalidInput(f"{member} has {len(items)} ranges; at most {MOST_RANGES} are possible.")
    return items


def _check_names(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"ParameterRanges names {twice[0]} twice.")


def _range(item: dict[str, Any], kind: str, algorithm: str) -> Range:
    name = item["Name"]
    tunable = {each.name: each for each in hyperparameters(algorithm) if each.tunable}
    if name not in tunable:
        raise InvalidInput(
            f"The hyperparameter {name} of {algorithm} cannot be tuned; tunable are {', '.join(tunable)}."
        )
    wanted = _KIND_OF[tunable[name].kind]
    if kind != wanted:
        raise InvalidInput(f"The range of {name} is {kind}, but must be {wanted}.")
    if kind == "categorical":
        return Range(name, kind, values=tuple(_checked(tunable[name], value) for value in item["Values"]))
    return _between(item, kind, tunable[name])


def _between(item: dict[str, Any], kind: str, parameter: Hyperparameter) -> Range:
    low, high, scaling = item["MinValue"], item["MaxValue"], item.get("ScalingType", "Auto")
    for value in (low, high):
        _checked(parameter, f"{value:g}")
    if not (math.isfinite(low) and low <= high):
        raise InvalidInput(
            f"The range of {parameter.name} goes from {low:g} to {high:g}; MinValue is too large."
        )
    if scaling not in SCALINGS or (kind == "integer" and scaling == "ReverseLogarithmic"):
        raise InvalidInput(f"The ScalingType {scaling} is not possible for {parameter.name}; use Auto.")
    if scaling == "ReverseLogarithmic" and not 0 <= low <= high < 1:
        raise InvalidInput(
            f"The ScalingType ReverseLogarithmic of {parameter.name} needs a range within 0 and 1; use Auto."
        )
    return Range(parameter.name, kind, low=low, high=high, scaling=scaling)


def _checked(parameter: Hyperparameter, text: str) -> str:
    try:
        return parameter.check(text)
    except ValueError as error:
        raise InvalidInput(f"HPOConfig: {error}") from None
