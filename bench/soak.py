"""A thousand uploads to a stack whose parts are killed meanwhile: what is lost, what is done twice?

    python -m bench.soak [--uploads 1000] [--workloads 20] [--burst 50] [--kills 4] [--seed 1]

It starts a stack of its own on free ports. Uploads come in bursts, in an order drawn by the seed: files of
every workload and their later versions, of which three in ten are repetitions (half of these put the same
bytes again, half only deliver an old notification again). Meanwhile the bridge, the worker and the Prefect
server are killed in turn with SIGKILL; the stack's supervisor starts them again. When all is quiet, the table
says what came of it. The exit status is 1 if a promise was broken.

The model is ETS, the cheapest that trains; what is measured here is the workflow, not the training. What is
made is counted on the wire, between the stack and its forecasting service.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from local.parts import Part, parts_of
from local.processes import marked
from local.screen import table
from local.settings import BUCKET, Settings
from local.supervisor import Supervisor
from tests.chaos.faults import FaultProxy
from tests.stack.harness import Stack, daily, free_ports, params

REPEATED = 0.3
FILES = 5  # of a workload, each with items of its own
DAYS = 40
START_S = 300
QUIET_S = 20
LOOK_S = 1.0

# In this order, over and over; the worker's runs go with it every second time.
VICTIMS = ("bridge", "worker", "prefect")


@dataclass(frozen=True)
class Step:
    """One upload, or the repetition of an old notification."""

    workload: int
    file: int
    version: int
    is_notice: bool = False

    @property
    def key(self) -> str:
        return f"{folder_of(self.workload)}train/part-{self.file}.csv"

    @property
    def body(self) -> bytes:
        seed = self.workload * 10_000 + self.file * 1_000 + self.version
        return daily(1, DAYS, seed=seed, prefix=f"file_{self.file}")


def folder_of(workload: int) -> str:
    """The folder of a workload in the stack's bucket."""
    return f"soak-{workload:02}/"


