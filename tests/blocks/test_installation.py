"""The block that says who and where."""

import pytest
from prefect.blocks.core import Block
from prefect_aws import AwsCredentials

from blocks.__main__ import installation_from
from blocks.installation import Installation

ENVIRONMENT = {
    "FORECAST_BUCKET": "demand",
    "FORECAST_ROLE_ARN": "arn:aws:iam::0:role/f",
    "AWS_REGION": "eu-west-1",
}
BLOCKS = [Installation]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_every_block_describes_itself_and_its_fields(block: type[Block]) -> None:
    assert block.get_description()
    assert block.get_block_type_slug().replace("-", "").isalnum()
    own = [name for name in block.model_fields if not name.startswith("_")]
    assert [name for name in own if not block.model_fields[name].description] == []


def test_the_environment_makes_the_block() -> None:
    made = installation_from({**ENVIRONMENT, "FORECAST_TOPIC_ARN": "", "FORECAST_DATABASE": "sales"})
    assert (made.bucket, made.topic_arn, made.database, made.namespace) == (
        "demand",
        None,
        "sales",
        "Forecast",
    )
    assert made.credentials.region_name == "eu-west-1"


def test_quicksight_is_set_up_by_naming_whom_it_is_for() -> None:
    assert installation_from(ENVIRONMENT).quicksight_principal is None
    ann = "arn:aws:quicksight:eu-west-1:111122223333:user/default/ann"
    made = installation_from(
        {**ENVIRONMENT, "FORECAST_QUICKSIGHT_PRINCIPAL": ann, "FORECAST_WORKGROUP": "own"}
    )
    assert (made.quicksight_principal, made.workgroup) == (ann, "own")


def test_keys_are_not_saved() -> None:
    made = installation_from({**ENVIRONMENT, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"})
    assert made.credentials.aws_access_key_id is None
    assert made.credentials.aws_secret_access_key is None


@pytest.mark.parametrize("name", ["FORECAST_BUCKET", "FORECAST_ROLE_ARN"])
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(SystemExit, match=name):
        installation_from({**ENVIRONMENT, name: ""})


def test_clients_retry_and_give_up_on_dead_connections() -> None:
    config = installation_from(ENVIRONMENT).client("s3").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 10}
    assert (config.connect_timeout, config.read_timeout, config.tcp_keepalive) == (5, 60, True)


def test_only_the_forecasting_service_goes_to_its_own_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    made = Installation(
        credentials=AwsCredentials(region_name="eu-west-1"),
        bucket="demand",
        role_arn="r",
        forecast_endpoint_url="http://127.0.0.1:8600",
    )
    assert made.client("forecast").meta.endpoint_url == "http://127.0.0.1:8600"
    assert made.client("forecastquery").meta.endpoint_url == "http://127.0.0.1:8600"
    assert "amazonaws.com" in made.client("s3").meta.endpoint_url


def test_the_standard_environment_decides_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:8500")
    monkeypatch.setenv("AWS_ENDPOINT_URL_FORECAST", "http://127.0.0.1:8600")
    made = installation_from(ENVIRONMENT)
    assert made.client("s3").meta.endpoint_url == "http://127.0.0.1:8500"
    assert made.client("forecast").meta.endpoint_url == "http://127.0.0.1:8600"
