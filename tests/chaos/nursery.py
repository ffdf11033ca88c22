"""`python -m tests.chaos.nursery`: forks a process per flow run, with everything loaded once.

    stdin   {"id": 7, "endpoint": "http://…", "parameters": {…}, "log": "…", "bare": false}
    stdout  {"id": 7, "pid": 4711}                                 when its process is there
            {"id": 7, "ended": -9}  or  {"id": 7, "ended": 0, "state": "COMPLETED", "message": "…"}

Starting Python and Prefect anew takes longer than such a run. The child is a process of its own, and
SIGKILL ends it as it ends any. Pauses between two looks at the service are shortened, and nothing is drawn.

With `bare` in the request the run goes without Prefect's engine and server: the flow's own function, its
steps one after the other as plain calls, each tried once. What a run asks AWS is the same, in a tenth of the
time; what Prefect adds (retries of a step, the turn of a workload) is left to the runs that are not bare.
"""

import contextlib
import json
import os
import select
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prefect import Task

LOOK_S = 0.02
FIRST_PAUSE_S = 0.03
FIRST_DELAY_S = 1


def load() -> None:
    """Import what a run needs, and make it impatient."""
    from tasks import step

    step.FIRST_DELAY_S = FIRST_DELAY_S

    from pipeline import chart
    from pipeline.waiting import Pauses

    assert Pauses.__init__.__kwdefaults__ is not None
    Pauses.__init__.__kwdefaults__["first_s"] = FIRST_PAUSE_S
    chart.fan_chart = lambda *_, **__: b"PNG"

    import flows.forecast  # noqa: F401


def run(asked: dict[str, Any]) -> None:
    """In the child: one flow run, its outcome in a file beside the log."""
    os.environ["AWS_ENDPOINT_URL"] = asked["endpoint"]
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(0)
    from flows.forecast import forecast_workload

    if asked["bare"]:
        undress()
        state = forecast_workload.fn(**asked["parameters"])
    else:
        state = forecast_workload(**asked["parameters"], return_state=True)
    outcome = {"state": state.type.value, "message": state.message}
    Path(asked["log"]).with_suffix(".json").write_text(json.dumps(outcome))


def undress() -> None:
    """Take Prefect's engine and server away from the flow in this process."""
    from blocks import installation
    from blocks.__main__ import installation_from
    from flows import forecast
    from tasks import exhibit

    place = installation_from(dict(os.environ))
    substitutes: dict[tuple[Any, str], Any] = {
        (installation.Installation, "named"): lambda _: place,
        (Task, "__call__"): _called,
        (Task, "submit"): _submitted,
        (exhibit, "_shown"): lambda _: None,
        (forecast, "turn"): lambda _: contextlib.nullcontext(),
    }
    for (owner, name), substitute in substitutes.items():
        setattr(owner, name, substitute)


def _called(task: Task[Any, Any], *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
    return task.fn(*args, **kwargs)


def _submitted(task: Task[Any, Any], *args: Any, **kwargs: Any) -> SimpleNamespace:
    answer = task.fn(*args, **kwargs)
    return SimpleNamespace(result=lambda: answer)


def born(asked: dict[str, Any]) -> int:
    """Fork; the child never returns."""
    pid = os.fork()
    if pid:
        return pid
    try:
        run(asked)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def outcome(asked: dict[str, Any], ended: int) -> dict[str, Any]:
    """What is told of a child that has ended."""
    path = Path(asked["log"]).with_suffix(".json")
    told = json.loads(path.read_text()) if ended == 0 else {}
    path.unlink(missing_ok=True)
    return {"id": asked["id"], "ended": ended, **told}


def requests(wait_s: float) -> list[dict[str, Any]] | None:
    """What has been asked for since the last look; None at the end of stdin."""
    if not select.select([0], [], [], wait_s)[0]:
        return []
    read = os.read(0, 1 << 20)
    _unfinished.extend(read)
    *lines, rest = bytes(_unfinished).split(b"\n")
    _unfinished[:] = rest
    return [json.loads(line) for line in lines] if read else None


_unfinished = bytearray()


def main() -> None:
    """Serve until stdin ends; whoever is alive then is killed."""
    load()
    tell({"ready": os.getpid()})
    alive: dict[int, dict[str, Any]] = {}
    while (asked := requests(LOOK_S)) is not None:
        for each in asked:
            pid = born(each)
            alive[pid] = each
            tell({"id": each["id"], "pid": pid})
        for pid in list(alive):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                tell(outcome(alive.pop(pid), os.waitstatus_to_exitcode(status)))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def tell(news: dict[str, Any]) -> None:
    """One line to whoever started this."""
    print(json.dumps(news), flush=True)


if __name__ == "__main__":
    main()
