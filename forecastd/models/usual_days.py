"""A country's holidays: taken out of what a model sees, and put into what it forecasts.

Models of level and rhythm know no holidays: they forecast a usual day, and take a holiday that has just
passed for news. Here holidays are made usual days before such a model sees them, and what they do to a day,
or to each hour of it, is put back where the forecast holds one:

    usual[d]    the median of the nearest days of the same weekday that are no holidays
    effect[d] = (all + own[name]) × (day of rest − usual[d]) + shape[hour], as a share of usual[d]

So a holiday is a Sunday to some degree. One on a Sunday changes little, one that the history does not hold is
expected to be like those that it does, and one of which several are known may be of its own. The parts come
from a ridge regression for each series. How far single holidays may be of their own, and how much of it all
comes, is what foretells each holiday best from all others.

What comes back of earlier years without being a holiday (`earlier_years`) is left to the model itself, which
finds it in the history without holidays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from forecastd.models import calendar
from forecastd.models.algorithm import Algorithm, State
from forecastd.models.history import History
from forecastd.models.shares import WITHIN, base, lifted, lowered, usual_size
from forecastd.series import public_holidays

MINUTES = 1440  # of a day
HOURS = 24
NEAREST = (2, 6)  # days that make a usual one, at least and at most
LEAST_HOLIDAYS = 3  # of a history, from which others may be foretold
PENALTY_OF_ALL = 0.1  # ridge, as the next ones: chosen on the first hourly windows of docs/accuracy.md
PENALTIES_OF_OWN = (100.0, 3.0, 1.0, 0.3)  # from hardly any of their own to nearly free
PENALTY_OF_SHAPE = 30.0
LARGEST = 1.0  # share by which a holiday may be above the usual
PROOF = 1.0  # squared standard errors by which what comes is drawn towards nothing
SERIES_THAT_PROVE = 20  # more do not change the settings, only the time
NUMBERS_AT_A_TIME = 3_000_000


class OnUsualDays(Algorithm):
    """An algorithm that knows no holidays, with what they do."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.algorithm = algorithm
        self.name, self.learns = algorithm.name, algorithm.learns

    def fit(self, history: History, seed: int, threads: int) -> None:
        """See ``Algorithm.fit``."""
        if not self.learns:
            return
        self.algorithm.limit_s = self.limit_s
        self.algorithm.fit(_usual(history, effects(history)), seed, threads)

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        found = effects(history)
        forecast = self.algorithm.forecast(_usual(history, found), threads)
        if found is None:
            return forecast
        share, usual = (table[:, history.length :, None] for table in (found.share, found.usual))
        return lifted(history, forecast, share, usual)

    def effective(self) -> dict[str, str]:
        """See ``Algorithm.effective``."""
        return self.algorithm.effective()

    def state(self) -> State:
        """See ``Algorithm.state``."""
        return self.algorithm.state()

    def restore(self, state: State) -> None:
        """See ``Algorithm.restore``."""
        self.algorithm.restore(state)


@dataclass(frozen=True)
class Effects:
    """What holidays do to each series at each step of history and horizon."""

    share: np.ndarray  # [N, T + H] of the usual, by which they stand above it; 0 on all other days
    usual: np.ndarray  # [N, T + H] the size of the usual


def effects(history: History) -> Effects | None:
    """What the holidays of the history's country do; None where nothing is known of it."""
    days = _days(history)
    if days is None or not history.size or len(days.past) < LEAST_HOLIDAYS:
        return None
    proven = _proven(days)
    if proven.back == 0:
        return None
    share, usual = np.zeros((2, *days.values.shape))
    holidays, past = np.concatenate([days.past, days.ahead]), slice(len(days.past))
    for series in days.parts(np.arange(history.size)):
        known = days.known(series, holidays)
        sums = _Sums.of(known.inputs[:, past], known.off[:, past]).of_all()
        found = sums.solved(days.penalties(proven.own))
        told = np.einsum("ndsf,nf->nds", known.inputs, found)
        share[np.ix_(series, holidays)] = proven.back * np.clip(told, -WITHIN, LARGEST)
        usual[np.ix_(series, holidays)] = known.usual
    inside = slice(days.before, days.before + len(history.times))
    flat = [table.reshape(history.size, -1)[:, inside] for table in (share, usual)]
    return Effects(*flat)


