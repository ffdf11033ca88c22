"""The relay against a real (in-process) SQS and a stand-in for Prefect that can be away or idle."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws

from bridge.__main__ import pace_from
from bridge.announcer import EXECUTED, FAILED, Announcer
from bridge.queue import Queue
from bridge.relay import Pace, Relay, Stopped
from tasks.runs import turn_name

ROOT = Path(__file__).resolve().parents[2]
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


class FakePrefect:
    """Takes events, and acts on them while `acts` is true."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.acts = True
        self.outcome = {"event": EXECUTED[0], "payload": {"action_type": "run-deployment"}}
        self.refusals = 0
        self.healthy = [False, True]
        self.runs: list[dict[str, Any]] = []
        self.never: set[str] = set()  # keys of objects whose event is no event to it

    def request(self, method: Any, path: Any, **kwargs: Any) -> httpx.Response:
        asked = httpx.Request(method, f"http://prefect{path}")
        if path == "/events":
            return httpx.Response(self._take(kwargs["json"]), request=asked)
        if path == "/flow_runs/filter":
            live = kwargs["json"]["flow_runs"]["state"]["type"]["any_"]
            known = [one for one in self.runs if one["state_type"] in live]
            return httpx.Response(200, json=known, request=asked)
        if path == "/health":
            return httpx.Response(200 if self.healthy.pop(0) else 503, request=asked)
        wanted = set(kwargs["json"]["filter"]["any_resource"]["id"])
        ids = [f"prefect.event.{e['id']}" for e in self.posted] if self.acts else []
        events = [{**self.outcome, "related": [{"prefect.resource.id": one}]} for one in ids if one in wanted]
        page = events[: kwargs["json"]["limit"]]
        return httpx.Response(200, json={"events": page, "total": len(events)}, request=asked)

    def _take(self, events: list[dict[str, Any]]) -> int:
        if self.refusals:
            self.refusals -= 1
            return 503
        if any(event["payload"]["key"] in self.never for event in events):
            return 422
        self.posted += events
        return 204

    def run(self, key: str, state: str = "SCHEDULED", attempts: int = 0, **more: Any) -> dict[str, Any]:
        """A flow run for an upload."""
        told = {
            "id": str(len(self.runs)),
            "parameters": {"bucket": "demand", "key": key},
            "state_type": state,
            "run_count": attempts,
            "tags": [],
            "expected_start_time": "2026-01-01T00:00:00Z",
            **more,
        }
        self.runs.append(told)
        return told


class Bench:
    """A queue, a fake Prefect, a clock that stands still, and the relay between them."""

    def __init__(self, sqs: Any) -> None:
        self.sqs = sqs
        self.now = 0.0
        self.prefect = FakePrefect()
        self.queue = Queue(sqs, "uploads")
        pace = Pace(poll_s=0, linger_s=0.0, confirm_s=30.0, look_s=0.0)
        announcer = Announcer(self.prefect, now=lambda: NOON)
        self.relay = Relay(self.queue, announcer, pace, clock=lambda: self.now)
        self.relay._wait = lambda seconds: None  # type: ignore[method-assign]

    def upload(self, *keys: str) -> None:
        for key in keys:
            self.send(json.dumps({"Records": [record(key)]}))

    def send(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.queue.url, MessageBody=body)

    def come_back(self) -> None:
        """Let the time pass after which the queue hands out what was given back."""
        for queue in backend().queues.values():
            for message in list(queue._messages):
                message.visible_at = 0

    def left(self) -> int:
        """Messages in the queue, handed out or not."""
        return count(self.sqs, self.queue.url)

    def dead(self) -> int:
        """Messages among the dead letters."""
        return count(self.sqs, self.queue.dead.url)

    def settle(self) -> None:
        """Relay until nothing is visible or awaited."""
        for _ in range(10):
            self.relay.turn()


def count(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(got[name]) for name in names)


def backend() -> Any:
    from moto.sqs.models import sqs_backends

    return sqs_backends["123456789012"]["us-east-1"]


def record(key: str) -> dict[str, Any]:
    return {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-01T00:00:00Z",
        "s3": {"bucket": {"name": "demand"}, "object": {"key": key, "eTag": "e", "size": 1}},
    }


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        create_queues(sqs)
        yield Bench(sqs)


