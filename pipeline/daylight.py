"""Tells local times with daylight saving from times without: by the hour that is skipped, or comes twice."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from pipeline.frequency import MINUTE_US

# One zone for each rule by which many zones change: on the same days, at the same local hour.
ZONES = ("Europe/Paris", "Europe/London", "America/New_York", "Australia/Sydney", "America/Santiago")
MOST_YEARS = 60  # longer histories are judged by their last years
HOUR_US = 60 * MINUTE_US
HOUR = dt.timedelta(hours=1)
EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Changes:
    """The local hours of a zone that do not exist, or exist twice, as hours since 1970."""

    skipped: tuple[int, ...]
    repeated: tuple[int, ...]


def zone_of(hours: np.ndarray, repeated: np.ndarray) -> tuple[str, str] | None:
    """The zone whose changes of the clock the data show, and how they show them.

    Args:
        hours: the hours since 1970 that have a row, ascending.
        repeated: those in which a series has two rows for one time.

    Returns:
        The zone, and `skipped` or `repeated`; None if the data show no such change.
    """
    if not len(hours):
        return None
    there, twice = set(hours.tolist()), set(repeated.tolist())
    for zone in ZONES:
        changes = _changes(zone, *_years(hours))
        within = [h for h in changes.skipped if h - 1 in there and h + 1 in there]
        if within and not there.intersection(within):
            return zone, "skipped"
        within = [h for h in changes.repeated if h in there]
        if within and twice.issuperset(within) and len(twice) <= 2 * len(within):
            return zone, "repeated"
    return None


def _years(hours: np.ndarray) -> tuple[int, int]:
    first, last = ((EPOCH + int(h) * HOUR).year for h in (hours[0], hours[-1]))
    return max(first, last - MOST_YEARS), last


@cache
def _changes(zone: str, first_year: int, last_year: int) -> Changes:
    skipped: list[int] = []
    repeated: list[int] = []
    for moment, before, after in _transitions(zone, first_year, last_year):
        local = int((moment.replace(tzinfo=None) + before - EPOCH) // HOUR)  # the hour at the change
        if after > before:
            skipped.append(local)
        else:
            repeated.append(local - 1)
    return Changes(tuple(skipped), tuple(repeated))


def _transitions(
    zone: str, first_year: int, last_year: int
) -> Iterator[tuple[dt.datetime, dt.timedelta, dt.timedelta]]:
    """The UTC hours at which the offset changes by an hour, with the offsets before and after."""
    try:
        info = ZoneInfo(zone)
    except ZoneInfoNotFoundError:  # a machine without the time zone database
        return
    day = dt.datetime(max(first_year, 1970), 1, 1, tzinfo=dt.UTC)
    while day.year <= min(last_year, 9998):
        if info.utcoffset(day.astimezone(info)) != info.utcoffset((day + 24 * HOUR).astimezone(info)):
            yield from _in_day(info, day)
        day += 24 * HOUR


def _in_day(info: ZoneInfo, day: dt.datetime) -> Iterator[tuple[dt.datetime, dt.timedelta, dt.timedelta]]:
    for hour in range(1, 25):
        moment = day + hour * HOUR
        before, after = (
            info.utcoffset(at.astimezone(info)) or dt.timedelta() for at in (moment - HOUR, moment)
        )
        if abs(after - before) == HOUR:
            yield moment, before, after
