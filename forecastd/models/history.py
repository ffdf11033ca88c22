"""What a model may see at one moment: the history up to an origin, and what is known ahead of the horizon.

                 origin
    |---- history --|---- horizon ----|
    values, observed                        never beyond the origin
    times, features, holidays               through the horizon

A feature that ends with the target is hidden beyond the origin, so it cannot leak into a backtest.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecastd.series.filling import spans
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

LEAST_CYCLES = 2  # of a rhythm in a history, from which on a single series may be said to have it
CODES = 8191  # of metadata texts; so many that two of a column rarely share one


@dataclass(frozen=True)
class History:
    """The view of a panel from one origin."""

    values: np.ndarray  # [N, T] NaN = missing
    times: pd.DatetimeIndex  # [T + H]
    horizon: int  # H
    frequency: Frequency
    features: dict[str, np.ndarray]  # [N, T + H], known in advance
    static: np.ndarray  # [N, columns] codes of the metadata, -1 = unknown
    holiday_country: str | None = None
    past_features: dict[str, np.ndarray] = field(default_factory=dict)  # [N, T + H], NaN beyond the origin

    @classmethod
    def of(cls, panel: Panel, horizon: int, origin: int | None = None) -> History:
        """The view from step ``origin`` (the end of the panel if not given), ``horizon`` steps ahead."""
        end = panel.length if origin is None else origin
        beyond = max(0, end + horizon - panel.length)
        times = panel.times.union(panel.future_times(beyond)) if beyond else panel.times
        forward = {n: f for n, f in panel.features.items() if is_forward(f, panel.length)}
        backward = {n: f for n, f in panel.features.items() if n not in forward}
        return cls(
            values=panel.values[:, :end],
            times=pd.DatetimeIndex(times[: end + horizon]),
            horizon=horizon,
            frequency=panel.frequency,
            features={name: _reach(feature, end + horizon) for name, feature in forward.items()},
            static=_codes(panel.static, panel.size),
            holiday_country=panel.holiday_country,
            past_features={name: _reach(f[:, :end], end + horizon) for name, f in backward.items()},
        )

    @property
    def size(self) -> int:
        """N, the number of series."""
        return self.values.shape[0]

    @property
    def length(self) -> int:
        """T, the number of steps of history."""
        return self.values.shape[1]

    @cached_property
    def filled(self) -> np.ndarray:
        """The values without gaps [N, T]: straight lines across them, the nearest value before and after
        all.
        """
        return interpolated(self.values)

    @cached_property
    def first(self) -> np.ndarray:
        """The step of each series' first value, int [N]."""
        return spans(~np.isnan(self.values))[0]

    def only(self, rows: np.ndarray) -> History:
        """The same view of some series: a bool mask [N]."""
        return replace(
            self,
            values=self.values[rows],
            features={name: feature[rows] for name, feature in self.features.items()},
            static=self.static[rows],
            past_features={name: feature[rows] for name, feature in self.past_features.items()},
        )

    def last_steps(self, steps: int) -> History:
        """The same view with only the newest ``steps`` of history."""
        cut = self.length - steps
        if cut <= 0:
            return self
        return History(
            values=self.values[:, cut:],
            times=self.times[cut:],
            horizon=self.horizon,
            frequency=self.frequency,
            features={name: feature[:, cut:] for name, feature in self.features.items()},
            static=self.static,
            holiday_country=self.holiday_country,
            past_features={name: feature[:, cut:] for name, feature in self.past_features.items()},
        )


def is_forward(feature: np.ndarray, length: int) -> bool:
    """Whether a feature is known beyond the ``length`` steps of history."""
    return bool(np.isfinite(feature[:, length:]).any())


def _reach(feature: np.ndarray, length: int) -> np.ndarray:
    missing = length - feature.shape[1]
    return (
        feature[:, :length]
        if missing <= 0
        else np.pad(feature, ((0, 0), (0, missing)), constant_values=np.nan)
    )


def _codes(static: pd.DataFrame | None, size: int) -> np.ndarray:
    if static is None or static.shape[1] == 0:
        return np.zeros((size, 0), np.int64)
    return np.stack([_stable_codes(static[name]) for name in static.columns], axis=1)


def _stable_codes(texts: pd.Series) -> np.ndarray:
    """A number for each text that is the same in any panel; -1 for an empty one."""
    codes, levels = pd.factorize(texts)
    numbers = [zlib.crc32(str(level).encode()) % CODES if level else -1 for level in levels]
    return np.array(numbers, np.int64)[codes]


def interpolated(values: np.ndarray) -> np.ndarray:
    """The rows of ``values`` [N, T] with gaps bridged by straight lines and ends extended; empty rows
    become 0.
    """
    if not np.isnan(values).any():
        return values
    known = ~np.isnan(values)
    length = values.shape[1]
    step = np.arange(length)
    before = np.maximum.accumulate(np.where(known, step, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, step, length)[:, ::-1], axis=1)[:, ::-1]
    left = np.where(before < 0, np.minimum(after, length - 1), before)
    right = np.where(after >= length, np.maximum(before, 0), after)
    low, high = np.take_along_axis(values, left, 1), np.take_along_axis(values, right, 1)
    span = right - left
    share = np.divide(step - left, span, out=np.zeros(values.shape), where=span > 0)
    return np.nan_to_num(low + (high - low) * share, nan=0.0)
