"""Prefect as the bridge sees it: post events, and ask which of them it has acted on."""

import logging
from collections.abc import Collection
from typing import Any, Protocol

import httpx

log = logging.getLogger("bridge")

# A server of one's own writes "prefect.", Prefect Cloud "prefect-cloud.".
EXECUTED = ("prefect.automation.action.executed", "prefect-cloud.automation.action.executed")
FAILED = ("prefect.automation.action.failed", "prefect-cloud.automation.action.failed")
STARTS_A_RUN = "run-deployment"


class PrefectClient(Protocol):
    """The one method of Prefect's synchronous client that is used here."""

    def request(self, method: Any, path: Any, **kwargs: Any) -> httpx.Response: ...


class Announcer:
    """Posts events to Prefect and reads back what came of them."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client

    def post(self, events: list[dict[str, Any]]) -> None:
        """Hand events over. An accepted event is only in the server's memory: see `acted_on`.

        Raises:
            httpx.HTTPError: the server is away or refuses them.
        """
        self.client.request("POST", "/events", json=events).raise_for_status()

    def acted_on(self, event_ids: Collection[str]) -> set[str]:
        """Those events for which an automation has started a deployment; failed starts are logged."""
        if not event_ids:
            return set()
        wanted = {
            "event": {"name": [*EXECUTED, *FAILED]},
            "any_resource": {"id": [f"prefect.event.{one}" for one in event_ids]},
        }
        answer = self.client.request("POST", "/events/filter", json={"limit": 50, "filter": wanted})
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