def _usual(history: History, found: Effects | None) -> History:
    """The history with its holidays made usual days."""
    return history if found is None else lowered(history, (found.share * found.usual)[:, : history.length])


@dataclass(frozen=True)
class _Sums:
    """Normal equations of holidays; a day weighs as much as 24 hours."""

    squares: np.ndarray  # [..., F, F]
    products: np.ndarray  # [..., F]

    @classmethod
    def of(cls, inputs: np.ndarray, off: np.ndarray) -> _Sums:
        """Those of each holiday: inputs [n, holidays, S, F], and what came, NaN where it is not known."""
        known = np.isfinite(off)
        weighted = np.moveaxis(inputs * known[..., None], 3, 2) * (HOURS / off.shape[2])
        return cls(weighted @ inputs, (weighted @ np.where(known, off, 0.0)[..., None])[..., 0])

    def of_all(self) -> _Sums:
        """Those of all holidays of a series together."""
        return _Sums(self.squares.sum(axis=1), self.products.sum(axis=1))

    def of_others(self) -> _Sums:
        """Those of all holidays but one, for each."""
        every = self.of_all()
        return _Sums(every.squares[:, None] - self.squares, every.products[:, None] - self.products)

    def solved(self, penalties: np.ndarray) -> np.ndarray:
        """The coefficients [..., F]."""
        return np.linalg.solve(self.squares + np.diag(penalties), self.products[..., None])[..., 0]


@dataclass(frozen=True)
class _Known:
    """What is known of some holidays of some series."""

    inputs: np.ndarray  # [n, holidays, S, F]
    off: np.ndarray  # [n, holidays, S] share by which they stood above the usual; NaN where not known
    usual: np.ndarray  # [n, holidays, S] the size of the usual


