"""A fifth of all AWS calls goes wrong on the wire, and every run ends with the right result.

All twenty runs:  python -m tests.chaos weather
"""

import pytest

from tests.chaos import storms
from tests.chaos.faults import WEATHER
from tests.chaos.world import World

pytestmark = pytest.mark.chaos


def test_a_run_ends_well_while_a_fifth_of_its_calls_goes_wrong(world: World) -> None:
    found = storms.weather(world, runs=3, share=0.2, seed=1, lanes=3)
    seen = {kind for each in found for kind in each.faults}
    assert seen == set(WEATHER), "a fault that never came was not survived"
    assert not [each.wrong for each in found if each.wrong], "\n".join(storms.table(found))
