"""Runs in bad weather: a share of all AWS calls is throttled, fails, breaks off or comes in half."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.chaos.evidence import Plain, evidence, made_twice
from tests.chaos.faults import Fault, Weather
from tests.chaos.sweep import SCENARIOS, Reference, undisturbed
from tests.chaos.world import Case, World


@dataclass(frozen=True)
class Storm:
    """One run: its calls, what went wrong with how many of them, and what came of it."""

    seed: int
    calls: int
    faults: Counter[Fault]
    seconds: float
    wrong: tuple[str, ...]


def weather(
    world: World,
    runs: int,
    share: float,
    seed: int,
    lanes: int = 2,
    say: Callable[[str], Any] = lambda _: None,
) -> list[Storm]:
    """So many runs of the first scenario, each in a weather of its own, each once."""
    reference = undisturbed(world, SCENARIOS["first"])
    found = []
    with ThreadPoolExecutor(lanes) as pool:
        for one in pool.map(lambda n: storm(world, reference, share, seed + n), range(runs)):
            found.append(one)
            say(line(one))
    return found


def storm(world: World, reference: Reference, share: float, seed: int) -> Storm:
    """One run, not helped by a second one."""
    case = Case(world, f"storm-{seed}")
    plain = Plain(case.name)
    reference.scenario.before(case)
    started = time.monotonic()
    ended = case.run(Weather(seed, share))
    seconds = time.monotonic() - started
    wrong = [] if ended.is_well else [f"the run ended {ended.state or ended.code}: {ended.message}"]
    for call in case.proxy.calls:
        plain(call.subject)
    wrong += made_twice(case.proxy.calls, plain)
    wrong += reference.left.differences(evidence(case, plain))
    case.close()
    faults = Counter(call.fault for call in case.proxy.calls if call.fault)
    return Storm(seed, len(case.proxy.calls), faults, seconds, tuple(wrong))


def line(one: Storm) -> str:
    """One run in a line."""
    faults = sum(one.faults.values())
    share = faults / max(1, one.calls)
    result = "; ".join(one.wrong) or "right"
    return f"{one.seed:4} {one.calls:5} {faults:6} {share:6.1%} {one.seconds:7.1f}  {result}"


def table(storms: list[Storm]) -> list[str]:
    """One line per run, then the faults by kind, then the sum."""
    total: Counter[Fault] = sum((each.faults for each in storms), Counter())
    right = sum(not each.wrong for each in storms)
    return [
        f"{'seed':>4} {'calls':>5} {'faults':>6} {'share':>6} {'seconds':>7}  result",
        *map(line, storms),
        ", ".join(f"{kind} {count}" for kind, count in sorted(total.items())),
        f"{right} of {len(storms)} runs ended with the right result",
    ]
