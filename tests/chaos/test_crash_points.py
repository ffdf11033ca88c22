"""Crash a run at an AWS call, run it again: nothing is lost, made twice or left behind.

A part of the sweep. All of it:  python -m tests.chaos sweep
"""

import pytest

from tests.chaos.faults import Fault
from tests.chaos.sweep import SCENARIOS, Point, Reference, Verdict, a_part, sweep, table, undisturbed
from tests.chaos.world import World

pytestmark = pytest.mark.chaos


def swept(world: World, reference: Reference, cases: list[tuple[Point, Fault]]) -> list[Verdict]:
    verdicts = sweep(world, reference, cases)
    wrong = [str(verdict) for verdict in verdicts if verdict.wrong]
    assert not wrong, "\n".join([*table(verdicts), *wrong])
    return verdicts


def test_whatever_call_a_run_dies_at_the_next_run_ends_as_if_nothing_had_happened(bare_world: World) -> None:
    reference = undisturbed(bare_world, SCENARIOS["first"])
    assert len(reference.points) > 60, "a run without calls proves nothing"
    cases = a_part(reference.points, share=0.1, seed=1)
    assert {kind for _, kind in cases} == {Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.RESET_AFTER}
    swept(bare_world, reference, cases)


def test_the_same_where_prefect_runs_it(world: World) -> None:
    reference = undisturbed(world, SCENARIOS["first"])
    paid = [point for point in reference.points if point.operation.startswith("Create")]
    assert len(paid) >= 6, "two containers, an import, a predictor, a forecast and its export"
    swept(world, reference, [(point, Fault.KILL_AFTER) for point in paid])


def test_a_sweep_sees_a_run_that_does_not_come_back(bare_world: World) -> None:
    reference = undisturbed(bare_world, SCENARIOS["first"])
    nowhere = Point("CreatePredictor", "of another workload", 1)
    (verdict,) = sweep(bare_world, reference, [(nowhere, Fault.KILL_AFTER)])
    assert verdict.wrong[0] == "the run never came to this call"
