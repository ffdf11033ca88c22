"""The events that the bridge makes of new objects."""

import uuid

from bridge.event import merge
from bridge.notification import StoredObject


def stored(key: str, second: int = 0, etag: str = "e") -> StoredObject:
    return StoredObject("demand", key, etag, None, 5, f"2026-01-01T00:00:{second:02}Z")


def test_a_burst_of_one_workload_is_one_event_with_the_newest_object() -> None:
    (upload,) = merge([stored("train/b.csv", 2), stored("train/a.csv", 3), stored("params.json", 1)])
    event = upload.event()
    assert event["payload"]["key"] == "train/a.csv"
    assert [o["key"] for o in event["payload"]["objects"]] == ["params.json", "train/b.csv", "train/a.csv"]
    assert event["occurred"] == "2026-01-01T00:00:03Z"


def test_workloads_do_not_mix() -> None:
    uploads = merge([stored("shop/train/a.csv"), stored("train/a.csv"), stored("shop/params.json")])
    assert sorted(u.workload.folder for u in uploads) == ["", "shop/"]


def test_what_a_run_writes_is_no_input() -> None:
    keys = ["forecast/x/forecast.csv", "history/raw/x/part0.csv", "runs/x/manifest.json", "readme.txt"]
    assert merge(stored(key) for key in keys) == []


def test_of_two_writes_of_one_key_the_later_counts() -> None:
    (upload,) = merge([stored("train/a.csv", 2, "new"), stored("train/a.csv", 1, "old")])
    assert [o.etag for o, _ in upload.objects] == ["new"]


def test_the_labels_name_bucket_key_folder_and_role() -> None:
    (upload,) = merge([stored("shop/related/prices 1.csv")])
    assert upload.event()["resource"] == {
        "prefect.resource.id": "s3://demand/shop/related/prices 1.csv",
        "prefect.resource.name": "prices 1.csv",
        "s3.bucket": "demand",
        "s3.key": "shop/related/prices 1.csv",
        "s3.folder": "shop/",
        "s3.role": "related",
    }


def test_the_root_folder_has_a_label_that_is_not_empty() -> None:
    (upload,) = merge([stored("params.json")])
    labels = upload.event()["resource"]
    assert (labels["s3.folder"], labels["s3.role"]) == ("/", "params")


def test_the_id_stays_the_same_for_an_attempt_and_changes_with_the_next() -> None:
    (upload,) = merge([stored("train/a.csv")])
    (again,) = merge([stored("train/a.csv")])
    assert upload.event(1)["id"] == again.event(1)["id"]
    assert upload.event(1)["id"] != upload.event(2)["id"]
    assert uuid.UUID(upload.event(1)["id"])


def test_new_content_under_the_same_key_is_another_event() -> None:
    (upload,) = merge([stored("train/a.csv", etag="one")])
    (changed,) = merge([stored("train/a.csv", etag="two")])
    assert upload.event()["id"] != changed.event()["id"]


def test_an_event_tells_of_keys_and_etags_and_of_nothing_that_is_in_the_files() -> None:
    (upload,) = merge([stored("train/a.csv")])
    payload = upload.event()["payload"]
    assert set(payload) == {"bucket", "key", "etag", "version_id", "size", "time", "objects"}
    assert [set(one) for one in payload["objects"]] == [{"key", "etag", "size"}]
