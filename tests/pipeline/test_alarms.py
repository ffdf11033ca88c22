"""The alarms of the template watch metrics that runs really send."""

from pathlib import Path
from typing import Any

import yaml

from pipeline import accuracy, ledger
from pipeline.ledger import LIVE, Score
from pipeline.workload import Workload

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "forecast.yaml"
ROOT = Workload("my-forecasts")


class Loader(yaml.SafeLoader):
    """Reads `!Ref X` as X, and `!If [condition, a, b]` as a list."""


def _plain(loader: Loader, _: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return (
        loader.construct_sequence(node)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping(node)
    )


Loader.add_multi_constructor("!", _plain)


def alarms() -> dict[str, dict[str, Any]]:
    resources = yaml.load(TEMPLATE.read_text(), Loader)["Resources"]
    return {
        name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"
    }


class CloudWatch:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        self.data += MetricData


def sent() -> list[dict[str, Any]]:
    """What a run sends of a forecast that turned out, and of drift."""
    watch = CloudWatch()
    score = Score("run", "a", "b", 3, 6, 0.1, 0.2, 0.0, {"p50": 0.1}, {"p50": 0.5}, "")
    ledger.put_metrics(watch, "Forecast", ROOT, score)
    drift = Path(__file__).resolve().parents[2] / "tasks" / "keep_ledger.py"
    assert 'datum("Drift", float(found.is_drifting), {"Workload": job.workload.label})' in drift.read_text()
    return [*watch.data, accuracy.datum("Drift", 1.0, {"Workload": ROOT.label})]


def test_each_alarm_watches_a_metric_that_a_run_sends() -> None:
    known = {(one["MetricName"], tuple(sorted(d["Name"] for d in one["Dimensions"]))) for one in sent()}
    assert set(alarms()) == {"DriftAlarm", "LiveAccuracyAlarm"}
    for name, alarm in alarms().items():
        dimensions = tuple(sorted(one["Name"] for one in alarm["Dimensions"]))
        assert (alarm["MetricName"], dimensions) in known, name
        assert alarm["Namespace"] == "MetricNamespace"
        assert alarm["AlarmActions"] == ["NoticeTopic"]
        assert alarm["TreatMissingData"] == "ignore"


def test_the_alarms_watch_the_workload_at_the_root_unless_another_is_named() -> None:
    assert ROOT.label == "my-forecasts", "the metrics call it like its bucket"
    for alarm in alarms().values():
        named = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        assert named["Workload"] == ["AlarmsAreForTheRoot", "BucketName", "AlarmedWorkload"]
        assert named.get("Window", LIVE) == LIVE
