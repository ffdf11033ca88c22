"""Predictors: what is refused before training, what is trained, and what is told about it."""

from importlib.util import find_spec
from typing import Any

import pandas as pd
import pytest

from forecastd.series.algorithms import NEURAL

NETWORKS = find_spec("torch") is not None
ALGORITHM = "arn:aws:forecast:::algorithm/"
INVALID = "InvalidInputException"


@pytest.fixture(scope="module")
def group(lab: Any, hourly: Any) -> str:
    """Two items, ten days of hours."""
    return lab.filled_group(hourly(items=2, days=10))


@pytest.fixture(scope="module")
def trained(lab: Any, group: str) -> str:
    """An older predictor with two backtest windows."""
    return lab.predictor(
        group, EvaluationParameters={"NumberOfBacktestWindows": 2, "BackTestWindowOffset": 24}
    )


@pytest.fixture(scope="module")
def automatic(lab: Any, forecast: Any, group: str) -> str:
    arn = lab.start_auto_predictor(group, Tags=[{"Key": "team", "Value": "a"}])
    described = lab.wait(lambda: forecast.describe_auto_predictor(PredictorArn=arn))
    assert described["Status"] == "ACTIVE", described
    return arn


def config(**members: Any) -> dict[str, Any]:
    return {"FeaturizationConfig": {"ForecastFrequency": "H", **members}}


def filling(attribute: str = "target_value", **parameters: str) -> dict[str, Any]:
    step = {"FeaturizationMethodName": "filling", "FeaturizationMethodParameters": parameters}
    return config(Featurizations=[{"AttributeName": attribute, "FeaturizationPipeline": [step]}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"AlgorithmArn": f"{ALGORITHM}Oracle"},
            f"Invalid Algorithm ARN specified: {ALGORITHM}Oracle. Options: ",
        ),
        ({"AlgorithmArn": None}, "Give an AlgorithmArn"),
        ({"PerformAutoML": True}, "AlgorithmArn cannot be given together with PerformAutoML"),
        ({"PerformHPO": True}, "PerformHPO is not possible with NPTS"),
        ({"HPOConfig": {"ParameterRanges": {}}}, "HPOConfig can be given with PerformHPO only"),
        ({"AutoMLOverrideStrategy": "AccuracyOptimized"}, "with PerformAutoML only"),
        ({"ForecastHorizon": 0}, "must be at least 1"),
        ({"ForecastHorizon": 120}, "can be at most 119: the target time series has 240 time steps"),
        (
            {"ForecastHorizon": 100, "EvaluationParameters": {"NumberOfBacktestWindows": 3}},
            "Use fewer windows or a shorter ForecastHorizon",
        ),
        ({"ForecastTypes": ["0.1"] * 6}, "at most 5"),
        ({"ForecastTypes": ["0.5", "0.50"]}, "names a type twice"),
        ({"ForecastTypes": ["0.00"]}, "not between 0.01 and 0.99"),
        (
            {"ForecastTypes": ["mean"], "OptimizationMetric": "AverageWeightedQuantileLoss"},
            "at least one quantile",
        ),
        ({"EvaluationParameters": {"NumberOfBacktestWindows": 6}}, "between 1 and 5"),
        ({"EvaluationParameters": {"BackTestWindowOffset": 12}}, "at least the ForecastHorizon, 24"),
        ({"EvaluationParameters": {"BackTestWindowOffset": 120}}, "less than half of the 240 time steps"),
        ({"TrainingParameters": {"epochs": "3"}}, "no hyperparameter epochs"),
        ({"TrainingParameters": {"kernel_type": "cubic"}}, "kernel_type"),
        (config(ForecastFrequency="30min"), "finer than the frequency H"),
        (config(ForecastDimensions=["shop"]), "shop is no dimension of the target"),
        (filling(aggregation="median"), "aggregation = median, which is not possible; use one of sum"),
        (filling(middlefill="value"), "needs middlefill_value"),
        (filling(middlefill="value", middlefill_value="x"), "no number"),
        (filling("price", middlefill="zero"), "price cannot be featurized"),
        (filling(sidefill="zero"), "known are aggregation, frontfill"),
        (filling(middlefill="value", middlefill_value="1_0"), "1_0, which is no number"),
        ({"TrainingParameters": {"context_length": "1_0"}}, "context_length is '1_0'"),
    ],
)
def test_a_predictor_that_cannot_be_is_refused_at_once(
    lab: Any, forecast: Any, group: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException) as raised:
        lab.start_predictor(group, **options)
    assert message in raised.value.response["Error"]["Message"]


