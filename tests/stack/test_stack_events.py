"""What becomes of uploads on a whole stack when their news is repeated, lost or garbled."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from local.settings import BUCKET
from tests.stack.harness import ROOT, Stack, daily, params, until
from tests.stack.test_stack_survival import begin

pytestmark = pytest.mark.stack

# Reconciliation without the patience that it usually has with events.
AT_ONCE = """
from flows.reconcile import reconcile
print(reconcile(patience_minutes=0, return_state=True).message)
"""


def command(stack: Stack, *arguments: str) -> str:
    """The output of a command of the project on this stack."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=stack.settings.environment(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_uploads_during_a_run_start_exactly_one_more(stack: Stack) -> None:
    begin(stack, "flood/", 31)
    since = datetime.now(UTC)
    for number in range(20):
        one = daily(items=1, days=400, start="2025-01-01", seed=number, prefix=f"more{number}")
        stack.put(f"flood/train/{number}.csv", one)
    stack.put("flood/params.json", params())  # trains in a moment
    runs = stack.ended("flood/", since)
    assert [run.state for run in runs] == ["COMPLETED"]
    assert len(stack.forecast("flood/")) == (8 + 20) * 7 * 3 + 1


def test_an_upload_whose_event_is_lost_is_forecast_by_reconciliation(stack: Stack) -> None:
    s3 = stack.client("s3")
    told = s3.get_bucket_notification_configuration(Bucket=BUCKET)
    told.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})
    try:
        since = stack.put("lost/params.json", params())
        stack.put("lost/train/a.csv", daily())
    finally:
        s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=told)
    assert "Started forecast-local/lost: no run has seen it" in command(stack, "-c", AT_ONCE)
    (run,) = stack.ended("lost/", since)
    assert run.state == "COMPLETED"
    assert len(stack.forecast("lost/")) == 3 * 7 * 3 + 1
    assert "forecast-local/lost" not in command(stack, "-m", "flows.reconcile")


def test_a_message_that_nobody_can_read_is_listed_with_its_reason_and_sent_again(stack: Stack) -> None:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName="forecast-uploads")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a secret")
    listed = until(lambda: dead(stack, "list"), "the dead letter", 60)
    assert "no S3 notification: not JSON" in listed
    assert "secret" not in listed
    assert "1 dead letter sent again" in command(stack, "-m", "bridge", "dead", "replay", "--all")
    until(lambda: dead(stack, "list"), "the dead letter to come back", 60)
    assert "1 dead letter removed" in command(stack, "-m", "bridge", "dead", "drop", "--all")
    assert dead(stack, "list") is None


def dead(stack: Stack, *arguments: str) -> Any:
    """What the command says, if there is a dead letter."""
    out = command(stack, "-m", "bridge", "dead", *arguments)
    return out if "1 dead letter" in out else None


def test_reconciliation_is_due_within_five_minutes(stack: Stack) -> None:
    wanted = {
        "flows": {"name": {"any_": ["reconcile"]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    url = f"{stack.settings.prefect_url}/api/flow_runs/filter"

    def due() -> list[datetime]:
        told = httpx.post(url, json=wanted, timeout=30).raise_for_status().json()
        return [datetime.fromisoformat(run["next_scheduled_start_time"]) for run in told]

    soonest = min(until(due, "the schedule to make runs", 120))
    assert soonest < datetime.now(UTC) + timedelta(minutes=5)
