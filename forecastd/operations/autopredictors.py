"""CreateAutoPredictor: a new one, or a retraining of another predictor."""

from typing import Any

from forecastd.errors import InvalidInput
from forecastd.operations.context import Context
from forecastd.operations.datasets import refuse_encryption
from forecastd.operations.drafts import Draft
from forecastd.operations.featurization import complete, from_attribute_configs, from_featurizations
from forecastd.operations.forecasttypes import DEFAULT_TYPES
from forecastd.operations.frequencies import check_horizon, parse_boundary
from forecastd.operations.ground import Ground, check_dimensions, check_frequency, survey
from forecastd.operations.kinds import PREDICTORS, look_up
from forecastd.operations.trainingplan import choose_metric, holiday_country, known_of, make_plan
from forecastd.series.algorithms import AUTO_PREDICTOR
from forecastd.store.records import Record

MOST_WINDOWS = 3  # how many backtest windows the choice of models rests on, data permitting
_NEEDED = ("DataConfig", "ForecastFrequency", "ForecastHorizon")
_BESIDE_A_REFERENCE = ("ReferencePredictorArn", "ExplainPredictor", "MonitorConfig")


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check a new AutoPredictor.

    Raises:
        InvalidInput: parameters are missing, or contradict each other or the data.
        ResourceInUse: the data is still being imported, or the reference predictor trained.
    """
    _refuse_extras(request)
    reference = request.get("ReferencePredictorArn")
    if reference:
        return _retrain(context, request, context.find_active(reference, *PREDICTORS))
    missing = [name for name in _NEEDED if name not in request]
    if missing:
        raise InvalidInput(f"{' and '.join(missing)} must be given, unless there is a ReferencePredictorArn.")
    return _draft_from(request, survey(context, parents[0]), share_of_data=4)


def _refuse_extras(request: dict[str, Any]) -> None:
    refuse_encryption(request)
    if request.get("ExplainPredictor"):
        raise InvalidInput(
            "ExplainPredictor: explainability is not offered by this server yet; leave it out."
        )
    if request.get("MonitorConfig"):
        raise InvalidInput(
            "MonitorConfig: predictor monitors are not offered by this server yet; leave it out."
        )


def _retrain(context: Context, request: dict[str, Any], reference: Record) -> Draft:
    """Take over the configuration of another predictor, and train on the group's present data."""
    extra = [name for name in request if name not in _BESIDE_A_REFERENCE]
    if extra:
        raise InvalidInput(
            f"{extra[0]} cannot be given together with ReferencePredictorArn: a retrained predictor takes"
            " over the configuration of its reference."
        )
    group = context.find(reference.facts["DatasetGroupArn"], "DatasetGroup")
    config = {**_configuration(reference), "ReferencePredictorArn": reference.arn}
    draft = _draft_from(config, survey(context, group), share_of_data=3)
    return Draft(draft.request, draft.facts, draft.plan, more_parents=(group,))


def _configuration(reference: Record) -> dict[str, Any]:
    if reference.kind == "AutoPredictor":
        return {key: value for key, value in reference.request.items() if key != "ReferencePredictorArn"}
    return _upgraded(reference.request)


def _upgraded(legacy: dict[str, Any]) -> dict[str, Any]:
    """Say the settings of an older predictor in the AutoPredictor's words, without the algorithm's own."""
    featurization, data = legacy["FeaturizationConfig"], legacy["InputDataConfig"]
    filling = from_featurizations(featurization["Featurizations"])
    configs = [{"AttributeName": name, "Transformations": values} for name, values in filling.items()]
    holidays = [
        {"Name": each["Name"], "Configuration": {"CountryCode": [each["Value"]]}}
        for each in data.get("SupplementaryFeatures", [])
    ]
    optional = {
        "ForecastDimensions": featurization.get("ForecastDimensions"),
        "OptimizationMetric": legacy.get("OptimizationMetric"),
    }
    return {
        "ForecastHorizon": legacy["ForecastHorizon"],
        "ForecastTypes": legacy["ForecastTypes"],
        "ForecastFrequency": featurization["ForecastFrequency"],
        "DataConfig": {
            "DatasetGroupArn": data["DatasetGroupArn"],
            "AttributeConfigs": configs,
            **({"AdditionalDatasets": holidays} if holidays else {}),
        },
        **{name: value for name, value in optional.items() if value},
    }


def _draft_from(request: dict[str, Any], ground: Ground, share_of_data: int) -> Draft:
    frequency = check_frequency(ground, request["ForecastFrequency"])
    boundary = parse_boundary(request.get("TimeAlignmentBoundary"), frequency)
    dimensions = request.get("ForecastDimensions", [])
    check_dimensions(ground, dimensions)
    horizon, length = request["ForecastHorizon"], ground.length(frequency, boundary)
    check_horizon(horizon, length, length // share_of_data, request["ForecastFrequency"])
    types = request.get("ForecastTypes", DEFAULT_TYPES)
    plan = make_plan(
        ground,
        method=AUTO_PREDICTOR,
        frequency=request["ForecastFrequency"],
        horizon=horizon,
        dimensions=dimensions,
        types=types,
        windows=max(1, min(MOST_WINDOWS, length // horizon - 2)),
        offset=horizon,
        filling=complete(
            from_attribute_configs(look_up(request, "DataConfig.AttributeConfigs") or []), ground
        ),
        metric=choose_metric(request.get("OptimizationMetric"), types),
        holiday=_holiday(request),
        boundary=request.get("TimeAlignmentBoundary"),
    )
    return Draft({**request, "ForecastTypes": types}, known_of(ground), plan)


def _holiday(request: dict[str, Any]) -> str | None:
    extra = look_up(request, "DataConfig.AdditionalDatasets") or []
    return holiday_country(
        [(each["Name"], each.get("Configuration", {}).get("CountryCode", [])) for each in extra]
    )
