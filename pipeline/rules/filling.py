"""Rules of what completes the data: filled gaps, holidays and weather."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import holidays

from pipeline.domains import DOMAINS, RELATED, TARGET
from pipeline.errors import Problem
from pipeline.rules.draft import (
    Draft,
    DraftDataset,
    Rule,
    fillings,
    number_of,
    object_of,
    strings_of,
    text_of,
)
from pipeline.shapes import shown

COUNTRY = "CountryCode"
AGGREGATIONS = ("sum", "avg", "first", "min", "max")
FILLS = ("zero", "value", "median", "mean", "min", "max")
# Per filling parameter, what it may be for the target and for a related feature; None: not for this one.
FILLINGS: dict[str, tuple[tuple[str, ...] | None, tuple[str, ...] | None]] = {
    "aggregation": (AGGREGATIONS, None),
    "frontfill": (("none",), None),
    "middlefill": (("nan", *FILLS), FILLS),
    "backfill": (("nan", *FILLS), FILLS),
    "futurefill": (None, FILLS),
}


def _filling(draft: Draft) -> Iterator[Problem]:
    target, related = draft.of_type(TARGET), draft.of_type(RELATED)
    if target is None:
        return
    own = DOMAINS[target.domain].target
    features = related.features if related else []
    names = [name for _, name, _ in fillings(draft)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem("Predictor", shown(name), "two fillings are of this field", "Keep one.")
    for where, name, parameters in fillings(draft):
        if name not in (own, *features):
            there = ", ".join([own, *features])
            rule = "it is neither the target nor a numeric field of the related data"
            yield Problem(where, shown(name), rule, f"There are: {there}.")
            continue
        for key, value in parameters.items():
            yield from _filling_parameter(f"{where}, {key}", key, value, parameters, is_target=name == own)


def _filling_parameter(
    where: str, key: str, value: Any, all_of_them: Mapping[str, Any], is_target: bool
) -> Iterator[Problem]:
    base = key.removesuffix("_value")
    allowed = FILLINGS.get(base, (None, None))[0 if is_target else 1]
    kind = "the target" if is_target else "related data"
    if allowed is None or (key != base and "value" not in allowed):
        fit = [name for name, choices in FILLINGS.items() if choices[0 if is_target else 1]]
        yield Problem(where, shown(value), f"{kind} cannot have it", f"There are: {', '.join(fit)}.")
    elif key == base and value not in allowed:
        yield Problem(where, shown(value), f"it has to be one of {', '.join(allowed)}", "Choose one.")
    elif key == base and value == "value" and f"{key}_value" not in all_of_them:
        yield Problem(where, shown(value), f"{key}_value is missing", "Add it: a number in quotes.")
    elif key != base and not _reads_as_number(value):
        yield Problem(where, shown(value), "it has to be a number in quotes", "Correct it.")


def _reads_as_number(value: Any) -> bool:
    return isinstance(value, str) and not math.isnan(number_of(value))


def _further_data(draft: Draft) -> Iterator[Problem]:
    parent, member = (
        ("DataConfig", "AdditionalDatasets") if draft.auto else ("InputDataConfig", "SupplementaryFeatures")
    )
    listed = object_of(draft.predictor, parent).get(member)
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    where = f"Predictor.{parent}.{member}"
    for name, count in Counter(text_of(entry, "Name") for entry in entries).items():
        if name and count > 1:
            yield Problem(where, shown(name), f"{count} entries have this name", "Keep one.")
    for entry in entries:
        name = text_of(entry, "Name")
        if name == "holiday":
            yield from _holiday(where, _countries(entry))
        elif name == "weather":
            yield from _weather(where, draft.of_type(TARGET), "GeolocationFormat" in draft.document)
        elif name:
            rule = "the service knows the holiday calendar and the weather index"
            yield Problem(where, shown(name), rule, 'Give "holiday" or "weather".')


def _countries(entry: Mapping[str, Any]) -> list[str]:
    return (
        [text_of(entry, "Value")]
        if "Value" in entry
        else strings_of(object_of(entry, "Configuration"), COUNTRY)
    )


def _holiday(where: str, countries: list[str]) -> Iterator[Problem]:
    if len(countries) != 1 or not re.fullmatch("[A-Z]{2}", countries[0]):
        rule = "the holiday calendar needs one country, of two capital letters"
        yield Problem(where, ", ".join(map(shown, countries)), rule, f'Give its {COUNTRY}, such as "US".')
    elif countries[0] not in holidays.list_supported_countries():
        yield Problem(where, shown(countries[0]), "no country has this code", 'Correct it: "US", "DE", "KR".')


def _weather(where: str, target: DraftDataset | None, has_form: bool) -> Iterator[Problem]:
    if target is not None and not target.has_places:
        rule = "the weather index needs a field of type geolocation in the target data"
        yield Problem(where, '"weather"', rule, "Add the field, or leave weather out.")
    elif target is not None and not has_form:
        rule = "the weather index needs to know how places are written, and GeolocationFormat is missing"
        yield Problem(where, '"weather"', rule, 'Give it: "LAT_LONG" or "CC_POSTALCODE".')


RULES: tuple[Rule, ...] = (
    _filling,
    _further_data,
)
