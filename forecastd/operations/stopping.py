"""StopResource: end a job early; what it was making stays behind as CREATE_STOPPED."""

from typing import Any

from forecastd.errors import InvalidInput
from forecastd.operations.context import Context
from forecastd.operations.kinds import KINDS
from forecastd.store.records import Record


def stop(context: Context, arguments: dict[str, Any]) -> None:
    """Stop the job of a resource and those of everything below it.

    Raises:
        InvalidInput: the resource has no job, or its job is over.
    """
    with context.store.transaction():
        record = context.find(arguments["ResourceArn"])
        running = [each for each in (record, *context.store.descendants(record.arn)) if each.creating]
        if not KINDS[record.kind].stoppable:
            raise InvalidInput(f"A {KINDS[record.kind].noun} has no job that could be stopped: {record.arn}")
        if not running and record.status != "CREATE_STOPPED":
            raise InvalidInput(
                f"{record.arn} is {record.status}; only a job that is not done can be stopped."
            )
        for each in running:
            _stop(context, each)


def _stop(context: Context, record: Record) -> None:
    """A job that no worker has begun ends here; a running one when its worker next looks."""
    if record.status == "CREATE_PENDING":
        context.store.update(record.arn, status="CREATE_STOPPED", modified=context.store.now())
    else:
        context.store.update(record.arn, status="CREATE_STOPPING")
