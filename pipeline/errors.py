"""Everything that can go wrong in a run, as sentences with a remedy.

    PipelineError             what happened, and what to do about it
    ├── BadInput              the configuration or the data: all problems at once
    ├── InputChanged          an input was replaced while the run was using it
    ├── Overtaken             what was to be replaced was replaced by somebody else
    ├── Missing               a bucket or an object that should be there is not
    ├── Denied                a permission is lacking
    ├── Rejected              a service refused a request as invalid
    ├── ResourceFailed        a job of the forecasting service failed or was stopped
    ├── BadForecast           an export that is not items × horizon × types
    │   ├── NotWhole          a published form with a row that is not due, or without one that is
    │   └── RefusedForecast   the gate does not let it be published
    ├── WaitedInVain          waiting would have helped, but took longer than allowed
    └── NotYet                waiting helps: throttled, in use
        ├── QuotaUsedUp       waiting helps when something of that kind ends or is deleted
        └── Unreachable       waiting helps: no connection, or the service stumbled

Whether waiting helps is a property of the class. `translate` turns botocore's errors into this tree.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnection

SHOWN_PROBLEMS = 20  # a message stays readable; the total is always told


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where it is, what is there, the rule and the remedy."""

    where: str
    value: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        shown = f" is {self.value}" if self.value else ""
        return f"{self.where}{shown}: {self.rule}. {self.remedy}"


class PipelineError(Exception):
    """A sentence that says what happened, and one that says what to do."""

    waiting_helps = False

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class BadInput(PipelineError):
    """The configuration or the data break rules; nothing was created."""

    def __init__(self, problems: Sequence[Problem], total: int | None = None) -> None:
        """Collects the problems.

        Args:
            problems: at least one; those that are told in detail.
            total: how many there are in all, when more were found than are told.
        """
        self.problems = list(problems)
        self.total = max(total or 0, len(self.problems))
        super().__init__(self._headline(), self._details())
        self.args = (self.problems, self.total)  # so that the error survives being pickled

    def _headline(self) -> str:
        return f"The input has {self.total} problem{'s' if self.total != 1 else ''}; nothing was created."

    def _details(self) -> str:
        if self.total == 1:
            return str(self.problems[0])
        lines = [f"- {problem}" for problem in self.problems[:SHOWN_PROBLEMS]]
        if self.total > len(lines):
            lines.append(f"- … and {self.total - len(lines)} more.")
        return "\n".join(lines)

    def __str__(self) -> str:
        return f"{self.what}\n{self.remedy}"


class InputChanged(PipelineError):
    """An input object was replaced or removed while the run was using it."""


class Overtaken(PipelineError):
    """The forecast that was to be replaced is no longer the current one."""


class Missing(PipelineError):
    """A bucket or an object that should be there is not."""


class Denied(PipelineError):
    """A permission or credentials are lacking."""


class Rejected(PipelineError):
    """A service refused a request as invalid; the same request will be refused again."""


class ResourceFailed(PipelineError):
    """A job of the forecasting service ended in a failed or stopped state."""


class BadForecast(PipelineError):
    """The exported forecast is not what was asked for."""


class WaitedInVain(PipelineError):
    """What was waited for did not come within the longest time allowed."""


class NotWhole(BadForecast):
    """A forecast in its published form lacks a row, has one twice, or has one that is not due."""

    def __init__(self, what: str, remedy: str, item: str = "") -> None:
        super().__init__(what, remedy)
        self.item = item  # the first that it is about, if it is about one
        self.args = (what, remedy, item)  # so that the error survives being pickled


class RefusedForecast(BadForecast):
    """The forecast is broken or cannot be meant: the gate does not let it be published."""


class NotYet(PipelineError):
    """The request is fine but cannot be served now; the same request later may be."""

    waiting_helps = True


class QuotaUsedUp(NotYet):
    """The account has as many resources, or as many at work, as its quota allows."""


class Unreachable(NotYet):
    """No connection to the service, or an error inside it."""


_THROTTLED = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_QUOTA = {"LimitExceededException", "ResourceNumberLimitExceededException", "LimitExceeded"}
_IN_USE = {
    "ConcurrentModificationException",
    "ConflictException",
    "OperationAborted",
    "ResourceInUseException",
}
_STUMBLED = {
    "500",
    "502",
    "503",
    "504",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "InternalServiceException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "AllAccessDisabled"}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NOT_FOUND = {"404", "NoSuchKey", "NoSuchVersion", "NotFound", "EntityNotFoundException"}
_CHANGED = {"412", "PreconditionFailed"}
# A ClientError does not say which service it came from; these words in a call's name do.
_SERVICE_OF_WORD = (
    ("DataSource", "quicksight"),
    ("DataSet", "quicksight"),  # the forecasting service has Datasets
    ("Analysis", "quicksight"),
    ("Dashboard", "quicksight"),
    ("MetricData", "cloudwatch"),
    ("Publish", "sns"),
    ("Table", "glue"),
    ("Database", "glue"),
    ("Partition", "glue"),
    ("Bucket", "s3"),
    ("Object", "s3"),
    ("Multipart", "s3"),
    ("UploadPart", "s3"),
)
# Calls that another action than their own name permits.
_ACTION_OF_CALL = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "DeleteObjects": "DeleteObject",
}


