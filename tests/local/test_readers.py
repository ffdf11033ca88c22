"""Readers who look as fast as they can see whole forecasts only, whatever is being published meanwhile."""

import datetime as dt
import hashlib
import http.client
import json
import re
import threading
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline import publish, storage, tables
from pipeline.form import FileForm, InputForm
from pipeline.params import Params, load
from pipeline.publish import Manifest
from pipeline.reformat import Reformatted
from pipeline.workload import Workload
from tests.local.conftest import GatewayProcess

PUBLICATIONS = 100
FIRST = dt.datetime(2024, 1, 5)
DATABASE = "readers"
PARAMS = {
    "DatasetGroup": {"DatasetGroupName": "shop", "Domain": "CUSTOM"},
    "Datasets": [
        {
            "DatasetName": "shop",
            "Domain": "CUSTOM",
            "DatasetType": "TARGET_TIME_SERIES",
            "Schema": {
                "Attributes": [
                    {"AttributeName": "timestamp", "AttributeType": "timestamp"},
                    {"AttributeName": "target_value", "AttributeType": "float"},
                    {"AttributeName": "item_id", "AttributeType": "string"},
                ]
            },
        }
    ],
    "Predictor": {"PredictorName": "shop", "ForecastHorizon": 3, "ForecastFrequency": "H"},
    "Forecast": {"ForecastName": "shop", "ForecastTypes": ["0.5"]},
}


@dataclass
class Shop:
    """A workload whose n-th forecast has n in every row, and another number of items each time."""

    s3: Any
    glue: Any
    workload: Workload
    folder: Path
    params: Params = field(default_factory=lambda: load(json.dumps(PARAMS).encode()))

    @staticmethod
    def items(number: int) -> int:
        return 50 + number * 7 % 31

    def archive(self, number: int) -> None:
        """What is there before a run publishes."""
        clean = self.folder / "forecast.csv"
        lines = [
            f"{FIRST + dt.timedelta(hours=hour)},{number}.0,item_{item},p50"
            for item in range(self.items(number))
            for hour in range(3)
        ]
        clean.write_text("\n".join(["timestamp,target_value,item_id,type", *lines]) + "\n")
        publish.archive(self.s3, self.workload, f"run{number:03}", clean, self._written(number), [])

    def publish(self, number: int) -> Manifest:
        """All that a run does to publish; a forecast comes every five minutes."""
        now = dt.datetime(2024, 1, 5, tzinfo=dt.UTC) + dt.timedelta(minutes=5 * number)
        manifest = publish.publish(self.s3, self.workload, f"run{number:03}", lambda: now)
        tables.register(self.glue, DATABASE, self.workload, self.params, self._form(), manifest)
        publish.tidy(self.s3, self.workload, manifest)
        return manifest

    def _written(self, number: int) -> Reformatted:
        columns = ("timestamp", "target_value", "item_id", "type")
        items = self.items(number)
        last = FIRST + dt.timedelta(hours=2)
        form = "yyyy-MM-dd HH:mm:ss"
        return Reformatted(items * 3, items, 3, ("p50",), columns, True, FIRST, last, "H", form)

    def _form(self) -> InputForm:
        file = FileForm("train/a.csv", 1, 1, has_header=True, columns=self.params.target.columns)
        return InputForm({"train": (file,)}, 1, FIRST, FIRST, 1, 0)


class Broken(AssertionError):
    """A reader saw what nobody should see."""


def insist(holds: bool, words: str) -> None:
    if not holds:
        raise Broken(words)


