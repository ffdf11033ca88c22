"""A worker with made-up jobs: however a job ends, the record is settled and the worker lives on."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forecastd import supervision
from forecastd.errors import JobFailed
from forecastd.jobs.importing import run_import
from forecastd.jobs.job import Job, held_lease
from forecastd.jobs.objects import ObjectRef
from forecastd.jobs.removal import Remover
from forecastd.jobs.worker import MOST_ATTEMPTS, Worker
from forecastd.settings import Settings
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record
from forecastd.supervision import Supervisor

ARN = "arn:job"
Runner = Callable[[Job], dict[str, Any]]


class FakeObjects:
    """Objects in memory."""

    def __init__(self, **contents: str) -> None:
        self._contents = contents

    def list(self, path: str) -> list[ObjectRef]:
        return [ObjectRef("bucket", key, len(text)) for key, text in self._contents.items()]

    def open(self, ref: ObjectRef) -> Any:
        import io

        return io.BytesIO(self._contents[ref.key].encode())


class Bench:
    """A data directory with one pending job, and workers for it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, **settings)
        self.store = Store(self.settings.database_path)
        self.blobs = Blobs(folder)

    def add(self, **fields: Any) -> None:
        values: dict[str, Any] = {
            "kind": "Forecast",
            "status": "CREATE_PENDING",
            "created": 1.0,
            "modified": 1.0,
        }
        self.store.insert(Record(arn=ARN, name="job", **{**values, **fields}))

    def work(self, runner: Runner, objects: Any = None, kind: str = "Forecast") -> Record | None:
        """Let a worker do one job, and give the record afterwards."""
        worker = Worker(self.store, self.blobs, self.settings, {kind: runner}, objects, "w")
        assert worker.work_once()
        return self.store.get(ARN)

    @property
    def folders(self) -> list[Path]:
        return [*(self.settings.data_dir / "blobs").iterdir(), *(self.settings.data_dir / "tmp").iterdir()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def leave_a_file(job: Job) -> dict[str, Any]:
    (job.folder / "data").write_text("done")
    return {"Fact": 1}


def test_what_a_job_leaves_becomes_the_blob_and_its_facts_are_kept(bench: Bench) -> None:
    bench.add()
    record = bench.work(leave_a_file)
    assert record is not None
    assert record.blob is not None
    assert (record.status, record.facts, record.message) == ("ACTIVE", {"Fact": 1}, None)
    assert (bench.blobs.folder(record.blob) / "data").read_text() == "done"


def test_the_remover_takes_what_is_deleted_with_its_data_and_nothing_else(
    bench: Bench, until: Callable[..., Any]
) -> None:
    with bench.blobs.scratch() as folder:
        (folder / "data").write_text("x")
        blob = bench.blobs.keep(folder)
    bench.add(status="DELETE_PENDING", blob=blob)
    bench.store.insert(Record("arn:other", "Forecast", "other", "CREATE_PENDING", created=1.0, modified=1.0))
    remover = Remover(bench.store, bench.blobs, bench.settings)
    remover.start()
    until(lambda: bench.store.get(ARN) is None)
    remover.stop()
    assert bench.folders == []
    other = bench.store.get("arn:other")
    assert other is not None
    assert other.status == "CREATE_PENDING"


def test_a_known_trouble_becomes_the_message(bench: Bench) -> None:
    def fail(job: Job) -> dict[str, Any]:
        leave_a_file(job)
        raise JobFailed("The history is too short.")

    bench.add()
    record = bench.work(fail)
    assert record is not None
    assert (record.status, record.message) == ("CREATE_FAILED", "The history is too short.")
    assert bench.folders == []


def test_an_unknown_trouble_is_a_failed_job_and_not_a_dead_worker(bench: Bench) -> None:
    def break_down(job: Job) -> dict[str, Any]:
        raise ZeroDivisionError("oops")

    bench.add()
    record = bench.work(break_down)
    assert record is not None
    assert record.status == "CREATE_FAILED"
    assert record.message == "The job broke because of a mistake in the server: ZeroDivisionError: oops"


def test_a_job_that_was_stopped_ends_where_it_next_reports_progress(bench: Bench) -> None:
    def be_stopped(job: Job) -> dict[str, Any]:
        bench.store.update(ARN, status="CREATE_STOPPING")
        job.stopped.wait(10)
        job.progress(0.5)
        raise AssertionError("the job went on")

    bench.add()
    record = bench.work(be_stopped)
    assert record is not None
    assert record.status == "CREATE_STOPPED"


def test_a_job_that_ends_before_it_notices_the_stop_leaves_nothing(bench: Bench) -> None:
    def too_late(job: Job) -> dict[str, Any]:
        bench.store.update(ARN, status="CREATE_STOPPING")
        return leave_a_file(job)

    bench.add()
    record = bench.work(too_late)
    assert record is not None
    assert (record.status, record.blob) == ("CREATE_STOPPED", None)
    assert bench.folders == []


def test_a_job_whose_lease_was_lost_changes_nothing(bench: Bench) -> None:
    def lose(job: Job) -> dict[str, Any]:
        bench.store.update(ARN, worker="other")
        return leave_a_file(job)

    bench.add()
    record = bench.work(lose)
    assert record is not None
    assert (record.status, record.worker, record.blob) == ("CREATE_IN_PROGRESS", "other", None)
    assert bench.folders == []


def test_a_job_that_takes_its_workers_down_is_given_up(bench: Bench) -> None:
    bench.add(attempts=MOST_ATTEMPTS)
    record = bench.work(leave_a_file)
    assert record is not None
    assert record.status == "CREATE_FAILED"
    assert record.message == "The worker was lost 3 times during this job, maybe out of memory."


def test_a_deletion_removes_row_and_data(bench: Bench) -> None:
    bench.add()
    bench.work(leave_a_file)
    bench.store.update(ARN, status="DELETE_PENDING")
    assert bench.work(leave_a_file) is None
    assert bench.folders == []


def test_estimates_are_shown_while_the_job_runs_and_gone_afterwards(bench: Bench) -> None:
    seen: list[float | None] = []

    def report(job: Job) -> dict[str, Any]:
        job.progress(0.5, 90.0)
        record = bench.store.get(ARN)
        assert record is not None
        seen.append(record.seconds_left)
        return {}

    bench.add()
    record = bench.work(report)
    assert record is not None
    assert (seen, record.seconds_left) == ([90.0], None)


def test_the_lease_is_renewed_while_the_job_runs(bench: Bench) -> None:
    bench.add()
    record = bench.store.claim("w", 0.2)
    assert record is not None
    job = Job(record, "w", bench.store, bench.blobs, Settings(lease_s=0.2), FakeObjects(), Path())  # type: ignore[arg-type]
    with held_lease(job):
        assert not job.stopped.wait(0.5)
        assert bench.store.claim("other", 60) is None


PLAN = {
    "dataset_type": "TARGET_TIME_SERIES",
    "item_key": "item_id",
    "attributes": {"item_id": "string", "timestamp": "timestamp", "demand": "float"},
    "timestamp_format": "%Y-%m-%d",
    "imports": {},
}
REQUEST = {"DataSource": {"S3Config": {"Path": "s3://bucket/x"}}, "Format": "CSV"}


@pytest.mark.parametrize(("policy", "status"), [("fail", "CREATE_FAILED"), ("drop", "ACTIVE")])
def test_bad_rows_fail_an_import_or_are_dropped_as_configured(
    tmp_path: Path, policy: str, status: str
) -> None:
    bench = Bench(tmp_path, bad_rows=policy)
    bench.add(kind="DatasetImportJob", plan=PLAN, request=REQUEST)
    objects = FakeObjects(x="a,2024-01-01,1\nb,2024-01-01,many\n")
    record = bench.work(run_import, objects, "DatasetImportJob")
    assert record is not None
    assert record.status == status
    if status == "ACTIVE":
        assert record.facts["FieldStatistics"]["demand"]["Count"] == 1


def test_too_many_files_and_too_much_data_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from forecastd.jobs import importing

    monkeypatch.setattr(importing, "MOST_GIB", 1e-9)
    bench = Bench(tmp_path)
    bench.add(kind="DatasetImportJob", plan=PLAN, request=REQUEST)
    record = bench.work(run_import, FakeObjects(x="a,2024-01-01,1\n"), "DatasetImportJob")
    assert record is not None
    assert record.message == "Quota limit of 1e-09 GB data size has been reached"


def busy_at_first(usual: Callable[..., Any], asked: list[tuple[Any, ...]]) -> Callable[..., Any]:
    """A function of the store that finds the database locked once; `asked` gets each call's arguments."""

    def answer(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 1:
            raise sqlite3.OperationalError("database is locked")
        return usual(*arguments)

    return answer


def wait_for(asked: list[tuple[Any, ...]], calls: int) -> None:
    until = time.monotonic() + 10
    while len(asked) < calls and time.monotonic() < until:
        time.sleep(0.01)


class Waits(threading.Event):
    """Lets things happen while a worker waits, one after the other, and ends it after the last."""

    def __init__(self, *happen: Callable[[], None]) -> None:
        super().__init__()
        self._happen = list(happen)

    def wait(self, timeout: float | None = None) -> bool:
        self._happen.pop(0)()
        if not self._happen:
            self.set()
        return self.is_set()


@pytest.mark.parametrize("still_works", [True, False])
def test_after_a_night_whoever_still_works_keeps_its_job(bench: Bench, still_works: bool) -> None:
    now = [1_000.0]
    bench.store = Store(bench.settings.database_path, lambda: now[0])
    bench.add()
    assert bench.store.claim("other", bench.settings.lease_s)

    def sleep_for_a_night() -> None:
        now[0] += 8 * 3600

    def wake_up() -> None:
        now[0] += 1
        if still_works:
            assert bench.store.renew(ARN, "other", bench.settings.lease_s) == "CREATE_IN_PROGRESS"

    begun: list[str] = []

    def run(job: Job) -> dict[str, Any]:
        begun.append(job.worker)
        return {}

    worker = Worker(bench.store, bench.blobs, bench.settings, {"Forecast": run}, FakeObjects(), "w")  # type: ignore[arg-type]
    worker.run(Waits(sleep_for_a_night, wake_up, lambda: None))
    assert begun == ([] if still_works else ["w"])


def test_a_lease_is_renewed_again_after_the_database_was_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, lease_s=0.2)
    bench.add()
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Store, "renew", busy_at_first(Store.renew, asked))

    def run(job: Job) -> dict[str, Any]:
        wait_for(asked, 3)
        return {}

    record = bench.work(run)
    assert len(asked) >= 3
    assert record is not None
    assert record.status == "ACTIVE"


def test_a_database_that_is_busy_leaves_no_seat_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, workers=1)
    monkeypatch.setattr(supervision, "_REST_S", 0.01)
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(bench.store, "release", busy_at_first(bench.store.release, asked))
    monkeypatch.setattr(supervision.sys, "executable", "true")  # a worker that ends at once
    supervisor = Supervisor(bench.settings, bench.store)
    supervisor.start()
    wait_for(asked, 3)
    supervisor.stop()
    assert asked[0] == asked[1] != asked[2]


def test_only_a_worker_that_keeps_dying_has_to_wait_for_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead:
        pid, returncode = 1, 1

        @staticmethod
        def poll() -> int:
            return 1

    now = [0.0]
    monkeypatch.setattr(supervision.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(supervision.subprocess, "Popen", lambda *_, **__: Dead())
    supervisor, seat, pauses = Supervisor(bench.settings, bench.store), supervision._Seat(0), []
    for lived in (1.0, 1.0, 1.0, 61.0):
        supervisor._look_after(seat)
        now[0] = seat.started_at + lived
        supervisor._look_after(seat)
        pauses.append(round(seat.not_before - now[0], 9))
        now[0] = seat.not_before
    assert pauses == [0.2, 0.4, 0.8, 0.2]
