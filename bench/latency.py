"""From an upload to its run: how long until the run exists, and until its code runs. Needs `make up`.

    python -m bench.latency [--uploads 20]

Each upload is a params.json in a folder of its own: it goes the whole way from S3 through the bridge to the
worker, and the run ends at once because there is no data. Times are seconds after `put_object` returned:
`created` is when the server made the run, `running` when its first line of code ran.
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from local.aws_setup import client
from local.run_view import RunView
from local.screen import table
from local.settings import BUCKET, Settings

LONGEST_S = 120
LOOK_EVERY_S = 0.3


@dataclass(frozen=True)
class Latency:
    """Seconds from the upload until its run was created, and until it ran."""

    created_s: float
    running_s: float


def measure(view: RunView, number: int) -> Latency:
    """One upload.

    Raises:
        TimeoutError: it started no run within two minutes.
    """
    folder = f"latency/{int(time.time())}-{number}/"
    since = datetime.now(UTC)
    client("s3").put_object(Bucket=BUCKET, Key=f"{folder}params.json", Body=b"{}")
    put = datetime.now(UTC)
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        runs = view.runs_since(BUCKET, folder, since)
        if runs and runs[0].is_final and runs[0].started:
            created, running = runs[0].created, runs[0].started
            return Latency((created - put).total_seconds(), (running - put).total_seconds())
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError(f"s3://{BUCKET}/{folder}params.json started no run that ended within {LONGEST_S} s")


def report(found: list[Latency]) -> list[str]:
    """The lines of the result."""
    columns = {
        "run created": [each.created_s for each in found],
        "code running": [each.running_s for each in found],
    }
    rows = [
        [name, *[f"{value:.2f}" for value in (min(values), statistics.median(values), max(values))]]
        for name, values in columns.items()
    ]
    return table([f"{len(found)} uploads", "least", "median", "most"], rows)


def main() -> None:
    """Measure one upload after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--uploads", type=int, default=20)
    given = parser.parse_args()
    settings = Settings.from_environment(os.environ)
    os.environ.update(settings.environment(os.environ))
    view = RunView(settings.prefect_url)
    found = []
    for number in range(given.uploads):
        found.append(measure(view, number))
        print(f"  upload {number + 1}: {found[-1].created_s:.2f} s, {found[-1].running_s:.2f} s", flush=True)
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()
