"""What the table of accuracy says of the backtest windows that the service tells."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.workload import Workload
from tasks import measure_accuracy as step

SUMMARY = {"EvaluationType": "SUMMARY", "Metrics": {"ErrorMetrics": [{"WAPE": 0.12}]}}
ARN = "arn:aws:forecast:::algorithm/ETS"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"TestWindows": [SUMMARY]}, "Accuracy of run `one` over all backtest windows (lower is better)."),
        (
            {"AlgorithmArn": ARN, "TestWindows": [SUMMARY, {**SUMMARY, "EvaluationType": "COMPUTED"}]},
            "Accuracy of run `one` in each backtest window, and on average (SUMMARY) (lower is better).",
        ),
    ],
    ids=["of an AutoPredictor", "of an algorithm"],
)
def test_the_table_says_which_windows_it_shows(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], words: str
) -> None:
    shown: list[tuple[Any, ...]] = []
    monkeypatch.setattr(step, "show_table", lambda *given: shown.append(given))
    monkeypatch.setattr(step, "reached", lambda *_, **__: None)
    service = SimpleNamespace(get_accuracy_metrics=lambda **_: {"PredictorEvaluationResults": [result]})
    cloudwatch = SimpleNamespace(put_metric_data=lambda **_: None)
    place = SimpleNamespace(client=lambda _: cloudwatch, namespace="Forecast")
    job = SimpleNamespace(forecast=service, place=place, workload=Workload("demand"), run="one")
    step.measure_accuracy.fn(job, "arn:p")
    ((_, _, rows, description),) = shown
    assert description.startswith(words)
    assert len(rows) == len(result["TestWindows"])
