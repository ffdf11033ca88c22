"""Public holidays by country, from the holidays library."""

from __future__ import annotations

import re
from functools import cache

import pandas as pd

# What makes another name of a holiday in another year: that its day is not certain yet, as where the moon
# decides, or which day was worked for it.
_OF_ONE_YEAR = re.compile(r" \((?:estimated|substituted from [^)]*)\)|, estimated(?=\))")


@cache
def countries() -> frozenset[str]:
    """The two-letter codes of the countries whose holidays are known: ISO 3166's, and Amazon's `UK`."""
    import holidays

    return frozenset(code for code in holidays.list_supported_countries() if len(code) == 2)


def names_by_date(country: str, first_year: int, last_year: int) -> dict[pd.Timestamp, str]:
    """The name of the public holiday on each date, the first where several share it; empty for a country
    that is not known.
    """
    return {date: names[0] for date, names in _named(country, first_year, last_year)}


def dates_by_name(country: str, first_year: int, last_year: int) -> dict[str, list[pd.Timestamp]]:
    """The dates of each public holiday, ascending; empty for a country that is not known."""
    dates: dict[str, list[pd.Timestamp]] = {}
    for date, names in _named(country, first_year, last_year):
        for name in names:
            dates.setdefault(name, []).append(date)
    return dates


@cache
def day_of_rest(country: str) -> int:
    """The last day of the country's weekend, Monday is 0; Sunday for a country that is not known."""
    import holidays

    try:
        return max(holidays.country_holidays(country).weekend)
    except NotImplementedError:
        return 6


@cache
def _named(country: str, first_year: int, last_year: int) -> list[tuple[pd.Timestamp, list[str]]]:
    """Each date with its holidays, ascending, in English where the library has it.

    A name is the same in every year, so that what a holiday did once can be expected of the next one. A day
    off in its place keeps its own.
    """
    import holidays

    try:
        days = holidays.country_holidays(country, years=range(first_year, last_year + 1), language="en_US")
    except NotImplementedError:
        return []
    return [(pd.Timestamp(date), [plain(name) for name in days[date].split("; ")]) for date in sorted(days)]


def plain(name: str) -> str:
    """The name that a holiday has in every year."""
    return _OF_ONE_YEAR.sub("", name).strip()
