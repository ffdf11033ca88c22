"""A request's arguments against the service model: presence, types, lengths, ranges, patterns, enums.

botocore checks only presence, types and minima on the client's side; everything else is found here.
All violations are reported together, in the words that AWS services use.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

from forecastd.errors import SerializationFailed, ValidationFailed

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float, str),
}

# Where the model's pattern is not what the service enforces, by shape; None = any text.
# `Frequency` predates 2H and 45min, `Format` lacks its group, `Value` forbids fractional fill values.
_PATTERNS_BY_SHAPE: dict[str, str | None] = {
    "Frequency": None,
    "Format": r"(CSV|PARQUET)",
    "Value": r"[a-zA-Z0-9\_\-\.]+",
}
# The model types these members as Forecast ARNs, but a role is an IAM ARN and filters compare states too.
_PATTERNS_BY_MEMBER: dict[str, str | None] = {
    "RoleArn": r"arn:[a-z\d-]+:iam::\d{12}:role/.+",
    "Filter.Value": None,
}


# Unicode's class Z, inside of a set; `\s` would also take tabs and ends of lines, which are controls.
_SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def validate(operation: OperationModel, arguments: dict[str, Any]) -> None:
    """Check the arguments of a call.

    Raises:
        SerializationFailed: a member has a JSON type that the model does not allow.
        ValidationFailed: with every violated constraint.
    """
    if operation.input_shape is None:
        return
    problems = list(_structure(operation.input_shape, arguments, ""))
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise ValidationFailed(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")


def _check(shape: Shape, value: Any, path: str, member: str) -> Iterator[str]:
    _check_type(shape, value, path)
    yield from _CHECKS.get(shape.type_name, _nothing)(shape, value, path, member)


def _check_type(shape: Shape, value: Any, path: str) -> None:
    allowed = _JSON_TYPES.get(shape.type_name, (object,))
    is_flag = isinstance(value, bool) and bool not in allowed
    if is_flag or not isinstance(value, allowed):
        found = type(value).__name__
        raise SerializationFailed(f"{path} must be a JSON {shape.type_name}, but is {found}.")


def _structure(shape: StructureShape, value: dict[str, Any], path: str, member: str = "") -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _violation("null", _join(path, name), "Member must not be null")
    for name, item in value.items():
        here = _join(path, name)
        if name not in shape.members:
            yield _violation(_quoted(item), here, "Member is not known to this operation")
        elif item is not None:
            yield from _check(shape.members[name], item, here, f"{shape.name}.{name}")


def _list(shape: ListShape, value: list[Any], path: str, member: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), value, path, "length")
    for position, item in enumerate(value, start=1):
        yield from _check(shape.member, item, f"{path}.{position}.member", member)


def _map(shape: MapShape, value: dict[str, Any], path: str, member: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), value, path, "length")
    for key, item in value.items():
        yield from _check(shape.key, key, f"{path}.{key}.key", member)
        yield from _check(shape.value, item, f"{path}.{key}.value", member)


def _string(shape: StringShape, value: str, path: str, member: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), value, path, "length")
    pattern = pattern_of(shape, member)
    if pattern is not None and not re.fullmatch(pattern, value):
        own = shape.metadata.get("pattern", "")  # in the model's words, where it is what is enforced
        told = own if pattern == _python_pattern(own) else pattern
        yield _violation(_quoted(value), path, f"Member must satisfy regular expression pattern: {told}")
    if shape.enum and value not in shape.enum:
        yield _violation(
            _quoted(value), path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        )


def _number(shape: Shape, value: float, path: str, member: str) -> Iterator[str]:
    yield from _bounds(shape, value, value, path, "value")


def _nothing(shape: Shape, value: Any, path: str, member: str) -> Iterator[str]:
    yield from ()


_CHECKS: dict[str, Callable[..., Iterator[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _number,
    "long": _number,
    "double": _number,
    "float": _number,
}


def _bounds(shape: Shape, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _violation(_quoted(value), path, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield _violation(_quoted(value), path, f"Member must have {what} less than or equal to {most}")


def pattern_of(shape: StringShape, member: str) -> str | None:
    """Give the pattern that a whole value must match, in Python's syntax; None = any text."""
    for rules, key in (
        (_PATTERNS_BY_MEMBER, member),
        (_PATTERNS_BY_MEMBER, member.rpartition(".")[2]),
        (_PATTERNS_BY_SHAPE, shape.name),
    ):
        if key in rules:
            return rules[key]
    pattern = shape.metadata.get("pattern")
    return _python_pattern(pattern) if pattern else None


def _python_pattern(java: str) -> str:
    """Translate the Unicode classes that Python's `re` does not know; the others mean ASCII, as in Java."""
    if r"\p" not in java:
        return f"(?a){java}"
    return java.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\w").replace(r"\p{Z}", _SEPARATORS)


def _violation(value: str, path: str, constraint: str) -> str:
    quoted = value if value == "null" else f"'{value}'"
    return f"Value {quoted} at '{path}' failed to satisfy constraint: {constraint}"


def _quoted(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _join(path: str, name: str) -> str:
    """Member paths are in lower camel case: `schema.attributes.1.member.attributeName`."""
    lower = name[:1].lower() + name[1:]
    return f"{path}.{lower}" if path else lower
