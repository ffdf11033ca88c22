"""QuickSight in a run: left out where it is not set up, and never the reason why a run fails."""

from collections.abc import Callable

import pytest

from blocks.installation import Installation
from tests.flows.conftest import Site, shared
from tests.pipeline.fake_quicksight import PRINCIPAL, FakeQuickSight, Refused


@pytest.fixture
def quicksight() -> FakeQuickSight:
    return FakeQuickSight()


@pytest.fixture
def set_up(site: Site, quicksight: FakeQuickSight, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes QuickSight a part of the installation."""
    others = {"forecast": site.forecast, "quicksight": quicksight.client}
    monkeypatch.setattr(
        Installation, "client", lambda _, service: others[service] if service in others else shared(service)
    )

    def call() -> None:
        site.place.quicksight_principal = PRINCIPAL
        site.place.save(site.name, overwrite=True)

    return call


def test_quicksight_shows_what_a_run_has_left_once_it_is_set_up(
    site: Site, quicksight: FakeQuickSight, set_up: Callable[[], None]
) -> None:
    assert site.run().is_completed()
    assert quicksight.calls == []
    set_up()
    site.upload(days=5)
    state = site.run()
    assert state.is_completed(), state.message
    assert quicksight.one("Dashboard")["versions"][-1]["asked"]["Name"] == f"Forecast of {site.name}"
    names = [page["Name"] for page in quicksight.sent("CreateDashboard")[0]["Definition"]["Sheets"]]
    assert names == ["Forecast", "How it turned out", "Accuracy", "Worst items", "Runs"]
    quicksight.forget_calls()
    site.upload(days=6)
    assert site.run().message.startswith("Published")
    assert quicksight.calls
    assert quicksight.changes == []


def test_a_quicksight_that_refuses_is_a_note_in_the_message(
    site: Site, quicksight: FakeQuickSight, set_up: Callable[[], None]
) -> None:
    set_up()
    quicksight.refusals["CreateDataSource"] = Refused(
        "ResourceNotFoundException", "Nobody has signed up.", 404
    )
    state = site.run()
    assert state.is_completed(), state.message
    assert site.record(site.manifest()["run"])["state"] == "published"
    (mail,) = site.mail()
    assert "Note: QuickSight was not updated. " in mail["Message"]
    assert "Sign this account up for QuickSight" in mail["Message"]
