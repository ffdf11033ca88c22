"""Aggregation and filling, as both kinds of predictors are told about it."""

import math
from typing import Any

from forecastd.errors import InvalidInput
from forecastd.operations.ground import Ground
from forecastd.series.numbers import number_of

TARGET_DEFAULTS = {"aggregation": "sum", "frontfill": "none", "middlefill": "zero", "backfill": "zero"}
_FILLS = ("zero", "value", "median", "mean", "min", "max")
_TARGET_METHODS: dict[str, tuple[str, ...]] = {
    "aggregation": ("sum", "avg", "first", "min", "max"),
    "frontfill": ("none",),
    "middlefill": ("nan", *_FILLS),
    "backfill": ("nan", *_FILLS),
}
_RELATED_METHODS: dict[str, tuple[str, ...]] = {
    "middlefill": _FILLS,
    "backfill": _FILLS,
    "futurefill": _FILLS,
}
_VALUE_SUFFIX = "_value"

Filling = dict[str, dict[str, str]]


def from_featurizations(featurizations: list[dict[str, Any]]) -> Filling:
    """Read the legacy form: Featurizations → {attribute: {parameter: value}}.

    Raises:
        InvalidInput: an attribute comes twice.
    """
    pairs = [(each["AttributeName"], _pipeline(each)) for each in featurizations]
    return _once(pairs)


def from_attribute_configs(configs: list[dict[str, Any]]) -> Filling:
    """Read the AutoPredictor's form: AttributeConfigs → {attribute: {parameter: value}}.

    Raises:
        InvalidInput: an attribute comes twice.
    """
    return _once([(each["AttributeName"], each["Transformations"]) for each in configs])


def to_featurizations(filling: Filling) -> list[dict[str, Any]]:
    """Write the legacy form, as DescribePredictor shows it."""
    return [
        {
            "AttributeName": name,
            "FeaturizationPipeline": [
                {"FeaturizationMethodName": "filling", "FeaturizationMethodParameters": parameters}
            ],
        }
        for name, parameters in filling.items()
    ]


def complete(filling: Filling, ground: Ground) -> Filling:
    """Check the parameters and add the target's defaults.

    Raises:
        InvalidInput: an attribute or parameter is unknown, or a value is not possible.
    """
    target = ground.domain.target
    for name, parameters in filling.items():
        if name != target and name not in ground.related_features:
            raise InvalidInput(
                f"The attribute {name} cannot be featurized: it is neither the target {target} nor a numeric"
                " attribute of a related time series."
            )
        _check(name, parameters, _TARGET_METHODS if name == target else _RELATED_METHODS)
    return {**filling, target: {**TARGET_DEFAULTS, **filling.get(target, {})}}


def _pipeline(featurization: dict[str, Any]) -> dict[str, str]:
    steps = featurization.get("FeaturizationPipeline", [])
    return {
        key: value for step in steps for key, value in step.get("FeaturizationMethodParameters", {}).items()
    }


def _once(pairs: list[tuple[str, dict[str, str]]]) -> Filling:
    names = [name for name, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InvalidInput(f"The attribute {twice[0]} is featurized twice; put everything into one entry.")
    return dict(pairs)


def _check(name: str, parameters: dict[str, str], methods: dict[str, tuple[str, ...]]) -> None:
    for key, value in parameters.items():
        base = key.removesuffix(_VALUE_SUFFIX)
        if key.endswith(_VALUE_SUFFIX) and base in methods and base.endswith("fill"):
            _check_number(name, key, value)
        elif value not in methods.get(key, ()):
            allowed = methods.get(key)
            remedy = f"use one of {', '.join(allowed)}" if allowed else f"known are {', '.join(methods)}"
            raise InvalidInput(f"The filling of {name} has {key} = {value}, which is not possible; {remedy}.")
    for key, value in parameters.items():
        if value == "value" and f"{key}{_VALUE_SUFFIX}" not in parameters:
            raise InvalidInput(f"The filling of {name} has {key} = value and so needs {key}{_VALUE_SUFFIX}.")


def _check_number(name: str, key: str, value: str) -> None:
    if math.isnan(number_of(value)):
        raise InvalidInput(f"The filling of {name} has {key} = {value}, which is no number.")
