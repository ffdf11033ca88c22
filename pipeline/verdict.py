"""What the gate found out about a forecast: every check with its number and its limit, passed or not."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pipeline import storage
from pipeline.errors import RefusedForecast
from pipeline.export import LOOK_AT_SERVICE
from pipeline.forecastfile import Key, named
from pipeline.workload import Workload

State = Literal["passed", "failed", "off", "nothing to compare"]

SHOWN_ITEMS = 5


@dataclass(frozen=True)
class Check:
    """One rule: what was found, and what is allowed."""

    name: str
    state: State
    words: str  # a sentence
    value: float | None = None
    limit: float | None = None
    member: str | None = None  # of `Gate` in params.json; None for what always holds
    items: tuple[str, ...] = ()  # the worst few

    @property
    def is_failed(self) -> bool:
        return self.state == "failed"


@dataclass(frozen=True)
class Verdict:
    """All checks of one forecast."""

    run: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.is_failed]

    def words(self) -> str:
        """One line."""
        passed = sum(check.state == "passed" for check in self.checks)
        parts = [f"{passed} of {len(self.checks)} checks passed"]
        for state in ("failed", "off", "nothing to compare"):
            names = [check.name for check in self.checks if check.state == state]
            parts += [f"{state}: {', '.join(names)}"] if names else []
        return "; ".join(parts)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each check, for a table: what was found comes early, lest it is cut off."""
        return [
            {
                "check": check.name,
                "result": check.state,
                "found": check.words,
                "value": check.value,
                "limit": check.limit,
                "in params.json": f"Gate.{check.member}" if check.member else "always",
            }
            for check in self.checks
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "run": self.run,
            "passed": not self.failed,
            "checks": [asdict(check) for check in self.checks],
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Verdict":
        """What `to_dict` wrote."""
        checks = (Check(**{**check, "items": tuple(check["items"])}) for check in stored["checks"])
        return cls(stored["run"], tuple(checks))

    def insist(self) -> None:
        """Let it pass, or not.

        Raises:
            RefusedForecast: if a check failed; with each one's finding and remedy.
        """
        if not self.failed:
            return
        found = " ".join(f"{check.name[0].upper()}{check.name[1:]}: {check.words}" for check in self.failed)
        members = [f"Gate.{check.member}" for check in self.failed if check.member]
        remedy = LOOK_AT_SERVICE
        if members and len(members) == len(self.failed):
            loosen = ", ".join(dict.fromkeys(members))
            remedy = (
                f"If the forecast is right, loosen {loosen} in params.json or set it to false: the run then "
                "goes on with this forecast, and trains nothing. If it is not, correct the data."
            )
        raise RefusedForecast(f"The gate refused the forecast. {found}", remedy)


def path(run: str) -> str:
    """Where the verdict on a run's forecast is kept in the workload."""
    return f"runs/{run}/gate.json"


def write(s3: Any, workload: Workload, verdict: Verdict) -> None:
    """Keeps the verdict beside the run."""
    storage.write_json(s3, workload, path(verdict.run), verdict.to_dict())


def read(s3: Any, workload: Workload, run: str) -> Verdict | None:
    """The verdict on a run's forecast, or None if the gate has not seen it."""
    stored = storage.read_json(s3, workload, path(run))
    return Verdict.from_dict(stored) if stored else None


def figure(value: float) -> str:
    """A number as people read it: four digits, and all those before the point."""
    value += 0.0  # makes a zero of -0.0
    return f"{value:,.0f}" if 1000 <= abs(value) < math.inf else f"{value:.4g}"


def count(which: np.ndarray) -> str:
    """How many of how many: `3 of 40 items`."""
    return f"{int(which.sum())} of {len(which)} {'item' if len(which) == 1 else 'items'}"


def worst(keys: Sequence[Key], which: np.ndarray, numbers: np.ndarray | None = None) -> str:
    """The worst few items of those, with their numbers: `a (17.2), b (9.1) and 4 more`."""
    places = np.flatnonzero(which)
    if numbers is not None:
        places = places[np.argsort(-numbers[places], kind="stable")]
    shown = [
        named(keys[n]) + (f" ({numbers[n]:.3g})" if numbers is not None else "") for n in places[:SHOWN_ITEMS]
    ]
    more = f" and {len(places) - SHOWN_ITEMS} more" if len(places) > SHOWN_ITEMS else ""
    return ", ".join(shown) + more


def worst_names(keys: Sequence[Key], which: np.ndarray, numbers: np.ndarray) -> tuple[str, ...]:
    """The names of the worst few."""
    places = np.flatnonzero(which)
    return tuple(named(keys[n]) for n in places[np.argsort(-numbers[places], kind="stable")][:SHOWN_ITEMS])
