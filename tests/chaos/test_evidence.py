"""What counts as the same after a crash, and what does not."""

from tests.chaos.evidence import Evidence, Plain, made_twice
from tests.chaos.faults import Call, Fault
from tests.chaos.sweep import Counting, Point, Strike


def left(**changes: object) -> Evidence:
    usual = {"objects": {"a": "1\n2"}, "tables": {}, "resources": (), "uploads_in_progress": 0}
    return Evidence(**{**usual, **changes})  # type: ignore[arg-type]


def test_names_moments_and_ids_are_told_apart_from_content() -> None:
    first, second = Plain("first-1"), Plain("first-2")
    one = "first-1/runs/0123456789ab/x_2026-11-22T22-25-54Z_part0.csv chaos_first_1_cbb172_train"
    two = "first-2/runs/ba9876543210/x_2026-11-22T22-26-00Z_part0.csv chaos_first_2_aaaaaa_train"
    assert first(one) == second(two)
    assert first(one) != first(one.replace("part0", "part1"))
    assert first("ba9876543210") == "<run 2>", "another run is another run"


def test_what_is_missing_left_behind_or_different_is_said() -> None:
    wanted = left()
    assert wanted.differences(left()) == []
    assert wanted.differences(left(objects={})) == ["the object a is missing"]
    assert wanted.differences(left(objects={"a": "1\n2", "b": ""})) == ["the object b was left behind"]
    assert wanted.differences(left(objects={"a": "1\n3"})) == ["the object a differs: '3' instead of '2'"]
    assert len(wanted.differences(left(resources=("Predictor p ACTIVE",), uploads_in_progress=1))) == 2


def test_only_what_the_service_made_counts_as_made() -> None:
    plain = Plain("x")
    made = Call("forecast", "CreatePredictor", "p", status=200)
    refused = Call("forecast", "CreatePredictor", "p", status=400)
    assert made_twice([made, refused], plain) == []
    assert made_twice([made, refused, made], plain) == ["CreatePredictor p succeeded 2 times"]


def test_polling_is_one_point_and_a_later_question_another() -> None:
    counting = Counting(Plain("x"))
    asked, changed = Call("forecast", "DescribePredictor", "p"), Call("forecast", "DeletePredictor", "p")
    times = [counting.point_of(call).time for call in (asked, asked, changed, asked)]
    assert times == [1, 1, 1, 2]


def test_a_strike_hits_once() -> None:
    call = Call("forecast", "CreatePredictor", "p")
    strike = Strike(Plain("x"), Point("CreatePredictor", "p", 1), Fault.RESET_AFTER)
    assert [strike(call), strike(call)] == [Fault.RESET_AFTER, None]
    assert strike.has_struck
