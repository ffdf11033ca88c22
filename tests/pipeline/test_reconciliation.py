"""Which content was forgotten, and which is left alone."""

import datetime as dt
from typing import Any

import pytest

from pipeline.publish import Manifest
from pipeline.reconciliation import Facts, judge
from pipeline.record import STATES, Record

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
PATIENCE = dt.timedelta(minutes=5)
EARLY, LATE = "2026-01-01T09:00:00Z", "2026-01-01T11:30:00Z"


def record(state: str, at: str = LATE) -> Record:
    return Record(run="mine", state=state, cause="the data are odd", updated_at=at)


def live(run: str, at: str = EARLY, kind: str = "publish", held: tuple[str, ...] = ()) -> Manifest:
    return Manifest(
        run=run,
        location="s3://demand/forecast/",
        files=(),
        size=1,
        rows=1,
        items=1,
        horizon=1,
        types=("p50",),
        columns=(),
        has_header=True,
        first=NOON,
        last=NOON,
        frequency="D",
        timestamp_format="yyyy-MM-dd",
        published_at=at,
        kind=kind,
        held=held,
    )


def facts(**changes: Any) -> Facts:
    """Content of eleven o'clock of which nothing is known."""
    usual = {
        "changed": NOON - dt.timedelta(hours=1),
        "run": "mine",
        "record": None,
        "published": None,
        "is_coming": False,
    }
    return Facts(**{**usual, **changes})


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (facts(), "its event was lost"),
        (facts(published=live("other")), "its event was lost"),
        (facts(run=None), "its event was lost"),
        (facts(record=record("started")), "came to no end"),
        (facts(record=record("forecast")), "came to no end"),
        (facts(record=record("started"), last="CRASHED", last_ended=NOON - PATIENCE), "came to no end"),
        (facts(record=record("failed", EARLY)), "uploaded again"),
        (facts(record=record("refused", EARLY)), "uploaded again"),
        (facts(record=record("published", EARLY), published=live("other", EARLY)), "readers do not see"),
        (facts(record=record("published"), published=live("other", LATE)), "readers do not see"),
        (facts(record=record("published"), published=live("other", LATE, "rollback", ("third",))), "nobody"),
        (facts(record=record("published")), "readers do not see"),
        (facts(record=record("expired"), published=live("other", LATE)), "readers do not see"),
        (facts(last="COMPLETED", last_ended=NOON - PATIENCE), "its event was lost"),
    ],
)
def test_forgotten_content_gets_a_run(known: Facts, reason: str) -> None:
    verdict = judge(known, NOON, PATIENCE)
    assert verdict.starts
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (facts(is_coming=True), "under way"),
        (facts(record=record("started"), is_coming=True), "under way"),
        (facts(record=record("published"), published=live("mine")), "forecast"),
        (facts(published=live("mine")), "forecast"),
        (facts(record=record("published"), published=live("other", LATE, "rollback", ("mine",))), "forecast"),
        (
            facts(record=record("published"), published=live("other", EARLY, "rollback", ("mine",))),
            "forecast",
        ),
        (facts(record=record("refused")), "refused"),
        (facts(record=record("failed")), "failed"),
        (facts(last="FAILED"), "failed"),
        (facts(run=None, last="FAILED"), "failed"),
        (facts(record=record("started"), last="FAILED"), "failed"),
        (facts(record=record("failed", EARLY), last="FAILED"), "failed"),
        (facts(record=record("started"), last="CANCELLED"), "cancelled"),
        (facts(changed=NOON - dt.timedelta(minutes=4)), "just uploaded"),
        (facts(record=record("started"), last="CRASHED", last_ended=NOON - PATIENCE / 2), "under way"),
    ],
)
def test_everything_else_is_left_alone(known: Facts, found: str) -> None:
    verdict = judge(known, NOON, PATIENCE)
    assert not verdict.starts
    assert verdict.found == found
    assert verdict.reason


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_record_has_a_verdict(state: str) -> None:
    assert judge(facts(record=record(state)), NOON, PATIENCE).starts == (state not in ("refused", "failed"))
