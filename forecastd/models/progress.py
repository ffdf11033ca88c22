"""How far a training is, and how long the rest takes: an estimate that converges as steps are measured.

Every step has a kind and a guessed cost. The first steps are scaled by how wrong the guesses were so far;
once a kind has been measured, its own time is used.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

Report = Callable[[float, float | None], None]


class Progress:
    """Tells ``report(fraction, seconds_left)`` after each step."""

    def __init__(
        self,
        report: Report,
        limit_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        abreast: int = 1,
    ) -> None:
        self._report, self._limit, self._clock = report, limit_s, clock
        self._abreast = abreast  # steps that are done at the same time
        self._began = clock()
        self._planned: list[tuple[str, float]] = []
        self._taken: dict[str, list[float]] = defaultdict(list)
        self._guessed_done = 0.0

    def plan(self, steps: Iterable[tuple[str, float]]) -> None:
        """Expect these steps: kind and guessed cost, in any unit."""
        self._planned.extend(steps)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    @property
    def is_limited(self) -> bool:
        """Whether there is a time limit."""
        return self._limit is not None

    def allows(self, kind: str) -> bool:
        """Whether the planned steps of a kind, measured or else guessed, fit into the time limit."""
        if self._limit is None:
            return True
        guesses = [guess for planned, guess in self._planned if planned == kind]
        taken = self._taken.get(kind)
        expected = len(guesses) * sum(taken) / len(taken) if taken else sum(guesses)
        return self.elapsed_s + expected / self._abreast <= self._limit

    def drop(self, kind: str) -> None:
        """Expect no more steps of this kind."""
        self._planned = [step for step in self._planned if step[0] != kind]

    def done(self, kind: str, seconds: float, steps: int = 1) -> None:
        """Note steps that took so long together, and report."""
        for _ in range(steps):
            self._taken[kind].append(seconds / steps)
            self._settle(kind)
        self.tell()

    def tell(self) -> None:
        """Report how far it is."""
        self._report(self.fraction, self.seconds_left)

    def _settle(self, kind: str) -> None:
        for position, (planned, guess) in enumerate(self._planned):
            if planned == kind:
                del self._planned[position]
                self._guessed_done += guess
                return

    @property
    def seconds_left(self) -> float:
        """Expected seconds of all steps not done yet."""
        measured = sum(sum(taken) for taken in self._taken.values())
        rate = measured / self._guessed_done if self._guessed_done > 0 else 1.0
        return sum(self._expected(kind, guess, rate) for kind, guess in self._planned) / self._abreast

    def _expected(self, kind: str, guess: float, rate: float) -> float:
        taken = self._taken.get(kind)
        return taken[-1] if taken else guess * rate

    @property
    def fraction(self) -> float:
        """Share of the expected time that has passed, 0 to 1."""
        left = self.seconds_left
        total = self.elapsed_s + left
        return 1.0 if not self._planned else min(0.99, self.elapsed_s / total if total > 0 else 0.0)

    def taken_s(self, kind: str) -> float:
        """Seconds that all steps of a kind took."""
        return sum(self._taken.get(kind, []))

    def finish(self) -> None:
        """Report that nothing is left."""
        self._planned.clear()
        self._report(1.0, 0.0)
