"""Notices about runs that ended from outside, and the end of a circle of crashes."""

from types import SimpleNamespace
from typing import Any

import pytest

from flows import forecast
from flows.notices import tell_of_cancellation, tell_of_crash
from tests.flows.conftest import Site


def ended(site: Site, **parameters: Any) -> dict[str, Any]:
    """What Prefect passes to a hook, by name."""
    given = {"bucket": site.name, "key": "train/a.csv", "installation": site.name, **parameters}
    run = SimpleNamespace(name="shop · a.csv", parameters=given)
    return {"flow": None, "flow_run": run, "state": SimpleNamespace(message="SIGKILL")}


def test_a_crash_is_told(site: Site) -> None:
    tell_of_crash(**ended(site))
    (mail,) = site.mail()
    assert "SIGKILL" in mail["Message"]
    assert "starts again by itself" in mail["Message"]


def test_a_cancellation_is_told(site: Site) -> None:
    tell_of_cancellation(**ended(site))
    (mail,) = site.mail()
    assert "was cancelled" in mail["Message"]


def test_a_notice_that_fails_is_only_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    tell_of_crash(**ended(site, installation="no-such-block"))
    assert not site.mail()
    assert "Could not tell" in caplog.text


def test_a_run_that_crashes_every_time_comes_to_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "crashes_of", lambda _: forecast.MOST_CRASHES)
    state = site.run()
    assert state.is_failed()
    assert "has died 5 times" in state.message
    assert not site.forecast.calls
