"""The proxy itself: what boto3 sees of each fault, and what the service does."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from tests import moto_server
from tests.chaos.faults import Call, Fault, FaultProxy, Weather

ONE_TRY = Config(retries={"mode": "standard", "total_max_attempts": 1})


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with moto_server.serve() as url:
        yield url


@pytest.fixture
def proxy(service: str) -> Iterator[FaultProxy]:
    made = FaultProxy(service)
    yield made
    made.close()


def client(url: str, name: str = "s3") -> Any:
    return boto3.client(
        name,
        endpoint_url=url,
        config=ONE_TRY,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def always(fault: Fault) -> Any:
    return lambda _: fault


def test_without_a_fault_everything_passes_and_is_written_down(proxy: FaultProxy) -> None:
    s3 = client(proxy.url)
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="a b/ü.txt", Body=b"x" * 100_000)
    s3.copy_object(Bucket="plain", Key="copy", CopySource="plain/a b/ü.txt")
    assert s3.get_object(Bucket="plain", Key="copy")["Body"].read() == b"x" * 100_000
    assert s3.head_object(Bucket="plain", Key="copy")["ContentLength"] == 100_000
    assert len(s3.list_objects_v2(Bucket="plain", Prefix="a b/")["Contents"]) == 1
    s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": "copy"}]})
    client(proxy.url, "sns").create_topic(Name="news")
    client(proxy.url, "glue").create_database(DatabaseInput={"Name": "tables"})
    client(proxy.url, "cloudwatch").put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}]
    )
    assert [(call.operation, call.subject) for call in proxy.calls[1:]] == [
        ("PutObject", "a b/ü.txt"),
        ("CopyObject", "copy"),
        ("GetObject", "copy"),
        ("HeadObject", "copy"),
        ("ListObjectsV2", "a b/"),
        ("DeleteObjects", ""),
        ("CreateTopic", ""),
        ("CreateDatabase", "tables"),
        ("PutMetricData", ""),
    ]
    assert [call.service for call in proxy.calls[-3:]] == ["sns", "glue", "monitoring"]
    assert {call.status for call in proxy.calls} == {200}


@pytest.mark.parametrize(
    ("name", "call", "code"),
    [
        ("s3", lambda c: c.list_buckets(), "SlowDown"),
        ("sns", lambda c: c.list_topics(), "Throttling"),
        ("glue", lambda c: c.get_databases(), "ThrottlingException"),
        ("cloudwatch", lambda c: c.list_metrics(), "Throttling"),
        ("forecast", lambda c: c.list_predictors(), "ThrottlingException"),
    ],
)
def test_throttling_is_said_in_each_services_own_words(
    proxy: FaultProxy, name: str, call: Any, code: str
) -> None:
    proxy.plan = always(Fault.THROTTLED)
    with pytest.raises(ClientError) as raised:
        call(client(proxy.url, name))
    assert raised.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(("fault", "stored"), [(Fault.RESET_BEFORE, False), (Fault.RESET_AFTER, True)])
def test_a_reset_leaves_the_caller_in_the_dark_and_the_service_as_promised(
    proxy: FaultProxy, service: str, fault: Fault, stored: bool
) -> None:
    bucket = f"reset-{stored}".lower()
    client(service).create_bucket(Bucket=bucket)
    proxy.plan = always(fault)
    with pytest.raises(ConnectionClosedError):
        client(proxy.url).put_object(Bucket=bucket, Key="a", Body=b"1")
    assert ("Contents" in client(service).list_objects_v2(Bucket=bucket)) == stored


def test_half_a_body_is_noticed_by_whoever_reads_it(proxy: FaultProxy, service: str) -> None:
    client(service).create_bucket(Bucket="half")
    client(service).put_object(Bucket="half", Key="a", Body=b"0123456789")
    proxy.plan = always(Fault.TRUNCATED)
    with pytest.raises(ResponseStreamingError):
        client(proxy.url).get_object(Bucket="half", Key="a")["Body"].read()


def test_the_weather_is_the_same_for_the_same_seed_and_as_bad_as_asked_for() -> None:
    call = Call("s3", "GetObject", "a")
    first, second = Weather(7), Weather(7)
    drawn = [first(call) for _ in range(5000)]
    assert drawn == [second(call) for _ in range(5000)]
    assert 0.18 < sum(fault is not None for fault in drawn) / 5000 < 0.22
