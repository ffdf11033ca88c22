"""`python -m pipeline.recount`: computes the ledger again from the archive and from the uploads as they are.

With `--check` it only compares, byte by byte, and its exit status is 1 if something differs; without, it puts
right what does. Without other options it takes the environment that `python -m blocks` takes.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3

from pipeline import contract, inputs, ledger, ledgertables, params, recent, storage
from pipeline.errors import FOREIGN, PipelineError, translate
from pipeline.ledger import Score
from pipeline.params import Params
from pipeline.workload import Workload

SAME, MISSING, DIFFERENT = "same", "missing", "different"
RIGHT = "put right"


@contextmanager
def history_of(s3: Any, workload: Workload, given: Params) -> Iterator[list[str]]:
    """The target's files as a run would import them: checked, cleaned, and copied aside for the moment."""
    aside = f"recount-{uuid4().hex[:12]}"
    try:
        with contract.examine(s3, workload, given, inputs.take_stock(s3, workload, given)) as examination:
            examination.accepted()
            examination.stage(aside)
        yield recent.staged(s3, workload, aside)
    finally:
        storage.remove(s3, workload, f"runs/{aside}/")


def recount(s3: Any, workload: Workload, given: Params, only_check: bool) -> Iterator[tuple[Score, str]]:
    """Computes each forecast's part of the ledger anew, newest first, and compares it with what is there.

    Args:
        only_check: write nothing.

    Returns:
        Each score, with what was found, or that it was put right.
    """
    with history_of(s3, workload, given) as history:
        for score, objects in ledger.again(s3, workload, given, history):
            found = _compared(s3, workload, objects)
            if found != SAME and not only_check:
                for rel, body in objects.items():
                    ledger.put(s3, workload, rel, body)
                found = f"{found}: {RIGHT}"
            yield score, found


def _compared(s3: Any, workload: Workload, objects: dict[str, bytes]) -> str:
    if not all(storage.keys(s3, workload, rel) for rel in objects):
        return MISSING
    same = all(
        storage.digest(s3, workload, rel)[1] == hashlib.sha256(body).hexdigest()
        for rel, body in objects.items()
    )
    return SAME if same else DIFFERENT


def main(arguments: Sequence[str] | None = None) -> int:
    """Recount, a line for each forecast; 0 if all is as it should be now."""
    asked = _parser().parse_args(arguments)
    workload = Workload.meant_by(asked.bucket, folder=asked.folder)
    assert workload is not None  # only a key can be no input of a workload
    s3 = boto3.client("s3")
    try:
        given = params.read(s3, workload)
        found = []
        for score, what in recount(s3, workload, given, asked.check):
            print(f"{score.run}  {score.first} … {score.last}  {score.points} values  {what}")
            found.append((score, what))
        if not asked.check:
            runs = [score.run for score, _ in found]
            ledgertables.register(boto3.client("glue"), asked.database, workload, given, runs)
    except (PipelineError, *FOREIGN) as error:
        print(translate(error, "computing the ledger again"), file=sys.stderr)
        return 1
    return int(asked.check and any(what != SAME for _, what in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.recount", description=__doc__)
    bucket = os.environ.get("FORECAST_BUCKET")
    parser.add_argument("--bucket", default=bucket, required=bucket is None, help="(FORECAST_BUCKET)")
    parser.add_argument("--folder", default="", help="the workload's folder in the bucket")
    usual = os.environ.get("FORECAST_DATABASE") or "forecast"
    parser.add_argument("--database", default=usual, help="the Glue database (FORECAST_DATABASE)")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
