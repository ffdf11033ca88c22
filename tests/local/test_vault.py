"""The vault: contents are shared, unreferenced ones go, and a kill leaves no half."""

import io
from pathlib import Path

import pytest

from local.vault import Vault, Version


def keep(vault: Vault, key: str, *bodies: bytes) -> list[str]:
    digests = []
    with vault.transaction():
        for body in bodies:
            staged, digest = vault.stage(io.BytesIO(body))
            vault.adopt(staged, digest)
            digests.append(digest)
        old = vault.put_versions("b", key, [Version(digest, b"state") for digest in digests])
    vault.forget(old)
    return digests


def fail_half_way(vault: Vault) -> None:
    with vault.transaction():
        vault.put_versions("b", "a", [])
        vault.put_service("sqs", b"half")
        raise ZeroDivisionError


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "content").glob("*/*"))


def test_equal_contents_share_one_file(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    first = keep(vault, "a", b"same")
    assert keep(vault, "b", b"same") == first == files(tmp_path)


def test_contents_go_with_the_last_version_that_refers_to_them(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    keep(vault, "a", b"same")
    keep(vault, "b", b"same")
    keep(vault, "a")
    assert len(files(tmp_path)) == 1
    keep(vault, "b")
    assert files(tmp_path) == []


def test_what_a_kill_left_behind_is_removed_at_the_next_start(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    kept = keep(vault, "a", b"kept")
    vault.stage(io.BytesIO(b"on its way"))
    vault.adopt(*vault.stage(io.BytesIO(b"adopted, but the transaction never ended")))
    vault.close()
    again = Vault(tmp_path)
    assert files(tmp_path) == kept
    assert list((tmp_path / "incoming").iterdir()) == []
    assert again.stored(kept[0]).read() == b"kept"


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    keep(vault, "a", b"before")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(vault)
    assert [key for key, _ in vault.versions("b")] == ["a"]
    assert vault.services() == {}


def test_stored_content_reads_like_a_file(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    content = vault.stored(keep(vault, "a", b"0123456789")[0])
    assert [content.read(4), content.read(), content.read()] == [b"0123", b"456789", b""]
    content.seek(2)
    assert content.read(3) == b"234"
