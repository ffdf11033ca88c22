from dataclasses import dataclass

import pytest

from pipeline.policy import section


@dataclass(frozen=True)
class Example:
    how: str = section.choice("refuse", "sum")
    most_bad_rows: float = section.number(0.1, least=0, most=1)
    fewest_runs: int | None = section.whole(3, least=1, off=True)
    loud: bool = section.switch(True)


def problems(given):
    return [str(problem) for problem in section.check(Example, given, "Example")]


def test_members_are_spelled_as_amazons():
    given = {"How": "sum", "MostBadRows": 0.5, "FewestRuns": 4, "Loud": False}
    assert problems(given) == []
    assert section.read(Example, given) == Example("sum", 0.5, 4, False)


def test_what_is_not_given_has_its_default_and_is_written_out():
    read = section.read(Example, {})
    assert section.written(read) == {"How": "refuse", "MostBadRows": 0.1, "FewestRuns": 3, "Loud": True}


def test_false_switches_off_what_has_an_off_switch():
    read = section.read(Example, {"FewestRuns": False})
    assert read.fewest_runs is None
    assert section.written(read)["FewestRuns"] is False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "an object in braces"),
        ({"MostBadRow": 1}, "MostBadRows"),
        ({"How": "twice"}, 'one of "refuse", "sum"'),
        ({"MostBadRows": 1.5}, "a number from 0 to 1"),
        ({"MostBadRows": True}, "a number from 0 to 1"),
        ({"MostBadRows": False}, "a number from 0 to 1"),
        ({"FewestRuns": 1.5}, "a whole number from 1, or false to switch it off"),
        ({"FewestRuns": 0}, "a whole number from 1"),
        ({"Loud": 1}, "true or false"),
    ],
)
def test_what_is_wrong_is_said(given, said):
    (problem,) = problems(given)
    assert said in problem