def steps(uploads: int, workloads: int, seed: int) -> list[Step]:
    """All uploads in the order in which they come; three in ten repeat one from before."""
    source = random.Random(seed)
    fresh = round(uploads * (1 - REPEATED))
    made = [Step(n % workloads, n // workloads % FILES, n // (workloads * FILES)) for n in range(fresh)]
    source.shuffle(made)
    for number in range(uploads - fresh):
        at = source.randrange(1, len(made) + 1)
        again = source.choice([each for each in made[:at] if not each.is_notice])
        made.insert(at, replace(again, is_notice=number % 2 == 1))
    return made


def contents(order: list[Step]) -> dict[int, list[dict[str, str]]]:
    """What lay under train/ of each workload, one state after the other: key → MD5."""
    states: dict[int, list[dict[str, str]]] = {}
    for step in order:
        known = states.setdefault(step.workload, [])
        before = known[-1] if known else {}
        after = {**before, step.key: hashlib.md5(step.body).hexdigest()}
        if not step.is_notice and after != before:
            known.append(after)
    return states


# -- the stack


class Soaked:
    """A stack in this process's care, with every call to its forecasting service counted."""

    def __init__(self, folder: Path) -> None:
        aws, prefect, forecastd, page = free_ports(4)
        self.proxy = FaultProxy(f"http://127.0.0.1:{forecastd}")
        behind = self.proxy.port
        self.settings = Settings(folder, aws, behind, prefect, page)
        self.stack = Stack(self.settings)
        parts = [
            _moved(part, self.settings, forecastd)
            for part in parts_of(self.settings)
            if part.name != "dashboard"
        ]
        self.supervisor = Supervisor(self.settings, parts)
        self._watching = threading.Thread(target=self.supervisor.run)

    def __enter__(self) -> "Soaked":
        self._watching.start()
        until = time.monotonic() + START_S
        while self.supervisor.state == "starting" and time.monotonic() < until:
            time.sleep(LOOK_S)
        if self.supervisor.state != "up":
            raise RuntimeError(f"The stack did not start: {self.supervisor.failure}")
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stopping.set()
        self._watching.join(90)
        self.proxy.close()

    def kill(self, part: str, with_runs: bool) -> None:
        """End a part with SIGKILL, if it is alive just now; the processes of runs too, if asked for."""
        watch = next(each for each in self.supervisor.watches if each.part.name == part)
        if watch.child is not None and watch.child.poll() is None:
            os.kill(watch.child.pid, signal.SIGKILL)
        for process in marked(self.settings.folder) if with_runs else ():
            if _is_run(process.pid):
                process.signal(signal.SIGKILL)

    def restarts(self) -> dict[str, int]:
        """How often each part was started again."""
        return {watch.part.name: watch.restarts for watch in self.supervisor.watches}


def _moved(part: Part, settings: Settings, forecastd: int) -> Part:
    """forecastd behind the counting proxy; without an account's quotas, which is another test."""
    if part.name != "forecastd":
        return part
    own = next(p for p in parts_of(replace(settings, forecastd_port=forecastd)) if p.name == "forecastd")
    return replace(own, environment={**own.environment, "FORECASTD_ENFORCE_QUOTAS": "no"})


def _is_run(pid: int) -> bool:
    path = Path(f"/proc/{pid}/cmdline")
    try:
        return b"prefect.engine" in path.read_bytes() or b"prefect.flow_engine" in path.read_bytes()
    except OSError:
        return False


# -- what is done to it


@dataclass
class Soak:
    """One soak: the plan, the stack, and what is written down on the way."""

    soaked: Soaked
    order: list[Step]
    workloads: int
    burst: int
    pause_s: float
    say: Callable[[str], None] = print
    killed: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.s3 = self.soaked.stack.client("s3")
        self.sqs = self.soaked.stack.client("sqs")
        self.queue = self.sqs.get_queue_url(QueueName="forecast-uploads")["QueueUrl"]
        states = contents(self.order)
        self.finals = {folder_of(number): shown[-1] for number, shown in states.items() if shown}

    def upload(self) -> None:
        """All bursts, while parts die one after the other."""
        for number in range(self.workloads):
            self.soaked.stack.put(f"{folder_of(number)}params.json", params())
        bursts = [self.order[at : at + self.burst] for at in range(0, len(self.order), self.burst)]
        for number, burst in enumerate(bursts, 1):
            for step in burst:
                self._notify(step) if step.is_notice else self._put(step)
            self.say(f"{self.elapsed}  burst {number} of {len(bursts)}: {len(burst)} uploads")
            time.sleep(self.pause_s)

    def kill_parts(self, times: int, every_s: float) -> None:
        """Kill every victim so often, one at a time; the stack's supervisor starts them again."""
        for number in range(times * len(VICTIMS)):
            if self.ended.wait(every_s):
                return
            part = VICTIMS[number % len(VICTIMS)]
            with_runs = part == "worker" and self.killed["worker"] % 2 == 1
            self.soaked.kill(part, with_runs)
            self.killed[part] += 1
            self.say(f"{self.elapsed}  killed {part}{' and all runs' if with_runs else ''}")

    def _put(self, step: Step) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=step.key, Body=step.body)

    def _notify(self, step: Step) -> None:
        """An old notification comes again, as queues may deliver any of them twice and late."""
        stored = {"key": step.key, "size": len(step.body), "eTag": hashlib.md5(step.body).hexdigest()}
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": datetime.now(UTC).isoformat(),
            "s3": {"bucket": {"name": BUCKET}, "object": stored},
        }
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps({"Records": [record]}))

    @property
    def elapsed(self) -> str:
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60:3}:{seconds % 60:02}"

    # -- the end

    def wait(self, limit_s: float, killing: threading.Thread) -> bool:
        """Return when nobody kills any more, nothing is left to do, and it stayed so for a while.

        Returns:
            False if the time is over.
        """
        until, quiet_since, told = time.monotonic() + limit_s, None, 0.0
        while time.monotonic() < until:
            messages, runs, behind = self._open()
            if messages or runs or behind or killing.is_alive():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET_S:
                return True
            if time.monotonic() - told > 30:
                told = time.monotonic()
                self.say(f"{self.elapsed}  {messages} messages, {runs} runs and {behind} workloads left")
            time.sleep(LOOK_S)
        return False

    def _open(self) -> tuple[int, int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        messages = sum(int(told[name]) for name in names)
        runs = self.runs_in("SCHEDULED", "PENDING", "RUNNING", "CANCELLING", "PAUSED")
        return messages, runs, 0 if messages or runs else self._behind()

    def _behind(self) -> int:
        """How many workloads do not show their final content; reconciliation finds what was lost."""
        return sum(self._shown(folder) != final for folder, final in self.finals.items())

    def _shown(self, folder: str) -> dict[str, str] | None:
        published = self.soaked.stack.manifest(folder)
        return self._content_of(folder, published["run"]) if published else None

    def runs_in(self, *states: str) -> int:
        """How many runs of the workflow are in one of these states; 1 while the server does not answer."""
        asked = {
            "flows": {"name": {"any_": ["forecast"]}},
            "flow_runs": {"state": {"type": {"any_": list(states)}}},
        }
        try:
            url = f"{self.soaked.settings.prefect_url}/api/flow_runs/count"
            return int(httpx.post(url, json=asked, timeout=30).raise_for_status().json())
        except httpx.HTTPError:
            return 1

    # -- the verdict

    def violations(self) -> Iterator[str]:
        """Every broken promise, as a sentence."""
        states = contents(self.order)
        for number in range(self.workloads):
            yield from self._of_workload(number, states.get(number, []))
        for what, count in sorted(self.made().items()):
            if count > 1:
                yield f"{what} succeeded {count} times"
        dead = self.sqs.get_queue_url(QueueName="forecast-uploads-dead")["QueueUrl"]
        names = ["ApproximateNumberOfMessages"]
        left = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=names)["Attributes"][names[0]]
        if int(left):
            yield f"{left} messages are dead letters"

    def _of_workload(self, number: int, states: list[dict[str, str]]) -> Iterator[str]:
        folder = folder_of(number)
        published = self.soaked.stack.manifest(folder)
        if not states:
            return
        if published is None:
            yield f"{folder} has no forecast"
            return
        if self._shown(folder) != states[-1]:
            yield f"{folder} does not show the forecast of its final content"
        there = set(self.soaked.stack.keys(f"{folder}forecast/"))
        missing = [n for n in published["files"] if f"{folder}forecast/{published['run']}/{n}" not in there]
        if missing:
            yield f"{folder} lacks {missing}"
        shown = Counter(self.publications(folder))
        for run, count in shown.items():
            content = self._content_of(folder, run)
            if count > max(1, sum(state == content for state in states)):
                yield f"{folder}: run {run} was published {count} times"

    def _content_of(self, folder: str, run: str) -> dict[str, str]:
        record = self.soaked.stack.json(f"{folder}runs/{run}/manifest.json") or {"inputs": []}
        return {each["key"]: each["etag"] for each in record["inputs"]}

    def publications(self, folder: str) -> list[str]:
        """The runs that were published, in their order, from the journal."""
        keys = sorted(self.soaked.stack.keys(f"{folder}history/publications/"))
        return [self.soaked.stack.json(key)["run"] for key in keys]

    def made(self) -> Counter[str]:
        """How often each resource was created, as the service answered."""
        return Counter(
            f"{call.operation} {call.subject}" for call in self.soaked.proxy.calls if call.has_created
        )

    def report(self, wrong: list[str]) -> list[str]:
        """The table."""
        states = contents(self.order)
        made = self.made()
        kinds = Counter(what.split()[0] for what in made)
        notices = sum(step.is_notice for step in self.order)
        shown = [self.publications(folder_of(number)) for number in range(self.workloads)]
        restarts = self.soaked.restarts()
        rows = [
            ("uploads", len(self.order) - notices),
            ("old notifications delivered again", notices),
            ("workloads", self.workloads),
            ("distinct contents over time", sum(len(each) for each in states.values())),
            ("… of which final", len(states)),
            ("contents forecast", kinds["CreateForecast"]),
            ("publications", sum(len(each) for each in shown)),
            *[(f"{name.removeprefix('Create')}s created", count) for name, count in sorted(kinds.items())],
            *[(f"runs {name.lower()}", self.runs_in(name)) for name in ("COMPLETED", "FAILED", "CRASHED")],
            *[
                (f"{part} killed (started again)", f"{self.killed[part]} ({restarts[part]})")
                for part in VICTIMS
            ],
            ("broken promises", len(wrong)),
            ("minutes", f"{(time.monotonic() - self.started) / 60:.1f}"),
        ]
        return [*table(("what", "number"), [(what, str(number)) for what, number in rows]), *wrong]


