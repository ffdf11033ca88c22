"""`python -m pipeline.quicksight`: a workload's data sets, analysis and dashboard in QuickSight.

Run it as often as you like: it prints what it created, updated or left alone. Without options it takes the
environment that `python -m blocks` takes; credentials come from the usual chain.
"""

import argparse
import os
import sys
from collections.abc import Sequence

import boto3

from pipeline import params
from pipeline.errors import FOREIGN, PipelineError, translate
from pipeline.quicksight.upkeep import bring_up_to_date
from pipeline.workload import Workload


def main(arguments: Sequence[str] | None = None) -> int:
    """Brings QuickSight up to date; 0 if that went well."""
    asked = _parser().parse_args(arguments)
    workload = Workload.meant_by(asked.bucket, folder=asked.folder)
    assert workload is not None  # only a key can be no input of a workload
    try:
        for change in bring_up_to_date(
            boto3.client("quicksight"),
            boto3.client("glue"),
            asked.database,
            workload,
            params.read(boto3.client("s3"), workload),
            asked.principal,
            asked.workgroup,
            asked.again,
        ):
            print(change)
    except (PipelineError, *FOREIGN) as error:
        print(translate(error, "updating QuickSight"), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.quicksight", description=__doc__)
    for name, variable, usual, words in (
        ("--bucket", "FORECAST_BUCKET", None, "bucket of the workload"),
        ("--principal", "FORECAST_QUICKSIGHT_PRINCIPAL", None, "ARN of the QuickSight user or group"),
        ("--database", "FORECAST_DATABASE", "forecast", "Glue database"),
        ("--workgroup", "FORECAST_WORKGROUP", "primary", "Athena work group"),
    ):
        known = os.environ.get(variable) or usual
        parser.add_argument(name, default=known, required=known is None, help=f"{words} ({variable})")
    parser.add_argument("--folder", default="", help="the workload's folder in the bucket")
    parser.add_argument("--again", action="store_true", help="send everything again, whatever is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