def create_queues(sqs: Any, most_receives: int = 20) -> None:
    dead = sqs.create_queue(QueueName="uploads-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(most_receives)})
    sqs.create_queue(QueueName="uploads", Attributes={"RedrivePolicy": redrive})


def test_a_message_leaves_the_queue_when_prefect_has_acted(bench: Bench) -> None:
    bench.upload("train/a.csv")
    bench.relay.turn()
    assert bench.left() == 1, "an accepted event alone is no reason to forget the upload"
    bench.relay.turn()
    assert bench.left() == 0
    assert [e["payload"]["key"] for e in bench.prefect.posted] == ["train/a.csv"]


def test_ten_uploads_at_once_are_one_event(bench: Bench) -> None:
    bench.upload(*[f"train/{n}.csv" for n in range(25)])
    bench.relay.turn()
    bench.relay.turn()
    (event,) = bench.prefect.posted
    assert len(event["payload"]["objects"]) == 25
    assert bench.left() == 0


def test_each_workload_gets_its_own_event(bench: Bench) -> None:
    bench.upload("train/a.csv", "shop/train/a.csv")
    bench.relay.turn()
    assert sorted(e["resource"]["s3.folder"] for e in bench.prefect.posted) == ["/", "shop/"]


def test_a_message_about_two_workloads_waits_for_both(bench: Bench) -> None:
    bench.send(json.dumps({"Records": [record("train/a.csv"), record("shop/train/a.csv")]}))
    bench.relay.turn()
    first, second = bench.prefect.posted
    bench.prefect.posted = [first]
    bench.relay.confirm()
    assert bench.left() == 1
    bench.prefect.posted = [first, second]
    bench.relay.confirm()
    assert bench.left() == 0


def test_keys_that_are_no_input_are_dropped_in_silence(bench: Bench) -> None:
    bench.upload("forecast/1/forecast.csv", "runs/1/manifest.json")
    bench.relay.turn()
    assert (bench.prefect.posted, bench.left()) == ([], 0)


def test_an_unreadable_message_is_a_dead_letter_at_once_and_holds_up_nobody(bench: Bench) -> None:
    bench.send("not a notification")
    bench.upload("train/a.csv")
    bench.settle()
    assert (len(bench.prefect.posted), bench.left(), bench.dead()) == (1, 0, 1)
    (letter,) = bench.queue.dead.receive(0)
    assert letter.reason == "no S3 notification: not JSON"


def test_without_a_queue_for_them_dead_letters_stay_and_hold_up_nobody(bench: Bench) -> None:
    bench.sqs.set_queue_attributes(QueueUrl=bench.queue.url, Attributes={"RedrivePolicy": ""})
    bench.send("not a notification")
    bench.upload("train/a.csv")
    bench.settle()
    assert (len(bench.prefect.posted), bench.left()) == (1, 1)


def test_an_event_that_prefect_never_takes_is_a_dead_letter_and_the_others_are_announced(
    bench: Bench,
) -> None:
    bench.prefect.never = {"bad/train/a.csv"}
    bench.upload("train/a.csv", "bad/train/a.csv", "shop/train/a.csv")
    bench.settle()
    assert sorted(e["resource"]["s3.folder"] for e in bench.prefect.posted) == ["/", "shop/"]
    assert (bench.left(), bench.dead()) == (0, 1)
    (letter,) = bench.queue.dead.receive(0)
    assert letter.reason == "Prefect refuses the event (422)"


@pytest.mark.parametrize(
    ("state", "attempts", "more"),
    [
        ("SCHEDULED", 0, {}),
        ("PENDING", 0, {}),
        ("RUNNING", 1, {}),
    ],
    ids=["scheduled", "starting", "waiting for its turn"],
)
def test_a_run_that_will_look_into_the_bucket_spares_another(
    bench: Bench, state: str, attempts: int, more: dict[str, Any]
) -> None:
    bench.prefect.run("shop/train/a.csv", state, attempts, **more)
    bench.upload("shop/train/b.csv", "train/b.csv")
    bench.settle()
    assert [e["resource"]["s3.folder"] for e in bench.prefect.posted] == ["/"]
    assert bench.left() == 0


@pytest.mark.parametrize(
    ("state", "attempts", "more"),
    [
        ("RUNNING", 1, {"tags": [turn_name("demand/shop")]}),
        ("SCHEDULED", 1, {"state_name": "AwaitingRetry"}),
        ("RUNNING", 2, {}),
        ("SCHEDULED", 0, {"expected_start_time": "2026-01-02T00:00:00Z"}),
        ("SCHEDULED", 0, {"parameters": {"bucket": "other", "key": "shop/train/a.csv"}}),
        ("SCHEDULED", 0, {"parameters": {"bucket": "demand", "key": "shop/nonsense"}}),
        ("SCHEDULED", 0, {"parameters": {}}),
        ("CANCELLING", 1, {}),
        ("COMPLETED", 1, {}),
    ],
    ids=[
        "at work",
        "crashed",
        "crashed, running again",
        "due tomorrow",
        "of another bucket",
        "about no input",
        "about nothing",
        "being cancelled",
        "ended",
    ],
)
def test_a_run_that_may_have_looked_already_spares_none(
    bench: Bench, state: str, attempts: int, more: dict[str, Any]
) -> None:
    bench.prefect.run("shop/train/a.csv", state, attempts, **more)
    bench.upload("shop/train/b.csv")
    bench.settle()
    assert len(bench.prefect.posted) == 1
    assert bench.left() == 0


def test_fifty_uploads_during_a_run_start_exactly_one_more(bench: Bench) -> None:
    bench.prefect.run("train/first.csv", "RUNNING", 1, tags=[turn_name("demand")])
    started = len(bench.prefect.posted)
    for number in range(50):
        bench.upload(f"train/{number}.csv")
        bench.relay.turn()
        if len(bench.prefect.posted) > started:  # Prefect starts a run for each event
            started = len(bench.prefect.posted)
            bench.prefect.run(bench.prefect.posted[-1]["payload"]["key"])
        if number == 20:
            bench.prefect.runs[-1].update(state_type="RUNNING", run_count=1)  # waits for its turn
    bench.settle()
    assert started == 1
    assert bench.left() == 0
    bench.prefect.runs[-1]["tags"] = [turn_name("demand")]  # it has its turn: what comes now is news
    bench.upload("train/late.csv")
    bench.settle()
    assert len(bench.prefect.posted) == 2


def test_while_an_event_waits_for_its_run_nothing_more_is_taken(bench: Bench) -> None:
    bench.prefect.acts = False
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.upload("train/b.csv")
    bench.relay.turn()
    assert len(bench.prefect.posted) == 1
    bench.prefect.run("train/a.csv")
    bench.prefect.acts = True
    bench.settle()
    assert (len(bench.prefect.posted), bench.left()) == (1, 0)


def test_a_run_that_was_started_by_a_server_that_died_is_found(bench: Bench) -> None:
    bench.prefect.acts = False  # the news of its start was lost
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.prefect.run("train/a.csv")
    bench.now = 31.0
    bench.relay.turn()
    bench.come_back()
    bench.settle()
    assert (len(bench.prefect.posted), bench.left()) == (1, 0)


def test_without_an_automation_the_message_comes_back_as_a_new_attempt(bench: Bench) -> None:
    bench.prefect.acts = False
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.now = 31.0
    bench.relay.turn()
    assert (bench.left(), bench.relay.pending) == (1, [])
    bench.come_back()
    bench.prefect.posted.clear()
    bench.prefect.acts = True
    bench.relay.turn()
    bench.relay.turn()
    assert (len(bench.prefect.posted), bench.left()) == (1, 0)


def test_an_action_that_comes_late_is_not_announced_again(bench: Bench) -> None:
    bench.prefect.acts = False
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.now = 31.0
    bench.relay.turn()
    bench.come_back()
    bench.prefect.acts = True
    bench.relay.turn()
    assert (len(bench.prefect.posted), bench.left()) == (1, 0)


@pytest.mark.parametrize(
    "outcome",
    [
        {"event": FAILED[0], "payload": {"action_type": "run-deployment", "reason": "no such deployment"}},
        {"event": EXECUTED[0], "payload": {"action_type": "send-notification"}},
    ],
    ids=["a failed start", "another automation"],
)
def test_only_a_started_run_counts_as_acting(bench: Bench, outcome: dict[str, Any]) -> None:
    bench.prefect.outcome = outcome
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.relay.turn()
    assert bench.left() == 1


def test_while_prefect_is_away_nothing_is_lost_and_nothing_is_held(bench: Bench) -> None:
    bench.prefect.refusals = 1
    bench.upload("train/a.csv")
    with pytest.raises(httpx.HTTPStatusError):
        bench.relay.turn()
    assert (bench.left(), bench.relay.pending, bench.prefect.healthy) == (1, [], [])
    bench.come_back()
    bench.relay.turn()
    bench.relay.turn()
    assert (len(bench.prefect.posted), bench.left()) == (1, 0)


def test_the_loop_outlives_an_outage_of_prefect(bench: Bench) -> None:
    bench.prefect.refusals = 1
    bench.upload("train/a.csv")
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        if seconds:  # not the linger time
            pauses.append(seconds)
            bench.come_back()

    bench.relay._wait = wait  # type: ignore[method-assign]
    bench.prefect.healthy = [True]
    turn = bench.relay.turn

    def counted() -> None:
        turn()
        if bench.prefect.posted and not bench.relay.pending:
            bench.relay._stop.set()

    bench.relay.turn = counted  # type: ignore[method-assign]
    bench.relay.run()
    assert (bench.left(), len(bench.prefect.posted)) == (0, 1)
    assert pauses, "it must not hammer a server that is away"


def test_a_message_that_another_bridge_has_deleted_holds_up_nobody(bench: Bench) -> None:
    bench.prefect.acts = False
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.come_back()  # this bridge slept for so long that the queue gave the message to another
    (taken,) = bench.sqs.receive_message(QueueUrl=bench.queue.url)["Messages"]
    bench.sqs.delete_message(QueueUrl=bench.queue.url, ReceiptHandle=taken["ReceiptHandle"])
    bench.now = 100.0
    bench.upload("train/b.csv")
    bench.relay.turn()
    bench.relay.turn()
    assert bench.prefect.posted[-1]["payload"]["key"] == "train/b.csv"


def test_a_queue_that_does_not_exist_yet_is_waited_for(bench: Bench) -> None:
    bench.relay.queue = Queue(bench.sqs, "later")
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            bench.relay._stop.set()

    bench.relay._wait = wait  # type: ignore[method-assign]
    bench.relay.run()
    assert pauses[0] < 1.5 < pauses[3] < pauses[5] <= 36.0


def test_stop_breaks_off_a_long_poll(bench: Bench) -> None:
    receive = bench.queue.receive

    def told_to_end_meanwhile(wait_s: int) -> list:
        bench.relay.stop()
        return receive(wait_s)

    bench.queue.receive = told_to_end_meanwhile  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        bench.relay.turn()


def test_on_the_way_out_unconfirmed_messages_are_freed(bench: Bench) -> None:
    bench.prefect.acts = False
    bench.upload("train/a.csv")
    bench.relay.turn()
    bench.relay._stop.set()
    bench.relay.run()
    assert bench.left() == 1
    bench.come_back()
    assert bench.queue.receive(0), "the next bridge gets it without waiting for the time-out"


@pytest.mark.parametrize(
    "setting", ["POLL_S=21", "POLL_S=x", "LINGER_S=-1", "CONFIRM_S=nan", "CONFIRM_S=inf"]
)
def test_a_wait_that_is_none_is_refused_with_its_variable(setting: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(SystemExit, match="FORECAST_BRIDGE_"):
        pace_from({f"FORECAST_BRIDGE_{name}": value})


def test_sigterm_ends_the_program_although_the_queue_is_away() -> None:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONUNBUFFERED": "1",
    }
    bridge = subprocess.Popen(
        [sys.executable, "-m", "bridge"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert bridge.stdout is not None
        assert "relaying forecast-uploads" in bridge.stdout.readline()
        bridge.send_signal(signal.SIGTERM)
        assert bridge.wait(timeout=20) == 0
    finally:
        bridge.kill()
        bridge.communicate()


@pytest.mark.parametrize(
    ("state", "began", "spared"),
    [
        ("COMPLETED", "2026-01-01T00:01:00Z", True),
        ("COMPLETED", "2026-01-01T00:00:20Z", False),  # the clocks may differ by that much
        ("COMPLETED", None, False),
        ("FAILED", "2026-01-01T00:01:00Z", False),
        ("CRASHED", "2026-01-01T00:01:00Z", False),
    ],
)
def test_news_of_what_a_run_has_seen_starts_none(
    bench: Bench, state: str, began: str | None, spared: bool
) -> None:
    bench.prefect.run("shop/train/a.csv", state, 1, start_time=began)
    bench.upload("shop/train/a.csv")
    bench.settle()
    assert bench.prefect.posted == [] if spared else len(bench.prefect.posted) == 1
    assert bench.left() == 0


def test_what_another_workloads_run_has_seen_is_news(bench: Bench) -> None:
    bench.prefect.run("shop/train/a.csv", "COMPLETED", 1, start_time="2026-01-01T00:01:00Z")
    bench.upload("other/train/a.csv")
    bench.settle()
    assert len(bench.prefect.posted) == 1


def test_of_more_events_than_one_answer_holds_all_are_seen(bench: Bench) -> None:
    bench.upload(*[f"shop{number}/train/a.csv" for number in range(60)])
    bench.relay.turn()
    ids = {event["id"] for event in bench.prefect.posted}
    assert len(ids) == 60
    assert bench.relay.announcer.acted_on(ids) == ids
