"""Days that move over the years, and where they stood before: Easter's, and the holidays of a country.

The days that follow from Easter are so many in so many countries that they are known here, whatever the
country is. Where it is told, the holidays are added that move in its calendar: the lunar new year, the feasts
of Islam, Diwali, the days of the Jewish and of the Orthodox year. Each comes from its own days of the years
before, and no other day comes from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from dateutil.easter import easter

from forecastd.models.history import History
from forecastd.series import public_holidays

# Steps after Easter Sunday that move with it: carnival, the week before, Ascension, Whitsun, Corpus Christi.
OF_EASTER = {"W": (-1, 0, 1), "D": (-48, -47, *range(-7, 2), 39, 49, 50, 60)}
AROUND_EASTER = tuple(range(-10, 5))  # days whose week moves
BESIDE = 1  # steps before and after the holidays of a country that are not as usual either
NEVER = -1  # a step outside of every history
YEARS_LOOKED_AT = 10  # to tell whether a holiday moves
A_YEAR = 365.25
FIXED = 8  # days by which a holiday of the same date, or of the same weekday of a month, may be off a year
ONCE_A_YEAR = (300, 400)  # days from one time to the next; a day off in place of another has others


@dataclass(frozen=True)
class Feast:
    """Days that move together: where the first one stood each time, and which of them there are."""

    steps: np.ndarray  # [times], ascending; some lie outside of the history
    days: Sequence[int]  # steps after the first one
    beside: int = 0  # steps before and after the days that move with them, unless they are days of others

    def placed(self) -> Iterator[tuple[int, int]]:
        """All steps that move, each with its distance from the days."""
        for distance in range(1, self.beside + 1):
            yield min(self.days) - distance, distance
            yield max(self.days) + distance, distance
        for day in self.days:
            yield day, 0


def of_days(history: History) -> list[Feast]:
    """The feasts whose days, or weeks of weekly data, are of their own."""
    easter_days = OF_EASTER[history.frequency.unit]
    return [Feast(_easters(history), easter_days), *_of_country(history, BESIDE)]


def of_weeks(history: History, week: int) -> list[Feast]:
    """The feasts whose week is of its own: it holds one of their days."""
    return [Feast(_easters(history), AROUND_EASTER), *_of_country(history, BESIDE + week // 2)]


def from_their_own(before: np.ndarray, feasts: Sequence[Feast]) -> np.ndarray:
    """The steps before each one [years, T + H], where those of feasts come from the feasts before."""
    years, size = before.shape
    moves, own = np.zeros(size, bool), np.full_like(before, NEVER)
    placed = [(away, feast.steps, day) for feast in feasts for day, away in feast.placed()]
    for _, steps, day in sorted(placed, key=lambda each: -each[0]):  # the nearest day comes last, and counts
        at = steps + day
        inside = (at >= 0) & (at < size)
        moves[at[inside]] = True
        for ago in range(1, years + 1):
            earlier = np.concatenate([np.full(ago, NEVER), at])[: len(at)]
            own[ago - 1, at[inside]] = earlier[inside]
    known = (before >= 0) & (before < size)
    taken = known & moves[np.clip(before, 0, size - 1)]
    return np.where(moves, own, np.where(taken, NEVER, before))


def _easters(history: History) -> np.ndarray:
    """The step of each Easter Sunday, from the year before the history to the one after the horizon."""
    years = range(history.times[0].year - 1, history.times[-1].year + 2)
    return _steps(history, [pd.Timestamp(easter(year)) for year in years])


def _of_country(history: History, beside: int) -> list[Feast]:
    """The holidays of the country that move otherwise than Easter does."""
    if history.holiday_country is None:
        return []
    last = history.times[-1].year + 1
    first = min(history.times[0].year - 1, last - YEARS_LOOKED_AT)
    is_week = history.frequency.unit == "W"
    return [
        Feast(_steps(history, dates), range(1 if is_week else length), beside)
        for dates, length in _moving(history.holiday_country, first, last)
    ]


def _steps(history: History, dates: Sequence[pd.Timestamp]) -> np.ndarray:
    start, days = history.times[0].normalize(), round(history.frequency.minutes / 1440)
    return np.array([(date - start).days // days for date in dates], int)


@cache
def _moving(country: str, first_year: int, last_year: int) -> list[tuple[list[pd.Timestamp], int]]:
    """The first dates of the holidays that move, and how many days each usually has."""
    found = []
    for dates in public_holidays.dates_by_name(country, first_year, last_year).values():
        runs = _runs(dates)
        begins = [run[0] for run in runs]
        if _moves(begins):
            found.append((begins, int(np.median([(run[-1] - run[0]).days + 1 for run in runs]))))
    return found


def _runs(dates: Sequence[pd.Timestamp]) -> list[list[pd.Timestamp]]:
    """Dates by days that follow each other, with one of another name between them at the most."""
    runs: list[list[pd.Timestamp]] = []
    for date in dates:
        if runs and (date - runs[-1][-1]).days <= 2:
            runs[-1].append(date)
        else:
            runs.append([date])
    return runs


def _moves(begins: Sequence[pd.Timestamp]) -> bool:
    """Whether a holiday comes every year, but not on a date, nor on a weekday of a month, nor with Easter."""
    if len(begins) < YEARS_LOOKED_AT // 2:
        return False
    distances = np.diff(np.array(begins, "datetime64[D]")).astype(int)
    least, most = ONCE_A_YEAR
    if distances.min() < least or np.median(distances) > most:
        return False
    after_easter = {(date - pd.Timestamp(easter(date.year))).days for date in begins}
    return len(after_easter) > 1 and bool(np.median(np.abs(distances - A_YEAR)) > FIXED)
