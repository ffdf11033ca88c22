"""`python -m tests.chaos sweep|weather`: the long forms of what the tests of this folder do in short.

sweep     crash a run at every AWS call in every way, run it again, compare
weather   runs in which a fifth of all AWS calls goes wrong
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import storms
from tests.chaos.sweep import SCENARIOS, Verdict, a_part, every, sweep, table, undisturbed
from tests.chaos.world import World


def _say(line: str) -> None:
    print(line, flush=True)


def sweep_command(arguments: argparse.Namespace, world: World) -> int:
    """Every call, or a part of them; the exit status is 1 if a case is not well."""
    verdicts: list[Verdict] = []
    for name in arguments.scenario or SCENARIOS:
        reference = undisturbed(world, SCENARIOS[name])
        cases = (
            every(reference.points)
            if arguments.share >= 1
            else a_part(reference.points, arguments.share, arguments.seed)
        )
        _say(f"{name}: {len(reference.points)} calls, {len(cases)} cases")
        verdicts += sweep(world, reference, cases, arguments.lanes, _say)
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    _say("\n".join(table(verdicts)))
    _say(f"{len(verdicts)} cases, {len(verdicts) - len(wrong)} well, {len(wrong)} not")
    for verdict in wrong:
        _say(f"  {verdict}")
    return int(bool(wrong))


def weather_command(arguments: argparse.Namespace, world: World) -> int:
    """Runs in bad weather; the exit status is 1 unless every one ends with the right result."""
    found = storms.weather(world, arguments.runs, arguments.share, arguments.seed, arguments.lanes, _say)
    _say("\n".join(storms.table(found)))
    return int(any(each.wrong for each in found))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    commands = made.add_subparsers(required=True)
    swept = commands.add_parser("sweep")
    swept.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="default: all")
    swept.add_argument("--share", type=float, default=1.0, help="of all cases; 1: every one")
    swept.add_argument("--bare", action="store_true", help="without Prefect: the same AWS calls, faster")
    swept.set_defaults(command=sweep_command)
    stormy = commands.add_parser("weather")
    stormy.add_argument("--runs", type=int, default=20)
    stormy.add_argument("--share", type=float, default=0.2, help="of all calls that go wrong")
    stormy.set_defaults(command=weather_command, bare=False)
    for each in (swept, stormy):
        each.add_argument("--seed", type=int, default=1)
        each.add_argument("--lanes", type=int, default=2, help="cases side by side")
    return made


def main() -> int:
    """Do what the command line says, in a world that is gone afterwards."""
    arguments = parser().parse_args()
    command: Callable[[argparse.Namespace, World], int] = arguments.command
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # and take the services along
    with tempfile.TemporaryDirectory() as folder, World(Path(folder), arguments.bare) as world:
        status = command(arguments, world)
    _say(f"{time.monotonic() - started:.0f} seconds")
    return status


if __name__ == "__main__":
    sys.exit(main())
