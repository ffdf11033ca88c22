"""Export jobs: where the values of a forecast, or the backtests of a predictor, shall be written."""

from typing import Any

from forecastd.operations.context import Context, require_active
from forecastd.operations.drafts import Draft
from forecastd.operations.kinds import EXPORTS
from forecastd.store.records import Record


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check an export.

    Raises:
        ResourceInUse: what shall be exported is not ready yet.
        InvalidInput: it will never be.
    """
    source = require_active(parents[0])
    return Draft(
        request={"Format": "CSV", **request}, plan={"source": source.arn, "second": _own_second(context)}
    )


def _own_second(context: Context) -> int:
    """Give the time for the names of the files: now, or a little later, so that no export before has it.

    The job's name does not tell files apart: exports of two forecasts may have one name and one path.
    """
    now = int(context.store.now())
    newest = next(context.store.newest_first(EXPORTS), None)
    return now if newest is None else max(now, newest.plan.get("second", int(newest.created)) + 1)
