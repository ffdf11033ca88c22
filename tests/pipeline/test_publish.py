import datetime as dt
import hashlib
import json

import pytest

from pipeline import publications, publish, record, storage
from pipeline.errors import BadForecast, Missing, NotYet, Overtaken, PipelineError
from pipeline.export import Part
from pipeline.publish import MANIFEST, Manifest
from pipeline.record import Record
from pipeline.reformat import Reformatted

WRITTEN = Reformatted(
    rows=9,
    items=1,
    horizon=3,
    types=("mean", "p10", "p50"),
    columns=("timestamp", "target_value", "item_id", "type"),
    has_header=True,
    first=dt.datetime(2024, 1, 2),
    last=dt.datetime(2024, 1, 2, 2),
    frequency="H",
    timestamp_format="yyyy-MM-dd HH:mm:ss",
)


def at(hour):
    return lambda: dt.datetime(2024, 1, 3, hour, tzinfo=dt.UTC)


@pytest.fixture
def archived(s3, workload, put, tmp_path):
    """Archives a forecast of a run."""

    def archive(run):
        clean = tmp_path / "forecast.csv"
        clean.write_bytes(f"the forecast of {run}\n".encode())
        put(f"runs/{run}/export/job_part0.csv", f"raw {run}".encode())
        parts = [Part(workload.key(f"runs/{run}/export/job_part0.csv"), 4)]
        return publish.archive(s3, workload, run, clean, WRITTEN, parts)

    return archive


def test_nothing_is_current_before_the_first_forecast(s3, workload):
    assert publish.current(s3, workload) is None


def test_a_forecast_is_archived_and_published(s3, workload, archived, snapshot):
    archived("one")
    assert publish.current(s3, workload) is None
    manifest = publish.publish(s3, workload, "one", at(1))
    objects = snapshot()
    assert objects["shop/history/raw/one/job_part0.csv"] == b"raw one"
    assert objects["shop/history/clean/one/forecast.csv"] == b"the forecast of one\n"
    assert objects["shop/forecast/one/forecast.csv"] == b"the forecast of one\n"
    assert publish.current(s3, workload) == manifest
    assert manifest.uris == ("s3://demand/shop/forecast/one/forecast.csv",)
    assert (manifest.rows, manifest.published_at) == (9, "2024-01-03T01:00:00Z")
    stored = json.loads(objects["shop/forecast/manifest.json"])
    assert Manifest.from_dict(stored) == manifest
    assert stored["files"] == ["forecast.csv"]


def test_repeating_a_publication_changes_no_byte(s3, workload, archived, snapshot):
    archived("one")
    publish.publish(s3, workload, "one", at(1))
    before = snapshot()
    archived("one")
    publish.publish(s3, workload, "one", at(2))
    assert snapshot() == before


def test_the_forecast_before_stays_for_its_readers_and_older_ones_go(s3, workload, archived, snapshot):
    for hour, run in enumerate(("one", "two", "three")):
        archived(run)
        publish.tidy(s3, workload, publish.publish(s3, workload, run, at(hour)))
    folders = {key.split("/")[2] for key in snapshot() if key.startswith("shop/forecast/")}
    assert folders == {"manifest.json", "two", "three"}
    assert publish.current(s3, workload).previous == "two"
    assert sorted(storage.folders(s3, workload, "history/clean/")) == ["one", "three", "two"]


def test_rolling_back_restores_the_earlier_bytes(s3, workload, archived, snapshot):
    for hour, run in enumerate(("one", "two", "three")):
        archived(run)
        publish.publish(s3, workload, run, at(hour))
    publish.publish(s3, workload, "one", at(4), kind="rollback", by="http://run", held=["three"])
    current = publish.current(s3, workload)
    assert (current.run, current.previous, current.held) == ("one", "three", ("three",))
    assert snapshot()["shop/forecast/one/forecast.csv"] == b"the forecast of one\n"


def test_a_run_without_a_forecast_cannot_be_published(s3, workload):
    with pytest.raises(Missing, match="Run none has no forecast"):
        publish.publish(s3, workload, "none")


class Interrupted(Exception):
    pass


def calls_of(s3, work):
    """The S3 calls that the work makes."""
    seen = []

    def note(model, **_):
        seen.append(model.name)

    s3.meta.events.register("before-call.s3", note)
    try:
        work()
    finally:
        s3.meta.events.unregister("before-call.s3", note)
    return seen


def interrupted_at(s3, number, work):
    """Runs the work until its call of that number, which is not made."""
    seen = []

    def stop(model, **_):
        seen.append(model.name)
        if len(seen) == number + 1:
            raise Interrupted

    s3.meta.events.register("before-call.s3", stop)
    try:
        with pytest.raises(Interrupted):
            work()
    finally:
        s3.meta.events.unregister("before-call.s3", stop)


