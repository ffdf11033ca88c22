"""How a resource shows in Describe and in lists: the members that the operation's output shape names."""

import math
from collections.abc import Callable
from typing import Any

from forecastd.errors import InvalidInput
from forecastd.operations.context import Context
from forecastd.operations.kinds import KINDS, PREDICTORS, Kind, kinds_with_prefix
from forecastd.store.records import RUNNING, Record

_DATASET_STATUS_BY_IMPORT = {
    "CREATE_PENDING": "UPDATE_PENDING",
    "CREATE_IN_PROGRESS": "UPDATE_IN_PROGRESS",
    "CREATE_STOPPING": "UPDATE_IN_PROGRESS",
    "CREATE_FAILED": "UPDATE_FAILED",
}


def describe_operation(kind: Kind) -> Callable[[Context, dict[str, Any]], dict[str, Any]]:
    """Give the Describe operation of a kind."""
    operation = f"Describe{kind.name}"
    allowed = tuple(sibling.name for sibling in kinds_with_prefix(kind.prefix))

    def describe(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        record = context.find(arguments[kind.arn_member], *allowed)
        if record.kind != kind.name:
            raise InvalidInput(
                f"The {kind.noun} {record.arn} was made with Create{record.kind};"
                f" describe it with Describe{record.kind}."
            )
        members = context.spec.output_members(operation)
        return select(view(context, record), members)

    return describe


def select(values: dict[str, Any], members: list[str]) -> dict[str, Any]:
    """Keep the members that a shape has and that have a value."""
    return {name: values[name] for name in members if values.get(name) is not None}


def view(context: Context, record: Record) -> dict[str, Any]:
    """Give every member that any operation may show of a resource."""
    kind = KINDS[record.kind]
    return {
        **record.request,
        **record.facts,
        kind.name_member: record.name,
        kind.arn_member: record.arn,
        "Status": record.status,
        "Message": record.message,
        "CreationTime": record.created,
        "LastModificationTime": _last_modified(context, record),
        "EstimatedTimeRemainingInMinutes": _minutes_left(record),
        **_DERIVED.get(record.kind, _nothing)(context, record),
    }


def dataset_status(context: Context, record: Record) -> str:
    """Give a dataset's status, which mirrors the newest import into it."""
    if record.status != "ACTIVE":
        return record.status
    imports = context.store.children(record.arn, "DatasetImportJob")
    return _DATASET_STATUS_BY_IMPORT.get(imports[0].status, "ACTIVE") if imports else "ACTIVE"


def _last_modified(context: Context, record: Record) -> float:
    """While a job runs, it was modified just now."""
    return context.store.now() if record.status in RUNNING else record.modified


def _minutes_left(record: Record) -> int | None:
    if not record.creating or record.seconds_left is None:
        return None
    return math.ceil(record.seconds_left / 60)


def _dataset(context: Context, record: Record) -> dict[str, Any]:
    imports = context.store.children(record.arn, "DatasetImportJob")
    times = [_last_modified(context, newest) for newest in imports[:1] if newest.status != "CREATE_PENDING"]
    return {
        "Status": dataset_status(context, record),
        "LastModificationTime": max([record.modified, *times]),
    }


def _predictor(context: Context, record: Record) -> dict[str, Any]:
    reference = record.request.get("ReferencePredictorArn")
    values: dict[str, Any] = {"IsAutoPredictor": record.kind == "AutoPredictor"}
    if reference:
        state = "Active" if context.store.get(reference) else "Deleted"
        values["ReferencePredictorSummary"] = {"Arn": reference, "State": state}
    return values


def _nothing(context: Context, record: Record) -> dict[str, Any]:
    return {}


_DERIVED: dict[str, Callable[[Context, Record], dict[str, Any]]] = {
    "Dataset": _dataset,
    **dict.fromkeys(PREDICTORS, _predictor),
}
