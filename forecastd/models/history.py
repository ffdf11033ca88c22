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
        """The values without gaps [N, T]: straight lines across them; before and after all values the
        nearest season again, or the nearest value where a series has not had its season twice.
        """
        return _with_rhythm_at_the_ends(interpolated(self.values), *self._life, self._seasons)

    @cached_property
    def carried(self) -> tuple[np.ndarray, np.ndarray]:
        """The values without gaps [N, T], in which series that ended earlier end at the end, moved by whole
        seasons; and the step at which each begins then, int [N]. What asks how a series has moved lately, and
        how wrong it was with it, would find nothing but repetitions in their gap.
        """
        if not self.is_moved.any():
            return self.filled, self.first
        by = self._whole_seasons_of_gap
        return moved(self.filled, by, self._seasons), self.first + by

    @property
    def is_moved(self) -> np.ndarray:
        """Which series are not where they were in ``carried``, bool [N]."""
        return self._whole_seasons_of_gap > 0

    @property
    def gap(self) -> np.ndarray:
        """The steps after each series' last value, int [N]; none where it has no value."""
        last = self._life[1]
        return np.where(last >= 0, self.length - 1 - last, 0)

    @cached_property
    def _whole_seasons_of_gap(self) -> np.ndarray:
        return self.gap // self._seasons * self._seasons

    @cached_property
    def _life(self) -> tuple[np.ndarray, np.ndarray]:
        """The steps of each series' first and last value, int [N]."""
        return spans(~np.isnan(self.values))

    @cached_property
    def _seasons(self) -> np.ndarray:
        """The longest rhythm that each series has had twice, int [N]; 1 for none."""
        first, last = self._life
        found = np.ones(self.size, int)
        for season in self.frequency.seasonalities:
            found[last - first + 1 >= LEAST_CYCLES * season] = season
        return found

    @property
    def first(self) -> np.ndarray:
        """The step of each series' first value, int [N]."""
        return self._life[0]

    def only(self, rows: np.ndarray | slice) -> History:
        """The same view of some series: a bool mask [N], or a slice, which copies nothing."""
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


def moved(values: np.ndarray, by: np.ndarray, seasons: np.ndarray) -> np.ndarray:
    """Rows [N, T] moved to the right by so many steps each [N]; before them their first season [N] again."""
    step = np.arange(values.shape[1]) - by[:, None]
    return np.take_along_axis(values, np.where(step < 0, step % seasons[:, None], step), axis=1)


def _with_rhythm_at_the_ends(
    values: np.ndarray, first: np.ndarray, last: np.ndarray, seasons: np.ndarray
) -> np.ndarray:
    """Rows [N, T] whose values before the first and after the last known step are those of the nearest
    season, as long as ``seasons`` [N] says.
    """
    some = (seasons > 1) & ((first > 0) | (last < values.shape[1] - 1))
    if not some.any():
        return values
    step = np.arange(values.shape[1])[None, :]
    begin, end, season = (each[some][:, None] for each in (first, last, seasons))
    source = np.where(step < begin, begin + (step - begin) % season, step)
    source = np.where(step > end, end - (end - step) % season, source)
    result = values.copy()
    result[some] = np.take_along_axis(values[some], source, axis=1)
    return result


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
