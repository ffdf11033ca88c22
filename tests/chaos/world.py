"""Everything that a run talks to, on free ports and in a folder of its own, and the runs themselves.

    run ──▶ its own FaultProxy ──▶ gateway (moto, forecastd)          run ──▶ Prefect server

Each case has a workload, a proxy and processes of its own, so that cases can go on side by side.
"""

import contextlib
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from prefect.client.orchestration import SyncPrefectClient

from local.parts import Part, parts_of
from local.settings import ROOT, Settings
from local.supervisor import Supervisor
from pipeline.workload import Workload
from tests.chaos.faults import FaultProxy, Plan, no_fault
from tests.prefect_database import migrated_database
from tests.stack.harness import free_ports, until

BUCKET = "chaos"
PARTS = ("aws", "prefect", "forecastd", "aws-setup")
RUN_S = 240

# Faster than usual to notice a job, and without the quotas of an account.
QUICK = {"FORECASTD_POLL_S": "0.02", "FORECASTD_ENFORCE_QUOTAS": "no", "FORECASTD_WORKERS": "1"}


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (-9: killed), and the state of the flow run if it came to one."""

    code: int
    state: str = ""
    message: str = ""

    @property
    def is_well(self) -> bool:
        return self.state == "COMPLETED"


class Nursery:
    """The other end of `tests.chaos.nursery`.

    Args:
        environment: of the runs.
        log: where it says what went wrong with itself.
        bare: whether runs go without Prefect.
    """

    def __init__(self, environment: dict[str, str], log: Path, bare: bool) -> None:
        self.bare = bare
        self._ids = itertools.count()
        self._news: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            text=True,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        assert "ready" in first, f"the nursery did not start, see {log}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            self._news[news["id"]].put(news)

    def run(self, endpoint: FaultProxy, parameters: dict[str, Any], log: Path) -> Ended:
        """One flow run in a process of its own, at which the proxy's kills are aimed."""
        number = next(self._ids)
        mine = self._news[number] = queue.Queue()
        asked = {
            "id": number,
            "endpoint": endpoint.url,
            "parameters": parameters,
            "log": str(log),
            "bare": self.bare,
        }
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        endpoint.aim(mine.get(timeout=60)["pid"])
        try:
            news = mine.get(timeout=RUN_S)
        finally:
            endpoint.aim(None)
        return Ended(news["ended"], news.get("state", ""), news.get("message", ""))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


class World:
    """The services, the Prefect server and the nursery; use it as a context.

    Args:
        folder: for all that they keep.
        bare: runs go without Prefect's engine, and there is no Prefect server.
    """

    def __init__(self, folder: Path, bare: bool = False) -> None:
        self.bare = bare
        self.settings = Settings(folder / "world", *free_ports(4))
        self.logs = folder / "runs"
        self.logs.mkdir(parents=True)
        self.supervisor = Supervisor(self.settings, self._parts())
        self._watching = threading.Thread(target=self.supervisor.run)

    def _parts(self) -> list[Part]:
        names = [name for name in PARTS if name != "prefect" or not self.bare]
        wanted = [part for part in parts_of(self.settings) if part.name in names]
        return [replace(part, environment={**part.environment, **QUICK}) for part in wanted]

    def __enter__(self) -> "World":
        home = self.settings.folder / "prefect"
        home.mkdir(parents=True)
        shutil.copy(migrated_database(), home / "prefect.db")
        self._watching.start()
        until(lambda: self.supervisor.state != "starting", "the services to start", 240)
        assert self.supervisor.state == "up", self.supervisor.failure
        self.client("s3").create_bucket(Bucket=BUCKET)
        environment = {
            **self.settings.environment(os.environ),
            "FORECAST_BUCKET": BUCKET,
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
        if not self.bare:
            save = [sys.executable, "-m", "blocks"]
            subprocess.run(save, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        self.nursery = Nursery(environment, self.logs / "nursery.log", self.bare)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AttributeError):
            self.nursery.close()
        self.supervisor.stopping.set()
        self._watching.join(60)

    def client(self, service: str) -> Any:
        """A client that talks to the services past every proxy."""
        return boto3.client(
            service,
            endpoint_url=self.settings.aws_url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def bury(self, label: str) -> None:
        """Let what Prefect does about a killed run happen now instead of a minute and a half later.

        Its lease on the workload's turn ends, and its state becomes Crashed.
        """
        if self.bare:
            return
        made = SyncPrefectClient(f"{self.settings.prefect_url}/api")  # asks again when the server is busy
        prefect: Any  # its paths are typed one by one
        with made as prefect:
            for limit in prefect.request("POST", "/v2/concurrency_limits/filter", json={}).json():
                if limit["name"].startswith(f"forecast {label.replace('/', '-')} "):
                    prefect.request("DELETE", f"/v2/concurrency_limits/{limit['id']}")
            running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}}
            for run in prefect.request("POST", "/flow_runs/filter", json=running).json():
                if Workload(BUCKET, run["parameters"].get("folder") or "").label == label:
                    state = {"state": {"type": "CRASHED", "message": "killed"}, "force": True}
                    prefect.request("POST", f"/flow_runs/{run['id']}/set_state", json=state)


class Case:
    """One workload with a proxy of its own."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.workload = Workload(BUCKET, f"{name}/")
        self.s3 = world.client("s3")
        self.proxy = FaultProxy(world.settings.aws_url)

    def put(self, rel: str, body: bytes | dict[str, Any]) -> None:
        """What a user uploads."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.s3.put_object(Bucket=BUCKET, Key=self.workload.key(rel), Body=data)

    def run(self, plan: Plan = no_fault) -> Ended:
        """One flow run of the workload, under a plan."""
        self.proxy.plan = plan
        parameters = {"bucket": BUCKET, "folder": self.workload.folder}
        ended = self.world.nursery.run(self.proxy, parameters, self.world.logs / f"{self.name}.log")
        self.proxy.plan = no_fault
        return ended

    def bury(self) -> None:
        self.world.bury(self.workload.label)

    def objects(self, rel: str = "") -> Iterator[str]:
        """Keys inside the workload's folder."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=self.workload.key(rel)
        )
        for entry in (entry for page in pages for entry in page.get("Contents", [])):
            yield entry["Key"][len(self.workload.folder) :]

    def read(self, rel: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=self.workload.key(rel))["Body"].read()

    def manifest(self) -> dict[str, Any] | None:
        """What is published."""
        with contextlib.suppress(self.s3.exceptions.NoSuchKey):
            found: dict[str, Any] = json.loads(self.read("forecast/manifest.json"))
            return found
        return None

    def close(self) -> None:
        self.proxy.close()
