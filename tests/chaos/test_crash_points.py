"""Crash a run at an AWS call, run it again: nothing is lost, made twice or left behind.

A part of the sweep: every change killed after the server committed, and a few of all other cases. All of
them:  python -m tests.chaos sweep
"""

import pytest

from tests.chaos.sweep import SCENARIOS, a_part, sweep, table, undisturbed
from tests.chaos.world import World

pytestmark = pytest.mark.chaos


def test_whatever_call_a_run_dies_at_the_next_run_ends_as_if_nothing_had_happened(world: World) -> None:
    reference = undisturbed(world, SCENARIOS["first"])
    assert len(reference.points) > 60, "a run without calls proves nothing"
    verdicts = sweep(world, reference, a_part(reference.points, share=0.05, seed=1))
    wrong = [str(verdict) for verdict in verdicts if verdict.wrong]
    assert not wrong, "\n".join([*table(verdicts), *wrong])
