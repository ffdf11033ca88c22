"""The training plan: everything a worker must know to train a predictor, whichever call asked for it."""

from typing import Any

from forecastd.errors import InvalidInput
from forecastd.operations.featurization import Filling
from forecastd.operations.forecasttypes import quantiles_of
from forecastd.operations.ground import Ground
from forecastd.series import public_holidays

DEFAULT_METRIC = "AverageWeightedQuantileLoss"


def make_plan(
    ground: Ground,
    *,
    method: str,
    frequency: str,
    horizon: int,
    dimensions: list[str],
    types: list[str],
    windows: int,
    offset: int,
    filling: Filling,
    metric: str,
    hyperparameters: dict[str, str] | None = None,
    holiday: str | None = None,
    boundary: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Put a plan together; it is stored as JSON beside the predictor.

    Args:
        horizon, offset: in time steps of `frequency`.
        filling: per attribute, the target's included.
    """
    quantiles, want_mean = quantiles_of(types)
    target = ground.domain.target
    return {
        "method": method,
        "frequency": frequency,
        "horizon": horizon,
        "dimensions": dimensions,
        "quantiles": quantiles,
        "want_mean": want_mean,
        "windows": windows,
        "offset": offset,
        "metric": metric,
        "hyperparameters": hyperparameters or {},
        "filling": {key: value for key, value in filling[target].items() if key != "aggregation"},
        "aggregation": filling[target]["aggregation"],
        "related_filling": {name: values for name, values in filling.items() if name != target},
        "holiday": holiday,
        "boundary": boundary,
        "item_key": ground.domain.item_key,
        "target": target,
        "imports": ground.import_arns,
    }


def known_of(ground: Ground) -> dict[str, Any]:
    """Give what is known of a new predictor before its training: the data that it will see."""
    return {
        "DatasetGroupArn": ground.group.arn,
        "DatasetImportJobArns": list(ground.import_arns.values()),
    }


def choose_metric(given: str | None, types: list[str]) -> str:
    """Give the optimization metric, the default where none is given.

    Raises:
        InvalidInput: it needs quantiles, but only the mean is forecast.
    """
    quantiles, _ = quantiles_of(types)
    if not quantiles and given == DEFAULT_METRIC:
        raise InvalidInput(f"{DEFAULT_METRIC} needs at least one quantile among the ForecastTypes.")
    return given or (DEFAULT_METRIC if quantiles else "WAPE")


def holiday_country(features: list[tuple[str, list[str]]]) -> str | None:
    """Give the country whose holidays are wanted, from (feature, values).

    Raises:
        InvalidInput: a feature is unknown, not offered or given twice, or the country is unknown.
    """
    for name, _ in features:
        if name == "weather":
            raise InvalidInput(
                "The weather index is not offered by this server: it has no source of weather data."
            )
        if name != "holiday":
            raise InvalidInput(f"The additional data {name} is not known; this server offers holiday.")
    if not features:
        return None
    if len(features) > 1:
        raise InvalidInput("The additional data holiday are given twice; give one entry, with one country.")
    [(_, countries)] = features
    if len(countries) != 1 or countries[0] not in public_holidays.countries():
        raise InvalidInput(
            f"The holiday calendar needs one country code, such as US or DE; given is:"
            f" {', '.join(countries)}."
        )
    return countries[0]
