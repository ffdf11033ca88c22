"""Reads one of our own sections of params.json: members with a default, limits, and often an off switch.

A section is a frozen dataclass; its fields are made with `choice`, `number`, `whole` and `switch`. The
member of the file is the field's name in Amazon's spelling: `most_bad_rows` is `MostBadRows`.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pipeline import shapes
from pipeline.errors import Problem

S = TypeVar("S")


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a member may be; `off` tells that `false` switches it off, which reads as None."""

    kind: type
    words: str
    choices: tuple[str, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    off: bool = False

    def allows(self, value: Any) -> bool:
        if self.kind is bool:
            return isinstance(value, bool)
        if value is False:
            return self.off
        if self.kind is str:
            return value in self.choices
        kinds = (int,) if self.kind is int else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
        return is_number and self.least <= value <= self.most


def choice(default: str, *others: str) -> Any:
    """One of several words; the first is the default."""
    words = (default, *others)
    return _field(default, Rule(str, "one of " + ", ".join(f'"{word}"' for word in words), choices=words))


def switch(default: bool) -> Any:
    """True or false."""
    return _field(default, Rule(bool, "true or false without quotes"))


def number(default: float | None, least: float, most: float = math.inf, *, off: bool = False) -> Any:
    """A number between limits; None is the default of what is off unless it is given."""
    return _field(default, Rule(float, _range("a number", least, most, off), (), least, most, off))


def whole(default: int | None, least: int, most: float = math.inf, *, off: bool = False) -> Any:
    """A whole number between limits; None is the default of what is off unless it is given."""
    return _field(default, Rule(int, _range("a whole number", least, most, off), (), least, most, off))


def check(section: type, given: Any, path: str) -> Iterator[Problem]:
    """The problems of a section as it stands in the file; `path` is its name there."""
    if not isinstance(given, dict):
        yield shapes.wrong_type(path, given, "an object in braces")
        return
    rules = _rules(section)
    for name, value in given.items():
        if name not in rules:
            yield shapes.unknown(f"{path}.{name}", name, list(rules))
        elif not rules[name].allows(value):
            yield shapes.wrong_type(f"{path}.{name}", value, rules[name].words)


def read(section: type[S], given: Mapping[str, Any]) -> S:
    """The section with defaults for what is not given; `given` has no problems."""
    names = {_member(field.name): field.name for field in dataclasses.fields(section)}  # type: ignore[arg-type]
    found = {
        names[member]: None if _is_off(section, member, value) else value for member, value in given.items()
    }
    return section(**found)


def written(section: Any) -> dict[str, Any]:
    """The section as the file would hold it, defaults spelled out."""
    values = {_member(field.name): getattr(section, field.name) for field in dataclasses.fields(section)}
    return {member: False if value is None else value for member, value in values.items()}


def _is_off(section: type, member: str, value: Any) -> bool:
    return value is False and _rules(section)[member].kind is not bool


def _rules(section: type) -> dict[str, Rule]:
    return {_member(field.name): field.metadata["rule"] for field in dataclasses.fields(section)}


def _member(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _field(default: Any, rule: Rule) -> Any:
    return dataclasses.field(default=default, metadata={"rule": rule})


def _range(noun: str, least: float, most: float, off: bool) -> str:
    words = noun if math.isinf(least) else f"{noun} from {least:g}"
    words += "" if math.isinf(most) else f" to {most:g}"
    return words + (", or false to switch it off" if off else "")
