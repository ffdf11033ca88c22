import datetime as dt
import json
import math

import boto3
import pytest
from botocore.stub import Stubber

from pipeline import accuracy
from pipeline.accuracy import Accuracy, Window

ARN = "arn:aws:forecast:us-east-1:000000000000:predictor/p"


def metrics(wape, loss=0.1):
    return {
        "RMSE": 2.0,
        "AverageWeightedQuantileLoss": loss,
        "WeightedQuantileLosses": [
            {"Quantile": 0.9, "LossValue": 0.05},
            {"Quantile": 0.5, "LossValue": math.nan},
        ],
        "ErrorMetrics": [{"ForecastType": "mean", "WAPE": wape, "RMSE": 2.0, "MASE": 0.7, "MAPE": math.nan}],
    }


def computed(day, wape):
    start = dt.datetime(2024, 1, day, tzinfo=dt.UTC)
    return {
        "TestWindowStart": start,
        "TestWindowEnd": start + dt.timedelta(days=1),
        "ItemCount": 2,
        "EvaluationType": "COMPUTED",
        "Metrics": metrics(wape),
    }


@pytest.fixture
def legacy(aws):
    summary = {"EvaluationType": "SUMMARY", "Metrics": metrics(0.15)}
    results = [
        {
            "AlgorithmArn": f"arn:aws:forecast:::algorithm/{name}",
            "TestWindows": [summary, computed(2, 0.1), computed(1, 0.2)],
        }
        for name in ("ETS", "Prophet")
    ]
    return {"PredictorEvaluationResults": results}


def collected(answer):
    client = boto3.client(
        "forecast", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
    )
    with Stubber(client) as stub:
        stub.add_response("get_accuracy_metrics", answer, {"PredictorArn": ARN})
        return accuracy.collect(client, ARN)


def test_every_window_of_every_algorithm_is_a_row(legacy):
    found = collected(legacy)
    assert found.algorithm == "ETS"
    assert found.best["WAPE"] == 0.15
    rows = found.rows()
    assert [(row["algorithm"], row["window"], row["items"]) for row in rows[:3]] == [
        ("ETS", "SUMMARY", None),
        ("ETS", "2024-01-02 00:00:00", 2),
        ("ETS", "2024-01-01 00:00:00", 2),
    ]
    assert rows[1]["end"] == "2024-01-03 00:00:00"
    assert rows[0]["wQL[0.9]"] == 0.05
    assert len(rows) == 6


def test_undefined_metrics_are_left_out(legacy):
    row = collected(legacy).rows()[0]
    assert "MAPE" not in row
    assert "wQL[0.5]" not in row


def test_an_autopredictor_has_a_summary_only():
    found = collected(
        {
            "PredictorEvaluationResults": [
                {"TestWindows": [{"EvaluationType": "SUMMARY", "Metrics": metrics(0.05)}]}
            ]
        }
    )
    assert found.algorithm == "AutoPredictor"
    assert found.words() == (
        "In backtests the forecasts of AutoPredictor were off by 5.0% of the total on average: "
        "very good (WAPE 0.050, average weighted quantile loss 0.100)."
    )


def test_nothing_measured_is_said_so():
    assert collected({"PredictorEvaluationResults": []}).words() == (
        "The accuracy of AutoPredictor could not be measured."
    )


def test_accuracy_survives_the_record(legacy):
    found = collected(legacy)
    assert Accuracy.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_metrics_reach_cloudwatch_with_their_dimensions(legacy, aws, workload):
    cloudwatch = boto3.client("cloudwatch")
    sent = accuracy.put_metrics(cloudwatch, "Forecast", workload, collected(legacy))
    assert sent == 6 * 5  # WAPE, RMSE, MASE, the average and one quantile loss per window
    listed = cloudwatch.list_metrics(Namespace="Forecast")["Metrics"]
    assert {m["MetricName"] for m in listed} == {
        "WAPE",
        "RMSE",
        "MASE",
        "AverageWeightedQuantileLoss",
        "WeightedQuantileLoss",
    }
    dimensions = [{d["Name"]: d["Value"] for d in m["Dimensions"]} for m in listed]
    own = {"Workload": "demand/shop", "Algorithm": "ETS", "Window": "1", "Quantile": "0.9"}
    assert own in dimensions
    assert {d["Window"] for d in dimensions} == {"SUMMARY", "1", "2"}


class CloudWatch:
    def __init__(self):
        self.requests = []

    def put_metric_data(self, **request):
        self.requests.append(request)


def test_many_metrics_are_sent_in_requests_that_fit(workload):
    windows = [Window("ETS", str(n), f"{n:05}", None, 1, {"WAPE": 0.1}) for n in range(2500)]
    cloudwatch = CloudWatch()
    assert accuracy.put_metrics(cloudwatch, "Forecast", workload, Accuracy(tuple(windows))) == 2500
    sizes = [len(request["MetricData"]) for request in cloudwatch.requests]
    assert sizes == [1000, 1000, 500]
    assert all(len(json.dumps(request)) < 1_000_000 for request in cloudwatch.requests)


def test_a_dimension_of_cloudwatch_is_no_longer_than_it_may_be():
    long = ["bucket/" + "数" * 300 + ending for ending in "ab"]
    values = [accuracy.datum("Drift", 1.0, {"Workload": one})["Dimensions"][0]["Value"] for one in long]
    assert [len(value) for value in values] == [1024, 1024]
    assert values[0] != values[1]
    assert values[0].startswith("bucket/\\u6570")


def test_cloudwatch_gets_ascii_alone(workload):
    (pair,) = accuracy.datum("Drift", 1.0, {"Workload": "bucket/küche"})["Dimensions"]
    assert pair == {"Name": "Workload", "Value": r"bucket/k\xfcche"}
