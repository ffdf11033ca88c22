"""What the gate wants to know of each item of a forecast: a few numbers, gathered in a stream."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.forecastfile import Block, Key
from pipeline.frequency import Frequency
from pipeline.quantiles import middle, quantile
from pipeline.recent import steps_ahead
from pipeline.reformat import Reformatted

ROUNDING = 1e-9  # of a value: quantiles that cross by less are equal


@dataclass(frozen=True)
class LastForecast:
    """The published forecast: its bytes, and what it says of when."""

    run: str
    source: Any
    first: dt.datetime
    horizon: int
    types: tuple[str, ...]
    has_header: bool


@dataclass(frozen=True)
class Common:
    """Times and types that a forecast shares with the last one."""

    steps: np.ndarray  # places of the times in the new forecast
    last_steps: np.ndarray  # … and in the last
    types: np.ndarray
    last_types: np.ndarray

    @classmethod
    def between(cls, new: Reformatted, frequency: Frequency, last: LastForecast | None) -> "Common":
        none = np.array([], dtype=int)
        if last is None:
            return cls(none, none, none, none)
        times = steps_ahead(new.first, frequency, new.horizon)
        last_times = steps_ahead(last.first, frequency, last.horizon)
        _, steps, last_steps = np.intersect1d(
            np.array(times, dtype="datetime64[s]"),
            np.array(last_times, dtype="datetime64[s]"),
            return_indices=True,
        )
        shared = [name for name in new.types if name in last.types]
        types, last_types = ([of.index(name) for name in shared] for of in (new.types, last.types))
        return cls(steps, last_steps, np.array(types, dtype=int), np.array(last_types, dtype=int))

    def of_new(self, values: np.ndarray) -> np.ndarray:
        """[N] the items' means over the common times and types of the new forecast."""
        return _mean_at(values, self.steps, self.types)

    def of_last(self, values: np.ndarray) -> np.ndarray:
        """[N] the same of the last forecast."""
        return _mean_at(values, self.last_steps, self.last_types)

    @property
    def is_empty(self) -> bool:
        return not (len(self.steps) and len(self.types))


class Tally:
    """What the checks want to know of each item of a forecast, gathered block by block."""

    def __init__(self, types: Sequence[str], common: Common) -> None:
        self.types = list(types)
        self._common = common
        self.keys: list[Key] = []
        self._parts: list[dict[str, np.ndarray]] = []
        self._quantiles = [place for place, name in enumerate(types) if quantile(name) is not None]

    def add(self, block: Block) -> None:
        """Takes some items."""
        values = block.values
        self.keys += block.keys
        ordered = values[:, :, self._quantiles]
        crossing = np.zeros(len(values))
        if len(self._quantiles) > 1:
            slack = ROUNDING * np.abs(ordered).max(axis=2, keepdims=True)
            with np.errstate(invalid="ignore"):  # two infinite ones; they are told as not finite
                crossing = (ordered[:, :, :-1] - ordered[:, :, 1:] - slack).max(axis=(1, 2))
        part = {
            "finite": np.isfinite(values).all(axis=(1, 2)),
            "crossing": crossing,
            "level": values.mean(axis=(1, 2)),
            "depth": -values[:, :, self.middle].min(axis=1),
            "spread": values.max(axis=(1, 2)) - values.min(axis=(1, 2)),
            "largest": np.abs(values).max(axis=(1, 2)),
            "width": (ordered[:, :, -1] - ordered[:, :, 0]).mean(axis=1) if self._quantiles else crossing,
        }
        if not self._common.is_empty:
            part["shared"] = self._common.of_new(values)
        self._parts.append(part)

    @property
    def middle(self) -> int:
        """The place of the type that stands for the forecast in one number."""
        return self.types.index(middle(self.types))

    @property
    def quantiles(self) -> list[str]:
        """The quantiles among the types, ascending."""
        return [self.types[place] for place in self._quantiles]

    def of(self, name: str) -> np.ndarray:
        """[N] one number for each item."""
        return np.concatenate([part[name] for part in self._parts]) if self._parts else np.zeros(0)


def _mean_at(values: np.ndarray, steps: np.ndarray, types: np.ndarray) -> np.ndarray:
    return values[:, steps][:, :, types].mean(axis=(1, 2))
