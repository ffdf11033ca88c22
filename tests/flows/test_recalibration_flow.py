"""Recalibration through the whole flow: off, on, after a crash, and told to people."""

import io
import json
from typing import Any

import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from pipeline import publish
from tests.flows.conftest import Site, demand
from tests.flows.fake_forecast import client_error

# The service in memory forecasts 23, 24, 25 for hours that have 15, 18 … 30: they lie up to 9 below 24, and 6
# above.
NEEDED = {"When": "needed", "LeastForecasts": 3, "LeastPoints": 30, "MostFactor": 10}
GATE = {"RefusesFlat": False}


def forecasts(site: Site, first: int, last: int) -> None:
    """A run for each day."""
    site.forecast.value = 23.0
    for days in range(first, last):
        upload(site, days)
        state = site.run()
        assert state.is_completed(), state.message


def upload(site: Site, days: int) -> None:
    header, *rows = demand(days, "abcdefgh").splitlines()
    cells = [row.split(",") for row in rows]
    lines = [f"{moment},{3 * float(value)},{item}" for moment, value, item in cells]
    site.put("train/demand.csv", "\n".join([header, *lines]) + "\n")


def values(site: Site) -> pd.DataFrame:
    """The published forecast, a column per type."""
    frame = pd.read_csv(io.StringIO("\n".join(site.published())))
    return frame.pivot_table(index=["item_id", "timestamp"], columns="type", values="target_value")


def artifacts(state: Any, name: str) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        given = {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}}
        found = client.request("POST", "/artifacts/filter", json={"artifacts": given}).json()
    return [each for each in found if (each["key"] or "").startswith(name)]


@pytest.fixture
def narrow(site: Site) -> Site:
    """A workload whose intervals hold a sixth of what comes, with three forecasts that have turned out."""
    site.configure(Recalibration=NEEDED, Gate=GATE)
    forecasts(site, 4, 7)
    site.mail()
    return site


def test_intervals_that_are_too_narrow_are_widened_until_they_hold_and_people_are_told(narrow: Site) -> None:
    site = narrow
    assert (values(site) == [23, 24, 25]).all().all(), "the first have no evidence"
    upload(site, 7)
    state = site.run()
    run = site.manifest()["run"]
    record = site.record(run)
    factor = record["recalibration"]["factor"]
    assert factor == pytest.approx(6.0, rel=0.01)
    shown = values(site)
    assert shown["p10"].to_numpy() == pytest.approx(24 - factor)
    assert (shown["p50"] == 24).all()
    assert shown["p90"].to_numpy() == pytest.approx(24 + factor)
    words = (
        f"The intervals were made wider, {factor:.2f} times what the service made them: of 144 values of the "
        "last 3 forecasts the service's intervals held 17% and should hold 80%; with this factor it would "
        "have been 83%."
    )
    assert f"Recalibration: {words}" in site.mail()[-1]["Message"]
    assert words in artifacts(state, "recalibration")[0]["data"]
    assert words.replace("'", "&#39;") in site.text(f"runs/{run}/report.html")
    chart = pd.read_parquet(io.BytesIO(_body(site, f"history/chart/{run}/chart.parquet")))
    assert chart[chart["type"] == "p90"]["value"].to_numpy() == pytest.approx(24 + factor)
    ends = [pd.read_parquet(io.BytesIO(_body(site, key))) for key in site.keys("history/runs/")]
    assert words in pd.concat(ends)["recalibration"].tolist()
    (raw,) = site.keys(f"history/raw/{run}/")
    assert {line.partition("Z,")[2] for line in site.text(raw).splitlines()[1:]} == {"23.0,24.0,25.0"}

    forecasts(site, 8, 10)
    held = json.loads(site.text(f"runs/{run}/outcome.json"))["inside"]
    assert held == pytest.approx(5 / 6), "in its band"
    again = site.record(site.manifest()["run"])["recalibration"]
    assert again["factor"] == factor, "the factors do not compound"
    assert again["forecasts"] == 5


def _body(site: Site, key: str) -> bytes:
    return bytes(site.s3.get_object(Bucket=site.name, Key=key)["Body"].read())


def test_a_run_that_crashes_and_goes_on_gives_the_same_bytes_whatever_came_meanwhile(
    narrow: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = narrow
    upload(site, 7)

    def killed(*_: Any, **__: Any) -> None:
        raise client_error("AccessDenied", "no more", "PutObject")

    with monkeypatch.context() as patched:
        patched.setattr(publish, "archive", killed)
        assert site.run().is_failed()
    runs = {key.split("/")[1] for key in site.keys("runs/") if key.endswith("/manifest.json")}
    (run,) = runs - {key.split("/")[2] for key in site.keys("history/clean/")}
    before = site.record(run)["recalibration"]
    assert before["factor"] > 4
    for key in site.keys("ledger/"):  # somebody has computed the ledger again, and it says otherwise
        site.s3.delete_object(Bucket=site.name, Key=key)
    monkeypatch.setattr("tasks.keep_ledger.ledger.keep", lambda *_, **__: [])
    assert site.run().is_completed()
    assert site.manifest()["run"] == run
    assert site.record(run)["recalibration"] == before
    assert values(site)["p90"].to_numpy() == pytest.approx(24 + before["factor"])


def test_content_that_comes_back_from_the_archive_has_the_same_bytes(narrow: Site) -> None:
    site = narrow
    forecasts(site, 7, 9)
    later = site.manifest()["run"]
    upload(site, 7)
    state = site.run()
    assert "published again from history" in state.message
    run = site.manifest()["run"]
    assert run != later
    assert site.text(f"forecast/{run}/forecast.csv") == site.text(f"history/clean/{run}/forecast.csv")
    assert values(site)["p90"].to_numpy() == pytest.approx(24 + site.record(run)["recalibration"]["factor"])


def test_off_as_it_is_by_default_it_changes_nothing(site: Site) -> None:
    plain = _run_of(site)
    site.configure(Recalibration={"When": "never", "MostFactor": 5}, Gate=GATE)
    state = site.run(key="params.json")
    assert "Already forecast" in state.message, "it is the same content"
    assert site.record(plain)["recalibration"] is None
    assert "Recalibration" not in site.record(plain)["params"]
    assert (values(site) == [23, 24, 25]).all().all()
    mails = site.mail()
    assert len(mails) >= 4
    assert not any("Recalibration" in mail["Message"] for mail in mails)


def _run_of(site: Site) -> str:
    site.configure(Gate=GATE)
    forecasts(site, 4, 8)
    return str(site.manifest()["run"])


def test_switching_it_on_makes_another_forecast_of_the_same_content_without_training(site: Site) -> None:
    _run_of(site)
    made = site.forecast.created()
    site.configure(Recalibration=NEEDED, Gate=GATE)
    assert site.run(key="params.json").is_completed()
    now = site.forecast.created()
    assert now["create_auto_predictor"] == made["create_auto_predictor"]
    assert now["create_dataset_import_job"] == made["create_dataset_import_job"]
    assert values(site)["p90"].min() > 29


def test_the_gate_looks_at_what_would_be_published(narrow: Site) -> None:
    site = narrow
    site.configure(Recalibration=NEEDED, Gate={**GATE, "MostWidth": 0.3})
    upload(site, 7)
    state = site.run()
    assert state.is_failed()
    assert "The gate refused the forecast. Width" in state.message
