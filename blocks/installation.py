"""Who and where: the one block a run needs to find its bucket, its role and the services."""

import threading
from typing import Any

from botocore.config import Config
from prefect.blocks.core import Block
from prefect_aws import AwsCredentials
from pydantic import Field, PrivateAttr

from blocks.whole import insist_on_whole_answers

# Standard retries wait and try again on throttling and broken connections; the time-outs notice a service
# that has gone away without closing the connection.
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 10},
    connect_timeout=5,
    read_timeout=60,
    tcp_keepalive=True,
)

# A notice is not worth a long wait: what cannot be told now is told from outside, later.
NOTICE_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=3, read_timeout=10
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
    workgroup: str = Field(
        default="primary", description="Athena work group that runs the queries of QuickSight."
    )
    quicksight_principal: str | None = Field(
        default=None,
        description="ARN of the QuickSight user or group that owns the dashboards; none without it.",
    )
    forecast_endpoint_url: str | None = Field(
        default=None,
        description="Address of an Amazon-Forecast-compatible server; without one, the usual AWS endpoints.",
    )

    _clients: dict[str, Any] = PrivateAttr(default_factory=dict)
    _session: Any = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

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

        Made once per service, from one session: reading service models takes longer than most calls.
        Clients may be shared between threads.

        Args:
            service: boto3's name of the service, such as `s3` or `forecast`.
        """
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        options = self.credentials.aws_client_parameters.get_params_override()
        usual = CLIENT_CONFIG.merge(NOTICE_CONFIG) if service == "sns" else CLIENT_CONFIG
        options["config"] = usual.merge(options.get("config") or Config())
        if self.forecast_endpoint_url and service in FORECAST_SERVICES:
            options["endpoint_url"] = self.forecast_endpoint_url
        self._session = self._session or self.credentials.get_boto3_session()
        return insist_on_whole_answers(self._session.client(service, **options))