def test_holidays_of_two_countries_are_refused(lab: Any, forecast: Any, group: str) -> None:
    features = [{"Name": "holiday", "Value": code} for code in ("US", "DE")]
    with pytest.raises(forecast.exceptions.InvalidInputException, match="given twice; give one entry"):
        lab.start_predictor(
            group, InputDataConfig={"DatasetGroupArn": group, "SupplementaryFeatures": features}
        )


@pytest.mark.skipif(NETWORKS, reason="requirements-neural.txt is installed")
@pytest.mark.parametrize("name", NEURAL)
def test_without_its_packages_a_network_is_refused_with_the_command_that_installs_them(
    lab: Any, forecast: Any, group: str, name: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException) as raised:
        lab.start_predictor(group, AlgorithmArn=f"{ALGORITHM}{name}")
    message = raised.value.response["Error"]["Message"]
    assert f"The algorithm {name} needs packages that this server does not have (torch" in message
    assert "`pip install -r requirements-neural.txt -c constraints.txt`" in message


@pytest.mark.skipif(not NETWORKS, reason="requirements-neural.txt is not installed")
@pytest.mark.parametrize("name", NEURAL)
def test_a_network_is_trained_and_forecasts_and_shows_what_it_used(
    lab: Any, forecast: Any, group: str, name: str
) -> None:
    arn = lab.predictor(group, AlgorithmArn=f"{ALGORITHM}{name}", TrainingParameters={"epochs": "2"})
    described = forecast.describe_predictor(PredictorArn=arn)
    assert described["AlgorithmArn"] == f"{ALGORITHM}{name}"
    assert described["TrainingParameters"]["epochs"] == "2"
    assert described["TrainingParameters"]["context_length"] == "48"
    [result] = forecast.get_accuracy_metrics(PredictorArn=arn)["PredictorEvaluationResults"]
    assert result["TestWindows"][0]["Metrics"]["AverageWeightedQuantileLoss"] < 1
    assert lab.forecasted(arn)


@pytest.mark.skipif(not NETWORKS, reason="requirements-neural.txt is not installed")
def test_a_tuned_network_shows_the_values_that_won(lab: Any, forecast: Any, group: str) -> None:
    lengths = {"Name": "context_length", "MinValue": 12, "MaxValue": 40}
    rates = {"Name": "learning_rate", "MinValue": 0.002, "MaxValue": 0.02, "ScalingType": "Logarithmic"}
    ranges = {"IntegerParameterRanges": [lengths], "ContinuousParameterRanges": [rates]}
    arn = lab.predictor(
        group,
        AlgorithmArn=f"{ALGORITHM}Deep_AR_Plus",
        TrainingParameters={"epochs": "4"},
        PerformHPO=True,
        HPOConfig={"ParameterRanges": ranges},
    )
    described = forecast.describe_predictor(PredictorArn=arn)
    used = described["TrainingParameters"]
    assert 12 <= int(used["context_length"]) <= 40
    assert 0.002 <= float(used["learning_rate"]) <= 0.02
    assert used["epochs"] == "4"
    assert described["PerformHPO"] is True
    assert described["HPOConfig"]["ParameterRanges"]["IntegerParameterRanges"] == [lengths]


