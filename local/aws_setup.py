"""`python -m local.aws_setup`: what the workflow expects to find on AWS; what exists already is left alone.

bucket, with versions ─ every upload ─▶ queue forecast-uploads (after 20 attempts ─▶ …-dead)
topic forecast-notices ─▶ queue forecast-mail          role, Glue database, params.json
work group forecast ─▶ bucket …-athena, for the results of queries
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.settings import (
    BUCKET,
    DATABASE,
    DEAD_QUEUE,
    MAIL_QUEUE,
    QUEUE,
    RESULTS_BUCKET,
    ROLE,
    ROOT,
    TOPIC,
    WORKGROUP,
    Settings,
    require_loopback,
)

# The queue gives a message up after so many deliveries that nobody confirmed.
MOST_DELIVERIES = 20


def client(service: str) -> Any:
    """A boto3 client of the stack.

    Raises:
        SettingsError: it would talk to another machine.
    """
    made = boto3.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 10}))
    require_loopback({f"the endpoint of {service}": made.meta.endpoint_url})
    return made


def set_up(settings: Settings) -> None:
    """Create what is missing; run it as often as you like."""
    sqs = client("sqs")
    dead = queue(sqs, DEAD_QUEUE)
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": str(MOST_DELIVERIES)})
    uploads = queue(sqs, QUEUE, RedrivePolicy=redrive)
    mail = queue(sqs, MAIL_QUEUE)
    _bucket(uploads)
    sns = client("sns")
    topic = sns.create_topic(Name=TOPIC)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mail)
    _role()
    _database()
    _results()
    settings.outbox.mkdir(parents=True, exist_ok=True)


def queue(sqs: Any, name: str, **attributes: str) -> str:
    """The ARN of a queue, created if need be."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    if attributes:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def _bucket(queue_arn: str) -> None:
    s3 = client("s3")
    if BUCKET not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    if "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="params.json", MaxKeys=1):
        s3.put_object(Bucket=BUCKET, Key="params.json", Body=(ROOT / "params.json").read_bytes())
    # Last, so that the worked example's params.json alone starts nothing.
    wanted = [{"Id": "uploads", "QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]
    if s3.get_bucket_notification_configuration(Bucket=BUCKET).get("QueueConfigurations") != wanted:
        s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": wanted}
        )


def _role() -> None:
    trust = {"Service": "forecast.amazonaws.com"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}],
    }
    try:
        client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(policy))
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise


def _database() -> None:
    glue = client("glue")
    try:
        glue.create_database(DatabaseInput={"Name": DATABASE})
    except glue.exceptions.AlreadyExistsException:
        return


def _results() -> None:
    """The work group of the product leaves the results of its queries in a bucket of its own."""
    s3 = client("s3")
    if RESULTS_BUCKET not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=RESULTS_BUCKET)
    athena = client("athena")
    if WORKGROUP not in [each["Name"] for each in athena.list_work_groups()["WorkGroups"]]:
        place = {"OutputLocation": f"s3://{RESULTS_BUCKET}/"}
        athena.create_work_group(Name=WORKGROUP, Configuration={"ResultConfiguration": place})


if __name__ == "__main__":
    set_up(Settings.from_environment(os.environ))
