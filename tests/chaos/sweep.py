"""The crash-point sweep: every AWS call of a run, crashed in every way, and the run run again.

An undisturbed run is recorded first. A crash point is a call of that recording, known by its operation, its
subject and how often both came up before; polling, which repeats a question, counts as one. Each case is a
fresh workload with the same content: crash there, run again as anybody would, and compare what is left with
the undisturbed run.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.evidence import Evidence, Plain, evidence, halves, made_twice
from tests.chaos.faults import KILLS, Call, Fault
from tests.chaos.world import Case, World
from tests.stack.harness import daily, params

# What leaves the caller in the dark most comes first.
KINDS = (Fault.KILL_AFTER, Fault.RESET_AFTER, Fault.KILL_BEFORE)
SIGKILLED = -9
TOLD_EVERY = 20

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Point:
    """One call of a run: `time` counts the calls of this operation on this subject, polling as one."""

    operation: str
    subject: str
    time: int
    is_read: bool = field(compare=False, default=False)

    def __str__(self) -> str:
        again = f" (time {self.time})" if self.time > 1 else ""
        return f"{self.operation} {self.subject}".strip() + again


class Counting:
    """Gives each call its point."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self._times: Counter[tuple[str, str]] = Counter()
        self._last: tuple[str, str] | None = None

    def point_of(self, call: Call) -> Point:
        known = (call.operation, self.plain(call.subject))
        if known != self._last:
            self._times[known] += 1
            self._last = known
        return Point(*known, self._times[known], call.is_read)


class Recording:
    """A plan that breaks nothing and remembers every point once, in order."""

    def __init__(self, plain: Plain) -> None:
        self._counting = Counting(plain)
        self.points: dict[Point, None] = {}

    def __call__(self, call: Call) -> None:
        self.points[self._counting.point_of(call)] = None


class Strike:
    """A plan that breaks the first call of one point."""

    def __init__(self, plain: Plain, point: Point, fault: Fault) -> None:
        self._counting = Counting(plain)
        self.point, self.fault = point, fault
        self.has_struck = False

    def __call__(self, call: Call) -> Fault | None:
        if self.has_struck or self._counting.point_of(call) != self.point:
            return None
        self.has_struck = True
        return self.fault


# -- what is run


@dataclass(frozen=True)
class Scenario:
    """A workload up to the run that is to be crashed.

    Args:
        before: brings the workload to where that run starts; runs that it makes are undisturbed.
    """

    name: str
    before: Callable[[Case], None]


def first(case: Case) -> None:
    """The first data of a workload, and everything that a run makes is to be deleted at its end."""
    case.put("params.json", params(PerformDelete=True))
    case.put("train/a.csv", daily(2, 40))


def later(case: Case) -> None:
    """New data of a workload that has a forecast already."""
    first(case)
    _well(case)
    case.put("train/b.csv", daily(1, 40, seed=2, prefix="other"))


def again(case: Case) -> None:
    """Data that were forecast before, and replaced since: published again from the archive."""
    later(case)
    _well(case)
    case.s3.delete_object(Bucket=case.workload.bucket, Key=case.workload.key("train/b.csv"))


def automatic(case: Case) -> None:
    """An AutoPredictor, whose ARN the service chooses."""
    predictor = {
        "PredictorName": "auto_predictor",
        "ForecastHorizon": 2,
        "ForecastFrequency": "D",
        "ForecastTypes": ["0.5"],
    }
    forecast = {"ForecastName": "small_forecast", "ForecastTypes": ["0.5"]}
    case.put("params.json", params(PerformDelete=True, Predictor=predictor, Forecast=forecast))
    case.put("train/a.csv", daily(1, 20))


def _well(case: Case) -> None:
    ended = case.run()
    assert ended.is_well, ended


SCENARIOS = {each.__name__: Scenario(each.__name__, each) for each in (first, later, again, automatic)}


