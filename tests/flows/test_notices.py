"""Notices about runs that ended from outside, and the end of a circle of crashes."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import EndpointConnectionError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Cancelling, Crashed, Failed, Running

from blocks.installation import Installation
from flows import crashes
from flows.forecast import forecast_workload
from flows.notices import notice, tell_of_end
from pipeline import messages
from pipeline.workload import Workload
from tasks.notify import send
from tests.flows.conftest import Site, shared


@pytest.fixture
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as made:
        yield made


def ended(client: SyncPrefectClient, site: Site, *states: State[Any], **parameters: Any) -> tuple[str, str]:
    """A flow run that came to its end through these states; what the event of its end says."""
    given = {"bucket": site.name, "key": "train/a.csv", "installation": site.name, **parameters}
    run = client.create_flow_run(forecast_workload, parameters=given, name="shop · a.csv")
    for state in (Running(), *states):
        client.set_flow_run_state(run.id, state, force=True)
    return f"prefect.flow-run.{run.id}", str(client.read_flow_run(run.id).state_id)


def run_of(client: SyncPrefectClient, told: tuple[str, str]) -> FlowRun:
    return client.read_flow_run(UUID(told[0].rsplit(".", 1)[-1]))


def test_a_crash_is_told_once_and_says_what_comes_next(site: Site, client: SyncPrefectClient) -> None:
    told = ended(client, site, Crashed(message="SIGKILL"))
    assert notice(*told, return_state=True).message == f"Told: Forecast of {site.name}: the run crashed"
    (mail,) = site.mail()
    assert "SIGKILL" in mail["Message"]
    assert "starts again by itself" in mail["Message"]
    assert "No forecast has been published yet." in mail["Message"]
    assert notice(*told, return_state=True).message.startswith("People know")
    assert not site.mail()


def test_the_hook_and_the_notice_from_outside_do_not_tell_twice(
    site: Site, client: SyncPrefectClient
) -> None:
    told = ended(client, site, Cancelling(), Cancelled(message="done"))
    earlier = Cancelling(message="by somebody")  # what Prefect passes to the hook
    tell_of_end(flow=forecast_workload, flow_run=run_of(client, told), state=earlier)
    notice(*told, return_state=True)
    (mail,) = site.mail()
    assert "was cancelled: by somebody" in mail["Message"]


def test_a_failure_that_the_run_could_not_tell_is_told_from_outside(
    site: Site, client: SyncPrefectClient
) -> None:
    told = ended(client, site, Failed(message="Validation of flow parameters failed\nwith rows: 1,2,3"))
    notice(*told, return_state=True)
    (mail,) = site.mail()
    assert "Validation of flow parameters failed." in mail["Message"]
    assert "1,2,3" not in mail["Message"]


def test_a_failure_that_the_run_told_is_not_told_again(site: Site, client: SyncPrefectClient) -> None:
    site.put("params.json", "{")
    state = site.run()
    assert state.is_failed()
    assert len(site.mail()) == 1
    run = client.read_flow_run(state.state_details.flow_run_id)
    answer = notice(f"prefect.flow-run.{run.id}", str(run.state_id), return_state=True)
    assert answer.message.startswith("People know")
    assert not site.mail()


def test_a_failure_whose_own_notice_was_not_sent_is_told_from_outside(
    site: Site, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("params.json", "{")
    usual = Installation.client

    def without_sns(self: Installation, service: str) -> Any:
        if service == "sns":
            raise EndpointConnectionError(endpoint_url="http://sns")
        return usual(self, service)

    with monkeypatch.context() as denied:
        denied.setattr(Installation, "client", without_sns)
        state = site.run()
    assert state.is_failed()
    assert "params.json" in state.message
    run = client.read_flow_run(state.state_details.flow_run_id)
    notice(f"prefect.flow-run.{run.id}", str(run.state_id), return_state=True)
    (mail,) = site.mail()
    assert "failed" in mail["Subject"]


def test_a_hook_that_fails_is_only_logged(
    site: Site, client: SyncPrefectClient, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(client, ended(client, site, Crashed(message="x"), installation="no-such-block"))
    assert run.state is not None
    tell_of_end(flow=forecast_workload, flow_run=run, state=run.state)
    assert not site.mail()
    assert "Could not tell" in caplog.text


def test_a_notice_that_cannot_be_sent_is_tried_again_and_then_fails_alone(
    site: Site, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ended(client, site, Crashed(message="x"))
    shared("sns").delete_topic(TopicArn=site.place.topic_arn)
    state = notice.with_options(retries=1, retry_delay_seconds=0)(*told, return_state=True)
    assert state.is_failed()
    assert notice.retries == 3


def test_without_a_topic_there_is_nobody_to_tell(site: Site, client: SyncPrefectClient) -> None:
    site.place.topic_arn = None
    site.place.save(site.name, overwrite=True)
    told = ended(client, site, Crashed(message="x"))
    assert "has no topic" in notice(*told, return_state=True).message


@pytest.mark.parametrize("trouble", ["no topic", "denied", "no region"])
def test_a_notice_that_fails_never_fails_a_run(
    site: Site, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    usual = Installation.client

    def client_of(self: Installation, service: str) -> Any:
        if service == "sns" and trouble == "no region":
            raise ValueError("no region")
        return usual(self, service)

    monkeypatch.setattr(Installation, "client", client_of)
    topic = {"no topic": None, "denied": "arn:aws:sns:us-east-1:1:gone", "no region": "arn:aws:sns:x:1:y"}
    place = site.place.model_copy(update={"topic_arn": topic[trouble]})
    assert send(place, messages.Message("hello", "world")) is False
    place.save(site.name, overwrite=True)
    assert site.run().is_completed()


def test_the_client_of_notices_gives_up_within_half_a_minute() -> None:
    config = Installation(bucket="demand", role_arn="r").client("sns").meta.config
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) < 45
    assert Installation(bucket="demand", role_arn="r").client("s3").meta.config.read_timeout == 60


def test_a_run_that_crashes_every_time_comes_to_an_end_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "crashes_of", lambda _: crashes.MOST_CRASHES)
    state = site.run()
    assert state.is_failed()
    assert "has died 5 times" in state.message
    assert not site.forecast.calls
    (mail,) = site.mail()
    assert "has died 5 times" in mail["Message"]


def test_odd_characters_of_a_key_stay_in_their_line(site: Site, client: SyncPrefectClient) -> None:
    folder = "a\nWhat to do: pay‮/"
    told = ended(client, site, Crashed(message="x"), key=f"{folder}train/b\n.csv")
    notice(*told, return_state=True)
    (mail,) = site.mail()
    assert "\nWhat to do: pay" not in mail["Message"]
    assert "\u202e" not in mail["Message"]
    assert mail["Subject"].isprintable()
    assert Workload(site.name, folder).label == f"{site.name}/a\\u000aWhat to do: pay\\u202e"
