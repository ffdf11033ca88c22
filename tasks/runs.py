"""The runs of the flows as the Prefect server knows them: whose they are, and how far."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from blocks.recovery import FLOW, TAG
from pipeline.workload import Workload

TO_COME = ("SCHEDULED", "PENDING", "RUNNING")
LIVE = (*TO_COME, "PAUSED", "CANCELLING")
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

PAGE = 200  # the server's limit for one answer

# A tag that begins so names the content that a run has found, by its fingerprint.
CONTENT = "content "

# A run that is due later than this was put off by somebody; nothing should wait for it.
SOON = dt.timedelta(minutes=1)


class PrefectClient(Protocol):
    """The one method of Prefect's synchronous client that is used here."""

    def request(self, method: Any, path: Any, **kwargs: Any) -> httpx.Response: ...


@dataclass(frozen=True)
class KnownRun:
    """A flow run as the server described it a moment ago; times are UTC."""

    id: str
    workload: Workload | None  # None: its parameters name no workload
    state: str  # the type: SCHEDULED, RUNNING, …
    attempts: int  # how often it has begun
    tags: tuple[str, ...] = ()
    due: dt.datetime | None = None
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    since: dt.datetime | None = None  # when it came into this state
    is_deployed: bool = False  # a worker starts it, as its deployment says

    def is_under_way(self, now: dt.datetime) -> bool:
        """Whether it is at work, or about to be; one that somebody has scheduled for later is not."""
        is_later = self.due is not None and self.due > now + SOON
        return self.state in LIVE and not (self.state == "SCHEDULED" and is_later)

    @property
    def is_ours(self) -> bool:
        """It is of one of this project's deployments, which tag their runs and have them send heartbeats."""
        return self.is_deployed and TAG in self.tags

    @property
    def is_at_work(self) -> bool:
        """It holds its workload's turn, and has or may have looked into the bucket."""
        return self.workload is not None and turn_name(self.workload.label) in self.tags

    @property
    def content(self) -> str | None:
        """The fingerprint of the content that it has found; None where it did not come so far."""
        return next((tag[len(CONTENT) :] for tag in self.tags if tag.startswith(CONTENT)), None)

    def will_take_stock(self, now: dt.datetime) -> bool:
        """Whether it is yet to look into the bucket, so that what lies there now is its business, too.

        A run that has crashed before may come to its end without having looked; nobody relies on it.
        """
        if self.state == "RUNNING":
            return self.attempts == 1 and not self.is_at_work
        is_due = self.due is not None and self.due <= now + SOON
        return self.state in ("SCHEDULED", "PENDING") and self.attempts == 0 and is_due

    @classmethod
    def from_answer(cls, told: Mapping[str, Any]) -> "KnownRun":
        """A flow run as the server's API describes it."""
        given = told.get("parameters") or {}
        bucket = given.get("bucket")
        found = Workload.meant_by(bucket, given.get("key"), given.get("folder")) if bucket else None
        return cls(
            id=told["id"],
            workload=found,
            state=told.get("state_type") or "PENDING",
            attempts=told.get("run_count") or 0,
            tags=tuple(told.get("tags") or ()),
            due=_moment(told.get("next_scheduled_start_time") or told.get("expected_start_time")),
            began=_moment(told.get("start_time")),
            ended=_moment(told.get("end_time")),
            since=_moment((told.get("state") or {}).get("timestamp")),
            is_deployed=told.get("deployment_id") is not None,
        )


def turn_name(label: str) -> str:
    """The name of a workload's turn, and the tag of the run that holds it.

    It is readable, without the characters that Prefect refuses, and different for different labels.
    """
    readable = re.sub(r"[^A-Za-z0-9._ -]+", "-", label)[:80]
    return f"forecast {readable} {hashlib.sha256(label.encode()).hexdigest()[:8]}"


def runs(
    client: PrefectClient,
    states: Iterable[str],
    since: dt.datetime | None = None,
    flows: Iterable[str] = (FLOW,),
) -> Iterator[KnownRun]:
    """Runs in one of these states, those that were due last come first.

    Args:
        client: Prefect's synchronous client.
        states: types of states.
        since: leave out what was due before.
        flows: the names of their flows.

    Raises:
        httpx.HTTPError: the server is away or refuses to tell.
    """
    wanted: dict[str, Any] = {"state": {"type": {"any_": list(states)}}}
    if since is not None:
        wanted["expected_start_time"] = {"after_": since.isoformat()}
    asked = {
        "flows": {"name": {"any_": list(flows)}},
        "flow_runs": wanted,
        "sort": "EXPECTED_START_TIME_DESC",
    }
    offset = 0
    while True:
        answer = client.request("POST", "/flow_runs/filter", json={**asked, "limit": PAGE, "offset": offset})
        answer.raise_for_status()
        page = answer.json()
        yield from map(KnownRun.from_answer, page)
        if len(page) < PAGE:
            return
        offset += PAGE


def is_silent(client: PrefectClient, run: KnownRun, since: dt.datetime) -> bool:
    """Whether the server has heard nothing of a run since then: no heartbeat, no change of its state."""
    wanted = {
        "occurred": {"since": since.isoformat()},
        "any_resource": {"id": [f"prefect.flow-run.{run.id}"]},
    }
    answer = client.request("POST", "/events/filter", json={"limit": 1, "filter": wanted})
    answer.raise_for_status()
    return not answer.json()["events"]


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
