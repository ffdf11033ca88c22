"""Checks a JSON value against a shape of the API's model, in full.

botocore checks required members and types when a request is sent; lengths, ranges, patterns and
enumerations stand in the same model but are left to the service. Here all of them are checked, before
anything is created, and all problems are reported together.
"""

import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session

from pipeline.errors import Problem
from pipeline.workload import one_line

# Shapes whose pattern in the model is older than the service: they are checked by rules of our own.
UNCHECKED_PATTERNS = {"Frequency", "Arn", "KMSKeyArn", "Value", "Format"}
# Patterns that people meet, in words: the rule and the remedy.
_PATTERN_WORDS = {
    "Name": (
        "a name is a letter followed by letters, digits and underscores",
        "Replace hyphens, dots and blanks by underscores.",
    ),
    "ForecastType": ('it has to be a quantile such as "0.9", or "mean"', "Correct it."),
}
LONGEST_SHOWN = 60


@cache
def request_shape(operation: str) -> Any:
    """The input shape of an operation of the Forecast API."""
    return _service_model().operation_model(operation).input_shape


@cache
def _service_model() -> Any:
    return botocore.session.get_session().get_service_model("forecast")


def check(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    """The problems of a value.

    Args:
        value: what the JSON holds.
        shape: a botocore shape.
        path: where the value stands: `Predictor.ForecastHorizon`.
        filled_in: members that a run fills in itself, by path, with the remedy for giving them.
    """
    checker = _CHECKERS.get(shape.type_name)
    if checker is not None:
        yield from checker(value, shape, path, filled_in)


def _structure(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield wrong_type(path, value, "an object in braces")
        return
    own = {f"{path}.{name}" for name in shape.members} - set(filled_in)
    for name in shape.required_members:
        if (
            name not in value
            and f"{path}.{name}" in own
            and not _only_filled_in(shape, name, path, filled_in)
        ):
            yield missing(f"{path}.{name}")
    for name, member in value.items():
        here = f"{path}.{name}"
        if here in filled_in:
            yield Problem(here, shown(member), "this member cannot be given here", filled_in[here])
        elif name not in shape.members:
            yield unknown(here, name, [known.rsplit(".", 1)[-1] for known in sorted(own)])
        else:
            yield from check(member, shape.members[name], here, filled_in)


def _only_filled_in(shape: Any, name: str, path: str, filled_in: Mapping[str, str]) -> bool:
    """Whether everything required inside the member is filled in by the run, so that it may be left out."""
    inner = shape.members[name]
    required = getattr(inner, "required_members", [])
    return bool(required) and all(f"{path}.{name}.{member}" in filled_in for member in required)


def _list(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield wrong_type(path, value, "a list in square brackets")
        return
    yield from _length(len(value), shape, path, f"{len(value)} entries", "entries")
    for place, entry in enumerate(value):
        yield from check(entry, shape.member, f"{path}[{place}]", filled_in)


def _map(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield wrong_type(path, value, "an object in braces")
        return
    yield from _length(len(value), shape, path, f"{len(value)} entries", "entries")
    for key, entry in value.items():
        yield from check(key, shape.key, f"{path}.{key}", filled_in)
        yield from check(entry, shape.value, f"{path}.{key}", filled_in)


def _string(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield wrong_type(path, value, "a text in double quotes")
        return
    if shape.enum and value not in shape.enum:
        near = nearest(value, shape.enum)
        remedy = f"Did you mean {near}?" if near else f"Use one of {', '.join(shape.enum)}."
        yield Problem(path, shown(value), f"it has to be one of {', '.join(shape.enum)}", remedy)
        return
    wrong_length = list(_length(len(value), shape, path, shown(value), "characters"))
    yield from wrong_length
    pattern = shape.metadata.get("pattern", "")
    if pattern and not wrong_length and _is_checked(shape) and not re.fullmatch(pattern, value, re.ASCII):
        words = _PATTERN_WORDS.get(shape.name, (f"it has to match {pattern}", "Correct it."))
        yield Problem(path, shown(value), *words)


def _is_checked(shape: Any) -> bool:
    return shape.name not in UNCHECKED_PATTERNS and r"\p{" not in shape.metadata["pattern"]


def _number(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    whole = shape.type_name in ("integer", "long")
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        yield wrong_type(path, value, "a whole number without quotes" if whole else "a number without quotes")
        return
    if not math.isfinite(value):  # as 1e999 is read
        yield wrong_type(path, value, "a finite number")
        return
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        yield Problem(
            path, shown(value), f"it has to be {_range(low, high)}", "Choose a number in this range."
        )


def _boolean(value: Any, shape: Any, path: str, filled_in: Mapping[str, str]) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield wrong_type(path, value, "true or false without quotes")


def _length(length: int, shape: Any, path: str, value: str, what: str) -> Iterator[Problem]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and length < low:
        yield Problem(path, value, f"it needs at least {low} {what}", "Fill it, or leave the member out.")
    if high is not None and length > high:
        yield Problem(path, value, f"it has {length} {what}; the limit is {high}", "Shorten it.")


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"from {low} to {high}"


Checker = Callable[[Any, Any, str, Mapping[str, str]], Iterator[Problem]]
_CHECKERS: dict[str, Checker] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _number,
    "long": _number,
    "double": _number,
    "boolean": _boolean,
}


def missing(path: str) -> Problem:
    """A required member that is not there."""
    return Problem(path, "", "it is missing", "Add it.")


def unknown(path: str, name: str, known: list[str]) -> Problem:
    """A member that the API does not have, with the nearest that it has."""
    near = nearest(name, known)
    remedy = f"Did you mean {near}?" if near else f"Known here: {', '.join(known)}."
    return Problem(path, "", "there is no such member", remedy)


def wrong_type(path: str, value: Any, wanted: str) -> Problem:
    """A value of another type than the member has."""
    return Problem(path, shown(value), f"it has to be {wanted}", f"Write {wanted}.")


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that a person most likely meant, whatever the case of its letters."""
    lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def shown(value: Any) -> str:
    """The value as JSON on one line, cut to what that can hold."""
    text = one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