def soak(folder: Path, arguments: Any, say: Callable[[str], None]) -> list[str]:
    """One whole soak.

    Returns:
        The broken promises.
    """
    order = steps(arguments.uploads, arguments.workloads, arguments.seed)
    with Soaked(folder) as soaked:
        one = Soak(soaked, order, arguments.workloads, arguments.burst, arguments.pause, say)
        killing = threading.Thread(target=one.kill_parts, args=(arguments.kills, arguments.kill_every))
        killing.start()
        one.upload()
        in_time = one.wait(arguments.limit * 60, killing)
        one.ended.set()
        killing.join()
        wrong = list(one.violations())
        if not in_time:
            wrong.append(f"not quiet {arguments.limit} minutes after the last upload")
        say("\n".join(one.report(wrong)))
    return wrong


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m bench.soak")
    made.add_argument("--uploads", type=int, default=1000)
    made.add_argument("--workloads", type=int, default=20)
    made.add_argument("--burst", type=int, default=50)
    made.add_argument("--pause", type=float, default=10.0, help="seconds between two bursts")
    made.add_argument("--kills", type=int, default=4, help="of each part")
    made.add_argument("--kill-every", type=float, default=25.0, help="seconds between two kills")
    made.add_argument("--limit", type=float, default=45.0, help="minutes to wait for quiet at the end")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--folder", type=Path, help="keep the stack's state and logs there")
    return made


def main() -> int:
    """Soak; 1 if a promise was broken."""
    arguments = parser().parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # and take the stack along
    with tempfile.TemporaryDirectory() as folder:
        return int(bool(soak(arguments.folder or Path(folder), arguments, say)))


if __name__ == "__main__":
    sys.exit(main())
