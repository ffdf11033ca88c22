"""What the bridge reads out of the queue's messages."""

import json
from urllib.parse import quote_plus

import pytest

from bridge.notification import StoredObject, Unreadable, parse

RECORD = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "eventTime": "2026-01-01T00:00:00.000Z",
    "s3": {
        "bucket": {"name": "demand"},
        "object": {"key": "shop/train%2Fa+b%2B%C3%BC.csv", "eTag": "e1", "size": 7, "versionId": "v1"},
    },
}
DIRECT = {"Records": [RECORD]}
THROUGH_SNS = {"Type": "Notification", "Message": json.dumps(DIRECT)}
THROUGH_EVENTBRIDGE = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "time": "2026-01-01T00:00:00.000Z",
    "detail": {
        "bucket": {"name": "demand"},
        "object": {"key": "shop/train/a b+ü.csv", "etag": "e1", "size": 7, "version-id": "v1"},
    },
}
TOLD = StoredObject("demand", "shop/train/a b+ü.csv", "e1", "v1", 7, "2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    "message", [DIRECT, THROUGH_SNS, THROUGH_EVENTBRIDGE], ids=["sqs", "sns", "eventbridge"]
)
def test_the_three_shapes_tell_the_same_object(message: dict) -> None:
    assert parse(json.dumps(message)) == [TOLD]


def test_the_etag_of_a_stand_in_is_understood() -> None:
    message = json.loads(json.dumps(THROUGH_EVENTBRIDGE).replace('"etag"', '"eTag"'))
    assert parse(json.dumps(message))[0].etag == "e1"


def test_several_records_come_in_their_order() -> None:
    second = json.loads(json.dumps(RECORD).replace("a+b", "c"))
    assert [o.key for o in parse(json.dumps({"Records": [RECORD, second]}))] == [
        TOLD.key,
        "shop/train/c+ü.csv",
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent"},
        {"Records": [{**RECORD, "eventName": "ObjectRemoved:Delete"}]},
        {**THROUGH_EVENTBRIDGE, "detail-type": "Object Deleted"},
        {"Records": []},
    ],
    ids=["test event", "removal", "removal by EventBridge", "no record"],
)
def test_other_news_of_s3_announces_nothing(message: dict) -> None:
    assert parse(json.dumps(message)) == []


@pytest.mark.parametrize("body", ["", "hello", "[]", "7", "{}", '{"Records": [{}]}', '{"Records": null}'])
def test_anything_else_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable, match="no S3 notification"):
        parse(body)


def changed(**object_: object) -> str:
    stored = {**RECORD["s3"]["object"], **object_}  # type: ignore[index]
    return json.dumps({"Records": [{**RECORD, "s3": {"bucket": {"name": "demand"}, "object": stored}}]})


@pytest.mark.parametrize(
    "body",
    [
        changed(key=""),
        changed(key=5),
        changed(key="train/%00.csv"),
        changed(eTag=["a"]),
        changed(size="7"),
        changed(size=-1),
        changed(size=True),
        changed(versionId={}),
        json.dumps({"Records": [{**RECORD, "eventTime": "secret"}]}),
        json.dumps({"Records": [{**RECORD, "eventTime": "2026-01-01T00:00:00"}]}),
        json.dumps({**THROUGH_EVENTBRIDGE, "detail": {"bucket": {"name": "b"}, "object": {"key": "\ud800"}}}),
        json.dumps({**THROUGH_EVENTBRIDGE, "detail": {"bucket": {"name": None}, "object": {"key": "a"}}}),
        "[" * 100_000,
    ],
    ids=range(13),
)
def test_what_s3_cannot_have_said_is_unreadable_and_not_quoted(body: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(body)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "key", ["train/\n x.csv", "train/a'; drop table b;--.csv", "train/😀/ü.csv", "train/=1+1.csv"]
)
def test_a_key_may_have_any_characters(key: str) -> None:
    (stored,) = parse(changed(key=quote_plus(key)))
    assert stored.key == key