@pytest.mark.skipif(not NETWORKS, reason="requirements-neural.txt is not installed")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"TrainingParameters": {"num_cells": "0"}}, "num_cells is '0': give a whole number from 1 to 500"),
        ({"TrainingParameters": {"likelihood": "cauchy"}}, "give one of beta, deterministic-L1, gaussian"),
        ({"ForecastHorizon": 100}, "can be at most 80"),
    ],
)
def test_a_network_that_cannot_be_is_refused_at_once(
    lab: Any, forecast: Any, group: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        lab.start_predictor(group, AlgorithmArn=f"{ALGORITHM}Deep_AR_Plus", **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"Name": "weather"}], "weather index is not offered"),
        ([{"Name": "holiday", "Configuration": {"CountryCode": ["XX"]}}], "needs one country code"),
        ([{"Name": "moon"}], "moon is not known"),
        (
            [{"Name": "holiday", "Configuration": {"CountryCode": [code]}} for code in ("US", "DE")],
            "given twice; give one entry",
        ),
    ],
)
def test_additional_data_that_is_not_there_is_refused(
    lab: Any, forecast: Any, group: str, data: list[Any], message: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        lab.start_auto_predictor(group, DataConfig={"DatasetGroupArn": group, "AdditionalDatasets": data})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ForecastHorizon": 61}, "can be at most 60"),
        ({"ExplainPredictor": True}, "explainability is not offered"),
        ({"MonitorConfig": {"MonitorName": "m"}}, "monitors are not offered"),
        ({"TimeAlignmentBoundary": {"Hour": 3}}, "TimeAlignmentBoundary"),
    ],
)
def test_an_auto_predictor_that_cannot_be_is_refused_at_once(
    lab: Any, forecast: Any, group: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        lab.start_auto_predictor(group, **options)


def test_the_length_of_the_data_is_counted_in_steps_of_the_asked_alignment(lab: Any, forecast: Any) -> None:
    days = pd.date_range("2023-12-31", periods=19 * 7)  # from a Sunday to a Saturday
    group = lab.filled_group("".join(f"a,{day},1\n" for day in days), DataFrequency="D")
    options = {"ForecastFrequency": "W", "ForecastHorizon": 5}
    with pytest.raises(forecast.exceptions.InvalidInputException, match="has 19 time steps"):
        lab.start_auto_predictor(group, TimeAlignmentBoundary={"DayOfWeek": "SUNDAY"}, **options)


def test_an_auto_predictor_needs_data_frequency_and_horizon_or_a_reference(forecast: Any) -> None:
    with pytest.raises(
        forecast.exceptions.InvalidInputException, match="DataConfig and ForecastFrequency and"
    ):
        forecast.create_auto_predictor(PredictorName="bare")


def test_a_group_without_imported_target_is_refused(lab: Any, forecast: Any) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match="no TARGET_TIME_SERIES dataset"):
        lab.start_predictor(lab.group())
    with pytest.raises(forecast.exceptions.InvalidInputException, match="has no imported data"):
        lab.start_predictor(lab.group(lab.dataset()))


@pytest.mark.parametrize(
    "name", ["date", "Mean", "p50", "target_value", "window_start", "window_end", "backtest_window"]
)
def test_a_dimension_called_like_a_column_of_an_export_is_refused(lab: Any, forecast: Any, name: str) -> None:
    schema = {"item_id": "string", "timestamp": "timestamp", "demand": "float", name: "string"}
    dataset = lab.dataset(schema, Domain="RETAIL")
    lab.imported(dataset, "".join(f"a,2024-01-{day:02} 00:00:00,1,north\n" for day in range(1, 31)))
    options = config(ForecastDimensions=[name])
    with pytest.raises(forecast.exceptions.InvalidInputException, match=f"{name} cannot be exported"):
        lab.start_predictor(lab.group(dataset, Domain="RETAIL"), **options)


