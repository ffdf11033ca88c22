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
    """The name of the public holiday on each date, in English where the library has it.

    A name is the same in every year, so that what a holiday did once can be expected of the next one.
    It is empty for a country that is not known.
    """
    import holidays

    try:
        days = holidays.country_holidays(country, years=range(first_year, last_year + 1), language="en_US")
    except NotImplementedError:
        return {}
    return {pd.Timestamp(date): plain(name) for date, name in sorted(days.items())}


def plain(name: str) -> str:
    """The first name where several holidays share a day; a day off in its place keeps its own name."""
    return _OF_ONE_YEAR.sub("", name.split(";")[0]).strip()
