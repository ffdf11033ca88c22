"""The store as queue: claims, leases, settling, recovery; and blobs that are whole or absent."""

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    return Store(tmp_path / "store.sqlite", clock)


def pending(name: str, **fields: Any) -> Record:
    values = {"kind": "Forecast", "status": "CREATE_PENDING", "created": 1.0, "modified": 1.0, **fields}
    return Record(arn=f"arn:{name}", name=name, **values)


def test_the_oldest_pending_record_is_claimed_first_and_once(store: Store) -> None:
    store.insert(pending("a"))
    store.insert(pending("b"))
    claimed = [store.claim("w", 60) for _ in range(3)]
    assert [record and record.name for record in claimed] == ["a", "b", None]
    assert claimed[0] is not None
    assert claimed[0].status == "CREATE_IN_PROGRESS"


def test_deletions_come_before_creations(store: Store) -> None:
    store.insert(pending("a"))
    store.insert(pending("b", status="DELETE_PENDING"))
    first = store.claim("w", 60)
    assert first is not None
    assert (first.name, first.status) == ("b", "DELETE_IN_PROGRESS")


def test_a_record_whose_lease_ran_out_is_claimed_by_another(store: Store, clock: Clock) -> None:
    store.insert(pending("a"))
    store.claim("first", 60)
    assert store.claim("second", 60) is None
    clock.time += 61
    again = store.claim("second", 60)
    assert again is not None
    assert again.attempts == 2
    assert store.renew("arn:a", "first", 60) is None
    assert store.renew("arn:a", "second", 60) == "CREATE_IN_PROGRESS"


def test_only_the_holder_of_the_lease_settles(store: Store) -> None:
    store.insert(pending("a"))
    store.claim("w", 60)
    assert not store.settle("arn:a", "other", "ACTIVE")
    assert store.settle("arn:a", "w", "ACTIVE", facts={"x": 1}, blob="b1")
    assert not store.settle("arn:a", "w", "CREATE_FAILED")
    record = store.get("arn:a")
    assert record is not None
    assert (record.status, record.facts, record.blob, record.worker) == ("ACTIVE", {"x": 1}, "b1", None)


def test_a_job_that_was_asked_to_stop_ends_stopped_whatever_came_of_it(store: Store) -> None:
    store.insert(pending("a"))
    store.claim("w", 60)
    store.update("arn:a", status="CREATE_STOPPING")
    store.settle("arn:a", "w", "ACTIVE", blob="b1")
    record = store.get("arn:a")
    assert record is not None
    assert (record.status, record.blob) == ("CREATE_STOPPED", None)


def test_a_dead_workers_jobs_are_released_and_count_as_attempts(store: Store) -> None:
    store.insert(pending("a"))
    store.claim("dead", 60)
    assert store.release("dead") == 1
    again = store.claim("w", 60)
    assert again is not None
    assert again.attempts == 2


def test_a_restart_of_the_server_is_not_held_against_a_job(store: Store) -> None:
    store.insert(pending("a"))
    store.claim("dead", 60)
    assert store.release_all() == 1
    again = store.claim("w", 60)
    assert again is not None
    assert again.attempts == 1


def claim_all(path: str, name: str, start: Any, results: Any) -> None:
    store = Store(Path(path))
    start.wait()
    claimed = []
    while (record := store.claim(name, 60)) is not None:
        claimed.append(record.arn)
    results.put(claimed)


def test_processes_that_race_never_claim_the_same_record(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = Store(path)
    for number in range(60):
        store.insert(pending(f"r{number}"))
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Event(), spawn.Queue()
    racers = [
        spawn.Process(target=claim_all, args=(str(path), f"w{number}", start, results)) for number in range(4)
    ]
    for racer in racers:
        racer.start()
    start.set()
    claimed = [arn for _ in racers for arn in results.get(timeout=60)]
    for racer in racers:
        racer.join()
    assert sorted(claimed) == sorted(f"arn:r{number}" for number in range(60))


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    store.insert(pending("b"))

    def insert_two() -> None:
        with store.transaction():
            store.insert(pending("a"), tags={"k": "v"})
            store.insert(pending("b"))

    with pytest.raises(sqlite3.IntegrityError):
        insert_two()
    assert store.get("arn:a") is None


def test_an_arn_is_taken_once(store: Store) -> None:
    store.insert(pending("a"))
    with pytest.raises(sqlite3.IntegrityError):
        store.insert(pending("a"))


def test_descendants_are_everything_below_parents_first(store: Store) -> None:
    store.insert(pending("top"))
    store.insert(pending("middle"), parents=["arn:top"])
    store.insert(pending("leaf"), parents=["arn:middle"])
    assert [record.name for record in store.descendants("arn:top")] == ["middle", "leaf"]


def test_removing_a_resource_removes_its_tags_and_links(store: Store) -> None:
    store.insert(pending("top"))
    store.insert(pending("leaf"), parents=["arn:top"], tags={"k": "v"})
    store.remove("arn:leaf")
    assert store.children("arn:top") == []
    assert store.tags("arn:leaf") == {}


def test_a_blob_that_was_not_kept_is_gone_and_the_sweep_takes_what_nobody_owns(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    with blobs.scratch() as folder:
        (folder / "x").write_text("1")
    assert not folder.exists()
    kept = []
    for _ in range(2):
        with blobs.scratch() as folder:
            (folder / "x").write_text("1")
            kept.append(blobs.keep(folder))
    assert blobs.sweep({kept[0]}) == 1
    assert (blobs.folder(kept[0]) / "x").exists()
    assert not blobs.folder(kept[1]).exists()
