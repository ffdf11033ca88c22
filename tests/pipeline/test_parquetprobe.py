"""A Parquet file that kills its reader kills a process that is there for that."""

import io
import sys
from pathlib import Path

import pytest

from pipeline import contract, datafile, inputs, parquetprobe
from pipeline.errors import BadInput
from pipeline.parquetprobe import Probe

# Answers as the real one does, and dies at a file whose name ends so.
FRAGILE = """
import os, sys
for line in sys.stdin:
    if line.endswith("deadly\\n"):
        os.abort()
    print("read", flush=True)
"""


@pytest.fixture
def probe():
    found = Probe([sys.executable, "-c", FRAGILE])
    yield found
    found.close()


def test_a_file_that_kills_its_reader_is_told_from_the_others(probe):
    read = [probe.survives(path) for path in ("fine", "deadly", "fine", "fine", "deadly", "deadly", "fine")]
    assert read == [True, False, True, True, False, False, True]


def test_a_process_that_died_between_two_files_is_started_again(probe):
    assert probe.survives("fine")
    probe._process.kill()
    probe._process.wait()
    assert not probe.survives("fine"), "nobody knows what it died of"
    assert probe.survives("fine")


def test_the_process_ends_with_the_one_that_asks(probe):
    probe.survives("fine")
    process = probe._process
    probe.close()
    assert process.returncode == 0
    probe.close()


def test_what_is_no_parquet_file_is_read_to_its_error(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing PAR1")
    assert parquetprobe.survives(str(tmp_path / "a.parquet"))


def test_an_upload_that_kills_its_reader_is_refused_by_name(s3, workload, put, make_params, monkeypatch):
    monkeypatch.setattr(datafile.parquetprobe, "survives", lambda path: False)
    put("train/a.parquet", b"PAR1")
    stock = inputs.take_stock(s3, workload, make_params())
    with pytest.raises(BadInput, match=r"train/a\.parquet: it is damaged"):
        contract.check(s3, workload, make_params(), stock)


def test_the_copy_is_gone_when_the_file_is_closed(monkeypatch):
    asked = []
    monkeypatch.setattr(datafile.parquetprobe, "survives", lambda path: asked.append(path) or False)
    with pytest.raises(datafile.Unreadable):
        datafile.ParquetFile(io.BytesIO(b"PAR1"))
    with pytest.raises(FileNotFoundError):
        Path(asked[0]).read_bytes()
