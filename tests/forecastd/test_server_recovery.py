"""Processes that die, at any moment: jobs are done again, nothing is lost, nothing is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def own(new_server: Any, s3: Any) -> Iterator[Any]:
    """A server that a test may kill."""
    server = new_server()
    server.start()
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def begun(own: Any, new_lab: Any, hourly: Any, until: Any) -> tuple[Any, str]:
    """A training that takes seconds, in progress."""
    lab = new_lab(own)
    group = lab.filled_group(hourly(items=2, days=12))
    arn = lab.start_auto_predictor(group)
    until(lambda: status_of(lab, arn) == "CREATE_IN_PROGRESS")
    return lab, arn


def status_of(lab: Any, arn: str) -> str:
    return lab.forecast.describe_auto_predictor(PredictorArn=arn)["Status"]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_while_a_job_runs_its_time_moves_and_its_parents_wait(begun: tuple[Any, str]) -> None:
    lab, arn = begun
    described = lab.forecast.describe_auto_predictor(PredictorArn=arn)
    if described["Status"] == "CREATE_IN_PROGRESS":
        assert described["LastModificationTime"] > described["CreationTime"]
    in_use = lab.forecast.exceptions.ResourceInUseException
    for refused in (
        lambda: lab.forecast.get_accuracy_metrics(PredictorArn=arn),
        lambda: lab.forecast.create_forecast(ForecastName="f", PredictorArn=arn),
        lambda: lab.forecast.delete_predictor(PredictorArn=arn),
    ):
        with pytest.raises(in_use):
            refused()
    lab.forecast.stop_resource(ResourceArn=arn)
    stopped = lab.wait(lambda: lab.forecast.describe_auto_predictor(PredictorArn=arn))
    assert stopped["Status"] == "CREATE_STOPPED"
    lab.wait_until_gone(lambda: lab.forecast.delete_predictor(PredictorArn=arn))


def test_a_worker_killed_while_training_is_replaced_and_the_training_ends(
    own: Any, begun: tuple[Any, str], until: Any
) -> None:
    lab, arn = begun
    [pid] = own.worker_pids()
    os.kill(pid, signal.SIGKILL)
    assert status_of(lab, arn) == "CREATE_IN_PROGRESS"
    until(lambda: own.worker_pids() not in ([], [pid]))
    done = lab.wait(lambda: lab.forecast.describe_auto_predictor(PredictorArn=arn))
    assert done["Status"] == "ACTIVE", done
    assert lab.forecast.get_accuracy_metrics(PredictorArn=arn)["PredictorEvaluationResults"]


def test_a_server_killed_while_training_takes_its_worker_along_and_goes_on_after_a_restart(
    own: Any, begun: tuple[Any, str], until: Any
) -> None:
    lab, arn = begun
    [pid] = own.worker_pids()
    own.kill()
    until(lambda: not is_alive(pid))
    own.start()
    done = lab.wait(lambda: lab.forecast.describe_auto_predictor(PredictorArn=arn))
    assert done["Status"] == "ACTIVE", done
    assert not list((own.data_dir / "tmp").iterdir())


def test_an_orderly_end_stops_the_workers_too(own: Any, until: Any) -> None:
    [pid] = until(own.worker_pids)
    assert own.stop() == 0
    assert not is_alive(pid)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "forecastd", *arguments]
    root = Path(__file__).parents[2]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_taken_port_is_one_sentence(own: Any, tmp_path: Path) -> None:
    ended = run("serve", "--port", str(own.port), "--data-dir", str(tmp_path))
    assert ended.returncode == 1
    assert f"forecastd cannot listen on 127.0.0.1:{own.port}: Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_data_directory_has_one_server(own: Any) -> None:
    ended = run("serve", "--port", "0", "--data-dir", str(own.data_dir))
    assert ended.returncode == 1
    assert "Another forecastd serves the data directory" in ended.stderr


def test_a_setting_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    ended = run("serve", "--data-dir", str(tmp_path), FORECASTD_WORKERS="many")
    assert ended.returncode == 1
    assert (
        ended.stderr
        == "forecastd: FORECASTD_WORKERS is 'many', which cannot be read as a whole number from 0 on.\n"
    )


def test_the_fourth_parallel_job_is_refused_and_none_is_made(own: Any, new_lab: Any, hourly: Any) -> None:
    lab = new_lab(own)
    [pid] = own.worker_pids()
    os.kill(pid, signal.SIGSTOP)  # nothing gets done meanwhile
    try:
        for _ in range(3):
            lab.start_import(lab.dataset(), "x")
        fourth = lab.dataset()
        with pytest.raises(lab.forecast.exceptions.LimitExceededException) as raised:
            lab.start_import(fourth, "x")
        message = "Quota limit of 3 concurrently creating dataset import jobs has been reached"
        assert raised.value.response["Error"]["Message"] == message
        assert lab.forecast.describe_dataset(DatasetArn=fourth)["Status"] == "ACTIVE"
        assert len(lab.forecast.list_dataset_import_jobs()["DatasetImportJobs"]) == 3
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_second_import_into_a_dataset_waits_for_the_first_and_can_be_stopped(
    own: Any, new_lab: Any
) -> None:
    lab = new_lab(own)
    dataset = lab.dataset()
    [pid] = own.worker_pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        first = lab.start_import(dataset, "x")
        assert lab.forecast.describe_dataset(DatasetArn=dataset)["Status"] == "UPDATE_PENDING"
        with pytest.raises(lab.forecast.exceptions.ResourceInUseException, match="is still running"):
            lab.start_import(dataset, "x")
        lab.forecast.stop_resource(ResourceArn=first)
        described = lab.forecast.describe_dataset_import_job(DatasetImportJobArn=first)
        assert described["Status"] == "CREATE_STOPPED"
        lab.start_import(dataset, "x")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_two_clients_that_create_the_same_name_at_once_make_one(own: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def create(_: int) -> str:
        client = own.client()
        try:
            return client.create_dataset_group(DatasetGroupName="one", Domain="CUSTOM")["DatasetGroupArn"]
        except client.exceptions.ResourceAlreadyExistsException:
            return "taken"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))
    assert sorted(answers)[:1] == ["arn:aws:forecast:us-east-1:000000000000:dataset-group/one"]
    assert answers.count("taken") == 7
