"""`python -m bridge`: relay S3 notifications from a queue into Prefect until told to end.

`python -m bridge dead list|replay|drop` is about the messages that could never be processed.

Settings come from the environment:

    FORECAST_QUEUE              name or URL of the queue (forecast-uploads)
    FORECAST_BRIDGE_POLL_S      longest wait for a message, 0 … 20 (20)
    FORECAST_BRIDGE_LINGER_S    wait for more of the same burst (0.3)
    FORECAST_BRIDGE_CONFIRM_S   wait for Prefect to start a run (30)
    AWS_*, PREFECT_*            where AWS and the Prefect server are, as usual
"""

import argparse
import logging
import math
import os
import signal
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from prefect.client.orchestration import get_client

from bridge import deadletters
from bridge.announcer import Announcer
from bridge.queue import NoDeadLetters, Queue
from bridge.relay import Pace, Relay

LONGEST_POLL_S = 20


def pace_from(environment: dict[str, str]) -> Pace:
    """The waiting times that the environment asks for.

    Raises:
        SystemExit: a value is no number of seconds, or the poll is longer than SQS allows.
    """
    usual = Pace()
    try:
        pace = Pace(
            poll_s=int(environment.get("FORECAST_BRIDGE_POLL_S", usual.poll_s)),
            linger_s=float(environment.get("FORECAST_BRIDGE_LINGER_S", usual.linger_s)),
            confirm_s=float(environment.get("FORECAST_BRIDGE_CONFIRM_S", usual.confirm_s)),
        )
    except ValueError as error:
        raise SystemExit(f"FORECAST_BRIDGE_* must be numbers of seconds: {error}") from error
    for name, seconds in (("LINGER", pace.linger_s), ("CONFIRM", pace.confirm_s)):
        if not 0 <= seconds < math.inf:
            raise SystemExit(f"FORECAST_BRIDGE_{name}_S is {seconds}; give a number of seconds from 0 on")
    if not 0 <= pace.poll_s <= LONGEST_POLL_S:
        raise SystemExit(f"FORECAST_BRIDGE_POLL_S is {pace.poll_s}; SQS waits 0 to {LONGEST_POLL_S} seconds")
    return pace


def queue_from(environment: dict[str, str], poll_s: int) -> Queue:
    """The queue that the environment names."""
    sqs = boto3.client(
        "sqs",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=5,
            read_timeout=poll_s + 15,
        ),
    )
    return Queue(sqs, environment.get("FORECAST_QUEUE", "forecast-uploads"))


def relay_until_told(queue: Queue, pace: Pace) -> None:
    """Relay; SIGTERM and SIGINT end it within a second or two."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stdout
    )
    for chatty in ("httpx", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with get_client(sync_client=True) as client:  # brings authentication, CSRF and retries on 503
        relay = Relay(queue, Announcer(client), pace)
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, lambda *_: relay.stop())
        logging.getLogger("bridge").info("relaying %s to %s", queue.name, client.api_url)
        relay.run()


def main() -> None:
    """Do what the command line says, with the settings of the environment."""
    asked = _parser().parse_args()
    pace = pace_from(dict(os.environ))
    try:
        queue = queue_from(dict(os.environ), pace.poll_s)
        if asked.part == "dead":
            raise SystemExit(deadletters.main(queue, asked))
    except (NoDeadLetters, BotoCoreError, ClientError) as error:
        raise SystemExit(str(error)) from error
    relay_until_told(queue, pace)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bridge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part")
    parts.add_parser("relay", help="what it does if nothing is said")
    deadletters.define(parts.add_parser("dead", help="the messages that could never be processed"))
    return parser


if __name__ == "__main__":
    main()