# -- the undisturbed run


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: its calls and what it leaves."""

    scenario: Scenario
    points: tuple[Point, ...]
    left: Evidence
    allowed: dict[str, str]


def undisturbed(world: World, scenario: Scenario) -> Reference:
    """Record a run."""
    case = Case(world, f"{scenario.name}-{next(_numbers)}")
    plain = Plain(case.name)
    scenario.before(case)
    for call in case.proxy.calls:  # number the runs in the order in which every case meets them
        plain(call.subject)
    before = _published(case)
    recording = Recording(plain)
    ended = case.run(recording)
    assert ended.is_well, ended
    left = evidence(case, plain)
    case.close()
    return Reference(scenario, tuple(recording.points), left, {before: "before", _published(case): "after"})


def _published(case: Case) -> str:
    manifest = case.manifest()
    return case.read(f"forecast/{manifest['run']}/{manifest['files'][0]}").decode() if manifest else ""


# -- a case


@dataclass(frozen=True)
class Verdict:
    """What came of one crash: nothing wrong, or the sentences that say what is."""

    scenario: str
    point: Point
    kind: Fault
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.scenario}: {self.point}, {self.kind}: " + ("; ".join(self.wrong) or "well")


def crash(world: World, reference: Reference, point: Point, kind: Fault) -> Verdict:
    """One case from start to end."""
    case = Case(world, f"{reference.scenario.name}-{next(_numbers)}")
    try:
        return Verdict(reference.scenario.name, point, kind, tuple(_crashed(case, reference, point, kind)))
    finally:
        case.close()


def _crashed(case: Case, reference: Reference, point: Point, kind: Fault) -> Iterator[str]:
    plain = Plain(case.name)
    reference.scenario.before(case)
    for call in case.proxy.calls:
        plain(call.subject)
    strike = Strike(plain, point, kind)
    ended = case.run(strike)
    if not strike.has_struck:
        yield "the run never came to this call"
    if kind in KILLS:
        if strike.has_struck and ended.code != SIGKILLED:
            yield f"the process outlived its kill: {ended}"
        yield from halves(case, reference.allowed)
        case.bury()
    elif not ended.is_well:
        yield f"the run did not get over it: {ended.message}"
    finished = case.run()
    if not finished.is_well:
        yield f"the second run ended {finished.state or finished.code}: {finished.message}"
    yield from made_twice(case.proxy.calls, plain)
    yield from reference.left.differences(evidence(case, plain))


# -- all of them


def every(points: Sequence[Point]) -> list[tuple[Point, Fault]]:
    """The whole sweep."""
    return [(point, kind) for kind in KINDS for point in points]


def a_part(points: Sequence[Point], share: float, seed: int) -> list[tuple[Point, Fault]]:
    """Every change killed after the server committed, and a seeded share of all else."""
    source = random.Random(seed)
    cases = every(points)
    return [
        (point, kind)
        for point, kind in cases
        if (kind is Fault.KILL_AFTER and not point.is_read) or source.random() < share
    ]


def sweep(
    world: World,
    reference: Reference,
    cases: list[tuple[Point, Fault]],
    lanes: int = 2,
    say: Callable[[str], Any] = lambda _: None,
) -> list[Verdict]:
    """Run the cases, some side by side; what is wrong is said at once."""

    def one(case: tuple[Point, Fault]) -> Verdict:
        try:
            verdict = crash(world, reference, *case)
        except Exception as error:  # a case that cannot be judged is not well
            verdict = Verdict(reference.scenario.name, *case, (f"{type(error).__name__}: {error}",))
        return verdict

    verdicts = []
    pool = ThreadPoolExecutor(lanes)
    try:
        for verdict in pool.map(one, cases):
            verdicts.append(verdict)
            if verdict.wrong or len(verdicts) % TOLD_EVERY == 0:
                say(f"{len(verdicts):4} of {len(cases)}  {verdict}")
    finally:
        pool.shutdown(cancel_futures=True)  # whoever ends the sweep early need not wait for all of it
    return verdicts


def table(verdicts: Iterable[Verdict]) -> list[str]:
    """One line per call, one column per way to crash it."""
    rows: dict[tuple[str, Point], dict[Fault, str]] = {}
    for verdict in verdicts:
        rows.setdefault((verdict.scenario, verdict.point), {})[verdict.kind] = "NO" if verdict.wrong else "ok"
    lines = [f"{'scenario':10} {'kill after':12} {'reset after':12} {'kill before':12} call"]
    for (scenario, point), cells in rows.items():
        marks = [cells.get(kind, "·") for kind in KINDS]
        lines.append(f"{scenario:10} {marks[0]:12} {marks[1]:12} {marks[2]:12} {point}")
    return lines
