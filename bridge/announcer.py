"""Prefect as the bridge sees it: post events, ask which it has acted on and which runs are to come."""

import datetime as dt
import logging
from collections.abc import Callable, Collection
from typing import Any

import httpx

from bridge.event import Upload
from pipeline.workload import Workload
from tasks.runs import TO_COME, PrefectClient, runs

log = logging.getLogger("bridge")

# A server of one's own writes "prefect.", Prefect Cloud "prefect-cloud.".
EXECUTED = ("prefect.automation.action.executed", "prefect-cloud.automation.action.executed")
FAILED = ("prefect.automation.action.failed", "prefect-cloud.automation.action.failed")
STARTS_A_RUN = "run-deployment"

PAGE = 50  # the server's limit for one answer about events
AT_ONCE = 20  # events that are asked about at once: several automations may have acted on each

# The server understands such a request and will never take it; trying again does not help.
REFUSALS = (400, 413, 422)

# What the clocks of S3 and of whoever runs a flow may differ by.
CLOCKS = dt.timedelta(seconds=30)

# A run may have been due so long before it began.
LONG_QUEUE = dt.timedelta(minutes=15)


class Refused(Exception):
    """Prefect does not take an event, however often it is sent; the text is its reason."""


class Announcer:
    """Posts events to Prefect and reads back what came of them."""

    def __init__(
        self, client: PrefectClient, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self.client = client
        self.now = now

    def post(self, events: list[dict[str, Any]]) -> None:
        """Hand events over. An accepted event is only in the server's memory: see `acted_on`.

        Raises:
            Refused: one of them is none in the server's eyes; it took nothing.
            httpx.HTTPError: the server is away, or has trouble of its own.
        """
        try:
            self.client.request("POST", "/events", json=events).raise_for_status()
        except httpx.HTTPStatusError as error:
            if error.response.status_code in REFUSALS:
                raise Refused(f"Prefect refuses the event ({error.response.status_code})") from error
            raise

    def awaited(self, workloads: Collection[Workload]) -> set[Workload]:
        """Those workloads of which a run is to come that will see all that lies in the bucket now."""
        if not workloads:
            return set()
        now = self.now()
        coming = {run.workload for run in runs(self.client, TO_COME) if run.will_take_stock(now)}
        return {each for each in workloads if each in coming}

    def seen(self, uploads: Collection[Upload]) -> list[Upload]:
        """Those uploads that a run has seen already which has ended well: late or repeated news."""
        times = {upload: when for upload in uploads if (when := upload.latest) is not None}
        if not times:
            return []
        begun: dict[Workload, dt.datetime] = {}
        for run in runs(self.client, ("COMPLETED",), min(times.values()) - LONG_QUEUE):
            if run.workload is not None and run.began is not None:
                begun[run.workload] = max(run.began, begun.get(run.workload, run.began))
        return [u for u, when in times.items() if u.workload in begun and begun[u.workload] > when + CLOCKS]

    def acted_on(self, event_ids: Collection[str]) -> set[str]:
        """Those events for which an automation has started a deployment; failed starts are logged."""
        wanted = sorted(event_ids)
        pieces = (wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE))
        return {one for piece in pieces for one in self._acted_on(piece)}

    def _acted_on(self, event_ids: list[str]) -> set[str]:
        wanted = {
            "event": {"name": [*EXECUTED, *FAILED]},
            "any_resource": {"id": [f"prefect.event.{one}" for one in event_ids]},
        }
        answer = self.client.request("POST", "/events/filter", json={"limit": PAGE, "filter": wanted})
        answer.raise_for_status()
        done: set[str] = set()
        for event in answer.json()["events"]:
            causes = {
                label["prefect.resource.id"].removeprefix("prefect.event.") for label in event["related"]
            }
            payload = event.get("payload") or {}
            if event["event"] in FAILED:
                log.error("an automation could not start a run: %s", payload.get("reason", "no reason given"))
            elif payload.get("action_type") == STARTS_A_RUN:
                done |= causes & set(event_ids)
        return done

    def is_up(self) -> bool:
        """Whether the server answers."""
        try:
            return self.client.request("GET", "/health").is_success
        except httpx.HTTPError:
            return False
