"""Timestamp formats in Java's letters, as the forecasting API names them, and Python's directives."""

import datetime as dt

DAY = "yyyy-MM-dd"
SECOND = "yyyy-MM-dd HH:mm:ss"
# The 12-hour letters are a known slip for HH that the service accepts.
DIRECTIVES = {DAY: "%Y-%m-%d", SECOND: "%Y-%m-%d %H:%M:%S", "yyyy-MM-dd hh:mm:ss": "%Y-%m-%d %H:%M:%S"}
_DATE, _TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}"
PATTERNS = {DAY: _DATE, SECOND: f"{_DATE} {_TIME}"}
PATTERNS["yyyy-MM-dd hh:mm:ss"] = PATTERNS[SECOND]
DEFAULT = SECOND  # what the API assumes when no format is given
# No history of demand reaches farther; a year beyond is a slip, and services count in nanoseconds since 1970.
EARLIEST, LATEST = dt.datetime(1700, 1, 1), dt.datetime(2100, 12, 31, 23, 59, 59)


def directive(java_format: str) -> str:
    """The strptime directives for a format in Java's letters."""
    return DIRECTIVES[java_format]


def write(moment: dt.datetime, java_format: str) -> str:
    """The moment in the format."""
    return moment.strftime(DIRECTIVES[java_format])


def span(first: dt.datetime, last: dt.datetime) -> str:
    """Both ends in the same form: dates where neither has a time of day."""
    dates_only = first.time() == last.time() == dt.time()
    form = "%Y-%m-%d" if dates_only else "%Y-%m-%d %H:%M:%S"
    return f"{first.strftime(form)} to {last.strftime(form)}"
