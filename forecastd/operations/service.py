"""The operations as one callable: `Service.call(name, arguments) -> result`.

Create, Describe, List and Delete are generic over the table of kinds; the rest has a function each.
An operation of Amazon's model that has neither is answered with `NotImplementedYet`.
"""

from collections.abc import Callable
from typing import Any

from forecastd.errors import NotImplementedYet
from forecastd.operations import (
    accuracy,
    creation,
    deletion,
    groups,
    listing,
    query,
    stopping,
    tagging,
    views,
)
from forecastd.operations.context import Context
from forecastd.operations.kinds import KINDS, kinds_listed_by

Arguments = dict[str, Any]
Answer = dict[str, Any] | None
Operation = Callable[[Context, Arguments], Answer]


class Service:
    """Everything that forecastd answers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._operations = _all_operations()

    def call(self, name: str, arguments: Arguments) -> Answer:
        """Carry out an operation whose arguments fit the service model.

        Raises:
            ApiError: whatever the operation answers instead of a result.
        """
        operation = self._operations.get(name)
        if operation is None:
            raise NotImplementedYet(
                f"{name} is an operation of Amazon Forecast that this server does not offer yet."
            )
        return operation(self._context, arguments)


def _all_operations() -> dict[str, Operation]:
    operations: dict[str, Operation] = {
        "UpdateDatasetGroup": groups.update,
        "GetAccuracyMetrics": accuracy.get_accuracy_metrics,
        "StopResource": stopping.stop,
        "DeleteResourceTree": deletion.delete_tree,
        "TagResource": tagging.tag,
        "UntagResource": tagging.untag,
        "ListTagsForResource": tagging.list_tags,
        "QueryForecast": query.query_forecast,
    }
    for kind in KINDS.values():
        operations[f"Create{kind.name}"] = creation.operation(kind)
        operations[f"Describe{kind.name}"] = views.describe_operation(kind)
        operations[f"Delete{kind.prefix}"] = deletion.operation(kind.prefix)
        operations[kind.lister] = listing.operation(kind.lister, kinds_listed_by(kind.lister))
    return operations
