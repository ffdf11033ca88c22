"""Export jobs: where the values of a forecast, or the backtests of a predictor, shall be written."""

from typing import Any

from forecastd.operations.context import Context, require_active
from forecastd.operations.drafts import Draft
from forecastd.store.records import Record


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check an export.

    Raises:
        ResourceInUse: what shall be exported is not ready yet.
        InvalidInput: it will never be.
    """
    source = require_active(parents[0])
    return Draft(request={"Format": "CSV", **request}, plan={"source": source.arn})
