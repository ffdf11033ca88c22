"""One part's life: started when what it needs is well, watched, and started again when it died.

waiting ─▶ starting ─▶ well ─▶ (died) ─▶ resting ─▶ starting …
               └─▶ done (parts that run once)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from local.parts import Part

# A part that died rests 1, 2, 4 … 30 s, so that one that cannot live does not take the machine.
FIRST_REST_S = 1.0
LONGEST_REST_S = 30.0

# While the stack starts, so many deaths of one part are taken as "it cannot start".
DEATHS_AT_START = 3

# A part that is well is asked this often; one that runs but has not answered for SILENT_S is started anew.
PROBE_EVERY_S = 5.0
SILENT_S = 60.0

# After so long without trouble, earlier deaths are forgotten.
FORGIVEN_S = 60.0

# Between two looks at the clock lie a few probes or the end of one part. What is longer was sleep.
LONGEST_TURN_S = 20.0


class Child(Protocol):
    """A started process."""

    pid: int

    def poll(self) -> int | None: ...


class AwakeClock:
    """Seconds in which the supervisor was awake.

    While a laptop's lid is closed, or a virtual machine or container is paused, no part answers, and no part
    is to blame; some systems' clocks go on in that time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._awake = 0.0

    def __call__(self) -> float:
        now = self._clock()
        self._awake += min(now - self._last, LONGEST_TURN_S)
        self._last = now
        return self._awake


Spawn = Callable[[Part], Child]
End = Callable[[Part, Child], None]


@dataclass
class Watch:
    """Watches one part; `turn` does what is due.

    Args:
        spawn: starts the part.
        end: brings a process of the part and all its children to an end.
        say: gets a sentence for every change that a person should know of.
    """

    part: Part
    spawn: Spawn
    end: End
    say: Callable[[str], None]
    clock: Callable[[], float]
    state: str = "waiting"
    child: Child | None = None
    deaths: int = 0
    restarts: int = 0
    since: float = 0.0
    next_probe: float = 0.0
    last_well: float = 0.0
    has_been_well: bool = field(default=False)

    @property
    def is_ready(self) -> bool:
        return self.state in ("well", "done")

    @property
    def cannot_start(self) -> bool:
        """It has died too often without ever having been well."""
        return not self.has_been_well and self.deaths >= DEATHS_AT_START

    def turn(self, ready: set[str]) -> None:
        """Do what is due now; `ready` are the names of the parts that are well or done."""
        now = self.clock()
        if self._is_due(now, ready):
            self._start(now)
        elif self.state in ("starting", "well"):
            if self.state == "well" and not ready.issuperset(self.part.needs):
                self.last_well = now  # it may be silent because of what it leans on: no reason to replace it
            self._look(now)

    def _is_due(self, now: float, ready: set[str]) -> bool:
        if self.state == "waiting":
            return ready.issuperset(self.part.needs)
        return self.state == "resting" and now >= self.since + self._rest_s()

    def _start(self, now: float) -> None:
        self.child = self.spawn(self.part)
        self.state, self.since, self.next_probe = "starting", now, now

    def _look(self, now: float) -> None:
        assert self.child is not None
        status = self.child.poll()
        if status is not None:
            self._ended(status, now)
        elif self.state == "starting" and now > self.since + self.part.start_s:
            self._replace(f"was not ready after {self.part.start_s:.0f} s", now)
        elif now >= self.next_probe and not self.part.once:
            self._probe(now)

    def _ended(self, status: int, now: float) -> None:
        if self.part.once and status == 0:
            self.state, self.has_been_well, self.since = "done", True, now
        else:
            self._replace(_how(status), now)

    def _probe(self, now: float) -> None:
        if self.part.probe is None or self.part.probe():
            self._well(now)
        elif self.state == "well" and now > self.last_well + SILENT_S:
            self._replace(f"has not answered for {SILENT_S:.0f} s", now)
        else:
            self.next_probe = now + (0.1 if self.state == "starting" else PROBE_EVERY_S)

    def _well(self, now: float) -> None:
        if self.state == "starting":
            self.state, self.since, self.has_been_well = "well", now, True
            if self.restarts:
                self.say(f"{self.part.name} is back.")
        elif now > self.since + FORGIVEN_S:
            self.deaths = 0
        self.last_well, self.next_probe = now, now + PROBE_EVERY_S

    def _replace(self, why: str, now: float) -> None:
        assert self.child is not None
        self.end(self.part, self.child)
        self.child = None
        self.deaths += 1
        self.restarts += 1
        self.state, self.since = "resting", now
        if not self.cannot_start:
            self.say(f"{self.part.name} {why}; starting it again in {self._rest_s():.0f} s.")

    def _rest_s(self) -> float:
        return float(min(LONGEST_REST_S, FIRST_REST_S * 2 ** (self.deaths - 1)))


def _how(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
