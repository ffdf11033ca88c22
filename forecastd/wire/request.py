"""AWS JSON 1.1, inbound: a target header and a JSON body become an operation and its arguments."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from forecastd.errors import SerializationFailed, UnknownOperation
from forecastd.spec import Spec
from forecastd.wire.validation import validate


@dataclass(frozen=True)
class Call:
    """A request that the service model allows."""

    operation: OperationModel
    arguments: dict[str, Any]


def read_request(spec: Spec, target: str | None, body: bytes) -> Call:
    """Read a request and check it against the service model.

    Args:
        target: value of the header `X-Amz-Target`, such as "AmazonForecast.CreateDataset".

    Raises:
        UnknownOperation: the target names no operation.
        SerializationFailed: the body is no JSON object, is nested too deeply or has texts that are none, or
            a member has a wrong JSON type.
        ValidationFailed: a constraint of the model is violated.
    """
    operation = spec.by_target(target) if target else None
    if operation is None:
        raise UnknownOperation(
            f"The X-Amz-Target header is {target!r}; it must name an operation, as in"
            " AmazonForecast.ListPredictors or AmazonForecastRuntime.QueryForecast."
        )
    try:
        arguments = _read_body(body)
        validate(operation, arguments)
        return Call(operation, _without_nulls(arguments))
    except RecursionError:
        raise SerializationFailed("The request's body is nested more deeply than any operation's.") from None


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        arguments = json.loads(body or b"{}")
    except ValueError as error:
        raise SerializationFailed(f"The request's body is no JSON: {error}.") from None
    if not isinstance(arguments, dict):
        raise SerializationFailed("The request's body must be one JSON object.")
    _check_texts(arguments)
    return arguments


def _check_texts(arguments: dict[str, Any]) -> None:
    """Half of a surrogate pair, written as an escape, is no character: nothing could store it."""
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise SerializationFailed(
            "The request's body has half of a surrogate pair (\\ud800 to \\udfff), which is no character."
        ) from None


def _without_nulls(value: Any) -> Any:
    """A member that is null counts as not given, at any depth."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
