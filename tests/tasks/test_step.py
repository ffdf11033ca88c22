"""What a step does with the errors of its work."""

import pytest
from prefect.states import Failed

from pipeline.errors import Denied, NotYet, PipelineError, Unreachable
from tasks.step import LONGEST_DELAY_S, RETRIES, StepFailed, step, waiting_helps
from tests.flows.fake_forecast import client_error


def test_a_step_says_which_step_failed_and_why() -> None:
    @step("Create-Predictor")
    def denied() -> None:
        raise client_error("AccessDeniedException", "no", "CreateAutoPredictor")

    with pytest.raises(StepFailed) as caught:
        denied.fn()
    assert caught.value.step == "Create-Predictor"
    assert isinstance(caught.value.cause, Denied)
    assert str(caught.value).startswith(
        "Create-Predictor: Permission forecast:CreateAutoPredictor is lacking"
    )


def test_the_failure_of_an_inner_step_keeps_its_name() -> None:
    inner = StepFailed("Import-Data", PipelineError("Broken.", "Mend it."))
    assert StepFailed.of(inner, "Start") is inner


def test_a_surprise_keeps_its_traceback_and_an_expected_failure_does_without() -> None:
    assert not StepFailed.of(KeyError("x"), "Start").is_expected
    assert StepFailed.of(client_error("AccessDenied"), "Start").is_expected


@pytest.mark.parametrize(
    ("cause", "again"),
    [
        (NotYet("Throttled.", "Wait."), True),
        (Unreachable("Away.", "Wait."), True),
        (Denied("No.", "Allow it."), False),
        (PipelineError("A surprise.", "Look."), False),
    ],
    ids=lambda value: getattr(value, "what", str(value)),
)
def test_a_step_is_tried_again_only_if_waiting_helps(cause: PipelineError, again: bool) -> None:
    state = Failed(data=StepFailed("Any", cause))
    assert waiting_helps(None, None, state) is again  # type: ignore[arg-type]


def test_retries_grow_to_a_limit() -> None:
    @step("Any")
    def nothing() -> None: ...

    delays = nothing.retry_delay_seconds
    assert isinstance(delays, list)
    assert (len(delays), max(delays)) == (RETRIES, LONGEST_DELAY_S)
    assert delays == sorted(delays)
