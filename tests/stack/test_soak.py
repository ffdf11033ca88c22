"""A short soak: uploads, repetitions and killed parts on a stack of its own. The long one: `make soak`."""

import argparse
import itertools
from pathlib import Path

import pytest

from bench.soak import contents, soak, steps

pytestmark = pytest.mark.stack


def test_nothing_is_lost_and_nothing_done_twice_while_parts_are_killed(tmp_path: Path) -> None:
    asked = argparse.Namespace(
        uploads=40, workloads=3, burst=20, pause=5.0, kills=1, kill_every=8.0, limit=15.0, seed=1
    )
    said: list[str] = []
    assert soak(tmp_path / "local", asked, said.append) == [], "\n".join(said)


def test_three_of_ten_uploads_repeat_one_from_before() -> None:
    order = steps(1000, 20, seed=1)
    assert len(order) == 1000
    assert order == steps(1000, 20, seed=1)
    fresh = {step for step in order if not step.is_notice}
    assert len(fresh) == 700
    for at, step in enumerate(order):
        assert not step.is_notice or any(s.key == step.key and not s.is_notice for s in order[:at])
    states = contents(order)
    assert len(states) == 20
    assert all(a != b for one in states.values() for a, b in itertools.pairwise(one))
