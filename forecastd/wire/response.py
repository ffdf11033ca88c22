"""AWS JSON 1.1, outbound: what an operation or an error answers, as status, headers and body."""

import json
import math
import uuid
from dataclasses import dataclass, field
from typing import Any

from botocore.model import OperationModel, Shape

from forecastd.errors import ApiError

CONTENT_TYPE = "application/x-amz-json-1.1"


def _request_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE
    request_id: str = field(default_factory=_request_id)

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers, the length of the body included."""
        return {
            "x-amzn-RequestId": self.request_id,
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
        }


def write_response(operation: OperationModel, result: dict[str, Any] | None) -> Response:
    """Serialize a result by the operation's output shape; operations without one answer an empty body.

    Raises:
        KeyError: the result has a member that the model does not know.
    """
    if operation.output_shape is None:
        return Response(200, b"")
    return Response(200, _json(serialize(operation.output_shape, result or {})))


def write_error(error: ApiError) -> Response:
    """Serialize an error as `__type` and `Message`."""
    return Response(error.status, _json({"__type": error.code, "Message": error.message}))


def serialize(shape: Shape, value: Any) -> Any:
    """Turn a value into JSON types by its shape: members that are None are left out, times are numbers."""
    if shape.type_name == "structure":
        given = {name: item for name, item in value.items() if item is not None}
        return {name: serialize(shape.members[name], item) for name, item in given.items()}
    if shape.type_name == "list":
        return [serialize(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: serialize(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return round(float(value), 3)  # seconds since the epoch
    if shape.type_name in ("double", "float"):
        return _finite(float(value))
    return value


def _finite(value: float) -> float:
    """JSON has no infinity and no NaN; an undefined number must not leave the server as one."""
    if not math.isfinite(value):
        raise ValueError(f"The number {value} cannot be written as JSON.")
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
