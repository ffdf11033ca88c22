"""Looks into the Prefect server: the runs that an upload started, their steps and progress."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
TIMEOUT_S = 15
# So long may the server be busy or away: its database is locked for a while after a start with many old runs.
PATIENCE_S = 120
REST_S = 1

AWAY = (OSError, http.client.HTTPException, json.JSONDecodeError)


class ServerAway(Exception):
    """The Prefect server did not answer; the text says for how long, and why."""


@dataclass(frozen=True)
class Run:
    """A flow run, as the server sees it now."""

    id: str
    name: str
    state: str  # COMPLETED, RUNNING, …
    state_name: str  # as the UI shows it
    message: str
    created: datetime
    started: datetime | None
    created_by: str  # the automation's name
    parameters: dict[str, Any]

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


@dataclass(frozen=True)
class Step:
    """A task run."""

    id: str
    name: str
    state: str
    state_name: str
    started: datetime | None
    seconds: float

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


class RunView:
    """Questions to one Prefect server, asked again while it is busy or away.

    Args:
        url: the server without `/api`, such as http://127.0.0.1:4200.
        say: told once for each question that has to be asked again.

    Every question raises ServerAway if it stays without an answer for two minutes, and
    `urllib.error.HTTPError` if the server refuses it.
    """

    def __init__(
        self,
        url: str,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._say = say
        self._clock = clock
        self._sleep = sleep

    def link(self, run: Run) -> str:
        """Where a person looks at a run."""
        return f"{self.url}/runs/flow-run/{run.id}"

    def runs_since(self, bucket: str, folder: str, since: datetime) -> list[Run]:
        """Runs of one workload that were created after `since`, oldest first."""
        wanted = {
            "flows": {"name": {"any_": ["forecast"]}},
            "flow_runs": {"expected_start_time": {"after_": since.isoformat()}},
            "sort": "EXPECTED_START_TIME_ASC",
            "limit": 200,
        }
        runs = [_run(each) for each in self._ask("flow_runs/filter", wanted)]
        return [run for run in runs if _is_of(run, bucket, folder)]

    def run(self, id: str) -> Run:
        """A run as it is now."""
        return _run(self._ask(f"flow_runs/{id}"))

    def steps(self, run: Run) -> list[Step]:
        """The steps of a run in the order of their start."""
        wanted = {"flow_runs": {"id": {"any_": [run.id]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        steps = [_step(each) for each in self._ask("task_runs/filter", wanted)]
        return sorted(steps, key=lambda step: step.started or datetime.max.replace(tzinfo=UTC))

    def progress(self, run: Run) -> dict[str, str]:
        """What the progress artifacts say, by the id of the step that shows them."""
        wanted = {
            "artifacts": {"flow_run_id": {"any_": [run.id]}, "type": {"any_": ["progress"]}},
            "sort": "UPDATED_DESC",
            "limit": 200,
        }
        found = self._ask("artifacts/filter", wanted)
        return {
            each["task_run_id"]: f"{each['data']:.0f} %  {each['description'] or ''}"
            for each in reversed(found)
        }

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json"},
        )
        began = self._clock()
        is_told = False
        while True:
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    return json.load(answer)
            except AWAY as error:
                if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429:
                    raise
                if self._clock() - began >= PATIENCE_S:
                    raise ServerAway(
                        f"The Prefect server at {self.url} gave no answer for {PATIENCE_S} s ({error}); "
                        "see whether it runs (python -m local status) and what its log says."
                    ) from error
                if not is_told:
                    is_told = True
                    self._say(f"  the Prefect server is busy ({error}); asking again …")
            self._sleep(REST_S)


def _is_of(run: Run, bucket: str, folder: str) -> bool:
    key = run.parameters.get("key") or (run.parameters.get("folder") or "") + "train/"
    own, _, rest = key.partition(folder) if folder else ("", "", key)
    is_here = not own and rest.split("/")[0] in ("train", "related", "metadata", "params.json")
    return run.parameters.get("bucket") == bucket and is_here


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _run(found: dict[str, Any]) -> Run:
    state = found["state"] or {}
    return Run(
        id=found["id"],
        name=found["name"],
        state=found["state_type"] or "PENDING",
        state_name=found["state_name"] or "Pending",
        message=state.get("message") or "",
        created=_time(found["created"]),
        started=_time(found["start_time"]) if found["start_time"] else None,
        created_by=(found.get("created_by") or {}).get("display_value") or "somebody",
        parameters=found["parameters"],
    )


def _step(found: dict[str, Any]) -> Step:
    return Step(
        id=found["id"],
        name=found["name"],
        state=found["state_type"] or "PENDING",
        state_name=found["state_name"] or "Pending",
        started=_time(found["start_time"]) if found["start_time"] else None,
        seconds=found["estimated_run_time"] or found["total_run_time"] or 0.0,
    )
