"""The log of a run, or the program's own where there is no run."""

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError


def logger() -> "logging.Logger | logging.LoggerAdapter[Any]":
    """Prefect's logger of the current flow or task run; outside of one, a plain logger."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("forecast")
