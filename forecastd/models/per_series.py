"""Running a method of one series on many: newest part of the history, and no series can fail the rest."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from forecastd.models.algorithm import Algorithm
from forecastd.models.history import History
from forecastd.models.quantiles import GRID

logger = logging.getLogger(__name__)

Holidays = list[tuple[pd.Timestamp, str]]  # a step may hold several


@dataclass(frozen=True)
class OneSeries:
    """What a method sees of one series."""

    values: np.ndarray  # [T], without gaps, from the series' first value on
    times: pd.DatetimeIndex  # [T + H]
    horizon: int
    period: int  # season length in steps
    rhythms: tuple[int, ...]  # lengths of all that repeats evenly, shortest first
    features: np.ndarray  # [T + H, features], without gaps
    holidays: Holidays


Method = Callable[[OneSeries], np.ndarray]  # -> [H, K]


class PerSeries(Algorithm):
    """A method of one series, applied to each; it has no answer for a series on which it fails."""

    longest: ClassVar[dict[str, int]]  # unit -> steps of history that are used

    @property
    def method(self) -> Method:
        """The function."""
        raise NotImplementedError

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        seen = history.last_steps(self.longest[history.frequency.unit])
        forecast = np.full((history.size, history.horizon, len(GRID)), np.nan)
        for row in range(seen.size):
            answer = _guarded(self.method, self.one(seen, row))
            if answer is not None:
                forecast[row] = answer
        return forecast

    def one(self, history: History, row: int) -> OneSeries:
        """The part of ``history`` that concerns one series."""
        start = int(min(history.first[row], history.length - 1))
        return OneSeries(
            values=history.filled[row, start:],
            times=history.times[start:],
            horizon=history.horizon,
            period=history.frequency.period,
            rhythms=history.frequency.seasonalities,
            features=np.zeros((len(history.times) - start, 0)),
            holidays=[],
        )


def _guarded(method: Method, task: OneSeries) -> np.ndarray | None:
    """The method's answer, or None when it has none: whatever a library raises concerns this series
    alone.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = method(task)
        except Exception:
            logger.debug("no answer for a series of %d steps", len(task.values), exc_info=True)
            return None
    usable = (
        answer.shape == (task.horizon, len(GRID)) and np.isfinite(answer).all() and _sane(answer, task.values)
    )
    return answer if usable else None


def _sane(answer: np.ndarray, values: np.ndarray) -> bool:
    """Whether a forecast has not exploded: within a hundred times the range that was seen."""
    low, high = values.min(), values.max()
    room = 100 * max(high - low, abs(high), abs(low), 1e-9)
    return bool((answer > low - room).all() and (answer < high + room).all())
