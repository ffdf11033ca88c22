"""Objects of an S3 whose connections break: reading goes on where it broke, or fails with a sentence."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from forecastd.errors import JobFailed
from forecastd.jobs.objects import ObjectRef, Objects
from forecastd.jobs.rows import Problems, read_csv

LINES = b"".join(b"item_%05d,2024-01-01 00:00:00,%d\n" % (number, number) for number in range(40_000))
SCHEMA = {"item_id": "string", "timestamp": "timestamp", "demand": "float"}
REF = ObjectRef("bucket", "key", len(LINES))


class Breaking(ThreadingHTTPServer):
    """One object. Of each answer with its bytes, the next of `breaks` says how many come; then all do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content = LINES
        self.breaks: list[int] = []
        self.version = '"1"'
        self.next_version = '"1"'  # from the second answer on
        self.knows_ranges = True
        self.asked: list[int] = []  # first byte of each answer


class _Answer(BaseHTTPRequestHandler):
    server: Breaking

    def do_HEAD(self) -> None:
        self._head(200, len(self.server.content), self.server.version)

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        start, end = (int(text or len(server.content) - 1) for text in wanted.split("-"))
        if self.headers.get("If-Match", server.version) != server.version:
            body = b"<Error><Code>PreconditionFailed</Code></Error>"
            self._head(412, len(body), server.version)
            self.wfile.write(body)
            return
        is_part = server.knows_ranges and "Range" in self.headers
        rest = server.content[start : end + 1] if is_part else server.content
        server.asked.append(start)
        version, server.version = server.version, server.next_version
        if is_part:
            self._head(206, len(rest), version, f"bytes {start}-{end}/{len(server.content)}")
        else:
            self._head(200, len(rest), version)
        self.wfile.write(rest[: server.breaks.pop(0)] if server.breaks else rest)

    def _head(self, status: int, size: int, version: str, place: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", version)
        if place:
            self.send_header("Content-Range", place)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def breaking() -> Iterator[Breaking]:
    with Breaking() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def objects(breaking: Breaking) -> Objects:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{breaking.server_port}",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )
    return Objects(client)


def rows_read(objects: Objects) -> int:
    problems = Problems()
    rows = sum(len(raw.table) for raw in read_csv(objects.open(REF), SCHEMA, REF.uri, problems))
    assert problems.number == 0
    return rows


def test_a_csv_whose_connection_breaks_is_read_on_from_there(breaking: Breaking, objects: Objects) -> None:
    breaking.breaks += [1_200_000, 7, 0]
    assert rows_read(objects) == 40_000
    assert breaking.asked == [0, 1_200_000, 1_200_007, 1_200_007]


def test_a_connection_that_breaks_again_and_again_fails_with_a_sentence(
    breaking: Breaking, objects: Objects
) -> None:
    breaking.breaks += [1000] + [0] * 100
    with pytest.raises(JobFailed, match=r"Reading s3://bucket/key failed: .* total bytes expected"):
        rows_read(objects)
    assert breaking.asked == [0, 1000, 1000, 1000, 1000]


def test_a_csv_that_is_replaced_while_it_is_read_is_not_mixed_of_two(
    breaking: Breaking, objects: Objects
) -> None:
    breaking.breaks += [1_200_000]
    breaking.next_version = '"2"'
    with pytest.raises(JobFailed, match="the object was replaced while it was read; import again"):
        rows_read(objects)


def test_a_store_that_knows_no_ranges_gives_no_row_twice(breaking: Breaking, objects: Objects) -> None:
    breaking.breaks += [1_200_000]
    breaking.knows_ranges = False
    with pytest.raises(JobFailed, match=r"Reading s3://bucket/key failed: "):
        rows_read(objects)


def test_a_download_that_breaks_again_and_again_fails_with_the_last_reason(
    breaking: Breaking, objects: Objects, tmp_path: Path
) -> None:
    breaking.breaks += [1000] * 100
    with pytest.raises(JobFailed, match=r"Reading s3://bucket/key failed: 1000 read, but total"):
        objects.download(REF, tmp_path / "copy")


def test_a_parquet_file_that_is_replaced_while_it_is_copied_fails_with_a_sentence(
    breaking: Breaking, objects: Objects, tmp_path: Path
) -> None:
    breaking.content = bytes(2**24)  # beyond 8 MB, boto3 copies in pieces
    breaking.next_version = '"2"'
    with pytest.raises(JobFailed, match=r"Reading s3://bucket/key failed: .* did not match"):
        objects.download(REF, tmp_path / "copy")
