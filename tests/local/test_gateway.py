"""Whom a request is for, and how a failure is told in the protocol of the request."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from local.gateway import (
    READING,
    Gateway,
    failure,
    is_a_person_looking,
    is_forecast,
    operation_of,
    place_of,
    service_of,
)
from local.memory import Memory
from local.proxy import Proxy
from local.vault import Vault


def request(**given: Any) -> dict[str, Any]:
    usual = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "wsgi.input": io.BytesIO()}
    return {**usual, **given}


def signed(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request, Signature=x"


def test_the_signature_names_the_service() -> None:
    assert service_of(request(HTTP_AUTHORIZATION=signed("s3"))) == "s3"


def test_a_presigned_address_names_the_service() -> None:
    query = "X-Amz-Credential=local%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=x"
    assert service_of(request(QUERY_STRING=query)) == "s3"


def test_an_unsigned_request_names_none() -> None:
    assert service_of(request()) is None


@pytest.mark.parametrize(
    "given",
    [
        {"HTTP_AUTHORIZATION": signed("forecast")},
        {"HTTP_X_AMZ_TARGET": "AmazonForecast.CreateDataset"},
        {"HTTP_X_AMZ_TARGET": "AmazonForecastRuntime.QueryForecast"},
    ],
)
def test_forecast_requests_are_recognised_signed_or_not(given: dict[str, str]) -> None:
    assert is_forecast(request(**given))


def test_other_requests_are_no_forecast_requests() -> None:
    assert not is_forecast(
        request(HTTP_AUTHORIZATION=signed("sqs"), HTTP_X_AMZ_TARGET="AmazonSQS.SendMessage")
    )


LOOKING = {"REQUEST_METHOD": "GET", "HTTP_HOST": "127.0.0.1:8500"}


def test_following_a_link_needs_no_signature() -> None:
    assert is_a_person_looking(LOOKING)


@pytest.mark.parametrize(
    "given",
    [
        {"REQUEST_METHOD": "PUT"},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_HOST": "elsewhere.example:8500"},
        {"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=x"},
        {"QUERY_STRING": "X-Amz-Credential=x"},
    ],
)
def test_nothing_else_goes_without_one(given: dict[str, str]) -> None:
    assert not is_a_person_looking({**LOOKING, **given})


def test_the_operation_is_found_in_every_protocol_and_the_body_stays() -> None:
    form = b"Action=CreateTopic&Name=t"
    query = request(
        CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8",
        CONTENT_LENGTH=str(len(form)),
        **{"wsgi.input": io.BytesIO(form)},
    )
    assert operation_of(query) == "CreateTopic"
    assert query["wsgi.input"].read() == form
    assert operation_of(request(HTTP_X_AMZ_TARGET="AWSGlue.GetTable")) == "GetTable"
    assert operation_of(request(PATH_INFO="/service/Granite/operation/PutMetricData")) == "PutMetricData"
    assert operation_of(request(PATH_INFO="/bucket/key")) is None


@pytest.mark.parametrize("name", ["GetQueueUrl", "ListTopics", "DescribeAlarms", "BatchGetPartition"])
def test_reading_operations_are_not_saved(name: str) -> None:
    assert READING.match(name)


@pytest.mark.parametrize("name", ["ReceiveMessage", "CreateTopic", "Publish", "UntagResource"])
def test_all_other_operations_are_saved(name: str) -> None:
    assert not READING.match(name)


def test_bucket_and_key_come_from_the_path() -> None:
    path = "/b/train/ü +.csv".encode().decode("latin-1")  # as WSGI has it
    assert place_of(request(PATH_INFO=path)) == ("b", "train/ü +.csv")
    assert place_of(request(PATH_INFO="/b")) == ("b", None)
    assert place_of(request(PATH_INFO="/")) == (None, None)


def test_failures_are_told_in_the_protocol_of_the_request() -> None:
    in_json = failure(request(HTTP_X_AMZ_TARGET="A.B"), "501 Not Implemented", "NotImplemented", "why")
    assert json.loads(b"".join(in_json[2])) == {"__type": "NotImplemented", "message": "why"}
    in_query = failure(request(CONTENT_TYPE="application/x-www-form-urlencoded"), "501 x", "Code", "a < b")
    assert b"<ErrorResponse><Error><Code>Code</Code><Message>a &lt; b" in b"".join(in_query[2])
    in_s3 = failure(request(), "501 x", "Code", "why")
    assert b"".join(in_s3[2]).startswith(b"<Error><Code>Code</Code>")
    in_cbor = failure(request(HTTP_SMITHY_PROTOCOL="rpc-v2-cbor"), "501 x", "Code", "why")
    assert b"".join(in_cbor[2]) == b"\xa2\x79\x00\x06__type\x79\x00\x04Code\x79\x00\x07message\x79\x00\x03why"


class _Moto:
    """A moto whose only service fails."""

    service = "sqs"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_application(self, environ: dict[str, Any]) -> "_Moto":
        return self

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(NotImplementedError("no"), "501"), (ZeroDivisionError("bug"), "500")]
)
def test_a_failing_back_end_is_an_answer_not_a_broken_connection(
    tmp_path: Path, error: Exception, status: str
) -> None:
    answers: list[str] = []
    gateway = Gateway(_Moto(error), Memory(Vault(tmp_path)), Proxy("127.0.0.1", 1))
    gateway(request(HTTP_X_AMZ_TARGET="AmazonSQS.Foo"), lambda status, headers: answers.append(status))
    assert answers[0].startswith(status)
