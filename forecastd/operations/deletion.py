"""Delete, for every kind: check who depends on it, mark it, and let the remover take the data.

Repeating a Delete while it runs is no error; afterwards the ARN is unknown.
"""

from collections.abc import Callable
from typing import Any

from forecastd.errors import ResourceInUse
from forecastd.operations.context import Context
from forecastd.operations.kinds import KINDS, PREDICTORS, kinds_with_prefix
from forecastd.store.records import Record

_JOBS_READING_IMPORTS = (*PREDICTORS, "Forecast", "DatasetImportJob")


def operation(prefix: str) -> Callable[[Context, dict[str, Any]], None]:
    """Give the Delete operation for the kinds with a member prefix."""
    kinds = tuple(kind.name for kind in kinds_with_prefix(prefix))

    def delete(context: Context, arguments: dict[str, Any]) -> None:
        with context.store.transaction():
            record = context.find(arguments[f"{prefix}Arn"], *kinds)
            if not record.deleting:
                _delete(context, record)

    return delete


def delete_tree(context: Context, arguments: dict[str, Any]) -> None:
    """Delete a resource and everything below it (DeleteResourceTree)."""
    with context.store.transaction():
        root = context.find(arguments["ResourceArn"])
        doomed = [root, *context.store.descendants(root.arn)]
        for record in doomed:
            _check_state(record)
            _check_readers(context, record)
        for record in doomed:
            _mark(context, record)


def _delete(context: Context, record: Record) -> None:
    _check_state(record)
    _check_readers(context, record)
    children = context.store.children(record.arn)
    takes_along = () if context.settings.strict_deletes else KINDS[record.kind].takes_along
    blocking = [child for child in children if child.kind not in takes_along]
    if blocking:
        raise ResourceInUse(
            f"{len(blocking)} resources depend on {record.arn}, such as {blocking[0].arn};"
            " delete them first, or all together with DeleteResourceTree."
        )
    for child in children:
        _check_state(child)
        _check_readers(context, child)
        _mark(context, child)
    _mark(context, record)


def _check_state(record: Record) -> None:
    if record.creating:
        raise ResourceInUse(
            f"{record.arn} is {record.status}; wait until it is done, or stop it with StopResource."
        )


def _check_readers(context: Context, record: Record) -> None:
    """An import that a running job reads must stay until the job is done."""
    if record.kind != "DatasetImportJob":
        return
    running = [
        reader
        for reader in context.store.newest_first(_JOBS_READING_IMPORTS)
        if reader.creating and record.arn in reader.plan["imports"].values()
    ]
    if running:
        raise ResourceInUse(f"{running[0].arn} is {running[0].status} and reads {record.arn}; wait for it.")


def _mark(context: Context, record: Record) -> None:
    if record.deleting:
        return
    if KINDS[record.kind].deleted_at_once:
        context.store.remove(record.arn)
    else:
        context.store.update(record.arn, status="DELETE_PENDING", modified=context.store.now())