@dataclass(frozen=True)
class _Days:
    """The history and its horizon by days of S steps."""

    values: np.ndarray  # [N, days, S] NaN = missing, or not yet known
    before: int  # steps of the first day that are before the history
    whole: int  # days that are known to their end
    weekday: np.ndarray  # int [days]
    names: np.ndarray  # object [days], of holidays; else empty
    rest: int  # the weekday of rest
    size: np.ndarray  # [N, 1] of a usual value

    @property
    def steps(self) -> int:
        """S, the steps of a day."""
        return self.values.shape[2]

    @property
    def hours(self) -> int:
        """The parts of a day that are told apart."""
        return min(self.steps, HOURS)

    @cached_property
    def past(self) -> np.ndarray:
        """The holidays that are known, as numbers of days."""
        return self._comparable(slice(0, self.whole))

    @cached_property
    def ahead(self) -> np.ndarray:
        """The holidays that come; today may be one."""
        return self._comparable(slice(self.whole, None))

    @cached_property
    def kinds(self) -> np.ndarray:
        """The names of the holidays that are known, [kinds]."""
        return np.unique(self.names[self.past].astype(str))

    def penalties(self, own: float) -> np.ndarray:
        """The ridge of each input, [F]."""
        return np.array([PENALTY_OF_ALL, *[own] * len(self.kinds), *[PENALTY_OF_SHAPE] * self.hours])

    def parts(self, series: np.ndarray) -> Iterator[np.ndarray]:
        """Some series at a time."""
        holidays, inputs = len(self.past) + len(self.ahead), len(self.penalties(0.0))
        at_a_time = max(1, NUMBERS_AT_A_TIME // (holidays * inputs * max(self.steps, inputs)))
        yield from (series[low : low + at_a_time] for low in range(0, len(series), at_a_time))

    def known(self, series: np.ndarray, holidays: np.ndarray) -> _Known:
        """What is known of these holidays."""
        values = self.values[series]
        usual, like_rest = (
            np.stack([_median(values[:, self._like(day, weekday)]) for day, weekday in pairs], axis=1)
            for pairs in (zip(holidays, self.weekday[holidays], strict=True), product(holidays, [self.rest]))
        )
        size = base(usual, self.size[series][..., None])
        towards = np.clip(np.nan_to_num((like_rest - usual) / size), -1, 1)[..., None]
        is_kind = (self.names[holidays][:, None] == self.kinds)[None, :, None, :]
        is_hour = (np.arange(self.steps) * self.hours // self.steps)[:, None] == np.arange(self.hours)
        shape = np.broadcast_to(is_hour, (*towards.shape[:3], self.hours))
        off = np.clip((values[:, holidays] - usual) / size, -1, LARGEST)
        return _Known(np.concatenate([towards, towards * is_kind, shape], axis=3), off, size)

    def _comparable(self, days: slice) -> np.ndarray:
        """The holidays of some days for which there are usual days and days of rest."""
        holidays = np.arange(len(self.names))[days][self.names[days] != ""]
        enough = [
            all(len(self._like(day, weekday)) >= NEAREST[0] for weekday in (self.weekday[day], self.rest))
            for day in holidays
        ]
        return holidays[np.array(enough, bool)]

    def _like(self, day: int, weekday: int) -> np.ndarray:
        """The days of a weekday that are nearest to a day and no holidays."""
        known = slice(0, self.whole)
        usable = np.flatnonzero((self.weekday[known] == weekday) & (self.names[known] == ""))
        return usable[np.argsort(np.abs(usable - day), kind="stable")[: NEAREST[1]]]


def _days(history: History) -> _Days | None:
    """The days of a history; None where they are not told apart, or the country is not known."""
    frequency, country = history.frequency, history.holiday_country
    if country is None or MINUTES % frequency.minutes:
        return None
    first, last = history.times[[0, -1]]
    days = pd.date_range(first.normalize(), last.normalize())
    steps = round(MINUTES / frequency.minutes)
    before = (first - days[0]) // pd.Timedelta(minutes=frequency.minutes)
    padding = len(days) * steps - before - history.length
    values = np.pad(history.values, ((0, 0), (before, padding)), constant_values=np.nan)
    return _Days(
        values.reshape(history.size, len(days), steps),
        before,
        (before + history.length) // steps,
        np.asarray(days.dayofweek, int),
        calendar.names_of_days(days, country),
        public_holidays.day_of_rest(country),
        usual_size(history),
    )


@dataclass(frozen=True)
class _Proven:
    """The settings that foretell holidays best."""

    own: float  # penalty of what they have of their own
    back: float  # how much of what is told comes, 0 to 1


def _proven(days: _Days) -> _Proven:
    """The settings with which each holiday is foretold best from all others."""
    size = len(days.values)
    some = np.unique(np.linspace(0, size - 1, min(size, SERIES_THAT_PROVE)).astype(int))
    parts = [days.known(series, days.past) for series in days.parts(some)]
    others = [_Sums.of(known.inputs, known.off).of_others() for known in parts]
    came = np.concatenate([np.nan_to_num(known.off) for known in parts])
    tried = []
    for own in PENALTIES_OF_OWN:
        found = [sums.solved(days.penalties(own)) for sums in others]
        told = np.concatenate([_told(known, one) for known, one in zip(parts, found, strict=True)])
        tried.append((float(((told - came) ** 2).sum()), _Proven(own, _back(told, came))))
    return min(tried, key=lambda each: each[0])[1]


def _told(known: _Known, coefficients: np.ndarray) -> np.ndarray:
    """What is told of each holiday [n, holidays, S]; 0 where it is not known what came."""
    told = np.einsum("ndsf,ndf->nds", known.inputs, coefficients)
    return np.where(np.isfinite(known.off), told, 0.0)


def _back(told: np.ndarray, came: np.ndarray) -> float:
    """How much of what was told [n, holidays, S] came, less by what may be chance; holidays are independent.

    Source: the positive part estimator of W. James and C. Stein (1961).
    """
    size, count = float((told**2).sum()), told.shape[1]
    slope = float((told * came).sum()) / size if size > 0 else 0.0
    if slope <= 0:
        return 0.0
    by_chance = (told * (came - slope * told)).sum(axis=(0, 2))
    variance = float((by_chance**2).sum()) / size**2 * count / (count - 1)
    return min(slope * max(0.0, 1 - PROOF * variance / slope**2), 1.0)


def _median(values: np.ndarray) -> np.ndarray:
    """The median over the days [n, days, S], NaN where nothing is known, [n, S]."""
    known = np.isfinite(values).any(axis=1)
    return np.where(known, np.nanmedian(np.where(known[:, None], values, 0.0), axis=1), np.nan)