class Eyes:
    """A reader's own connection: plain HTTP, which costs little time beside the looking itself."""

    def __init__(self, port: int, workload: Workload) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.workload = workload

    def object(self, key: str) -> bytes:
        status, body = self._ask("GET", f"/{self.workload.bucket}/{key}", "s3")
        insist(status == 200, f"{key}: {status}")
        return body

    def keys(self, prefix: str) -> list[str]:
        query = urllib.parse.urlencode({"list-type": 2, "prefix": prefix})
        _, body = self._ask("GET", f"/{self.workload.bucket}?{query}", "s3")
        return re.findall(r"<Key>([^<]*)</Key>", body.decode())

    def table(self) -> dict[str, Any]:
        asked = {"DatabaseName": DATABASE, "Name": f"{self.workload.slug}_forecast"}
        _, body = self._ask("POST", "/", "glue", json.dumps(asked), {"X-Amz-Target": "AWSGlue.GetTable"})
        return dict(json.loads(body)["Table"])

    def _ask(
        self,
        method: str,
        path: str,
        service: str,
        body: str | None = None,
        more: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        signed_for = f"AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/{service}/aws4_request"
        headers = {"Authorization": f"{signed_for}, SignedHeaders=host, Signature=0", **(more or {})}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def read_manifest(eyes: Eyes) -> int:
    """What a reader of the manifest does; the number of the forecast that it saw."""
    manifest = json.loads(eyes.object(eyes.workload.key("forecast/manifest.json")))
    number = int(manifest["run"].removeprefix("run"))
    insist(
        manifest["files"] == list(manifest["contents"]), "the manifest names other files than it describes"
    )
    for name, content in manifest["contents"].items():
        key = manifest["location"].removeprefix(f"s3://{eyes.workload.bucket}/") + name
        body = eyes.object(key)
        insist(len(body) == content["size"], f"{key} has {len(body)} of {content['size']} bytes")
        insist(
            hashlib.sha256(body).hexdigest() == content["sha256"], f"{key} is another file than it should be"
        )
        insist(body.count(b"\n") - 1 == manifest["rows"], f"{key} has not {manifest['rows']} rows")
        check_rows(body, number)
    return number


def read_table(eyes: Eyes) -> int:
    """What a query engine does: the table's place, the objects below it, their rows."""
    table = eyes.table()
    place = table["StorageDescriptor"]["Location"].removeprefix(f"s3://{eyes.workload.bucket}/")
    listed = eyes.keys(place)
    insist(len(listed) == 1, f"{len(listed)} objects below {place}")
    body = eyes.object(listed[0])
    number = int(place.rstrip("/").rsplit("run", 1)[-1])
    insist(body.count(b"\n") - 1 == 3 * Shop.items(number), f"{place} lacks rows")
    insist(table["Description"].endswith(f"run run{number:03}."), "the table's words and place differ")
    check_rows(body, number)
    return number


def check_rows(body: bytes, number: int) -> None:
    values = {line.split(b",")[1] for line in body.splitlines()[1:]}
    insist(values == {f"{number}.0".encode()}, f"the rows of forecast {number} have {sorted(values)[:3]}")


class Reader(threading.Thread):
    """Reads again and again until it is stopped; keeps what it saw, and what went wrong."""

    def __init__(self, read: Callable[[Eyes], int], eyes: Eyes) -> None:
        super().__init__()
        self._read, self._eyes, self._is_over = read, eyes, threading.Event()
        self.seen: list[int] = []
        self.faults: list[str] = []

    def run(self) -> None:
        while not self._is_over.is_set():
            try:
                self.seen.append(self._read(self._eyes))
            except Exception as error:
                self.faults.append(f"after {self.seen[-1:]}: {type(error).__name__}: {error}")

    def stop(self) -> None:
        self._is_over.set()
        self.join(30)


@pytest.fixture
def shop(gateway: GatewayProcess, tmp_path: Path) -> Shop:
    s3 = gateway.client("s3")
    workload = Workload(f"readers-{uuid.uuid4().hex[:8]}", "shop/")
    s3.create_bucket(Bucket=workload.bucket)
    return Shop(s3, gateway.client("glue"), workload, tmp_path)


def test_readers_see_whole_forecasts_only_while_a_hundred_are_published(
    gateway: GatewayProcess, shop: Shop
) -> None:
    for number in range(1, PUBLICATIONS + 1):
        shop.archive(number)
    shop.publish(1)
    readers = [Reader(read, Eyes(gateway.port, shop.workload)) for read in (read_manifest, read_table)]
    for reader in readers:
        reader.start()
    try:
        for number in range(2, PUBLICATIONS + 1):
            shop.publish(number)
    finally:
        for reader in readers:
            reader.stop()
    for reader in readers:
        assert reader.faults == []
        assert reader.seen == sorted(reader.seen), "nobody goes back to an older forecast"
        assert len(set(reader.seen)) > PUBLICATIONS / 2, "they really read during the publications"
    assert len(storage.folders(shop.s3, shop.workload, "forecast/")) == 1 + 11 + 1, (
        "the current one, those that were replaced within the hour, and the one that was replaced now"
    )


def in_place(shop: Shop) -> None:
    """A publication as it must not be: the file is overwritten where readers find it."""
    body = b"timestamp,target_value,item_id,type\n2024-01-05 00:00:00,2.0,item_0,p50\n"
    key = shop.workload.key("forecast/run001/forecast.csv")
    shop.s3.put_object(Bucket=shop.workload.bucket, Key=key, Body=body)


def emptied(shop: Shop) -> None:
    """… or removed before the next is there."""
    key = shop.workload.key("forecast/run001/forecast.csv")
    shop.s3.delete_object(Bucket=shop.workload.bucket, Key=key)


def doubled(shop: Shop) -> None:
    """… or the new is put beside the old under the same place."""
    key = shop.workload.key("forecast/run001/next.csv")
    shop.s3.put_object(Bucket=shop.workload.bucket, Key=key, Body=b"x\n")


@pytest.mark.parametrize("wrong", [in_place, emptied, doubled])
def test_the_readers_would_notice(gateway: GatewayProcess, shop: Shop, wrong: Callable[[Shop], None]) -> None:
    shop.archive(1)
    shop.publish(1)
    eyes = Eyes(gateway.port, shop.workload)
    assert read_manifest(eyes) == read_table(eyes) == 1
    wrong(shop)
    with pytest.raises(Broken):
        read_table(eyes)
    if wrong is not doubled:
        with pytest.raises(Broken):
            read_manifest(eyes)
