"""Rules of frequencies, timestamps, boundaries and time zones."""

import re
import zoneinfo
from collections.abc import Iterator
from functools import cache

from pipeline.domains import METADATA, RELATED, TARGET
from pipeline.errors import Problem
from pipeline.frequency import Frequency
from pipeline.rules.draft import Draft, Rule, object_of
from pipeline.shapes import missing, nearest, shown
from pipeline.timestamps import DAY, DEFAULT, DIRECTIVES, SECOND

# How a geolocation is written: 47.61_-122.33, or US_98121.
PLACES = ("LAT_LONG", "CC_POSTALCODE")

# The one member of TimeAlignmentBoundary that is one unit finer than the frequency's unit.
BOUNDARY_OF_UNIT = {"D": "Hour", "W": "DayOfWeek", "M": "DayOfMonth", "Y": "Month"}


def _frequencies(draft: Draft) -> Iterator[Problem]:
    texts = [(f"{draft.settings_path}.ForecastFrequency", draft.settings.get("ForecastFrequency"))]
    texts += [(f"{path}.DataFrequency", raw.get("DataFrequency")) for path, raw in draft.raw_datasets()]
    for where, text in texts:
        if isinstance(text, str):
            try:
                Frequency.parse(text)
            except ValueError as error:
                yield Problem(where, "", str(error), "Correct it.")


def _frequency_given(draft: Draft) -> Iterator[Problem]:
    if draft.predictor and draft.auto and "ForecastFrequency" not in draft.predictor:
        rule = "it is missing, and so is FeaturizationConfig"
        remedy = "Add ForecastFrequency for an AutoPredictor, or FeaturizationConfig for CreatePredictor."
        yield Problem("Predictor.ForecastFrequency", "", rule, remedy)
    if draft.predictor and draft.auto and "ForecastHorizon" not in draft.predictor:
        yield missing("Predictor.ForecastHorizon")
    related = draft.of_type(RELATED)
    if related is not None and "DataFrequency" not in dict(draft.raw_datasets())[related.path]:
        yield missing(f"{related.path}.DataFrequency")


def _frequency_order(draft: Draft) -> Iterator[Problem]:
    target, related, own = draft.of_type(TARGET), draft.of_type(RELATED), draft.frequency
    where = f"{draft.settings_path}.ForecastFrequency"
    text = shown(draft.settings.get("ForecastFrequency"))
    if own and target and target.frequency and own.minutes < target.frequency.minutes:
        rule = f"it must not be finer than the target data's frequency, a step of {target.frequency.words}"
        yield Problem(where, text, rule, "Use the same frequency or a coarser one.")
    if own and related and related.frequency and own != related.frequency:
        rule = f"it has to equal the related data's frequency, a step of {related.frequency.words}"
        yield Problem(where, text, rule, "Bring the related data to the forecast's frequency.")


def _timestamp_format(draft: Draft) -> Iterator[Problem]:
    given = draft.document.get("TimestampFormat", DEFAULT)
    if not isinstance(given, str):
        return
    if given not in DIRECTIVES:
        rule = f"the service reads {DAY} and {SECOND} only"
        yield Problem("TimestampFormat", shown(given), rule, "Use one of them, in the files as well.")
        return
    finest = [d.frequency for d in draft.datasets if d.type != METADATA and d.frequency]
    if given == DAY and any(f.needs_time_of_day for f in [*finest, draft.frequency] if f):
        rule = "hours and minutes need a time of day"
        yield Problem("TimestampFormat", shown(given), rule, f"Use {SECOND}.")


def _boundary(draft: Draft) -> Iterator[Problem]:
    boundary = object_of(draft.predictor, "TimeAlignmentBoundary")
    if not (draft.auto and boundary and draft.frequency):
        return
    fits = BOUNDARY_OF_UNIT.get(draft.frequency.unit)
    if list(boundary) != [fits]:
        holds = f"only {fits}" if fits else "nothing"
        rule = f"with a step of {draft.frequency.words} it can hold {holds}"
        remedy = f"Give {fits} alone." if fits else "Leave it out."
        yield Problem("Predictor.TimeAlignmentBoundary", shown(boundary), rule, remedy)


def _time_zone(draft: Draft) -> Iterator[Problem]:
    if draft.document.get("UseGeolocationForTimeZone") is True and "TimeZone" in draft.document:
        rule = "the zone comes from the location or from TimeZone, not from both"
        yield Problem("TimeZone", shown(draft.document["TimeZone"]), rule, "Give one of the two.")
    zone = draft.document.get("TimeZone")
    if isinstance(zone, str) and re.fullmatch(r"[\w/+-]+", zone, re.ASCII) and zone not in _zones():
        near = nearest(zone, sorted(_zones()))
        remedy = f"Did you mean {near}?" if near else "Give a name such as Europe/Berlin, or leave it out."
        yield Problem("TimeZone", shown(zone), "no time zone has this name", remedy)


def _places(draft: Draft) -> Iterator[Problem]:
    wanted = draft.document.get("UseGeolocationForTimeZone") is True
    for dataset in (draft.of_type(TARGET), draft.of_type(RELATED)) if wanted else ():
        if dataset is not None and not dataset.has_places:
            rule = f"it needs a field of type geolocation, and {dataset.path} has none"
            remedy = "Add the field to the file and its schema, or give a TimeZone instead."
            yield Problem("UseGeolocationForTimeZone", "true", rule, remedy)
    form = draft.document.get("GeolocationFormat")
    if isinstance(form, str) and form not in PLACES:
        rule = f"it has to be one of {', '.join(PLACES)}"
        near = nearest(form, list(PLACES))
        yield Problem(
            "GeolocationFormat", shown(form), rule, f"Did you mean {near}?" if near else "Choose one."
        )


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


RULES: tuple[Rule, ...] = (
    _frequencies,
    _frequency_given,
    _frequency_order,
    _timestamp_format,
    _boundary,
    _time_zone,
    _places,
)
