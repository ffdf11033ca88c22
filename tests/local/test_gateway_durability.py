"""What was answered with 2xx is there after a kill -9, byte for byte."""

import json
import signal
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:"


@pytest.fixture
def bucket(gateway: Any, request: pytest.FixtureRequest) -> str:
    """A versioned bucket that announces every upload to a queue of the same name."""
    name = "bucket-" + str(abs(hash(request.node.name)))[:10]
    s3, sqs = gateway.client("s3"), gateway.client("sqs")
    sqs.create_queue(QueueName=name)
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    wanted = [{"QueueArn": QUEUE_ARN + name, "Events": ["s3:ObjectCreated:*"]}]
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": wanted}
    )
    drain(sqs, name)
    return name


def drain(sqs: Any, name: str) -> list[dict[str, Any]]:
    """Every message of a queue, taken out of it."""
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def picture_of(s3: Any, bucket: str) -> dict[str, Any]:
    """Everything that a client can see of a bucket's objects."""
    listed = s3.list_object_versions(Bucket=bucket)
    versions = {}
    for version in listed.get("Versions", []):
        got = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        versions[version["Key"], version["VersionId"]] = (
            got["Body"].read(),
            got["ETag"],
            got["LastModified"],
            got["Metadata"],
            got["ContentType"],
            version["IsLatest"],
        )
    markers = [(m["Key"], m["VersionId"], m["IsLatest"]) for m in listed.get("DeleteMarkers", [])]
    return {"versions": versions, "markers": markers}


def test_a_link_to_an_object_opens_in_a_browser_but_not_for_a_website(gateway: Any, bucket: str) -> None:
    gateway.client("s3").put_object(Bucket=bucket, Key="forecast/ü.csv", Body=b"a,b\n")
    link = f"http://127.0.0.1:{gateway.port}/{bucket}/forecast/%C3%BC.csv"
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert answer.read() == b"a,b\n"
    asked = urllib.request.Request(link, headers={"Origin": "https://elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=10)


def test_versions_metadata_and_delete_markers_survive_a_kill(gateway: Any, bucket: str) -> None:
    s3 = gateway.client("s3")
    for number in range(3):
        s3.put_object(
            Bucket=bucket,
            Key="train/Ünï cöde + &.csv",
            Body=b"x" * number,
            ContentType="text/csv",
            Metadata={"made_by": f"test-{number}"},
        )
    s3.delete_object(Bucket=bucket, Key="train/Ünï cöde + &.csv")
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    before = picture_of(s3, bucket)
    gateway.restart()
    assert picture_of(gateway.client("s3"), bucket) == before
    assert len(before["versions"]) == 4
    assert len(before["markers"]) == 1


def test_a_multipart_upload_keeps_its_etag_and_its_copy_can_be_read(gateway: Any, bucket: str) -> None:
    s3 = gateway.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big", ChecksumAlgorithm="CRC32")["UploadId"]
    parts = []
    for number, body in enumerate((b"a" * (5 << 20), b"b" * 10), start=1):
        part = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "big"})
    before = picture_of(s3, bucket)
    gateway.restart()
    s3 = gateway.client("s3")
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-2"')
    assert picture_of(s3, bucket) == before
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"a" * (5 << 20) + b"b" * 10


def test_an_undelivered_message_survives_once_and_later_uploads_are_announced(
    gateway: Any, bucket: str
) -> None:
    s3 = gateway.client("s3")
    s3.put_object(Bucket=bucket, Key="train/a.csv", Body=b"1")
    gateway.restart()
    records = drain(gateway.client("sqs"), bucket)
    assert [each["Records"][0]["s3"]["object"]["key"] for each in records] == ["train%2Fa.csv"]
    gateway.client("s3").put_object(Bucket=bucket, Key="train/b.csv", Body=b"1")
    assert len(drain(gateway.client("sqs"), bucket)) == 1


def test_deletions_of_versions_objects_and_buckets_survive(gateway: Any, bucket: str) -> None:
    s3 = gateway.client("s3")
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="a", VersionId=version)
    many = [{"Key": s3.put_object(Bucket=bucket, Key=key, Body=b"x") and key} for key in "bcd"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": many[:2]})
    s3.create_bucket(Bucket="short-lived")
    s3.delete_bucket(Bucket="short-lived")
    gateway.restart()
    s3 = gateway.client("s3")
    assert "short-lived" not in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a", "d"]
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"2"
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="a", VersionId=version)


