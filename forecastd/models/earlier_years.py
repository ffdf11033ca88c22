"""Earlier years: what all series did on the same days and weeks of them, and how much of that comes back.

A few years are too little to tell the holidays of a single series from chance, and models of level and rhythm
leave them alone. But many series show what a day was like for all of them, and the days that have come round
again show how much of that comes back:

    common[t]   how far the series stood off their own levels at t: the median over all, as a share; what may
                as well be noise is drawn towards nothing
    back        how much of common[t - year] came back in common[t], measured and drawn towards nothing
    forecast of t × (1 + back × common[t - year])

So Christmas is forecast from one Christmas where other holidays came back before, and nothing happens where
the days of a year have nothing in common, as with the weather. How far days that came back before were off
what was expected of them is the doubt about the next ones: it makes the finished forecast wider there, as
the windows that widths are chosen on rarely hold such days. What comes back is measured apart for

    weeks   the week of a year ago, where the history holds the year once; who holds it twice knows rhythms
    days    the week around the day, and the day itself: on the same date, and on the same weekday of a year
            ago; the mean of all years that the history holds, as no rhythm of the year tells single days
    closed  steps at which most series stood at nothing: only if such steps have come back before, as a shop
            is closed again at Christmas, but what was lost once is not lost again

Days that move over the years, as Easter does, come from their own of earlier years (`moving_days`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter, uniform_filter1d

from forecastd.models import moving_days
from forecastd.models.calendar import year_steps
from forecastd.models.history import LEAST_CYCLES, History
from forecastd.models.quantiles import MEDIAN, Z
from forecastd.models.shares import WITHIN, base, lifted, lowered, usual_size

AROUND = {"W": 9, "D": 7}  # weeks whose median is the level of the one in the middle
WEEK = {"W": 1, "D": 7}  # steps
LEAST_PAIRS = {"W": 8, "D": 14}  # steps that have come round
NOISE = 1.5  # times the median of what is common, which may as well be chance
CLOSED = -0.999  # of the level: most series stood at nothing, or nothing was recorded and a gap was filled
PROOF = 2.0  # squared standard errors by which what came back is drawn towards nothing
MOST_SERIES = {"W": 2000, "D": 300}  # more do not change what they have in common


def repeated(history: History, forecast: np.ndarray) -> np.ndarray:
    """A forecast [N, H, K] that knows no days of earlier years, with what comes back of them."""
    coming = _coming_back(history)
    if coming is None:
        return forecast
    ahead = coming.share[history.length :][None, :, None]
    return lifted(history, forecast, ahead, usual_size(history)[..., None])


def doubted(history: History, forecast: np.ndarray) -> np.ndarray:
    """A finished forecast [N, H, K], wider where something comes back of which it is not known how much.

    The doubt is independent of all else that the forecast does not know, so their squares add up.
    """
    coming = _coming_back(history)
    if coming is None:
        return forecast
    middle = forecast[..., MEDIAN, None]
    usual = np.median(np.abs(middle), axis=1, keepdims=True)
    doubt = Z * usual * coming.doubt[history.length :][None, :, None]
    return middle + np.sign(Z) * np.hypot(forecast - middle, doubt)


def without(history: History) -> History:
    """The history without what comes back of earlier years; the first one without as much of its own."""
    coming = _coming_back(history)
    if coming is None:
        return history
    return lowered(history, usual_size(history) * coming.share[: history.length])


def held_once(history: History) -> bool:
    """Whether the history is too short to hold the year twice, from which on models learn it themselves."""
    return history.length < LEAST_CYCLES * year_steps(history.frequency)


@dataclass(frozen=True)
class _ComingBack:
    """What comes back at each step, as shares of the level."""

    share: np.ndarray  # [T + H] by how much all series stand higher
    doubt: np.ndarray  # [T + H] its standard error


def _coming_back(history: History) -> _ComingBack | None:
    """What comes back; None where nothing is known."""
    unit, length, year = history.frequency.unit, history.length, year_steps(history.frequency)
    if unit not in WEEK or (unit == "D" and history.frequency.count > 1):
        return None
    if unit == "W" and not held_once(history):
        return None
    edge = AROUND[unit] // 2 * WEEK[unit]  # at both ends of a history, where levels are not known well
    come_round = np.arange(year + edge, length - edge)
    if len(come_round) < LEAST_PAIRS[unit]:
        return None
    parts = [part.coming_back(come_round) for part in _parts(history)]
    share = np.sum([part.share for part in parts], axis=0)
    doubt = np.sqrt(np.sum([part.doubt**2 for part in parts], axis=0))
    return _ComingBack(np.maximum(share, -WITHIN), doubt)


@dataclass(frozen=True)
class _Part:
    """A part of what series have in common, and where it stood in the years before."""

    common: np.ndarray  # [T]
    before: Sequence[np.ndarray]  # each [years, T + H]: the steps it may come from; outside the history: none
    lasting: int  # steps that it usually lasts; so many tell as much as one

    def coming_back(self, come_round: np.ndarray) -> _ComingBack:
        """What comes back, as measured at some steps; where no year is before a step, as much of its own."""
        seen = np.stack([self._mean(steps) for steps in self.before], axis=1)
        pairs = come_round[np.isfinite(seen[come_round]).all(axis=1)]
        back = _back(self.common[pairs], seen[pairs], len(pairs) / self.lasting)
        if not back.any():
            return _ComingBack(np.zeros(len(seen)), np.zeros(len(seen)))
        own = np.pad(self.striking, (0, len(seen) - len(self.striking)))[:, None]
        then = np.where(np.isnan(seen), own, seen)
        share = then @ back
        return _ComingBack(share, _doubt(self.common[pairs] - share[pairs], share / back.sum(), pairs))

    @cached_property
    def striking(self) -> np.ndarray:
        """What stands out, with what may as well be noise drawn towards nothing, [T]."""
        noise = NOISE * float(np.median(np.abs(self.common)))
        size = self.common**2
        return self.common * size / np.maximum(size + noise**2, 1e-12)

    def _mean(self, steps: np.ndarray) -> np.ndarray:
        """The mean over the years that the history holds, NaN where it holds none, [T + H]."""
        inside = (steps >= 0) & (steps < len(self.common))
        total = np.where(inside, self.striking[np.clip(steps, 0, len(self.common) - 1)], 0.0).sum(axis=0)
        return np.where(inside.any(axis=0), total / np.maximum(inside.sum(axis=0), 1), np.nan)


def _parts(history: History) -> list[_Part]:
    common, feasts = _common(history), moving_days.of_days(history)
    weeks = _weeks_before(history)
    closed = np.where(common <= CLOSED, common, 0.0)
    open_ = common - closed
    if history.frequency.unit == "W":
        weeks = moving_days.from_their_own(weeks, feasts)
        return [_Part(closed, [weeks], 1), _Part(open_, [weeks], 1)]
    around = uniform_filter1d(open_, WEEK["D"], mode="nearest")
    both = [moving_days.from_their_own(before, feasts) for before in (_dates_before(history), weeks)]
    near = moving_days.from_their_own(weeks, moving_days.of_weeks(history, WEEK["D"]))
    return [_Part(closed, both, 1), _Part(around, [near], WEEK["D"]), _Part(open_ - around, both, 2)]


def _years(history: History) -> range:
    return range(1, len(history.times) // year_steps(history.frequency) + 2)


def _weeks_before(history: History) -> np.ndarray:
    """The step whole weeks, about a year, before each one, and two years before and so on."""
    year, steps = year_steps(history.frequency), np.arange(len(history.times))
    return np.stack([steps - number * year for number in _years(history)])


def _dates_before(history: History) -> np.ndarray:
    """The step of the same date of the year before each one, and of two years before and so on."""
    days = history.times.normalize()
    dates = [days - pd.DateOffset(years=number) for number in _years(history)]
    return np.stack([np.asarray((date - days[0]).days, int) for date in dates])


def _common(history: History) -> np.ndarray:
    """How far the series stand off their own levels at each step, as a share: the median over all, [T]."""
    unit, length = history.frequency.unit, history.length
    some = np.linspace(0, history.size - 1, min(history.size, MOST_SERIES[unit])).astype(int)
    values = history.filled[some]
    levels = _levels(values, WEEK[unit], AROUND[unit])
    off = (values - levels) / base(levels, usual_size(history)[some])
    begun = np.arange(length) >= history.first[some, None]
    counts = begun.any(axis=0)
    common = np.zeros(length)
    common[counts] = np.nanmedian(np.where(begun, off, np.nan)[:, counts].clip(-1, 1), axis=0)
    return common


def _levels(values: np.ndarray, week: int, around: int) -> np.ndarray:
    """The median of the same step of some weeks around each one, [N, T]."""
    size, length = values.shape
    table = np.pad(values, ((0, 0), (-length % week, 0)), mode="symmetric").reshape(size, -1, week)
    return median_filter(table, size=(1, around, 1), mode="nearest").reshape(size, -1)[:, -length:]


def _back(now: np.ndarray, then: np.ndarray, looks: float) -> np.ndarray:
    """How much of each column of ``then`` [S, C] is in ``now`` [S], 0 to 1: by least squares, less by what
    may be chance in so many looks.

    Source: the positive part estimator of W. James and C. Stein (1961).
    """
    slopes = np.linalg.lstsq(then, now, rcond=None)[0]
    if (slopes < 0).any():
        slopes = _best_alone(now, then)
    fitted = then @ slopes
    size = float(fitted @ fitted)
    if size <= 0:
        return np.zeros(len(slopes))
    chance = float(np.sum((now - fitted) ** 2)) / (len(now) - 1) * len(now) / looks / size
    return np.minimum(slopes * max(0.0, 1 - PROOF * chance), 1.0)


def _doubt(off: np.ndarray, then: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The standard error of what is expected at each step, [T + H]: the more, the more stood out ``then``.

    Args:
        off: How far what came was off what was expected, [pairs].
        then: What stood out in the years before, [T + H].
        pairs: The steps at which that is known.
    """
    size, error = then**2, off**2
    seen = size[pairs]
    usual = error[seen <= np.median(seen)].mean()
    slope = float(seen @ (error - usual)) / max(float(seen @ seen), 1e-12)
    return np.sqrt(np.clip(slope, 0.0, 1.0) * size)


def _best_alone(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """The slope of the column that explains most by itself, and none of the others."""
    sizes = np.maximum((then**2).sum(axis=0), 1e-12)
    slopes = np.maximum(now @ then / sizes, 0.0)
    return np.where(np.arange(len(slopes)) == np.argmax(slopes**2 * sizes), slopes, 0.0)
