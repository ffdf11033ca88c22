"""CreateForecast: a trained predictor, applied to the newest data of its dataset group."""

from typing import Any

from forecastd.domains import TARGET
from forecastd.errors import InvalidInput
from forecastd.operations.context import Context, require_active
from forecastd.operations.datasets import attributes_of
from forecastd.operations.drafts import Draft
from forecastd.operations.forecasttypes import quantiles_of
from forecastd.operations.ground import Ground, check_frequency, survey
from forecastd.operations.kinds import look_up
from forecastd.store.records import Record


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check a forecast.

    Raises:
        ResourceInUse: the predictor is still being trained.
        InvalidInput: the types are not possible, or the group lost its data or has others that do not suit
            the predictor.
    """
    predictor = require_active(parents[0])
    types = request.get("ForecastTypes") or predictor.request["ForecastTypes"]
    quantiles, want_mean = quantiles_of(types)
    group = context.find(predictor.facts["DatasetGroupArn"], "DatasetGroup")
    _check_selector(request, predictor)
    ground = survey(context, group)
    _check_frequency(ground, predictor)
    _check_dimensions(ground, predictor)
    plan = {
        "predictor": predictor.arn,
        "imports": ground.import_arns,
        "quantiles": quantiles,
        "want_mean": want_mean,
    }
    facts = {
        "DatasetGroupArn": group.arn,
        "CreatedUsingAutoPredictor": predictor.kind == "AutoPredictor",
    }
    return Draft(request={**request, "ForecastTypes": types}, facts=facts, plan=plan)


def _check_frequency(ground: Ground, predictor: Record) -> None:
    """The group's datasets may be others than in training; their frequencies must suit the predictor."""
    try:
        check_frequency(ground, predictor.plan["frequency"])
    except InvalidInput as error:
        raise InvalidInput(
            f"{error.message} The predictor's own cannot be changed: train a new predictor, or put datasets"
            " that suit it into the group with UpdateDatasetGroup."
        ) from None


def _check_dimensions(ground: Ground, predictor: Record) -> None:
    """The group's datasets may be others than in training; they must still have what makes the series."""
    lost = [name for name in predictor.plan["dimensions"] if name not in ground.dimensions]
    if lost:
        raise InvalidInput(
            f"The predictor was trained with the forecast dimension {lost[0]}, which the group's target"
            f" dataset {ground.datasets[TARGET].arn} does not have: put a dataset that has it into the group"
            " with UpdateDatasetGroup, or train a new predictor."
        )


def _check_selector(request: dict[str, Any], predictor: Record) -> None:
    """A selection of series must name them by item key and every forecast dimension."""
    identifiers = look_up(request, "TimeSeriesSelector.TimeSeriesIdentifiers")
    if identifiers is None:
        return
    if not identifiers.get("DataSource") or not identifiers.get("Schema"):
        raise InvalidInput("TimeSeriesIdentifiers needs a DataSource and a Schema.")
    keys = [predictor.plan["item_key"], *predictor.plan["dimensions"]]
    named = list(attributes_of(identifiers["Schema"]))
    if sorted(named) != sorted(keys):
        raise InvalidInput(
            f"The schema of the TimeSeriesIdentifiers has {', '.join(named)}; it must have {', '.join(keys)}."
        )
