"""Tags: names and values that users attach to any resource."""

from typing import Any

from forecastd.errors import InvalidInput, LimitExceeded
from forecastd.operations.context import Context

MOST_TAGS = 50


def check_tags(tags: list[dict[str, str]]) -> dict[str, str]:
    """Turn a list of tags into a mapping.

    Raises:
        InvalidInput: a key comes twice or is reserved.
        LimitExceeded: there are too many.
    """
    mapping = {tag["Key"]: tag["Value"] for tag in tags}
    reserved = [key for key in mapping if key.lower().startswith("aws:")]
    if reserved:
        raise InvalidInput(f"The tag key {reserved[0]} is reserved: keys must not begin with aws:")
    if len(mapping) < len(tags):
        raise InvalidInput("Every tag key must be given once only.")
    _check_number(len(mapping))
    return mapping


def tag(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Add or overwrite tags of a resource (TagResource)."""
    with context.store.transaction():
        arn = context.find(arguments["ResourceArn"]).arn
        tags = check_tags(arguments["Tags"])
        _check_number(len({**context.store.tags(arn), **tags}))
        context.store.put_tags(arn, tags)
    return {}


def untag(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Remove tags from a resource (UntagResource)."""
    with context.store.transaction():
        arn = context.find(arguments["ResourceArn"]).arn
        context.store.remove_tags(arn, arguments["TagKeys"])
    return {}


def list_tags(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Give the tags of a resource (ListTagsForResource)."""
    tags = context.store.tags(context.find(arguments["ResourceArn"]).arn)
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _check_number(number: int) -> None:
    if number > MOST_TAGS:
        raise LimitExceeded(f"Quota limit of {MOST_TAGS} tags per resource has been reached")