def code_of(error: BaseException) -> str:
    """The error code of a botocore ClientError, or an empty string for any other error."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def translate(error: Exception, doing: str) -> PipelineError:
    """The error as one of this tree.

    Args:
        error: what boto3 raised; a PipelineError comes back as it is.
        doing: what was being done, as a participle: `reading s3://bucket/params.json`.
    """
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, ClientError):
        return _of_client_error(error, doing)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Denied(
            f"There are no complete AWS credentials for {doing}.",
            "Give the installation credentials: keys, a profile or a role.",
        )
    if isinstance(error, _CONNECTION_TROUBLE):
        return Unreachable(
            f"There was no connection while {doing}: {_one_line(error)}.",
            "Check that the service is running and that its address is right; the step tries again.",
        )
    return PipelineError(f"{type(error).__name__} while {doing}: {_one_line(error)}.", "See the run's log.")


# What boto3 and the connection below it raise; anything else is a fault of our own and stays what it is.
FOREIGN = (BotoCoreError, ClientError, ConnectionError, TimeoutError)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Lets botocore's errors inside the block out as errors of this tree."""
    try:
        yield
    except FOREIGN as error:
        raise translate(error, doing) from error


# What botocore raises when it cannot connect, times out, or loses the connection inside a body.
_CONNECTION_TROUBLE = (NoConnection, HTTPClientError, IncompleteReadError, ConnectionError, TimeoutError)


def _of_client_error(error: ClientError, doing: str) -> PipelineError:
    code = code_of(error)
    message = _one_line(error.response.get("Error", {}).get("Message", "") or code)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED | _QUOTA | _IN_USE:
        return _not_yet(code, message, doing)
    if code in _DENIED:
        return _denied(error, message, doing)
    if code in _CREDENTIALS:
        return Denied(
            f"The credentials were not accepted while {doing} ({code}: {message}).",
            "Renew or correct the installation's credentials, and check the machine's clock.",
        )
    if code in _STUMBLED or status >= 500:
        return Unreachable(
            f"The service failed while {doing} ({code}: {message}).",
            "The step tries again; if it goes on, look at the service's log.",
        )
    return _final(code, message, doing)


def _final(code: str, message: str, doing: str) -> PipelineError:
    if code == "NoSuchBucket":
        return Missing(
            f"The bucket does not exist ({doing}).",
            "Create it, or correct the bucket's name in the installation block.",
        )
    if code in _CHANGED:
        return InputChanged(
            f"An object was replaced while {doing}.",
            "Nothing is lost: the upload that replaced it starts a run of its own.",
        )
    if code in _NOT_FOUND | {"ResourceNotFoundException"}:
        return Missing(
            f"Something that should be there is not, while {doing} ({code}: {message}).",
            "Restore it, or upload the data again.",
        )
    return Rejected(
        f"The request was refused while {doing} ({code}: {message}).",
        "Correct what the message names, in params.json or in the data, and upload again.",
    )


def _not_yet(code: str, message: str, doing: str) -> NotYet:
    if code in _QUOTA:
        remedy = "The step waits; delete what is no longer needed, or ask for a higher quota."
        return QuotaUsedUp(f"A quota is used up while {doing} ({message}).", remedy)
    if code in _IN_USE:
        return NotYet(
            f"Something is still in use while {doing} ({message}).", "The step waits until it is free."
        )
    return NotYet(
        f"Requests are being throttled while {doing} ({code}: {message}).", "The step slows down and waits."
    )


def _denied(error: ClientError, message: str, doing: str) -> Denied:
    action = _action(error, message)
    return Denied(
        f"Permission {action} is lacking for {doing} ({message}).",
        f"Allow {action} on that resource to the identity that runs the flow "
        "(to the role of the forecasting service, if it is the one named), then run again.",
    )


def _action(error: ClientError, message: str) -> str:
    """The IAM action that was refused: told by the message, else derived from the call's name."""
    told = re.search(r"perform: ([\w-]+:\w+)", message)
    if told:
        return told.group(1)
    call = error.operation_name
    service = next((service for word, service in _SERVICE_OF_WORD if word in call), "forecast")
    return f"{service}:{_ACTION_OF_CALL.get(call, call)}"


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")