def test_a_text_in_a_related_time_series_is_refused_in_the_services_words(
    lab: Any, forecast: Any, hourly: Any
) -> None:
    target = lab.dataset()
    lab.imported(target, hourly(items=1, days=5))
    attributes = {"item_id": "string", "timestamp": "timestamp", "sky": "string", "price": "float"}
    related = lab.dataset(attributes, DatasetType="RELATED_TIME_SERIES")
    lab.imported(related, "item_0,2024-01-01 00:00:00,blue,1\n")
    group = lab.group(target, related)
    with pytest.raises(forecast.exceptions.InvalidInputException) as raised:
        lab.start_predictor(group)
    assert raised.value.response["Error"]["Message"] == (
        "The attribute(s) [sky] present in the RELATED_TIME_SERIES schema should be of numeric type such as"
        " `integer` or `float`, or be added as a forecast dimension"
    )
    with pytest.raises(forecast.exceptions.InvalidInputException, match="must equal the frequency H"):
        lab.start_predictor(group, FeaturizationConfig={"ForecastFrequency": "D"}, ForecastHorizon=1)


def test_a_trained_predictor_is_described_with_its_defaults_filled_in(
    forecast: Any, group: str, trained: str
) -> None:
    described = forecast.describe_predictor(PredictorArn=trained)
    assert described["ForecastTypes"] == ["0.1", "0.5", "0.9"]
    assert described["EvaluationParameters"] == {"NumberOfBacktestWindows": 2, "BackTestWindowOffset": 24}
    [featurization] = described["FeaturizationConfig"]["Featurizations"]
    assert featurization["FeaturizationPipeline"][0]["FeaturizationMethodParameters"] == {
        "aggregation": "sum",
        "frontfill": "none",
        "middlefill": "zero",
        "backfill": "zero",
    }
    assert described["TrainingParameters"]["kernel_type"] == "exponential"
    assert described["TrainingParameters"]["prediction_length"] == "24"
    assert len(described["DatasetImportJobArns"]) == 1
    assert (described["IsAutoPredictor"], described["PerformAutoML"]) == (False, False)
    [execution] = described["PredictorExecutionDetails"]["PredictorExecutions"]
    starts = [f"{window['TestWindowStart'].timestamp():.0f}" for window in execution["TestWindows"]]
    assert starts == ["1704844800", "1704758400"]  # 2024-01-10 and -09, newest first, as if UTC


def test_metrics_have_the_summary_first_then_every_window(forecast: Any, trained: str) -> None:
    answer = forecast.get_accuracy_metrics(PredictorArn=trained)
    [result] = answer["PredictorEvaluationResults"]
    assert result["AlgorithmArn"] == f"{ALGORITHM}NPTS"
    summary, newest, older = result["TestWindows"]
    assert [summary["EvaluationType"], newest["EvaluationType"]] == ["SUMMARY", "COMPUTED"]
    assert "ItemCount" not in summary
    assert newest["ItemCount"] == 2
    assert older["TestWindowEnd"] == newest["TestWindowStart"]
    assert [loss["Quantile"] for loss in summary["Metrics"]["WeightedQuantileLosses"]] == [0.9, 0.5, 0.1]
    [errors] = summary["Metrics"]["ErrorMetrics"]
    assert errors["ForecastType"] == "mean"
    assert summary["Metrics"]["RMSE"] == errors["RMSE"]
    for metric in ("WAPE", "RMSE", "MASE", "MAPE"):
        values = [window["Metrics"]["ErrorMetrics"][0][metric] for window in (newest, older)]
        assert errors[metric] == pytest.approx(sum(values) / 2)
    assert answer["IsAutoPredictor"] is False


def test_an_auto_predictor_shows_a_summary_only_and_no_algorithm(forecast: Any, automatic: str) -> None:
    answer = forecast.get_accuracy_metrics(PredictorArn=automatic)
    [result] = answer["PredictorEvaluationResults"]
    assert "AlgorithmArn" not in result
    assert [window["EvaluationType"] for window in result["TestWindows"]] == ["SUMMARY"]
    assert answer["IsAutoPredictor"] is True


