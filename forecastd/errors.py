"""Every error that forecastd raises on purpose, in one tree.

    ForecastdError
    ├── ApiError                    answered to the client as `__type` and `Message`
    │   ├── InvalidInput            a value is wrong, alone or beside the others
    │   ├── ResourceNotFound
    │   ├── ResourceInUse           not ready yet, or something still depends on it
    │   ├── ResourceAlreadyExists
    │   ├── LimitExceeded
    │   ├── InvalidNextToken
    │   ├── ValidationFailed        breaks a constraint of the service model
    │   ├── SerializationFailed     the body is no JSON object, or a member has the wrong JSON type
    │   ├── UnknownOperation
    │   ├── NotImplementedYet       in Amazon's model, but not in this server
    │   └── InternalFailure         our mistake; the traceback is in the log
    ├── JobFailed                   its sentence becomes `Message` of CREATE_FAILED
    ├── JobStopped                  StopResource asked for the end of a running job
    └── StartFailed                 the server cannot start as configured

Whether waiting helps is a property of the class (`waiting_helps`), never of the wording.
"""

from typing import ClassVar


class ForecastdError(Exception):
    """A sentence with the value, the limit and the remedy."""

    waiting_helps: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ApiError(ForecastdError):
    """An answer of the API that is not a success.

    `code` is what clients match on (`__type` on the wire), `status` the HTTP status.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400


class InvalidInput(ApiError):
    """A value is out of range, contradicts another one, or cannot be served."""

    code = "InvalidInputException"


class ResourceNotFound(ApiError):
    """No resource has the given ARN."""

    code = "ResourceNotFoundException"


class ResourceInUse(ApiError):
    """The resource is being made or changed, or others depend on it."""

    code = "ResourceInUseException"
    waiting_helps = True


class ResourceAlreadyExists(ApiError):
    """The name is taken."""

    code = "ResourceAlreadyExistsException"


class LimitExceeded(ApiError):
    """A quota of the account is used up."""

    code = "LimitExceededException"
    waiting_helps = True


class InvalidNextToken(ApiError):
    """The token was not given out by this server for this list, or is older than 24 hours."""

    code = "InvalidNextTokenException"


class ValidationFailed(ApiError):
    """The request breaks constraints of the service model (pattern, length, range, enum, presence)."""

    code = "ValidationException"


class SerializationFailed(ApiError):
    """The body is not a JSON object, or a member has another JSON type than the model says."""

    code = "SerializationException"


class UnknownOperation(ApiError):
    """The target header names no operation of the service."""

    code = "UnknownOperationException"


class NotImplementedYet(ApiError):
    """The operation exists in Amazon's model, but this server does not offer it."""

    code = "NotImplementedException"
    status = 501


class InternalFailure(ApiError):
    """A mistake of this server; the log has the traceback under the request id."""

    code = "InternalFailure"
    status = 500
    waiting_helps = True


class JobFailed(ForecastdError):
    """A job cannot succeed with its input; the sentence becomes the resource's `Message`."""


class JobStopped(ForecastdError):
    """Somebody stopped the resource while its job ran."""

    def __init__(self, message: str = "The job was stopped on request.") -> None:
        super().__init__(message)


class StartFailed(ForecastdError):
    """The server or a worker cannot start as configured."""
