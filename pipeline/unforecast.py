"""The items of the data that have no forecast, all of them, with the reason: `runs/<run>/unforecast.csv`."""

from typing import Any

from pipeline import csvtext
from pipeline.errors import translated
from pipeline.forecastfile import Layout, blocks
from pipeline.params import Params
from pipeline.plausibility import FEWEST_ROWS
from pipeline.recent import Recent, joined, separated
from pipeline.workload import Workload


def path(run: str) -> str:
    """Where the list of a run lies in its workload."""
    return f"runs/{run}/unforecast.csv"


def write(
    s3: Any, workload: Workload, run: str, params: Params, history: Recent, source: Any, layout: Layout
) -> int:
    """Lists the items of the history that the forecast does not have.

    Args:
        s3, workload, run: whose list it is.
        params: for the names of the keys.
        history: of all items.
        source: the bytes of the forecast, which has been found whole.
        layout: how they are laid out.

    Returns:
        How many there are; without one, nothing is written.
    """
    there = {joined(key) for block in blocks(source, layout) for key in block.keys}
    lost = sorted(
        (str(item), int(seen))
        for item, seen in zip(history.items, history.observed, strict=True)
        if item not in there
    )
    if not lost:
        return 0
    header = [params.target.item_key, *params.dimensions, "reason"]
    text = csvtext.written([header, *([*separated(item), _reason(seen)] for item, seen in lost)])
    with translated(f"writing {workload.uri(path(run))}"):
        place = {"Bucket": workload.bucket, "Key": workload.key(path(run))}
        s3.put_object(**place, Body=text.encode(), ContentType="text/csv")
    return len(lost)


def _reason(seen: int) -> str:
    if seen >= FEWEST_ROWS:
        return f"the service left it out without a reason; it has {seen} recent values"
    return f"the service needs {FEWEST_ROWS} values, and it has {seen or 'no'} recent one{'s' * (seen != 1)}"
