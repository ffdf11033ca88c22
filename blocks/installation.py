"""Who and where: the one block a run needs to find its bucket, its role and the services."""

from typing import Any

from botocore.config import Config
from prefect.blocks.core import Block
from prefect_aws import AwsCredentials
from pydantic import Field

# Standard retries wait and try again on throttling and broken connections; the time-outs notice a service
# that has gone away without closing the connection.
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 10},
    connect_timeout=5,
    read_timeout=60,
    tcp_keepalive=True,
)

FORECAST_SERVICES = ("forecast", "forecastquery")


class Installation(Block):
    """One installation of the forecasting workflow: credentials, names and addresses."""

    _block_type_name = "Installation"
    _block_type_slug = "installation"
    _description = "Where an installation of the forecasting workflow keeps its data, and whom it acts as."
    _logo_url = None  # a logo on another host would not load offline

    credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        description="AWS credentials; without keys the usual chain (environment, profile, role) is used.",
    )
    bucket: str = Field(description="Bucket of the installation's own workload.", min_length=3, max_length=63)
    role_arn: str = Field(
        description="Role that the forecasting service assumes to read and write the bucket."
    )
    topic_arn: str | None = Field(
        default=None, description="SNS topic for notices; without one a run tells nobody."
    )
    database: str = Field(default="forecast", description="Glue database of the workloads' tables.")
    namespace: str = Field(default="Forecast", description="CloudWatch namespace of the accuracy metrics.")
    forecast_endpoint_url: str | None = Field(
        default=None,
        description="Address of an Amazon-Forecast-compatible server; without one, the usual AWS endpoints.",
    )

    @classmethod
    def named(cls, name: str) -> "Installation":
        """The saved block of this name.

        Raises:
            ValueError: there is none.
        """
        try:
            found = cls.load(name)
        except ValueError as error:
            raise ValueError(
                f"There is no Installation block named {name!r} on this Prefect server. "
                "Save it with `python -m blocks`, or name another one."
            ) from error
        assert isinstance(found, cls)  # a coroutine only where an event loop is running
        return found

    def client(self, service: str) -> Any:
        """A boto3 client with the installation's credentials, endpoints, retries and time-outs.

        Args:
            service: boto3's name of the service, such as `s3` or `forecast`.
        """
        options = self.credentials.aws_client_parameters.get_params_override()
        options["config"] = CLIENT_CONFIG.merge(options.get("config") or Config())
        if self.forecast_endpoint_url and service in FORECAST_SERVICES:
            options["endpoint_url"] = self.forecast_endpoint_url
        return self.credentials.get_boto3_session().client(service, **options)