def test_interrupted_anywhere_readers_see_a_whole_forecast_and_a_repetition_ends_the_same(
    s3, workload, archived, snapshot
):
    archived("one")
    publish.publish(s3, workload, "one", at(1))
    archived("two")
    publish.publish(s3, workload, "two", at(2))
    archived("three")
    before = snapshot()

    def work():
        publish.tidy(s3, workload, publish.publish(s3, workload, "three", at(3)))

    count = len(calls_of(s3, work))
    expected = snapshot()
    assert count > 4
    for number in range(count):
        storage.remove(s3, workload, "forecast/")
        for key, body in before.items():
            s3.put_object(Bucket=workload.bucket, Key=key, Body=body)
        interrupted_at(s3, number, work)
        manifest = publish.current(s3, workload)
        files = snapshot()
        assert manifest.run in ("two", "three")
        assert (
            files[f"shop/forecast/{manifest.run}/forecast.csv"].decode()
            == f"the forecast of {manifest.run}\n"
        )
        work()
        assert snapshot() == expected


def test_a_damaged_document_is_told_with_its_name(s3, workload, put):
    put("forecast/manifest.json", b"{")
    with pytest.raises(PipelineError, match=r"s3://demand/shop/forecast/manifest.json is damaged"):
        publish.current(s3, workload)


def test_a_record_is_kept_beside_the_run(s3, workload, snapshot):
    assert record.read(s3, workload, "one") is None
    first = record.write(s3, workload, Record("one", inputs=[{"key": "train/ä.csv"}]), at(1))
    assert first.started_at == "2024-01-03T01:00:00Z"
    changed = first.with_(state="published", arns={"forecast": "f"}).with_(arns={"predictor": "p"})
    last = record.write(s3, workload, changed, at(2))
    assert record.read(s3, workload, "one") == last
    assert last.is_published
    assert last.arns == {"forecast": "f", "predictor": "p"}
    assert (last.started_at, last.updated_at) == ("2024-01-03T01:00:00Z", "2024-01-03T02:00:00Z")
    assert list(snapshot()) == ["shop/runs/one/manifest.json"]


def test_a_record_has_a_known_state():
    with pytest.raises(ValueError, match="started, forecast, published, refused, failed"):
        Record("one", state="done")


def test_the_manifest_is_written_last_but_for_the_journal(s3, workload, archived):
    archived("one")
    keys = []

    def note(params, model, **_):
        if model.name in ("PutObject", "CopyObject"):
            keys.append(params["Key"])

    s3.meta.events.register("before-parameter-build.s3", note)
    publish.conclude(s3, workload, publish.publish(s3, workload, "one", at(1)))
    s3.meta.events.unregister("before-parameter-build.s3", note)
    assert keys[-2] == workload.key(MANIFEST)
    assert keys[-1] == workload.key("history/publications/20240103T010000Z_000001_one.json")


