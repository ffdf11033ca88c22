"""The objects that an S3 notification announces, whichever way it came to the queue.

Three shapes carry the same news:

    S3 → SQS                      {"Records": [{"eventName": "ObjectCreated:Put", "s3": {…}}]}
    S3 → SNS → SQS                {"Type": "Notification", "Message": "<the above as text>"}
    S3 → EventBridge rule → SQS   {"source": "aws.s3", "detail-type": "Object Created", "detail": {…}}
"""

import datetime as dt
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

    def __post_init__(self) -> None:
        """Refuse what S3 cannot have said: one such object in an event would hold up all others.

        Raises:
            Unreadable: a part is missing or of another kind.
        """
        for name in ("bucket", "key"):
            _require_text(name, getattr(self, name))
        for name in ("etag", "version_id", "time"):
            if getattr(self, name) is not None:
                _require_text(name, getattr(self, name))
        if self.size is not None and (type(self.size) is not int or self.size < 0):
            raise Unreadable("the size is no number of bytes")
        if self.time is not None and not _is_time(self.time):
            raise Unreadable("the time is none")

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise Unreadable(f"the {name} is no text")
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):  # cannot be stored, cannot be sent
        raise Unreadable(f"the {name} has a character that is none")


def _is_time(text: str) -> bool:
    try:
        return dt.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


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
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"no S3 notification: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Why, without quoting the message: what is in it is nobody's business."""
    if isinstance(error, json.JSONDecodeError):
        return "not JSON"
    if isinstance(error, KeyError):
        return f"no {error}"
    return str(error) if isinstance(error, Unreadable) else "another form"


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
