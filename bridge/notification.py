"""The objects that an S3 notification announces, whichever way it came to the queue.

Three shapes carry the same news:

    S3 → SQS                      {"Records": [{"eventName": "ObjectCreated:Put", "s3": {…}}]}
    S3 → SNS → SQS                {"Type": "Notification", "Message": "<the above as text>"}
    S3 → EventBridge rule → SQS   {"source": "aws.s3", "detail-type": "Object Created", "detail": {…}}
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus


class Unreadable(ValueError):
    """A message that is no S3 notification; reading it again will not help."""


@dataclass(frozen=True)
class StoredObject:
    """One object that S3 says was written. `time` is S3's own clock, ISO 8601; `size` is in bytes."""

    bucket: str
    key: str
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None
    time: str | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse(body: str) -> list[StoredObject]:
    """The created objects that one message announces, in its order.

    Args:
        body: the text of the SQS message.

    Returns:
        Possibly nothing: S3's test message and news of deletions announce no object.

    Raises:
        Unreadable: the text is not JSON, or has none of the three shapes.
    """
    try:
        return list(_objects(json.loads(body)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"no S3 notification: {type(error).__name__}: {error}") from error


def _objects(message: dict[str, Any]) -> Iterator[StoredObject]:
    if message.get("Type") == "Notification":
        yield from _objects(json.loads(message["Message"]))
    elif message.get("Event") == "s3:TestEvent":
        return
    elif message.get("source") == "aws.s3":
        yield from _from_eventbridge(message)
    else:
        for record in message["Records"]:
            yield from _from_record(record)


def _from_record(record: dict[str, Any]) -> Iterator[StoredObject]:
    if record["eventSource"] != "aws:s3" or not record["eventName"].startswith("ObjectCreated:"):
        return
    stored = record["s3"]["object"]
    yield StoredObject(
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(stored["key"]),  # URL-encoded here, blanks as "+"
        etag=stored.get("eTag"),
        version_id=stored.get("versionId"),
        size=stored.get("size"),
        time=record.get("eventTime"),
    )


def _from_eventbridge(message: dict[str, Any]) -> Iterator[StoredObject]:
    if message["detail-type"] != "Object Created":
        return
    detail = message["detail"]
    stored = detail["object"]
    yield StoredObject(
        bucket=detail["bucket"]["name"],
        key=stored["key"],  # never encoded in this shape
        etag=stored.get("etag") or stored.get("eTag"),  # Amazon writes etag, stand-ins eTag
        version_id=stored.get("version-id"),
        size=stored.get("size"),
        time=message.get("time"),
    )
