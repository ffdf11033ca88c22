"""CreatePredictor: one algorithm, or AutoML over the classical ones."""

from importlib.util import find_spec
from typing import Any

from forecastd.errors import InvalidInput
from forecastd.operations.context import Context
from forecastd.operations.datasets import refuse_encryption
from forecastd.operations.drafts import Draft
from forecastd.operations.featurization import Filling, complete, from_featurizations, to_featurizations
from forecastd.operations.forecasttypes import DEFAULT_TYPES
from forecastd.operations.frequencies import check_horizon
from forecastd.operations.ground import check_dimensions, check_frequency, survey
from forecastd.operations.trainingplan import choose_metric, holiday_country, known_of, make_plan
from forecastd.operations.tuningconfig import ranges_of
from forecastd.series.algorithms import AUTO_ML, NEURAL, TRAINABLE, effective_hyperparameters
from forecastd.series.frequency import Boundary
from forecastd.store.records import Record

ALGORITHM_PREFIX = "arn:aws:forecast:::algorithm/"
AMAZON_ALGORITHMS = ("CNN-QR", "Deep_AR_Plus", "NPTS", "ETS", "ARIMA", "Prophet")
MOST_WINDOWS = 5
NEURAL_PACKAGES = ("torch", "gluonts", "lightning")
INSTALL_NEURAL = "pip install -r requirements-neural.txt -c constraints.txt"


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check a predictor of the older kind.

    Raises:
        InvalidInput: parameters contradict each other or the data.
        ResourceInUse: the data is still being imported.
    """
    refuse_encryption(request)
    method = _method(request)
    _check_hyperparameters(method, request.get("TrainingParameters", {}))
    ranges = ranges_of(request, method, request["ForecastHorizon"])
    ground = survey(context, parents[0])
    config = request["FeaturizationConfig"]
    length = ground.length(check_frequency(ground, config["ForecastFrequency"]), Boundary())
    dimensions = config.get("ForecastDimensions", [])
    check_dimensions(ground, dimensions)
    horizon, types = request["ForecastHorizon"], request.get("ForecastTypes", DEFAULT_TYPES)
    check_horizon(horizon, length, _most_steps(method, length), config["ForecastFrequency"])
    windows, offset = _windows(request, length)
    filling = complete(from_featurizations(config.get("Featurizations", [])), ground)
    plan = make_plan(
        ground,
        method=method,
        frequency=config["ForecastFrequency"],
        horizon=horizon,
        dimensions=dimensions,
        types=types,
        windows=windows,
        offset=offset,
        filling=filling,
        metric=choose_metric(request.get("OptimizationMetric"), types),
        hyperparameters=request.get("TrainingParameters", {}),
        holiday=_holiday(request),
    )
    tuning = {"tuning": [each.to_json() for each in ranges]}
    return Draft(_filled(request, plan, filling), known_of(ground), {**plan, **tuning})


def _filled(request: dict[str, Any], plan: dict[str, Any], filling: Filling) -> dict[str, Any]:
    """Fill in the defaults, as Describe shows them."""
    featurizations = to_featurizations(filling)
    return {
        "PerformAutoML": False,
        "PerformHPO": False,
        "ForecastTypes": DEFAULT_TYPES,
        **request,
        "EvaluationParameters": {
            "NumberOfBacktestWindows": plan["windows"],
            "BackTestWindowOffset": plan["offset"],
        },
        "FeaturizationConfig": {**request["FeaturizationConfig"], "Featurizations": featurizations},
    }


def _method(request: dict[str, Any]) -> str:
    """Give "AutoML" or the algorithm's name."""
    if request.get("PerformAutoML"):
        _check_auto_ml(request)
        return AUTO_ML
    arn = request.get("AlgorithmArn")
    if arn is None:
        raise InvalidInput("Give an AlgorithmArn, or set PerformAutoML to true.")
    if request.get("AutoMLOverrideStrategy"):
        raise InvalidInput("AutoMLOverrideStrategy can be given with PerformAutoML only.")
    return _algorithm(arn)


def _check_auto_ml(request: dict[str, Any]) -> None:
    excluded = ("AlgorithmArn", "PerformHPO", "HPOConfig", "TrainingParameters")
    given = [name for name in excluded if request.get(name)]
    if given:
        raise InvalidInput(f"{given[0]} cannot be given together with PerformAutoML.")
    if request.get("AutoMLOverrideStrategy") == "LatencyOptimized":
        raise InvalidInput(
            "AutoMLOverrideStrategy LatencyOptimized is not offered by this server; use AccuracyOptimized."
        )


def _algorithm(arn: str) -> str:
    name = arn.removeprefix(ALGORITHM_PREFIX)
    if not arn.startswith(ALGORITHM_PREFIX) or name not in AMAZON_ALGORITHMS:
        options = ",".join(f"{ALGORITHM_PREFIX}{known}" for known in AMAZON_ALGORITHMS)
        raise InvalidInput(f"Invalid Algorithm ARN specified: {arn}. Options: {options}")
    missing = [package for package in NEURAL_PACKAGES if name in NEURAL and find_spec(package) is None]
    if missing:
        offered = ", ".join(f"{ALGORITHM_PREFIX}{known}" for known in TRAINABLE if known not in NEURAL)
        raise InvalidInput(
            f"The algorithm {name} needs packages that this server does not have ({', '.join(missing)}). "
            f"Install them with `{INSTALL_NEURAL}` and start the server again, or use one of {offered}, "
            "PerformAutoML, or CreateAutoPredictor."
        )
    return name


def _most_steps(method: str, length: int) -> int:
    """Single statistical algorithms may look further ahead than networks and AutoML.

    A backtest window holds the horizon, and has to be less than half of the data.
    """
    return length // 3 if method in (AUTO_ML, *NEURAL) else (length - 1) // 2


def _windows(request: dict[str, Any], length: int) -> tuple[int, int]:
    given = request.get("EvaluationParameters", {})
    horizon = request["ForecastHorizon"]
    windows = given.get("NumberOfBacktestWindows", 1)
    offset = given.get("BackTestWindowOffset", horizon)
    if not 1 <= windows <= MOST_WINDOWS:
        raise InvalidInput(f"NumberOfBacktestWindows is {windows}; it must be between 1 and {MOST_WINDOWS}.")
    if not horizon <= offset < length / 2:
        raise InvalidInput(
            f"BackTestWindowOffset is {offset}; it must be at least the ForecastHorizon, {horizon}, and less"
            f" than half of the {length} time steps of the target time series."
        )
    if windows * offset >= length:
        is_given = "BackTestWindowOffset" in given
        lever = "a smaller offset" if is_given else "a shorter ForecastHorizon, which is the default offset"
        raise InvalidInput(
            f"{windows} backtest windows with an offset of {offset} leave nothing to train on: the target"
            f" time series has {length} time steps. Use fewer windows or {lever}."
        )
    return windows, offset


def _holiday(request: dict[str, Any]) -> str | None:
    features = request["InputDataConfig"].get("SupplementaryFeatures", [])
    return holiday_country([(each["Name"], [each["Value"]]) for each in features])


def _check_hyperparameters(method: str, given: dict[str, str]) -> None:
    try:
        effective_hyperparameters(method, given)
    except ValueError as error:
        raise InvalidInput(f"TrainingParameters: {error}") from None
