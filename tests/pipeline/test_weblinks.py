import boto3
import pytest

from pipeline.weblinks import weblink


def client(endpoint_url: str | None = None):
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client("s3", region_name="eu-west-1", endpoint_url=endpoint_url, **keys)


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("s3://b/forecast/1/forecast.csv", "http://127.0.0.1:8500/b/forecast/1/forecast.csv"),
        ("s3://b/a shop/ü&.csv", "http://127.0.0.1:8500/b/a%20shop/%C3%BC%26.csv"),
        ("s3://b/history/raw/", "http://127.0.0.1:8500/b?list-type=2&prefix=history%2Fraw%2F"),
        ("s3://b", "http://127.0.0.1:8500/b?list-type=2&prefix="),
    ],
)
def test_elsewhere_it_is_the_stores_own_address(uri: str, link: str) -> None:
    assert weblink(client("http://127.0.0.1:8500"), uri) == link


def test_on_aws_it_is_the_consoles_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    aws = client()
    assert weblink(aws, "s3://b/a/x.csv") == (
        "https://s3.console.aws.amazon.com/s3/object/b?region=eu-west-1&prefix=a%2Fx.csv"
    )
    assert weblink(aws, "s3://b/a/") == (
        "https://s3.console.aws.amazon.com/s3/buckets/b?region=eu-west-1&prefix=a%2F"
    )