def test_an_auto_predictors_arn_ends_in_a_ulid_and_its_name_is_taken(
    lab: Any, forecast: Any, group: str, automatic: str
) -> None:
    name, _, ulid = automatic.rpartition("/")[2].rpartition("_")
    assert len(ulid) == 26
    assert set(ulid) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    with pytest.raises(forecast.exceptions.ResourceAlreadyExistsException, match=automatic):
        lab.start_auto_predictor(group, PredictorName=name)
    with pytest.raises(forecast.exceptions.ResourceAlreadyExistsException, match=automatic):
        lab.start_predictor(group, PredictorName=name)


def test_each_kind_of_predictor_is_described_by_its_own_operation(
    forecast: Any, trained: str, automatic: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match="with DescribeAutoPredictor"):
        forecast.describe_predictor(PredictorArn=automatic)
    with pytest.raises(forecast.exceptions.InvalidInputException, match="with DescribePredictor"):
        forecast.describe_auto_predictor(PredictorArn=trained)


def test_both_kinds_are_listed_together_by_group(
    forecast: Any, group: str, trained: str, automatic: str
) -> None:
    filters = [
        {"Key": "DatasetGroupArn", "Value": group, "Condition": "IS"},
        {"Key": "Status", "Value": "ACTIVE", "Condition": "IS"},
    ]
    listed = forecast.list_predictors(Filters=filters)["Predictors"]
    kinds = {entry["PredictorArn"]: entry["IsAutoPredictor"] for entry in listed}
    assert kinds[trained] is False
    assert kinds[automatic] is True
    filters[0] = {"Key": "PredictorArn", "Value": trained, "Condition": "IS"}
    assert [entry["PredictorArn"] for entry in forecast.list_predictors(Filters=filters)["Predictors"]] == [
        trained
    ]


def test_tags_of_a_create_are_there_and_never_described(forecast: Any, automatic: str) -> None:
    assert forecast.list_tags_for_resource(ResourceArn=automatic)["Tags"] == [{"Key": "team", "Value": "a"}]
    assert "Tags" not in forecast.describe_auto_predictor(PredictorArn=automatic)


def test_auto_ml_tries_several_algorithms_best_first(lab: Any, forecast: Any, hourly: Any) -> None:
    group = lab.filled_group(hourly(items=1, days=6))
    arn = lab.predictor(group, AlgorithmArn=None, PerformAutoML=True, ForecastHorizon=12)
    described = forecast.describe_predictor(PredictorArn=arn)
    results = forecast.get_accuracy_metrics(PredictorArn=arn)["PredictorEvaluationResults"]
    losses = [result["TestWindows"][0]["Metrics"]["AverageWeightedQuantileLoss"] for result in results]
    assert len(results) > 1
    assert losses == sorted(losses)
    assert described["PerformAutoML"] is True
    assert described["AutoMLAlgorithmArns"][0] == results[0]["AlgorithmArn"]


def test_a_retrained_predictor_takes_over_the_configuration(
    lab: Any, forecast: Any, trained: str, automatic: str
) -> None:
    for reference in (automatic, trained):
        arn = forecast.create_auto_predictor(
            PredictorName=lab.name("again"), ReferencePredictorArn=reference
        )["PredictorArn"]
        done = lab.wait(lambda arn=arn: forecast.describe_auto_predictor(PredictorArn=arn))
        assert done["Status"] == "ACTIVE", done
        assert done["ForecastHorizon"] == 24
        assert done["ReferencePredictorSummary"] == {"Arn": reference, "State": "Active"}
        lab.wait_until_gone(lambda arn=arn: forecast.delete_predictor(PredictorArn=arn))


