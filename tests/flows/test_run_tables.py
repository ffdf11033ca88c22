"""The table of runs has a row for every end, and the tables of charts show the run that readers see."""

import io
from typing import Any

import boto3
import pyarrow.parquet
import pytest

from flows import rollback
from pipeline import runtables
from pipeline.errors import Unreachable
from tests.flows.conftest import Site


def rows_of(site: Site, key: str) -> list[dict[str, Any]]:
    body = site.s3.get_object(Bucket=site.name, Key=key)["Body"].read()
    return pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()


def ends(site: Site) -> list[dict[str, Any]]:
    found = [row for key in site.keys("history/runs/") for row in rows_of(site, key)]
    return sorted(found, key=lambda row: row["finished"])


def places(site: Site) -> dict[str, str]:
    tables = boto3.client("glue").get_tables(DatabaseName=site.place.database)["TableList"]
    return {table["Name"].split("_")[-1]: table["StorageDescriptor"]["Location"] for table in tables}


def test_a_published_a_refused_and_a_rolled_back_run_have_a_row_each(site: Site) -> None:
    assert site.run().is_completed()
    first = site.manifest()["run"]
    promised = rows_of(site, f"history/accuracy/{first}/accuracy.parquet")
    assert {row["type"] for row in promised} >= {runtables.AVERAGE, "p50"}
    site.upload(days=5)
    assert site.run().is_completed()
    second = site.manifest()["run"]
    assert places(site)["chart"] == f"s3://{site.name}/history/chart/{second}/"
    chart = rows_of(site, f"history/chart/{second}/chart.parquet")
    assert {row["type"] for row in chart} >= {"actual", *site.manifest()["types"]}
    assert rollback.main(["--bucket", site.name, "--installation", site.name, "--run", first]) == 0
    found = places(site)
    assert [found[name] for name in ("chart", "items", "forecast")] == [
        f"s3://{site.name}/{place}/{first}/" for place in ("history/chart", "history/items", "forecast")
    ]
    site.put("train/more.csv", "timestamp,target_value,item_id\n2024-01-05 00:00:00,twelve,a\n")
    assert site.run(key="train/more.csv").is_failed()

    by_state = {(row["state"], row["run"]): row for row in ends(site)}
    assert {key for key in by_state if key[0] != "refused"} == {
        ("published", first), ("published", second), ("rolled back", first),
    }  # fmt: skip
    well = by_state["published", first]
    assert well["decision"] == "A predictor is trained, because there is no predictor yet."
    assert "checks passed" in well["gate"]
    assert (well["items"], well["rows"]) == (2, site.manifest()["rows"])
    assert well["flow_run"]
    assert second in by_state["rolled back", first]["reason"]
    (refused,) = [row for row in by_state.values() if row["state"] == "refused"]
    assert refused["step"] == "Check-Input"
    assert "more.csv" in refused["reason"]
    assert "twelve" not in refused["reason"]


def test_a_row_that_cannot_be_written_fails_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise Unreachable("Nobody answers.", "Wait.")

    monkeypatch.setattr(runtables, "keep_end", never)
    assert site.run().is_completed()
    assert site.record(site.manifest()["run"])["state"] == "published"
    assert ends(site) == []
