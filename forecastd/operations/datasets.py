"""CreateDataset: what a schema may look like in each domain."""

from functools import cache
from pathlib import Path
from typing import Any

from forecastd.domains import DOMAINS, METADATA, NUMERIC_TYPES, RELATED, TARGET, TIMESTAMP, Domain
from forecastd.errors import InvalidInput
from forecastd.operations.context import Context
from forecastd.operations.drafts import Draft
from forecastd.operations.frequencies import parse_frequency
from forecastd.store.records import Record

MOST_DIMENSIONS = 10
MOST_FEATURES = 13  # numbers of a RELATED_TIME_SERIES dataset
MOST_COLUMNS = {TARGET: 13, RELATED: 25, METADATA: 10}
_ALLOWED_TYPES = {
    TARGET: ("string", "timestamp", "geolocation", *NUMERIC_TYPES),
    RELATED: ("string", "timestamp", "geolocation", *NUMERIC_TYPES),
    METADATA: ("string", "geolocation", *NUMERIC_TYPES),
}


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check the definition of a dataset.

    Raises:
        InvalidInput: the schema or the frequency does not fit the domain and type.
    """
    refuse_encryption(request)
    if request.get("DataFrequency"):
        parse_frequency(request["DataFrequency"], "DataFrequency")
    elif request["DatasetType"] == RELATED:
        raise InvalidInput("A RELATED_TIME_SERIES dataset needs a DataFrequency, such as D or H.")
    check_schema(DOMAINS[request["Domain"]], request["DatasetType"], attributes_of(request["Schema"]))
    return Draft(request={"EncryptionConfig": {}, **request})


def attributes_of(schema: dict[str, Any]) -> dict[str, str]:
    """Give the types of a schema by name, in order.

    Raises:
        InvalidInput: a name or type is missing, or a name comes twice.
    """
    attributes: dict[str, str] = {}
    for attribute in schema.get("Attributes") or []:
        name, kind = attribute.get("AttributeName"), attribute.get("AttributeType")
        if not name or not kind:
            raise InvalidInput("Every schema attribute needs an AttributeName and an AttributeType.")
        if name.lower() in {known.lower() for known in attributes}:
            raise InvalidInput(
                f"The schema names the attribute {name} twice; names differ without their case."
            )
        attributes[name] = kind
    return attributes


def check_schema(domain: Domain, dataset_type: str, attributes: dict[str, str]) -> None:
    """Check a schema against its domain and dataset type.

    Raises:
        InvalidInput: naming the attribute, and what would be right.
    """
    _check_required(domain, dataset_type, attributes)
    _check_names(domain, attributes)
    _check_types(domain, dataset_type, attributes)
    _check_columns(domain, dataset_type, attributes)


def _check_required(domain: Domain, dataset_type: str, attributes: dict[str, str]) -> None:
    for name, allowed in domain.required(dataset_type).items():
        if name not in attributes:
            raise InvalidInput(
                f"The schema of a {dataset_type} dataset in the {domain.name} domain needs the attribute"
                f" {name} of type {' or '.join(allowed)}."
            )
        if attributes[name] not in allowed:
            raise InvalidInput(
                f"The attribute {name} is of type {attributes[name]}, but must be {' or '.join(allowed)}"
                f" in the {domain.name} domain."
            )


def _check_names(domain: Domain, attributes: dict[str, str]) -> None:
    reserved = [
        name for name in attributes if name.upper() in reserved_names() and name not in domain.own_names
    ]
    if reserved:
        raise InvalidInput(f"The attribute name {reserved[0]} is a reserved word; choose another name.")


def _check_types(domain: Domain, dataset_type: str, attributes: dict[str, str]) -> None:
    for name, kind in attributes.items():
        if kind not in _ALLOWED_TYPES[dataset_type]:
            raise InvalidInput(
                f"The attribute {name} of type {kind} cannot be part of a {dataset_type} dataset."
            )
        if (kind == "timestamp") != (name == TIMESTAMP and dataset_type != METADATA):
            raise InvalidInput(
                f"The attribute {name} is of type {kind}: exactly one attribute is of type timestamp,"
                f" and it is called {TIMESTAMP}."
            )
    if list(attributes.values()).count("geolocation") > 1:
        raise InvalidInput("A schema can have one attribute of type geolocation only.")
    if dataset_type == RELATED and domain.target in attributes:
        raise InvalidInput(f"A RELATED_TIME_SERIES dataset must not contain the target {domain.target}.")


def _check_columns(domain: Domain, dataset_type: str, attributes: dict[str, str]) -> None:
    extra = {name: kind for name, kind in attributes.items() if name not in domain.required(dataset_type)}
    numbers = [name for name, kind in extra.items() if kind in NUMERIC_TYPES]
    if len(attributes) > MOST_COLUMNS[dataset_type]:
        raise InvalidInput(
            f"The schema has {len(attributes)} attributes; a {dataset_type} dataset can have"
            f" {MOST_COLUMNS[dataset_type]}."
        )
    if dataset_type != METADATA and len(extra) - len(numbers) > MOST_DIMENSIONS:
        raise InvalidInput(f"The schema has more than {MOST_DIMENSIONS} dimensions.")
    if dataset_type == TARGET and numbers:
        raise InvalidInput(
            f"The attribute {numbers[0]} is numeric: beside the target {domain.target}, a TARGET_TIME_SERIES"
            " dataset has dimensions of type string only. Put numbers into a RELATED_TIME_SERIES dataset."
        )
    if dataset_type == RELATED and not numbers:
        raise InvalidInput(
            "A RELATED_TIME_SERIES dataset needs at least one attribute of type float or integer beside item,"
            " time and dimensions."
        )
    if dataset_type == RELATED and len(numbers) > MOST_FEATURES:
        raise InvalidInput(
            f"The schema has {len(numbers)} attributes of type float or integer; a RELATED_TIME_SERIES"
            f" dataset can have {MOST_FEATURES}."
        )


def refuse_encryption(request: dict[str, Any]) -> None:
    """Say that nothing would be encrypted, rather than seem to have done it.

    Raises:
        InvalidInput: the request has an EncryptionConfig.
    """
    if request.get("EncryptionConfig"):
        raise InvalidInput(
            "EncryptionConfig: this server does not encrypt its data with KMS keys."
            " Leave it out, and keep the data directory on an encrypted disk."
        )


@cache
def reserved_names() -> frozenset[str]:
    """Give the words that no schema attribute may be called, in upper case."""
    return frozenset(Path(__file__).with_name("reserved_names.txt").read_text().split())
