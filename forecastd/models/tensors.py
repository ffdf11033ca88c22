"""What a network sees: series, calendar, related features and metadata as windows of plain numbers.

    |------ context ------| origin |------ horizon ------|
    target, known                    (to be forecast)
    calendar, related features known in advance ────────▶
    related features that end with the target ▶| zero

Each series is told in units of its own size, so one network serves thousands and billions alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecastd.models import calendar
from forecastd.models.algorithm import State
from forecastd.models.history import History
from forecastd.series.frequency import Frequency

_LAST_PHASE = {"day_phase": 96, "weekday": 7, "day_of_month": 31, "day_of_year": 366, "month": 12}


@dataclass(frozen=True)
class Encoding:
    """How related features and metadata become numbers; learnt once, and used for any newer data."""

    related: tuple[str, ...]
    past_only: tuple[bool, ...]  # per related feature: whether it ends with the target
    centre: np.ndarray  # [R] of each related feature
    spread: np.ndarray  # [R]
    levels: tuple[np.ndarray, ...]  # per metadata column, the codes seen, sorted

    @classmethod
    def learn(cls, history: History, related: dict[str, np.ndarray], with_metadata: bool) -> Encoding:
        """The encoding of some related features [N, T+H], and of all metadata or none."""
        names = tuple(sorted(related))
        known = [related[name][np.isfinite(related[name])] for name in names]
        static = history.static if with_metadata else history.static[:, :0]
        return cls(
            related=names,
            past_only=tuple(name in history.past_features for name in names),
            centre=np.array([values.mean() if values.size else 0.0 for values in known]),
            spread=np.array([max(values.std(), 1e-9) if values.size else 1.0 for values in known]),
            levels=tuple(np.unique(static[:, column]) for column in range(static.shape[1])),
        )

    def related_of(self, history: History) -> np.ndarray:
        """The related features [N, T+H, R] in units of their spread; 0 where unknown."""
        everything = {**history.features, **history.past_features}
        unknown = np.full((history.size, len(history.times)), np.nan)
        columns = [everything.get(name, unknown) for name in self.related]
        if not columns:
            return np.zeros((history.size, len(history.times), 0), np.float32)
        scaled = (np.stack(columns, axis=-1) - self.centre) / self.spread
        return np.clip(np.nan_to_num(scaled, nan=0.0), -10, 10).astype(np.float32)

    def static_of(self, history: History) -> np.ndarray:
        """The metadata as places in ``levels`` from 1 on, int64 [N, S]; 0 for what was never seen."""
        columns = []
        for number, levels in enumerate(self.levels):
            codes = (
                history.static[:, number] if number < history.static.shape[1] else np.full(history.size, -1)
            )
            place = np.searchsorted(levels, codes).clip(0, len(levels) - 1)
            columns.append(np.where((levels[place] == codes) & (codes >= 0), place + 1, 0))
        return np.stack(columns, axis=1) if columns else np.zeros((history.size, 0), np.int64)

    @property
    def cardinalities(self) -> list[int]:
        """How many numbers each metadata column has, with 0 for the unknown."""
        return [len(levels) + 1 for levels in self.levels]

    def to_state(self) -> State:
        """For the archive."""
        return {
            "related": list(self.related),
            "past_only": list(self.past_only),
            "centre": self.centre,
            "spread": self.spread,
            "levels": list(self.levels),
        }

    @classmethod
    def from_state(cls, state: State) -> Encoding:
        """What ``to_state`` gave."""
        return cls(
            tuple(state["related"]),
            tuple(state["past_only"]),
            state["centre"],
            state["spread"],
            tuple(state["levels"]),
        )


@dataclass(frozen=True)
class Batch:
    """Some windows, L steps of context and H of horizon each."""

    target: np.ndarray  # [B, L+H] float32, 0 where unknown
    known: np.ndarray  # [B, L+H] float32, 1 or 0
    moving: np.ndarray  # [B, L+H, C+R] float32: calendar and related features
    static: np.ndarray  # [B, S] int64


@dataclass(frozen=True)
class Inputs:
    """Every series of a history, ready to be cut into windows."""

    target: np.ndarray  # [N, T+H] float32 in units of ``scale`` around ``centre``, 0 where unknown
    known: np.ndarray  # [N, T+H] bool
    phases: np.ndarray  # [T+H, C] float32
    related: np.ndarray  # [N, T+H, R] float32
    past_only: np.ndarray  # [R] bool
    static: np.ndarray  # [N, S]
    centre: np.ndarray  # [N]
    scale: np.ndarray  # [N]
    first: np.ndarray  # [N] step of the first value
    length: int  # T
    horizon: int  # H

    @classmethod
    def of(cls, history: History, encoding: Encoding, centre: np.ndarray, scale: np.ndarray) -> Inputs:
        """The inputs of a history whose series are told as ``(value - centre) / scale``."""
        known = np.isfinite(history.values)
        target = (np.where(known, history.values, centre[:, None]) - centre[:, None]) / scale[:, None]
        ahead = ((0, 0), (0, history.horizon))
        return cls(
            target=np.pad(target, ahead).astype(np.float32),
            known=np.pad(known, ahead),
            phases=phases(history.times, history.frequency, history.holiday_country),
            related=encoding.related_of(history),
            past_only=np.array(encoding.past_only, bool),
            static=encoding.static_of(history),
            centre=centre,
            scale=scale,
            first=history.first,
            length=history.length,
            horizon=history.horizon,
        )

    def window(self, rows: np.ndarray, origins: np.ndarray, context: int) -> Batch:
        """The windows of some series [B] from some origins [B]; what lies before the history is unknown."""
        steps = origins[:, None] + np.arange(-context, self.horizon)
        inside = steps >= 0
        steps = np.maximum(steps, 0)
        series = rows[:, None]
        related = self.related[series, steps] * inside[..., None]
        related[:, context:, self.past_only] = 0.0
        moving = np.concatenate([self.phases[steps], related], axis=-1)
        known = self.known[series, steps] & inside
        return Batch(self.target[series, steps] * known, known.astype(np.float32), moving, self.static[rows])

    def trainable(self) -> np.ndarray:
        """The series that have a value before a whole horizon of history, int [n]."""
        return np.flatnonzero(self.first + self.horizon < self.length)

    def sample(self, rows: np.ndarray, count: int, context: int, random: np.random.Generator) -> Batch:
        """Windows of randomly chosen series at random origins, whose horizon lies in the history."""
        chosen = rows[random.integers(len(rows), size=count)]
        earliest = self.first[chosen] + 1
        room = self.length - self.horizon - earliest + 1
        origins = earliest + np.floor(random.random(count) * room).astype(np.int64)
        return self.window(chosen, origins, context)


def phases(times: pd.DatetimeIndex, frequency: Frequency, country: str | None) -> np.ndarray:
    """The calendar as sines and cosines of its phases, and whether there is a holiday, [steps, C]."""
    columns = []
    for name, phase in calendar.columns(times, frequency).items():
        turn = 2 * np.pi * phase / _LAST_PHASE.get(name, 366)
        columns += [np.sin(turn), np.cos(turn)]
    columns.append((calendar.holiday_names(times, frequency, country) != "").astype(float))
    return np.stack(columns, axis=1).astype(np.float32)