def test_object_tags_and_bucket_policy_survive(gateway: Any, bucket: str) -> None:
    s3 = gateway.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="colour=red")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "ops"}]})
    gateway.restart()
    s3 = gateway.client("s3")
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "colour", "Value": "red"}]
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "ops"}]


def test_topics_tables_roles_and_queues_survive(gateway: Any) -> None:
    sns, sqs, glue, iam = (gateway.client(name) for name in ("sns", "sqs", "glue", "iam"))
    sqs.create_queue(QueueName="mail")
    topic = sns.create_topic(Name="notices")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE_ARN + "mail")
    glue.create_database(DatabaseInput={"Name": "forecast"})
    glue.create_table(DatabaseName="forecast", TableInput={"Name": "t", "StorageDescriptor": {}})
    iam.create_role(RoleName="forecast", AssumeRolePolicyDocument="{}")
    sns.publish(TopicArn=topic, Subject="s", Message="m")
    gateway.restart()
    assert [each["Message"] for each in drain(gateway.client("sqs"), "mail")] == ["m"]
    assert gateway.client("glue").get_table(DatabaseName="forecast", Name="t")["Table"]["Name"] == "t"
    assert gateway.client("iam").get_role(RoleName="forecast")["Role"]["RoleName"] == "forecast"
    gateway.client("sns").publish(TopicArn=topic, Message="after the restart")
    assert [each["Message"] for each in drain(gateway.client("sqs"), "mail")] == ["after the restart"]


def test_metrics_and_deleted_messages_survive_an_ordinary_stop(gateway: Any) -> None:
    sqs, cloudwatch = gateway.client("sqs"), gateway.client("cloudwatch")
    url = sqs.create_queue(QueueName="ordinary")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert len(drain(sqs, "ordinary")) == 1
    cloudwatch.put_metric_data(Namespace="F", MetricData=[{"MetricName": "WAPE", "Value": 0.1}])
    gateway.restart(signal.SIGTERM)
    assert drain(gateway.client("sqs"), "ordinary") == []
    metrics = gateway.client("cloudwatch").list_metrics(Namespace="F")["Metrics"]
    assert [each["MetricName"] for each in metrics] == ["WAPE"]


def test_ten_uploads_at_once_are_all_kept(gateway: Any, bucket: str) -> None:
    def put(number: int) -> None:
        client = clients[number]
        client.put_object(Bucket=bucket, Key=f"train/{number}.csv", Body=str(number).encode() * 1000)
        client.put_object(Bucket=bucket, Key="train/same.csv", Body=str(number).encode() * 1000)

    clients = [gateway.client("s3") for _ in range(10)]
    threads = [threading.Thread(target=put, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = picture_of(gateway.client("s3"), bucket)
    gateway.restart()
    assert picture_of(gateway.client("s3"), bucket) == before
    assert len(before["versions"]) == 20
    assert len(drain(gateway.client("sqs"), bucket)) == 20


def test_an_operation_that_is_missing_is_an_error_at_once(gateway: Any) -> None:
    sqs = gateway.client("sqs")
    with pytest.raises(ClientError) as raised:
        sqs.start_message_move_task(SourceArn=QUEUE_ARN + "x")
    assert raised.value.response["Error"]["Code"] == "NotImplemented"
    assert "StartMessageMoveTask" in str(raised.value)
    assert raised.value.response["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("cloudwatch", "describe_anomaly_detectors", {}),
        ("iam", "get_organizations_access_report", {"JobId": "a" * 36}),
        ("healthlake", "list_fhir_datastores", {}),
    ],
)
def test_a_missing_operation_is_told_in_every_protocol(
    gateway: Any, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="does not support"):
        getattr(gateway.client(service), operation)(**arguments)


def test_forecast_calls_reach_forecastd_and_its_absence_is_told(gateway: Any) -> None:
    forecast = gateway.client("forecast")
    with pytest.raises(ClientError, match=r"forecasting server is down.*forecastd\.log"):
        forecast.list_predictors()
    server = HTTPServer(("127.0.0.1", gateway.forecastd_port), _Forecastd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert forecast.list_predictors()["NextToken"] == "AmazonForecast.ListPredictors"
        query = gateway.client("forecastquery")
        answer = query.query_forecast(ForecastArn="arn:aws:forecast:x", Filters={"item_id": "a"})
        assert answer["Forecast"]["Predictions"]["AmazonForecastRuntime.QueryForecast"] == []
    finally:
        server.shutdown()
        server.server_close()


class _Forecastd(BaseHTTPRequestHandler):
    """Tells which operation it was asked for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers["X-Amz-Target"]
        body = json.dumps({"NextToken": target, "Forecast": {"Predictions": {target: []}}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return
