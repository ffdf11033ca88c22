"""The dead letters and the command about them, against a real SQS on loopback."""

import argparse
import datetime as dt
import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import bridge.__main__
from bridge import deadletters
from bridge.deadletters import DeadLetter, Graveyard
from bridge.queue import Message, NoDeadLetters, Queue
from tests import moto_server
from tests.bridge.test_relay import count, create_queues, record


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    with moto_server.serve() as url:
        yield boto3.client(
            "sqs",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture
def queue(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> Queue:
    for left in sqs.list_queues().get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=left)
    create_queues(sqs, most_receives=2)
    made = Queue(sqs, "uploads")
    usual = Graveyard.__init__
    monkeypatch.setattr(Graveyard, "__init__", lambda self, queue: usual(self, queue, wait_s=0))
    return made


def told(queue: Queue, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    deadletters.define(parser)
    return deadletters.main(queue, parser.parse_args(arguments))


def bury(queue: Queue, body: str, reason: str = "no S3 notification: not JSON") -> str:
    queue.send(body)
    (message,) = queue.receive(0)
    queue.bury(message, reason)
    return message.id


def test_a_letter_keeps_reason_time_and_number_of_receives(queue: Queue) -> None:
    queue.send("hello")
    (message,) = queue.receive(0)
    queue.give_back(message, after_s=0)
    (message,) = queue.receive(0)
    queue.bury(message, "because")
    assert count(queue.sqs, queue.url) == 0
    with Graveyard(queue) as graveyard:
        (letter,) = graveyard.letters
    assert (letter.reason, letter.message.attempt, letter.message.sent_ms) == ("because", 2, message.sent_ms)


def test_a_look_leaves_them_where_they_are(queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        bury(queue, f"secret {number}")
    assert told(queue, ["list"]) == 0
    assert told(queue, ["list"]) == 0
    out = capsys.readouterr().out
    assert out.count("not JSON") == 24
    assert "secret" not in out
    assert "12 dead letters lie in uploads-dead" in out


def test_what_the_queue_gave_up_by_itself_is_listed_with_its_key(
    queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.send(json.dumps({"Records": [record("shop/train/a%0A.csv"), record("shop/train/b.csv")]}))
    for _ in range(3):
        for message in queue.receive(0):
            queue.give_back(message, after_s=0)
    told(queue, ["list"])
    out = capsys.readouterr().out
    assert "received too often without a run being started" in out
    assert "s3://demand/shop/train/a\\n.csv and 1 more" in out


def test_replay_sends_all_again(queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = {json.dumps({"Records": [record(f"train/{n}.csv")]}) for n in range(3)}
    for body in bodies:
        bury(queue, body)
    assert told(queue, ["replay", "--all"]) == 0
    assert "3 dead letters sent again from uploads-dead" in capsys.readouterr().out
    assert count(queue.sqs, queue.dead.url) == 0
    assert {message.body for message in queue.receive(0)} == bodies


def test_replay_and_drop_of_one(queue: Queue) -> None:
    for text in ("one", "two", "three"):
        bury(queue, text)
    with Graveyard(queue) as graveyard:
        one, two, three = graveyard.letters
    assert told(queue, ["replay", "--id", one.message.id[:20]]) == 0
    assert told(queue, ["drop", "--id", two.message.id]) == 0
    with Graveyard(queue) as graveyard:
        assert [letter.message.id for letter in graveyard.letters] == [three.message.id]
    assert [message.body for message in queue.receive(0)] == [one.message.body]


def test_an_id_that_is_none_changes_nothing(queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    bury(queue, "hello")
    assert told(queue, ["drop", "--id", "nothing"]) == 1
    assert "0 of 1 dead letters have an id that begins with 'nothing'" in capsys.readouterr().out
    assert count(queue.sqs, queue.dead.url) == 1


@pytest.mark.parametrize("arguments", [[], ["bury"], ["replay"], ["drop"], ["replay", "--all", "--id", "a"]])
def test_what_is_meant_has_to_be_said(queue: Queue, arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        told(queue, arguments)


def test_a_queue_without_a_redrive_policy_says_so(sqs: Any) -> None:
    sqs.create_queue(QueueName="plain")
    with pytest.raises(NoDeadLetters, match="plain has no redrive policy"):
        _ = Queue(sqs, "plain").dead


def test_the_age_is_the_notifications_own() -> None:
    now = dt.datetime(2026, 1, 3, tzinfo=dt.UTC)
    sent_ms = int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp() * 1000)
    letter = DeadLetter(Message("id", "receipt", "x", 3, sent_ms))
    assert letter.age(now) == dt.timedelta(days=2)
    assert "2 days, 0:00:00 old" in letter.line(now)


@pytest.mark.parametrize("arguments", [["--help"], ["dead", "--help"]])
def test_help_needs_no_aws(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bridge", *arguments])
    monkeypatch.setattr(boto3, "client", None)
    with pytest.raises(SystemExit) as ended:
        bridge.__main__.main()
    assert ended.value.code == 0


def test_aws_that_is_not_set_up_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(sys, "argv", ["bridge", "dead", "list"])
    with pytest.raises(SystemExit, match="You must specify a region"):
        bridge.__main__.main()
