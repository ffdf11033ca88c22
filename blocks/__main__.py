"""`python -m blocks`: save what a run needs to know on the Prefect server; run it as often as you like.

It registers the block types, saves the block `Installation/default` from the environment, and installs
the automations that bring a run back whose process was killed.

    FORECAST_BUCKET         bucket of the installation (required)
    FORECAST_ROLE_ARN       role that the forecasting service assumes (required)
    FORECAST_TOPIC_ARN      SNS topic for notices
    FORECAST_DATABASE       Glue database (forecast)
    FORECAST_NAMESPACE      CloudWatch namespace (Forecast)
    FORECAST_QUICKSIGHT_PRINCIPAL
                            ARN of the QuickSight user or group that owns the dashboards (none)
    FORECAST_WORKGROUP      Athena work group of QuickSight's queries (primary)
    FORECAST_ENDPOINT_URL   an Amazon-Forecast-compatible server, unless AWS_ENDPOINT_URL… says so already
    AWS_REGION              region of the clients

Keys are not saved: every worker uses its own, from the usual chain of environment, profile and role.
"""

import os

from prefect_aws import AwsCredentials

from blocks.installation import Installation
from blocks.recovery import install_recovery

REQUIRED = ("FORECAST_BUCKET", "FORECAST_ROLE_ARN")


def installation_from(environment: dict[str, str]) -> Installation:
    """The block that the environment describes.

    Raises:
        SystemExit: a required variable is not set.
    """
    missing = [name for name in REQUIRED if not environment.get(name)]
    if missing:
        raise SystemExit(f"not set: {', '.join(missing)}; export them (`source .local/env`) and run again")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return Installation(
        credentials=AwsCredentials(region_name=region),
        bucket=environment["FORECAST_BUCKET"],
        role_arn=environment["FORECAST_ROLE_ARN"],
        topic_arn=environment.get("FORECAST_TOPIC_ARN") or None,
        database=environment.get("FORECAST_DATABASE") or "forecast",
        namespace=environment.get("FORECAST_NAMESPACE") or "Forecast",
        workgroup=environment.get("FORECAST_WORKGROUP") or "primary",
        quicksight_principal=environment.get("FORECAST_QUICKSIGHT_PRINCIPAL") or None,
        forecast_endpoint_url=environment.get("FORECAST_ENDPOINT_URL") or None,
    )


def main() -> None:
    """Register, save and install; what exists already is updated."""
    installation = installation_from(dict(os.environ))
    for block in (AwsCredentials, Installation):
        block.register_type_and_schema()
    installation.save("default", overwrite=True)
    print(f"saved the block installation/default for s3://{installation.bucket}")
    for name in install_recovery():
        print(f"installed the automation “{name}”")


if __name__ == "__main__":
    main()
