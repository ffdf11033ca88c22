import pickle

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from pipeline import errors
from pipeline.errors import (
    BadForecast,
    BadInput,
    Denied,
    InputChanged,
    Missing,
    NotWhole,
    NotYet,
    Overtaken,
    PipelineError,
    Problem,
    QuotaUsedUp,
    RefusedForecast,
    Rejected,
    ResourceFailed,
    Unreachable,
    WaitedInVain,
    translate,
    translated,
)

CODES = {
    "ThrottlingException": NotYet,
    "SlowDown": NotYet,
    "TooManyRequestsException": NotYet,
    "RequestLimitExceeded": NotYet,
    "LimitExceededException": QuotaUsedUp,
    "ResourceInUseException": NotYet,
    "InternalFailure": Unreachable,
    "ServiceUnavailable": Unreachable,
    "AccessDenied": Denied,
    "AccessDeniedException": Denied,
    "403": Denied,
    "ExpiredToken": Denied,
    "UnrecognizedClientException": Denied,
    "NoSuchBucket": Missing,
    "NoSuchKey": Missing,
    "ResourceNotFoundException": Missing,
    "PreconditionFailed": InputChanged,
    "412": InputChanged,
    "InvalidInputException": Rejected,
    "ValidationException": Rejected,
}


@pytest.mark.parametrize(("code", "expected"), CODES.items())
def test_a_service_error_becomes_the_class_that_says_whether_waiting_helps(aws_fault, code, expected):
    found = translate(aws_fault(code, "CreateForecast", "why"), "creating forecast x")
    assert type(found) is expected
    assert found.waiting_helps == issubclass(expected, NotYet)
    assert "creating forecast x" in found.what
    assert found.remedy


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        ResponseStreamingError(error="cut off"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_with_the_connection_is_waited_for(error):
    assert translate(error, "reading").waiting_helps


def test_an_unknown_error_of_a_failing_server_is_waited_for(aws_fault):
    assert isinstance(translate(aws_fault("Strange", status=500), "reading"), Unreachable)


@pytest.mark.parametrize(
    ("operation", "message", "action"),
    [
        ("GetObject", "Access Denied", "s3:GetObject"),
        ("HeadObject", "Forbidden", "s3:GetObject"),
        ("ListObjectsV2", "Access Denied", "s3:ListBucket"),
        ("CopyObject", "Access Denied", "s3:PutObject"),
        ("DeleteObjects", "Access Denied", "s3:DeleteObject"),
        ("CreateDataset", "", "forecast:CreateDataset"),
        ("UpdateTable", "", "glue:UpdateTable"),
        ("PutMetricData", "", "cloudwatch:PutMetricData"),
        ("Publish", "", "sns:Publish"),
        ("CreateDataset", "User: x is not authorized to perform: iam:PassRole on y", "iam:PassRole"),
    ],
)
def test_a_denial_names_the_permission_to_give(aws_fault, operation, message, action):
    found = translate(aws_fault("AccessDenied", operation, message), "working")
    assert action in found.what
    assert action in found.remedy


def test_lacking_credentials_are_a_denial():
    assert isinstance(translate(NoCredentialsError(), "reading"), Denied)


def test_an_error_of_the_tree_comes_back_as_it_is():
    error = Rejected("This.", "That.")
    assert translate(error, "reading") is error


def test_a_fault_of_our_own_is_not_swallowed():
    with pytest.raises(KeyError), translated("reading"):
        raise KeyError("x")


def test_bad_input_tells_all_problems_and_the_total():
    problems = [Problem(f"row {n}", "x", "it has to be a number", "Correct it.") for n in range(30)]
    text = str(BadInput(problems, total=1234))
    assert "1234 problems" in text
    assert "row 0 is x: it has to be a number. Correct it." in text
    assert "and 1214 more" in text


EXAMPLES = {
    PipelineError: PipelineError("This.", "That."),
    BadInput: BadInput([Problem("here", "x", "rule", "Remedy.")], 7),
    InputChanged: InputChanged("This.", "That."),
    Missing: Missing("This.", "That."),
    Overtaken: Overtaken("This.", "That."),
    Denied: Denied("This.", "That."),
    Rejected: Rejected("This.", "That."),
    ResourceFailed: ResourceFailed("This.", "That."),
    BadForecast: BadForecast("This.", "That."),
    WaitedInVain: WaitedInVain("This.", "That."),
    NotWhole: NotWhole("This.", "That.", "here"),
    RefusedForecast: RefusedForecast("This.", "That."),
    NotYet: NotYet("This.", "That."),
    QuotaUsedUp: QuotaUsedUp("This.", "That."),
    Unreachable: Unreachable("This.", "That."),
}


def test_every_error_class_is_drawn_in_the_tree_and_has_an_example():
    classes = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, PipelineError)}
    assert classes == set(EXAMPLES)
    assert all(c.__name__ in errors.__doc__ for c in classes)


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_between_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.waiting_helps) == (str(error), error.waiting_helps)
