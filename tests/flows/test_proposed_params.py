"""A run with the proposed params.json, for each real data set, against the real server."""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from blocks.installation import Installation
from pipeline.proposal import propose
from tests.flows.conftest import Site, shared
from tests.flows.test_with_forecastd import forecastd  # noqa: F401 - a fixture

# The target, further files by role, and how many rows are learned from: enough for the proposed horizon.
DATA: dict[str, tuple[str, dict[str, str], int]] = {
    "household": ("household/target_time_series.csv", {}, 1200),
    "three clients": ("amazon/elec_3clients/target_time_series.csv", {}, 1200),
    "one client": ("amazon/elec_client12/target_time_series.csv", {}, 1200),
    "page views": ("amazon/manning_daily/manning_ts_2015.csv", {}, 400),
    "store items": ("amazon/store_item_demand500/target_time_series.csv", {}, 1200),
    "traffic": (
        "amazon/metro_traffic/target_time_series.csv",
        {"related": "amazon/metro_traffic/related_time_series.csv"},
        1500,
    ),
    "weekly sales": (
        "amazon/walmart_weekly45/target_time_series.csv",
        {
            "related": "amazon/walmart_weekly45/related_time_series.csv",
            "metadata": "amazon/walmart_weekly45/store_meta.csv",
        },
        6000,
    ),
}


@pytest.mark.stack
@pytest.mark.parametrize(("target", "others", "rows"), DATA.values(), ids=DATA.keys())
def test_a_run_with_the_proposed_file_succeeds(
    prefect_server: None,
    forecastd: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    target: str,
    others: dict[str, str],
    rows: int,
) -> None:
    folder = os.environ.get("FORECAST_DATA")
    if not folder:
        pytest.skip("FORECAST_DATA names no folder with data sets")
    monkeypatch.setattr(
        Installation, "client", lambda _, service: forecastd if service == "forecast" else shared(service)
    )
    cut = tmp_path / Path(target).name
    with (Path(folder) / target).open() as file:
        cut.write_text("".join(itertools.islice(file, rows)))
    found = propose(cut, "proposed", **{role: Path(folder) / name for role, name in others.items()})  # type: ignore[arg-type]
    site = Site(forecastd)
    site.put("params.json", json.dumps(found.params))
    site.put("train/data.csv", cut.read_text())
    listed = {spec["DatasetType"] for spec in found.params["Datasets"]}
    for role, kind in (("related", "RELATED_TIME_SERIES"), ("metadata", "ITEM_METADATA")):
        if kind in listed:
            site.put(f"{role}/data.csv", (Path(folder) / others[role]).read_text())
    state = site.run("train/data.csv")
    assert state.is_completed(), state.message
    assert state.message.startswith("Published")
    report = json.loads(site.text(f"runs/{site.manifest()['run']}/quality.json"))
    assert report["outcome"] == "accepted"
