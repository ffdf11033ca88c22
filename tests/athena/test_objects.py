"""Copies of objects: what other threads do to the folder meanwhile changes no answer."""

from pathlib import Path

from local.athena import objects
from local.athena.objects import Objects, is_kept


def test_a_copy_that_was_swept_is_no_empty_copy(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert not is_kept(copy)
    assert not copy.exists()
    copy.write_bytes(b"x")
    assert is_kept(copy)


def test_a_file_that_another_thread_has_just_renamed_stops_no_sweep(tmp_path, monkeypatch) -> None:
    kept = Objects(None, tmp_path)
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "renamed").symlink_to(tmp_path / "nowhere")  # listed, and gone when it is asked for
    monkeypatch.setattr(objects, "MOST_BYTES", 7)
    kept._sweep()
    assert len([file for file in tmp_path.iterdir() if file.exists()]) == 1
