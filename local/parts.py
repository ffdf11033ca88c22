"""The parts of the stack: what each runs, what it needs, and how one sees that it is well.

aws ───────▶ aws-setup ─┬─▶ dashboard
forecastd               ├─▶ bridge
prefect ─┬─▶ worker     │
         └─▶ prefect-setup
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from local.settings import POOL, ROOT, Settings

PROBE_TIMEOUT_S = 5

Probe = Callable[[], bool]


@dataclass(frozen=True)
class Part:
    """One process of the stack.

    Attributes:
        command: program and arguments.
        probe: says whether it is well; None: well as long as it runs.
        needs: names of parts that must be well before it starts.
        once: it is done when it ends with status 0, rather than meant to stay.
        start_s: how long it may take until it is well.
        stop_s: how long it may take to end when it is asked to.
        environment: variables of this part alone.
        address: where a person finds it.
    """

    name: str
    command: tuple[str, ...]
    probe: Probe | None = None
    needs: tuple[str, ...] = ()
    once: bool = False
    start_s: float = 60
    stop_s: float = 10
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""


def parts_of(settings: Settings) -> list[Part]:
    """The parts of one stack, in the order in which they are stopped from last to first."""
    python = sys.executable
    prefect = str(Path(python).parent / "prefect")
    return [
        Part(
            "aws",
            (python, "-m", "local.aws"),
            probe=_answers(f"{settings.aws_url}/_health"),
            address=settings.aws_url,
        ),
        Part(
            "prefect",
            (prefect, "server", "start", "--host", "127.0.0.1", "--port", str(settings.prefect_port)),
            probe=_answers(f"{settings.prefect_url}/api/health"),
            start_s=240,  # the first start creates the database: 12 to 30 s, on a busy machine more
            environment={
                "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
                "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "local.prefect_server",
                "PYTHONPATH": str(ROOT),
            },
            address=settings.prefect_url,
        ),
        Part(
            "forecastd",
            (
                *(python, "-m", "forecastd", "serve", "--port", str(settings.forecastd_port)),
                *("--data-dir", str(settings.folder / "forecastd")),
            ),
            probe=_answers(f"http://127.0.0.1:{settings.forecastd_port}/health"),
            address=f"http://127.0.0.1:{settings.forecastd_port}",
        ),
        Part("aws-setup", (python, "-m", "local.aws_setup"), needs=("aws",), once=True),
        Part("prefect-setup", (python, "-m", "local.prefect_setup"), once=True, start_s=300),
        Part(
            "worker",
            (prefect, "worker", "start", "--pool", POOL, "--type", "process", "--name", "local"),
            probe=_worker_is_online(settings),
            needs=("prefect",),
            start_s=120,
            stop_s=15,
            environment={"PREFECT_WORKER_QUERY_SECONDS": "1"},
        ),
        Part("bridge", (python, "-m", "bridge"), needs=("prefect", "aws-setup")),
        Part(
            "dashboard",
            (python, "-m", "dashboard"),
            probe=_answers(f"{settings.dashboard_url}/_stcore/health"),
            needs=("aws-setup",),
            address=settings.dashboard_url,
        ),
    ]


def _answers(url: str) -> Probe:
    def probe() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S) as answer:
                return bool(200 <= answer.status < 300)
        except (OSError, ValueError):
            return False

    return probe


def _worker_is_online(settings: Settings) -> Probe:
    url = f"{settings.prefect_url}/api/work_pools/{POOL}/workers/filter"

    def probe() -> bool:
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S) as answer:
                return any(worker["status"] == "ONLINE" for worker in json.load(answer))
        except (OSError, ValueError):
            return False

    return probe
