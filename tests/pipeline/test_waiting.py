import pytest

from pipeline.errors import Denied, Missing, ResourceFailed, WaitedInVain
from pipeline.quota import Quota
from pipeline.waiting import patiently, wait_until_active, wait_until_gone


def answers(*given):
    """A call that gives one answer after the other; errors are raised, a text is a status."""
    left = list(given)

    def call():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Status": answer} if isinstance(answer, str) else answer

    return call


def test_waiting_ends_when_the_resource_is_active(pauses, clock):
    seen = []
    found = wait_until_active(
        answers(
            "CREATE_PENDING", {"Status": "CREATE_IN_PROGRESS", "EstimatedTimeRemainingInMinutes": 3}, "ACTIVE"
        ),
        seen.append,
        **pauses,
    )
    assert found["Status"] == "ACTIVE"
    assert [(p.status, p.minutes_left) for p in seen] == [
        ("CREATE_PENDING", None),
        ("CREATE_IN_PROGRESS", 3),
        ("ACTIVE", None),
    ]
    assert seen[-1].waited_s == clock.now_s > 0


@pytest.mark.parametrize("status", ["CREATE_FAILED", "CREATE_STOPPED"])
def test_a_failed_resource_is_final_and_tells_why(pauses, status):
    failed = {
        "DatasetArn": "arn:aws:forecast:r:1:dataset/d",
        "DatasetImportJobArn": "arn:aws:forecast:r:1:dataset-import-job/d/j",
        "Status": status,
        "Message": "No records were ingested.",
    }
    with pytest.raises(
        ResourceFailed, match=r"dataset-import-job/d/j is CREATE_\w+: No records were ingested\."
    ):
        wait_until_active(answers(failed), **pauses)


def test_throttling_and_lost_connections_only_lengthen_the_wait(pauses, aws_fault, clock):
    call = answers(aws_fault("ThrottlingException"), ConnectionResetError(), "CREATE_PENDING", "ACTIVE")
    assert wait_until_active(call, **pauses)["Status"] == "ACTIVE"
    assert len(clock.slept) == 3


def test_a_denial_is_final(pauses, aws_fault):
    with pytest.raises(Denied):
        wait_until_active(answers(aws_fault("AccessDeniedException")), **pauses)


def test_pauses_grow_to_a_cap_and_are_a_little_random(clock):
    states = ["CREATE_IN_PROGRESS"] * 60 + ["ACTIVE"]
    wait_until_active(
        answers(*states), clock=clock, sleep=clock.sleep, random=lambda: 0.5, first_s=1, cap_s=30
    )
    assert clock.slept[0] == 1
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] == 30
    clock.slept.clear()
    wait_until_active(
        answers(*states), clock=clock, sleep=clock.sleep, random=lambda: 1.0, first_s=1, cap_s=30
    )
    assert clock.slept[0] == 1.25


def test_a_limit_ends_the_wait_for_good(clock):
    with pytest.raises(WaitedInVain, match="still CREATE_PENDING after") as ended:
        wait_until_active(
            lambda: {"Status": "CREATE_PENDING"},
            clock=clock,
            sleep=clock.sleep,
            random=lambda: 0.5,
            limit_s=60,
        )
    assert 60 <= clock.now_s < 100
    assert not ended.value.waiting_helps, "a step that is tried again would wait as long again"


def test_gone_means_that_the_service_does_not_know_it(pauses, aws_fault):
    wait_until_gone(
        answers("DELETE_PENDING", "DELETE_IN_PROGRESS", aws_fault("ResourceNotFoundException")), **pauses
    )
    wait_until_gone(answers(Missing("Gone.", "")), **pauses)


def test_a_failed_deletion_is_final(pauses):
    with pytest.raises(ResourceFailed, match="DELETE_FAILED"):
        wait_until_gone(answers("DELETE_FAILED"), **pauses)


@pytest.mark.parametrize("code", ["LimitExceededException", "ResourceInUseException", "ThrottlingException"])
def test_a_call_is_repeated_while_waiting_helps(pauses, aws_fault, code):
    seen = []
    assert patiently(answers(aws_fault(code), aws_fault(code), {"x": 1}), seen.append, **pauses) == {"x": 1}
    assert len(seen) == 2
    assert seen[0].status.startswith("waiting: ")


def test_a_call_is_not_repeated_when_waiting_does_not_help(pauses, aws_fault, clock):
    with pytest.raises(Denied):
        patiently(answers(aws_fault("AccessDenied")), **pauses)
    assert clock.slept == []


def test_a_fault_of_our_own_comes_through(pauses):
    with pytest.raises(KeyError):
        patiently(answers(KeyError("x")), **pauses)


def test_a_used_up_quota_is_waited_for_after_making_room_once(pauses, aws_fault, clock):
    rooms, seen = [], []
    full = aws_fault("LimitExceededException", message="Quota limit of 3 predictors has been reached")
    quota = Quota(lambda: rooms.append(clock.now_s), most_wait_s=3600)
    found = patiently(answers(full, full, full, {"x": 1}), seen.append, quota, **pauses)
    assert found == {"x": 1}
    assert len(rooms) == 1
    assert "Quota limit of 3 predictors" in seen[-1].status, "the progress note names the quota"


def test_a_quota_that_stays_used_up_ends_the_wait_naming_quota_and_remedy(pauses, aws_fault, clock):
    def full():
        raise aws_fault("LimitExceededException", message="Quota limit of 3 predictors has been reached")

    with pytest.raises(WaitedInVain) as ended:
        patiently(full, None, Quota(lambda: None, most_wait_s=7200), **pauses)
    assert "Quota limit of 3 predictors has been reached" in ended.value.what
    assert "2 hours" in ended.value.what
    assert "Retention" in ended.value.remedy
    assert "MostQuotaWaitHours" in ended.value.remedy
    assert 7200 <= clock.now_s < 7300


def test_room_that_cannot_be_made_is_no_failure_of_the_step(pauses, aws_fault):
    def denied():
        raise aws_fault("AccessDeniedException")

    call = answers(aws_fault("LimitExceededException"), "ACTIVE")
    assert patiently(call, None, Quota(denied, most_wait_s=60), **pauses) == {"Status": "ACTIVE"}


def test_throttling_is_no_question_of_quota(pauses, aws_fault):
    rooms = []
    quota = Quota(lambda: rooms.append(1), most_wait_s=0)
    patiently(answers(aws_fault("ThrottlingException"), "ACTIVE"), None, quota, **pauses)
    assert rooms == []
