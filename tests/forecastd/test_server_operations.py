"""Every operation of Amazon's model, asked for over HTTP: it is there, or says by name that it is not."""

import json
from typing import Any

import pytest

from forecastd.operations.service import _all_operations
from forecastd.spec import load_spec

SPEC = load_spec()
NOT_OFFERED = {
    f"{verb}{kind}"
    for kind in (
        "Explainability",
        "ExplainabilityExport",
        "WhatIfAnalysis",
        "WhatIfForecast",
        "WhatIfForecastExport",
    )
    for verb in ("Create", "Describe", "Delete")
} | {
    "ListExplainabilities",
    "ListExplainabilityExports",
    "ListWhatIfAnalyses",
    "ListWhatIfForecasts",
    "ListWhatIfForecastExports",
    "CreateMonitor",
    "DescribeMonitor",
    "DeleteMonitor",
    "ListMonitors",
    "ListMonitorEvaluations",
    "ResumeResource",
    "QueryWhatIfForecast",
}
_SAMPLES: dict[str, Any] = {"boolean": True, "integer": 1, "long": 1, "double": 1.0}


def sample(shape: Any, name: str = "") -> Any:
    """Make the smallest value that a shape allows."""
    if shape.type_name == "structure":
        return {member: sample(shape.members[member], member) for member in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member, name)]
    if shape.type_name == "map":
        return {"item_id": sample(shape.value, name)}
    if shape.type_name == "string":
        return _text(shape, name)
    return _SAMPLES[shape.type_name]


def _text(shape: Any, name: str) -> str:
    if shape.enum:
        return shape.enum[0]
    if name == "RoleArn":
        return "arn:aws:iam::000000000000:role/forecast"
    if shape.name in ("Arn", "LongArn"):
        return "arn:aws:forecast:us-east-1:000000000000:dataset/nothing_here"
    return {"S3Path": "s3://bucket/x", "Frequency": "D"}.get(shape.name, "name")


def test_the_model_has_65_operations_and_each_is_accounted_for() -> None:
    assert len(SPEC.operations) == 65
    assert set(_all_operations()) | NOT_OFFERED == set(SPEC.operations)
    assert not set(_all_operations()) & NOT_OFFERED


@pytest.mark.parametrize("target", sorted(SPEC.targets))
def test_every_operation_answers_as_the_model_says(server: Any, target: str) -> None:
    operation = SPEC.targets[target]
    body = json.dumps(sample(operation.input_shape)).encode()
    status, headers, answer = server.post(target, body)
    assert headers["x-amzn-RequestId"]
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    if operation.name in NOT_OFFERED:
        assert status == 501
        assert operation.name in json.loads(answer)["Message"]
    elif status == 200:
        assert operation.output_shape is None or isinstance(json.loads(answer), dict)
    else:
        assert status == 400
        assert json.loads(answer)["__type"] in {shape.name for shape in operation.error_shapes}


def test_an_unknown_operation_is_told_as_such(server: Any) -> None:
    status, _, answer = server.post("AmazonForecast.MakeTea", b"{}")
    assert (status, json.loads(answer)["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(("length", "expected"), [("²", 411), ("-1", 411), ("9" * 5000, 413), ("2", 200)])
def test_a_length_that_is_no_number_or_too_large_is_told(server: Any, length: str, expected: int) -> None:
    import http.client

    headers = {"X-Amz-Target": "AmazonForecast.ListForecasts", "Content-Length": length}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/", b"{}", headers)
    assert connection.getresponse().status == expected
    connection.close()


def test_health_says_that_the_server_and_its_worker_live(server: Any) -> None:
    import urllib.request

    with urllib.request.urlopen(f"{server.url}/health") as answer:
        assert json.load(answer) == {"status": "ok", "operations": 65, "workers": 1}


def test_a_connection_serves_many_requests(server: Any) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(3):
        connection.request("POST", "/", b"{}", {"X-Amz-Target": "AmazonForecast.ListForecasts"})
        answer = connection.getresponse()
        assert (answer.status, answer.version) == (200, 11)
        answer.read()
    assert connection.sock is not None
    connection.close()
