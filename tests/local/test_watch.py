"""A part's life, with a clock and processes of the tests' own."""

from dataclasses import dataclass, field

import pytest

from local.parts import Part
from local.watch import DEATHS_AT_START, FORGIVEN_S, SILENT_S, AwakeClock, Child, Watch


@dataclass
class FakeChild:
    pid: int = 1
    status: int | None = None

    def poll(self) -> int | None:
        return self.status


@dataclass
class Scene:
    """One watched part and everything around it."""

    is_well: bool = True
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    children: list[FakeChild] = field(default_factory=list)
    ended: list[FakeChild] = field(default_factory=list)

    def watch(self, **given: object) -> Watch:
        part = Part("part", ("true",), **{"probe": lambda: self.is_well, **given})  # type: ignore[arg-type]
        return Watch(part, self.spawn, self.end, self.said.append, lambda: self.now)

    def spawn(self, part: Part) -> Child:
        self.children.append(FakeChild(pid=len(self.children) + 1))
        return self.children[-1]

    def end(self, part: Part, child: Child) -> None:
        assert isinstance(child, FakeChild)
        self.ended.append(child)

    def turn(self, watch: Watch, seconds: float = 0.0, ready: frozenset[str] = frozenset()) -> str:
        self.now += seconds
        watch.turn(set(ready))
        return watch.state


@pytest.fixture
def scene() -> Scene:
    return Scene()


def started(scene: Scene, watch: Watch) -> Watch:
    scene.turn(watch)
    assert scene.turn(watch) == "well"
    return watch


def test_a_part_waits_for_what_it_needs(scene: Scene) -> None:
    watch = scene.watch(needs=("other",))
    assert scene.turn(watch, 100) == "waiting"
    assert scene.turn(watch, ready=frozenset({"other"})) == "starting"


def test_a_part_is_well_when_its_probe_says_so(scene: Scene) -> None:
    watch = scene.watch()
    scene.is_well = False
    scene.turn(watch)
    assert scene.turn(watch, 1) == "starting"
    scene.is_well = True
    assert scene.turn(watch, 1) == "well"


def test_a_part_without_probe_is_well_as_long_as_it_runs(scene: Scene) -> None:
    watch = scene.watch(probe=None)
    scene.turn(watch)
    assert scene.turn(watch) == "well"


def test_a_part_that_runs_once_is_done_with_status_0(scene: Scene) -> None:
    watch = scene.watch(once=True)
    scene.turn(watch)
    assert scene.turn(watch, 1) == "starting"
    scene.children[0].status = 0
    assert scene.turn(watch) == "done"
    assert watch.is_ready


def test_a_part_that_dies_is_started_again_and_both_are_said(scene: Scene) -> None:
    watch = started(scene, scene.watch())
    scene.children[0].status = -9
    assert scene.turn(watch) == "resting"
    assert scene.turn(watch, 0.5) == "resting"
    assert scene.turn(watch, 0.6) == "starting"
    assert scene.turn(watch) == "well"
    assert scene.said == ["part was killed by signal 9; starting it again in 1 s.", "part is back."]
    assert scene.ended == [scene.children[0]]  # its children, too


def test_each_death_makes_the_rest_longer_up_to_half_a_minute(scene: Scene) -> None:
    watch = started(scene, scene.watch())
    rests = []
    for _ in range(7):
        scene.children[-1].status = 1
        scene.turn(watch)
        began = scene.now
        while scene.turn(watch, 0.5) == "resting":
            pass
        rests.append(scene.now - began)
    assert rests == [1, 2, 4, 8, 16, 30, 30]


def test_deaths_are_forgiven_after_a_good_while(scene: Scene) -> None:
    watch = started(scene, scene.watch())
    scene.children[-1].status = 1
    scene.turn(watch)
    scene.turn(watch, 1)
    scene.turn(watch)
    scene.turn(watch, FORGIVEN_S + 1)
    assert watch.deaths == 0


def test_a_part_that_never_was_well_cannot_start_after_some_deaths(scene: Scene) -> None:
    watch = scene.watch()
    for _ in range(DEATHS_AT_START):
        scene.turn(watch, 60)
        scene.children[-1].status = 1
        scene.turn(watch)
    assert watch.cannot_start


def test_a_part_that_once_was_well_is_never_given_up(scene: Scene) -> None:
    watch = started(scene, scene.watch())
    for _ in range(10):
        scene.children[-1].status = 1
        scene.turn(watch)
        scene.turn(watch, 60)
    assert not watch.cannot_start
    assert watch.restarts == 10


def test_a_part_that_is_not_ready_in_time_is_replaced(scene: Scene) -> None:
    watch = scene.watch(start_s=10)
    scene.is_well = False
    scene.turn(watch)
    scene.turn(watch, 9)
    assert scene.turn(watch, 2) == "resting"
    assert scene.said == ["part was not ready after 10 s; starting it again in 1 s."]


def test_a_part_that_falls_silent_is_replaced_but_not_at_once(scene: Scene) -> None:
    watch = started(scene, scene.watch())
    scene.is_well = False
    assert scene.turn(watch, 6) == "well"
    assert scene.turn(watch, SILENT_S) == "resting"
    assert scene.ended == [scene.children[0]]


def test_a_part_is_not_replaced_for_the_silence_of_what_it_needs(scene: Scene) -> None:
    watch = scene.watch(needs=("other",))
    there = frozenset({"other"})
    scene.turn(watch, ready=there)
    assert scene.turn(watch, ready=there) == "well"
    scene.is_well = False
    assert scene.turn(watch, 6) == "well"
    assert scene.turn(watch, SILENT_S) == "well"
    assert scene.turn(watch, SILENT_S - 1, there) == "well", "it has as long as usual to come back"
    assert scene.turn(watch, 6, there) == "resting"


def test_a_part_is_not_blamed_for_the_sleep_of_the_machine(scene: Scene) -> None:
    watch = scene.watch()
    watch.clock = AwakeClock(lambda: scene.now)
    started(scene, watch)
    scene.is_well = False  # as nothing is in the first moments after a lid was opened
    assert scene.turn(watch, 8 * 3600) == "well"
    scene.is_well = True
    assert scene.turn(watch, 6) == "well"
    assert (len(scene.children), watch.restarts) == (1, 0)


def test_what_stays_silent_after_the_sleep_is_replaced(scene: Scene) -> None:
    watch = scene.watch()
    watch.clock = AwakeClock(lambda: scene.now)
    started(scene, watch)
    scene.is_well = False
    scene.turn(watch, 8 * 3600)
    for _ in range(10):
        scene.turn(watch, 6)
    assert watch.restarts == 1