def test_the_manifest_has_size_and_hash_of_every_file(s3, workload, archived, snapshot):
    archived("one")
    manifest = publish.publish(s3, workload, "one", at(1))
    body = snapshot()["shop/forecast/one/forecast.csv"]
    assert manifest.contents == {
        "forecast.csv": {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    }


def test_a_manifest_of_an_earlier_release_is_read(s3, workload, archived):
    archived("one")
    stored = publish.publish(s3, workload, "one", at(1)).to_dict()
    for name in ("contents", "number", "kind", "by", "kept", "held"):
        del stored[name]
    storage.write_json(s3, workload, MANIFEST, stored)
    assert publish.current(s3, workload).number == 0
    archived("two")
    assert publish.publish(s3, workload, "two", at(2)).number == 1


def test_a_forecast_that_was_replaced_within_the_hour_stays_for_slow_readers(s3, workload, archived):
    for minute, run in ((0, "one"), (10, "two"), (20, "three"), (90, "four")):
        archived(run)
        now = dt.datetime(2024, 1, 3, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
        publish.tidy(s3, workload, publish.publish(s3, workload, run, lambda now=now: now))
        folders = set(storage.folders(s3, workload, "forecast/"))
        assert {"three": {"one", "two", "three"}, "four": {"three", "four"}}.get(run, folders) == folders


def test_two_that_publish_at_once_do_not_overwrite_each_other(s3, workload, archived, monkeypatch):
    archived("one")
    archived("two")
    copy = storage.copy

    def slow(*args):
        copy(*args)
        monkeypatch.setattr(storage, "copy", copy)
        publish.publish(s3, workload, "two", at(2))

    monkeypatch.setattr(storage, "copy", slow)
    with pytest.raises(NotYet, match="at the same moment"):
        publish.publish(s3, workload, "one", at(1))
    assert publish.current(s3, workload).run == "two"
    assert publish.publish(s3, workload, "one", at(3)).previous == "two"


def test_what_somebody_else_has_replaced_meanwhile_is_left_alone(s3, workload, archived):
    for run in ("one", "two", "three"):
        archived(run)
    first = publish.publish(s3, workload, "one", at(1), follows=0)
    newer = publish.publish(s3, workload, "three", at(2), follows=first.number)
    with pytest.raises(Overtaken, match="Run three published a forecast"):
        publish.publish(s3, workload, "two", at(3), follows=first.number)
    assert publish.current(s3, workload) == newer
    assert publish.publish(s3, workload, "three", at(4), follows=first.number) == newer, "a repetition"


def test_a_swap_whose_answer_was_lost_counts_as_done(s3, workload, archived, monkeypatch):
    archived("one")
    replace = storage.replace_json

    def lost(*args):
        assert replace(*args)
        return replace(*args)  # what the client's own retry does

    monkeypatch.setattr(storage, "replace_json", lost)
    assert publish.publish(s3, workload, "one", at(1)) == publish.current(s3, workload)


def test_every_publication_is_in_the_journal_once(s3, workload, archived):
    for hour, run in enumerate(("one", "two", "two")):
        archived(run)
        publish.publish(s3, workload, run, at(hour))
    back = publish.publish(s3, workload, "one", at(4), kind="rollback", by="http://run")
    assert not publish.is_concluded(s3, workload, back)
    publish.conclude(s3, workload, back)
    assert publish.is_concluded(s3, workload, back)
    told = [
        (p.number, p.run, p.at[11:13], p.kind, p.replaced, p.by) for p in publications.listed(s3, workload)
    ]
    assert told == [
        (1, "one", "00", "publish", None, None),
        (2, "two", "01", "publish", "one", None),
        (3, "one", "04", "rollback", "two", "http://run"),
    ]


def test_the_archive_lists_its_forecasts_newest_first(s3, workload, archived, put):
    assert publish.archived(s3, workload) == []
    for run in ("one", "two"):
        archived(run)
    put("history/clean/half/other.csv", b"x")
    found = publish.archived(s3, workload)
    assert {one.run for one in found} == {"one", "two"}
    assert found == sorted(found, key=lambda one: one.at, reverse=True)
    assert found[0].size == len("the forecast of one\n")


def test_an_archive_that_was_altered_is_not_published(s3, workload, archived, put):
    for run in ("one", "two"):
        archived(run)
        publish.publish(s3, workload, run, at(1))
    put("history/clean/one/forecast.csv", b"the forecast of me!\n")
    with pytest.raises(BadForecast, match="is not what was archived"):
        publish.publish(s3, workload, "one", at(2), kind="rollback")
    assert publish.current(s3, workload).run == "two"


def test_whoever_tidies_up_leaves_alone_what_another_is_about_to_publish(
    s3, workload, archived, snapshot, monkeypatch
):
    for run in ("one", "two", "three"):
        archived(run)
    publish.publish(s3, workload, "one", at(1))
    second = publish.publish(s3, workload, "two", at(3))
    swap = publish._swap

    def late(*given):
        publish.tidy(s3, workload, second)  # the third has copied its file, and has not swapped yet
        swap(*given)

    monkeypatch.setattr(publish, "_swap", late)
    third = publish.publish(s3, workload, "three", at(5))
    publish.tidy(s3, workload, second)
    assert snapshot()["shop/forecast/three/forecast.csv"] == b"the forecast of three\n"
    assert publish.current(s3, workload) == third


def test_a_readers_copy_that_was_removed_comes_back_with_the_next_publication(
    s3, workload, archived, snapshot
):
    archived("one")
    first = publish.publish(s3, workload, "one", at(1))
    before = snapshot()
    storage.remove(s3, workload, "forecast/one/")
    assert publish.publish(s3, workload, "one", at(2), kind="rollback") == first
    assert snapshot() == before


def test_a_run_that_died_while_it_archived_is_not_in_the_archive(s3, workload, archived, monkeypatch):
    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(s3, "upload_file", die)
        with pytest.raises(KeyboardInterrupt):
            archived("one")
    assert publish.archived(s3, workload) == []
    assert not publish.is_archived(s3, workload, "one")
    archived("one")
    assert publish.is_archived(s3, workload, "one")
    storage.remove(s3, workload, "history/clean/one/")
    assert not publish.is_archived(s3, workload, "one")
