"""Refusal and rollback through the flows: what readers see, what is told, and what the same content does."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow
from prefect.states import Pending

from flows import rollback
from pipeline import publications, tables
from pipeline.workload import Workload
from tests.flows.conftest import Site


def back(site: Site, *arguments: str) -> int:
    return rollback.main(["--bucket", site.name, "--installation", site.name, *arguments])


def table_location(site: Site) -> str:
    glue = boto3.client("glue")
    tables = glue.get_tables(DatabaseName=site.place.database)["TableList"]
    (location,) = [t["StorageDescriptor"]["Location"] for t in tables if t["Name"].endswith("_forecast")]
    return str(location)


def live(site: Site) -> tuple[str, str, str]:
    """The run that readers see, the hash of its bytes, and where the table points."""
    manifest = site.manifest()
    body = site.text(f"forecast/{manifest['run']}/forecast.csv").encode()
    digest = hashlib.sha256(body).hexdigest()
    assert manifest["contents"]["forecast.csv"] == {"size": len(body), "sha256": digest}
    return manifest["run"], digest, table_location(site)


@pytest.fixture
def two(site: Site) -> tuple[Site, tuple[str, str, str], tuple[str, str, str]]:
    """A site with two published forecasts, and what readers saw of each."""
    assert site.run().is_completed()
    first = live(site)
    site.forecast.value = 14.0
    site.upload(days=6)
    assert site.run().is_completed()
    site.mail()
    return site, first, live(site)


def test_a_refused_forecast_leaves_the_old_one_live_and_looser_limits_publish_it(site: Site) -> None:
    assert site.run().is_completed()
    before = live(site)
    (mail,) = site.mail()
    assert "Gate: " in mail["Message"]
    assert "checks passed" in mail["Message"]
    site.upload(days=6)
    site.forecast.value = 1e6
    state = site.run()
    assert state.is_failed()
    assert state.message.startswith(
        "Check-Forecast: The gate refused the forecast. Level: 2 of 2 items lie more"
    )
    assert "a (1.67e+05), b (1.67e+05)" in state.message
    assert "more than 5 ranges" in state.message
    assert "Gate.MostDistance" in state.message
    assert live(site) == before
    (mail,) = site.mail()
    assert "still published" in mail["Message"]
    assert "loosen Gate.MostDistance, Gate.MostTotalFactor" in mail["Message"]
    (refused,) = {key.split("/")[1] for key in site.keys("runs/") if key.endswith("/gate.json")} - {before[0]}
    assert site.record(refused)["state"] == "refused"
    verdict = json.loads(site.text(f"runs/{refused}/gate.json"))
    assert not verdict["passed"]
    assert {"level", "total"} <= {each["name"] for each in verdict["checks"] if each["state"] == "failed"}
    assert not site.keys(f"history/clean/{refused}/"), "what was refused is no forecast to go back to"
    with get_client(sync_client=True) as client:
        wanted = {"artifacts": {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}}}
        shown = client.request("POST", "/artifacts/filter", json=wanted).json()
    (table,) = [artifact for artifact in shown if (artifact["key"] or "").startswith("gate-")]
    assert "Gate.MostDistance" in table["data"]

    made = site.forecast.created()
    site.configure(Gate={"MostDistance": False, "MostTotalFactor": False})
    state = site.run(key="params.json")
    assert state.is_completed(), state.message
    assert live(site)[0] == refused
    assert site.forecast.created() == made, "nothing was trained or forecast again"


def test_rolling_back_restores_the_bytes_and_the_table_and_tells(two, capsys) -> None:  # type: ignore[no-untyped-def]
    site, first, second = two
    assert first[:2] != second[:2]
    assert back(site, "--previous") == 0
    assert f"Rolled back to run {first[0]}" in capsys.readouterr().out
    assert live(site) == first
    (mail,) = site.mail()
    assert mail["Subject"] == f"Forecast of {site.name} rolled back to run {first[0]}"
    assert f"In the place of: run {second[0]}" in mail["Message"]
    journal = publications.listed(site.s3, Workload(site.name))
    assert [(entry.run, entry.kind, entry.replaced) for entry in journal] == [
        (first[0], "publish", None),
        (second[0], "publish", first[0]),
        (first[0], "rollback", second[0]),
    ]
    assert "flow-run/" in (journal[-1].by or "")

    assert back(site, "--run", second[0]) == 0, "forward again"
    assert live(site) == second
    assert back(site, "--list") == 0
    listed = capsys.readouterr().out.splitlines()
    assert second[0] in listed[-2]
    assert "current" in listed[-2]
    assert first[0] in listed[-1]


def test_the_same_content_does_not_undo_a_rollback_and_other_content_does(two) -> None:  # type: ignore[no-untyped-def]
    site, first, second = two
    assert back(site) == 0
    made = site.forecast.created()
    for key in ("train/demand.csv", "params.json", None):  # an event comes twice, or a schedule looks
        state = site.run(key=key)
        assert state.is_completed()
        assert state.message.startswith(f"Rolled back: run {first[0]} stays published")
        assert second[0] in state.message
        assert live(site) == first
    assert site.forecast.created() == made
    site.upload(days=7)
    assert site.run().message.startswith("Published")
    assert site.manifest()["held"] == []
    site.upload(days=6)
    assert "published again from history" in site.run().message, "nothing is put aside any more"
    assert live(site) == second


def test_a_run_that_crashed_before_its_end_does_not_undo_a_rollback(two) -> None:  # type: ignore[no-untyped-def]
    site, first, second = two
    record = site.record(second[0])
    site.put(f"runs/{second[0]}/manifest.json", json.dumps({**record, "state": "forecast"}))
    assert back(site) == 0
    assert site.run().message.startswith("Rolled back")
    assert live(site) == first


def test_new_content_that_waits_is_published_after_a_rollback(two) -> None:  # type: ignore[no-untyped-def]
    site, first, _ = two
    site.upload(days=7)
    assert back(site) == 0
    assert live(site) == first
    assert site.run().message.startswith("Published")


def test_what_cannot_be_rolled_back_to_is_said(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert back(site) == 1
    assert "has no published forecast" in capsys.readouterr().err
    (mail,) = site.mail()
    assert mail["Subject"] == f"Rollback of {site.name} failed at Choose-Forecast"
    assert f"The rollback of {site.name} could not be done." in mail["Message"]
    assert "No forecast has been published yet." in mail["Message"]
    assert site.run().is_completed()
    before = live(site)
    assert back(site) == 1
    assert "no forecast older than the current one" in capsys.readouterr().err
    assert back(site, "--run", "0123456789ab") == 1
    assert "Run 0123456789ab has no forecast in the archive" in capsys.readouterr().err
    assert live(site) == before
    assert rollback.main(["--installation", "nobody"]) == 1
    assert "no Installation block named 'nobody'" in capsys.readouterr().err


def test_a_folder_without_a_workload_is_named_and_left_empty(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert back(site, "--folder", "nope") == 1
    said = f"s3://{site.name}/nope/ has neither a params.json nor a forecast, so nothing was done."
    assert said in capsys.readouterr().err
    assert site.keys("nope/") == []
    assert site.mail() == []
    found = boto3.client("glue").get_databases()["DatabaseList"]
    assert site.place.database not in [each["Name"] for each in found]


def test_a_rollback_that_was_killed_before_its_table_is_finished(
    two: tuple[Site, tuple[str, str, str], tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, first, second = two
    with monkeypatch.context() as patched:
        patched.setattr(tables, "point", _die)
        with pytest.raises(KeyboardInterrupt):
            back(site)
    assert site.manifest()["run"] == first[0]
    assert table_location(site) == second[2], "half done"
    assert site.run().message.startswith("Rolled back")
    assert live(site) == first
    (mail,) = site.mail()
    assert f"rolled back to run {first[0]}" in mail["Subject"]
    assert site.run().message.startswith("Rolled back")
    assert site.mail() == []


def test_a_rollback_does_not_replace_what_was_published_while_it_waited(
    two: tuple[Site, tuple[str, str, str], tuple[str, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site, first, _ = two
    usual = rollback.turn

    @contextmanager
    def late(label: str) -> Iterator[None]:
        site.upload(days=7)
        assert site.run().is_completed()  # the corrected data were at work when somebody asked
        with usual(label):
            yield

    with monkeypatch.context() as patched:
        patched.setattr(rollback, "turn", late)
        assert back(site) == 1
    corrected = site.manifest()["run"]
    assert f"run {corrected} replaced it. Nothing was changed" in capsys.readouterr().err
    assert back(site, "--run", first[0]) == 0, "whoever names a run means it"
    assert live(site) == first


def test_a_rollback_that_is_killed_while_it_waits_still_means_what_it_meant(
    two: tuple[Site, tuple[str, str, str], tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, first, second = two
    given = {"bucket": site.name, "folder": None, "run": None, "installation": site.name}
    with get_client(sync_client=True) as client:
        made = client.create_flow_run(rollback.roll_back_workload, parameters=given)

        def attempt() -> State[Any]:
            client.set_flow_run_state(made.id, Pending(), force=True)
            now = client.read_flow_run(made.id)
            return run_flow(rollback.roll_back_workload, now, given, return_type="state")

        with monkeypatch.context() as patched:
            patched.setattr(rollback, "turn", _die)
            with pytest.raises(KeyboardInterrupt):
                attempt()
        assert f"back to {first[0]} instead of {second[0]}" in client.read_flow_run(made.id).tags
        site.upload(days=7)
        assert site.run().is_completed()
        corrected = site.manifest()["run"]
        state = attempt()
        assert state.is_failed()
        assert f"run {corrected} replaced it. Nothing was changed" in state.message
        assert site.manifest()["run"] == corrected

        assert attempt().is_completed(), "somebody has read that, and means what is published now"
        assert site.manifest()["run"] == second[0]


def test_an_archive_that_was_emptied_is_made_anew_when_its_content_comes_back(
    two: tuple[Site, tuple[str, str, str], tuple[str, str, str]],
) -> None:
    site, first, _ = two
    for key in site.keys("history/clean/"):
        site.s3.delete_object(Bucket=site.name, Key=key)  # a lifecycle rule of the bucket
    site.upload()
    site.forecast.value = 13.0
    state = site.run()
    assert state.message.startswith("Published"), state.message
    assert site.manifest()["run"] == first[0]


def _die(*_: object) -> None:
    raise KeyboardInterrupt
