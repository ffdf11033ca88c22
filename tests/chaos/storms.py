"""Runs in bad weather: a share of all AWS calls is throttled, fails, breaks off or comes in half."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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


def weather(world: World, runs: int, share: float, seed: int, lanes: int = 2) -> list[Storm]:
    """So many runs of the first scenario, each in a weather of its own, each once."""
    reference = undisturbed(world, SCENARIOS["first"])
    with ThreadPoolExecutor(lanes) as pool:
        return list(pool.map(lambda n: storm(world, reference, share, seed + n), range(runs)))


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


def table(storms: list[Storm]) -> list[str]:
    """One line per run."""
    lines = [f"{'seed':>4} {'calls':>5} {'faults':>6} {'share':>6} {'seconds':>7}  result"]
    for each in storms:
        faults = sum(each.faults.values())
        share = faults / max(1, each.calls)
        result = "; ".join(each.wrong) or "right"
        lines.append(f"{each.seed:4} {each.calls:5} {faults:6} {share:6.1%} {each.seconds:7.1f}  {result}")
    total: Counter[Fault] = sum((each.faults for each in storms), Counter())
    lines.append(", ".join(f"{kind} {count}" for kind, count in sorted(total.items())))
    right = sum(not each.wrong for each in storms)
    lines.append(f"{right} of {len(storms)} runs ended with the right result")
    return lines
