"""A second upload brings what came of the first forecast: it is scored, whatever the header says."""

import io
import json
from typing import Any

import boto3
import pandas as pd
import pytest

from tests.flows.conftest import PARAMS, Site, demand

NAMED = "Date,Units Sold,Product"
LEDGER = {"ledger", "compared", "outcome", "outcome_by_item", "outcome_by_step"}


def upload(site: Site, days: int, header: str = NAMED) -> None:
    _, *rows = demand(days, "abcd").splitlines()
    site.put("train/demand.csv", "\n".join([header, *rows]) + "\n")


def tables(site: Site) -> dict[str, dict[str, Any]]:
    """The tables of the workload by the end of their names."""
    listed = boto3.client("glue").get_tables(DatabaseName=site.place.database)["TableList"]
    slug = next(one["Name"].removesuffix("_train") for one in listed if one["Name"].endswith("_train"))
    return {one["Name"].removeprefix(f"{slug}_"): one for one in listed}


def listed(mail: dict[str, str]) -> set[str]:
    """The tables that the message names, by the end of their names."""
    (line,) = [line for line in mail["Message"].splitlines() if line.startswith("Tables: ")]
    names = [name.split(".")[1] for name in line.removeprefix("Tables: ").split(", ")]
    slug = next(name.removesuffix("_train") for name in names if name.endswith("_train"))
    return {name.removeprefix(f"{slug}_") for name in names}


@pytest.mark.parametrize("later", [NAMED, "day,sold,sku"], ids=["the same header", "another header"])
def test_a_forecast_is_scored_whatever_the_header_calls_the_columns(site: Site, later: str) -> None:
    site.configure(Retraining={"When": "needed", "MostAccuracyFall": 0.2})
    upload(site, 4)
    assert site.run().is_completed()
    first = site.manifest()["run"]
    assert site.published()[0] == f"{NAMED},type"
    assert not LEDGER & set(tables(site)), "nothing has come yet"
    (mail,) = site.mail()
    assert listed(mail) == set(tables(site))

    upload(site, 6, later)
    state = site.run()
    assert state.is_completed(), state.message
    score = json.loads(site.text(f"runs/{first}/outcome.json"))
    assert (score["run"], score["steps"], score["points"]) == (first, 6, 24)
    body = site.s3.get_object(Bucket=site.name, Key=f"ledger/{first}/scores.parquet")["Body"].read()
    rows = pd.read_parquet(io.BytesIO(body))
    assert len(rows) == 24 * 3
    one = rows.query("item_id == 'b' and step == 3 and type == 'p90'").iloc[0]
    assert (one["forecast"], one["actual"], one["naive"]) == (12.0, 7.0, 7.0)

    found = tables(site)
    assert set(found) >= LEDGER
    shown = [column["Name"] for column in found["ledger"]["StorageDescriptor"]["Columns"]]
    assert shown[:4] == ["item_id", "timestamp", "step", "type"], "names of the schema, as in all tables"
    (mail,) = site.mail()
    assert f"Last time: Run {first}'s forecast was off by" in mail["Message"]
    assert listed(mail) == set(found), "the message lists all of them"
    assert "turned out worse than its backtests promised" in mail["Message"], "and it counts"


def test_columns_in_another_order_are_not_compared(site: Site) -> None:
    upload(site, 4)
    assert site.run().is_completed()
    first = site.manifest()["run"]
    (dataset,) = PARAMS["Datasets"]
    moment, number, item = dataset["Schema"]["Attributes"]
    site.configure(Datasets=[{**dataset, "Schema": {"Attributes": [moment, item, number]}}])
    _, *rows = demand(6).splitlines()
    cells = [row.split(",") for row in rows]
    turned = [f"{moment},{item},{number}" for moment, number, item in cells]
    site.put("train/demand.csv", "\n".join(["Date,Product,Units Sold", *turned]) + "\n")
    site.run()
    assert f"runs/{first}/outcome.json" not in site.keys("runs/")
    assert not site.keys("ledger/")