def test_a_retraining_with_configuration_is_refused(forecast: Any, automatic: str) -> None:
    with pytest.raises(
        forecast.exceptions.InvalidInputException, match="ForecastHorizon cannot be given together"
    ):
        forecast.create_auto_predictor(PredictorName="x", ReferencePredictorArn=automatic, ForecastHorizon=3)


def test_a_backtest_export_has_every_step_and_metrics_that_agree_with_the_api(
    lab: Any, forecast: Any, trained: str
) -> None:
    folder, name = lab.name("backtests"), lab.name("export")
    arn = forecast.create_predictor_backtest_export_job(
        PredictorBacktestExportJobName=name, PredictorArn=trained, Destination=lab.s3_config(folder)
    )["PredictorBacktestExportJobArn"]
    predictor_name = trained.rpartition("/")[2]
    assert arn.endswith(f":predictor-backtest-export-job/{predictor_name}/{name}")
    done = lab.wait(
        lambda: forecast.describe_predictor_backtest_export_job(PredictorBacktestExportJobArn=arn)
    )
    assert done["Status"] == "ACTIVE", done
    keys = [entry["Key"] for entry in lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=folder)["Contents"]]
    frames = {
        key.split("/")[1]: pd.read_csv(lab.s3.get_object(Bucket=lab.bucket, Key=key)["Body"])
        for key in keys
        if key.endswith("_part0.csv")
    }
    values, accuracy = frames["forecasted-values"], frames["accuracy-metrics-values"]
    assert list(values.columns) == [
        "item_id", "timestamp", "target_value",
        "backtestwindow_start_time", "backtestwindow_end_time",
        "p10", "p50", "p90",
    ]  # fmt: skip
    assert len(values) == 2 * 2 * 24
    assert values["backtestwindow_end_time"].max() == "2024-01-10T23:00:00"
    assert list(accuracy["backtest_window"].value_counts().sort_index()) == [4, 2]
    recomputed = values.assign(error=(values["target_value"] - values["p50"]).abs())
    pooled = recomputed.groupby("backtestwindow_start_time")[["error", "target_value"]].sum()
    losses = (pooled["error"] / pooled["target_value"]).mean()
    [result] = forecast.get_accuracy_metrics(PredictorArn=trained)["PredictorEvaluationResults"]
    median = result["TestWindows"][0]["Metrics"]["WeightedQuantileLosses"][1]
    assert median["LossValue"] == pytest.approx(losses)
    with pytest.raises(forecast.exceptions.ResourceInUseException):
        forecast.delete_predictor(PredictorArn=trained)
    lab.wait_until_gone(
        lambda: forecast.delete_predictor_backtest_export_job(PredictorBacktestExportJobArn=arn)
    )


def test_only_the_mean_can_be_trained_and_forecast(lab: Any, forecast: Any, group: str) -> None:
    arn = lab.predictor(group, ForecastTypes=["mean"])
    [result] = forecast.get_accuracy_metrics(PredictorArn=arn)["PredictorEvaluationResults"]
    assert "AverageWeightedQuantileLoss" not in result["TestWindows"][0]["Metrics"]
    assert forecast.describe_forecast(ForecastArn=lab.forecasted(arn))["ForecastTypes"] == ["mean"]


def test_a_model_that_cannot_be_trained_fails_with_a_sentence(lab: Any, forecast: Any) -> None:
    group = lab.filled_group("".join(f"a,2024-01-01 {hour:02}:00:00,\n" for hour in range(24)))
    arn = lab.start_predictor(group, ForecastHorizon=2)
    done = lab.wait(lambda: forecast.describe_predictor(PredictorArn=arn))
    assert done["Status"] == "CREATE_FAILED"
    assert "no values" in done["Message"]
    assert "Traceback" not in done["Message"]
    with pytest.raises(
        forecast.exceptions.InvalidInputException, match="is CREATE_FAILED, but must be ACTIVE"
    ):
        forecast.get_accuracy_metrics(PredictorArn=arn)
