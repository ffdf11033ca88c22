"""The data contract as a run keeps it: what is imported, what is told, and what is told to nobody."""

import json
import logging

import pytest
from prefect.client.orchestration import get_client

from tests.flows.conftest import Site, demand

MARK = "Zq7marked"
SECRET = "AKIAZQ7SECRETSECRET"
BAD_ROWS = f"2024-01-04 00:00:00,{MARK},a\n{MARK},1,a\n2024-01-04 00:00:00,1,{MARK},{MARK}\n"


def shown(site: Site, run_id: str) -> str:
    """Everything that the Prefect server keeps of a run: states, logs, artifacts, events."""
    with get_client(sync_client=True) as client:
        own = {"flow_runs": {"id": {"any_": [run_id]}}}
        kept = [
            client.request("POST", "/flow_runs/filter", json=own).json(),
            client.request("POST", "/task_runs/filter", json=own).json(),
            client.request("GET", "/flow_run_states/", params={"flow_run_id": run_id}).json(),
            client.request("POST", "/logs/filter", json={"logs": {"flow_run_id": {"any_": [run_id]}}}).json(),
            client.request(
                "POST", "/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [run_id]}}}
            ).json(),
            client.request("POST", "/events/filter", json={"filter": {}, "limit": 50}).json(),
        ]
    return json.dumps(kept)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "prefect")
    return caplog


def test_tolerated_rows_are_set_aside_and_the_message_says_so(site: Site) -> None:
    site.configure(Checks={"MostBadRows": 0.1})
    site.put("train/demand.csv", demand(4) + BAD_ROWS)
    state = site.run()
    assert state.is_completed(), state.message
    run = site.manifest()["run"]
    assert len(site.text(f"runs/{run}/rejected/train/demand.csv").splitlines()) == 4
    assert site.record(run)["form"]["files"]["train"][0]["rows"] == 192
    report = json.loads(site.text(f"runs/{run}/quality.json"))
    assert (report["outcome"], report["bad_rows"]) == ("accepted", 3)
    (mail,) = site.mail()
    assert "they are in rejected/ of the run" in mail["Message"]
    assert len(site.published()) == 1 + 2 * 6 * 3


@pytest.mark.parametrize("checks", [{}, {"MostBadRows": 0.1}])
def test_values_of_rows_and_credentials_are_in_the_bucket_only(
    site: Site, checks: dict[str, float], monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    site.configure(Checks=checks)
    site.put("train/demand.csv", demand(4) + BAD_ROWS)
    state = site.run()
    assert state.is_completed() == bool(checks), state.message
    (mail,) = site.mail()
    everything = [shown(site, str(state.state_details.flow_run_id)), mail["Subject"], mail["Message"]]
    everything += [state.message or "", log.text]
    assert "column timestamp" in everything[0], "the artifact and the states are among what is searched"
    for text in everything:
        assert MARK not in text
        assert SECRET not in text
    kept = [site.text(key) for key in site.keys("runs/") if key.endswith("quality.json")]
    assert any(MARK in text for text in kept)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a row twice", "Checks.Duplicates"),
        ("another encoding", "UTF-16"),
        ("too short", "ForecastHorizon"),
    ],
)
def test_a_refusal_creates_nothing_and_the_report_is_on_the_runs_page(
    site: Site, name: str, expected: str
) -> None:
    bodies = {
        "a row twice": (demand(4) + "2024-01-01 00:00:00,5,a\n").encode(),
        "another encoding": demand(4).encode("utf-16"),
        "too short": "\n".join(demand(1, "a").splitlines()[:12]).encode(),
    }
    site.s3.put_object(Bucket=site.name, Key="train/demand.csv", Body=bodies[name])
    state = site.run()
    assert state.is_failed()
    assert expected in state.message
    assert not site.forecast.made
    assert site.s3.get_object(Bucket=site.name, Key="train/demand.csv")["Body"].read() == bodies[name]
    page = shown(site, str(state.state_details.flow_run_id))
    assert "quality-" in page
    assert expected in page
