"""What hyperparameter optimisation may search: ranges of values, and how one is drawn from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from forecastd.series.algorithms import RELATED_KINDS

SCALINGS = ("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")
_WIDE = 10.0  # times: from here on an automatic scale is logarithmic


@dataclass(frozen=True)
class Range:
    """The values that one hyperparameter may take."""

    name: str
    kind: str  # "categorical" | "integer" | "continuous"
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scaling: str = "Auto"

    def at(self, share: float) -> str:
        """The value at a share of the way through the range, 0 to 1, as the API writes it."""
        if self.kind == "categorical":
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        value = self._number(share)
        return str(round(value)) if self.kind == "integer" else f"{value:.6g}"

    def _number(self, share: float) -> float:
        if self._scale == "Logarithmic":
            return float(self.low * (self.high / self.low) ** share)
        if self._scale == "ReverseLogarithmic":  # of the distance from 1; for shares close to 1
            return float(1 - (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** share)
        return self.low + (self.high - self.low) * share

    @property
    def _scale(self) -> str:
        wide = self.low > 0 and self.high / self.low >= _WIDE
        return ("Logarithmic" if wide else "Linear") if self.scaling == "Auto" else self.scaling

    def to_json(self) -> dict[str, Any]:
        """For a plan."""
        return asdict(self)

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Range:
        """What ``to_json`` gave."""
        return cls(**{**item, "values": tuple(item["values"])})


def default_ranges(algorithm: str, horizon: int) -> tuple[Range, ...]:
    """What is searched where the request names no ranges."""
    if algorithm == "Deep_AR_Plus":
        shortest, longest = max(1, math.ceil(0.1 * horizon)), min(200, 10 * horizon)
        return (
            Range("context_length", "integer", low=shortest, high=max(shortest, longest)),
            Range("learning_rate", "continuous", low=0.0001, high=0.1, scaling="Logarithmic"),
        )
    return (
        Range(
            "context_length",
            "integer",
            low=min(500, max(10, 2 * horizon)),
            high=min(500, max(10, 12 * horizon)),
        ),
        Range("use_related_data", "categorical", values=RELATED_KINDS),
        Range("use_item_metadata", "categorical", values=("ALL", "NONE")),
    )
