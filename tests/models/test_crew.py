"""Who does the work changes nothing about the answer, and the work ends when it has to."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastd.errors import JobFailed, JobStopped
from forecastd.models import cluster
from forecastd.models.crew import Crew, Processes, Task, local_crew
from forecastd.models.training import TrainingRequest, train
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel

ROOT = Path(__file__).parents[2]
HORIZON = 4
REQUEST = TrainingRequest(
    method="AutoPredictor",
    horizon_steps=HORIZON,
    quantiles=(0.1, 0.5, 0.9),
    want_mean=True,
    windows=1,
    offset_steps=HORIZON,
    hyperparameters={},
    optimization_metric="AverageWeightedQuantileLoss",
    seed=1,
    threads=1,
    time_limit_s=None,
)


def weekly(items: int = 40, weeks: int = 80) -> Panel:
    """Weekly demand, one item in five late on the market."""
    random = np.random.default_rng(4)
    times = pd.date_range("2022-01-03", periods=weeks, freq="7D")
    rows = [
        pd.DataFrame({"item": f"i{number:03}", "at": times[start:], "y": random.poisson(9, weeks - start)})
        for number in range(items)
        for start in [weeks // 3 if number % 5 == 0 else 0]
    ]
    return build_panel(
        pd.concat(rows),
        item_key="item",
        target_name="y",
        timestamp="at",
        dimensions=[],
        frequency=Frequency.parse("W"),
        horizon_steps=HORIZON,
    )


def answer(panel: Panel, request: TrainingRequest, crew: Crew) -> pd.DataFrame:
    """The forecast and the backtests that a crew makes, one below the other."""
    predictor = train(panel, request, lambda fraction, left: None, crew)
    forecast = predictor.forecast(panel, (0.1, 0.5, 0.9), want_mean=True, crew=crew)
    return pd.concat([forecast, predictor.backtests], ignore_index=True)


def double(subject: int, number: int) -> int:
    return subject * number


def die(subject: int) -> None:
    import os

    os._exit(9)


def refuse(subject: int) -> None:
    raise JobFailed("no")


def sleep(subject: int) -> None:
    time.sleep(60)


@pytest.mark.parametrize("make", [Crew, lambda: Processes(2)], ids=["alone", "processes"])
def test_every_task_is_done_once_with_its_own_result(make: Callable[[], Crew]) -> None:
    tasks = [Task(double, (number,)) for number in range(9)]
    results = {task.arguments[0]: result for task, result, _ in make().each(3, iter(tasks))}
    assert results == {number: 3 * number for number in range(9)}


def test_processes_give_the_same_answer_as_one_alone() -> None:
    panel = weekly()
    pd.testing.assert_frame_equal(
        answer(panel, REQUEST, Crew()), answer(panel, REQUEST, Processes(2)), check_exact=True
    )


@pytest.mark.parametrize("method", ["ETS", "NPTS"])
def test_a_single_algorithm_is_shared_out_by_series(method: str) -> None:
    panel, request = weekly(items=20, weeks=40), replace(REQUEST, method=method)
    pd.testing.assert_frame_equal(
        answer(panel, request, Crew()), answer(panel, request, Processes(2)), check_exact=True
    )


def test_a_task_that_fails_says_why_from_another_process() -> None:
    with pytest.raises(JobFailed, match="no"):
        list(Processes(2).each(0, [Task(refuse)]))


def test_a_process_that_is_killed_fails_the_job_with_a_remedy() -> None:
    with pytest.raises(JobFailed, match="not enough memory"):
        list(Processes(2).each(0, [Task(die)]))


def test_stopping_does_not_wait_for_tasks_that_run() -> None:
    def stop() -> None:
        raise JobStopped()

    began = time.monotonic()
    with pytest.raises(JobStopped):
        list(Processes(2).each(0, [Task(sleep), Task(sleep)], stop))
    assert time.monotonic() - began < 30


def test_processes_end_with_the_one_that_started_them() -> None:
    program = (
        "import os, time\n"
        "from forecastd.models.crew import Processes, Task\n"
        "def rest(subject):\n"
        "    os.write(1, b'%d\\n' % os.getpid())\n"
        "    time.sleep(600)\n"
        "list(Processes(2).each(0, [Task(rest), Task(rest)]))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.wait()
    give_up_at = time.monotonic() + 30
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < give_up_at, "a process outlived its parent"
        time.sleep(0.02)


def test_one_core_needs_no_processes() -> None:
    assert type(local_crew(1)) is Crew
    assert local_crew(2).size == 2


def test_dask_workers_give_the_same_answer_as_one_alone() -> None:
    pytest.importorskip("distributed", reason="the package distributed (requirements-cluster.txt) is absent")
    panel, crew = weekly(), cluster.cluster_crew("local:2")
    try:
        assert crew.size == 2
        pd.testing.assert_frame_equal(
            answer(panel, REQUEST, Crew()), answer(panel, REQUEST, crew), check_exact=True
        )
        with pytest.raises(JobFailed, match="no"):
            list(crew.each(0, [Task(refuse)]))
    finally:
        crew.close()


def test_a_scheduler_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the package distributed (requirements-cluster.txt) is absent")
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with pytest.raises(JobFailed, match="does not answer within 1 s"):
        cluster.cluster_crew("tcp://127.0.0.1:9")


def test_without_the_package_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(JobFailed, match=r"pip install -r requirements-cluster\.txt"):
        cluster.cluster_crew("tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("theirs", "threads", "sentence"),
    [
        ({"numpy": "1.0"}, 1, "has numpy 1.0, the server 2.0"),
        ({}, 1, "has numpy None"),
        ({"numpy": "2.0"}, 4, "has 4 threads"),
    ],
)
def test_workers_that_might_answer_differently_are_refused(
    theirs: dict[str, str], threads: int, sentence: str
) -> None:
    with pytest.raises(JobFailed, match=sentence):
        cluster.check_equal({"tcp://w:2": theirs}, {"numpy": "2.0"}, {"tcp://w:2": threads})


def test_workers_like_this_process_are_taken() -> None:
    own = cluster.versions()
    assert {"numpy", "lightgbm", "Python", "forecastd"} <= set(own)
    cluster.check_equal({"tcp://w:2": own}, own, {"tcp://w:2": 1})


def test_a_worker_that_joins_later_refuses_tasks_of_another_version() -> None:
    assert cluster.perform_alike(cluster.versions(), 2, double, (4,))[0] == 8
    with pytest.raises(JobFailed, match=r"has numpy .*, the server 1\.0"):
        cluster.perform_alike({"numpy": "1.0"}, 2, double, (4,))
