"""Rules of the datasets and their fields, and of tags."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import domains
from pipeline.domains import DOMAINS, METADATA, MOST_COLUMNS, MOST_FEATURES, RELATED, TARGET
from pipeline.errors import Problem
from pipeline.export import TIME, TYPE
from pipeline.rules.draft import Draft, DraftDataset, Rule, object_of, strings_of, text_of
from pipeline.shapes import missing, nearest, shown

MOST_TAGS = 50
MOST_DIMENSIONS = 10
TAG_MARKS = "_.:/=+-@"  # what a tag may hold beside letters, digits and blanks
NOT_FOR_USERS = "aws:"  # tag keys that begin so are Amazon's


def _one_dataset_per_type(draft: Draft) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, raw in draft.raw_datasets():
        kind = text_of(raw, "DatasetType")
        if kind in domains.ROLE_OF_TYPE and seen.setdefault(kind, path) != path:
            rule = f"{seen[kind]} is of this type already; there can be one dataset of each"
            yield Problem(f"{path}.DatasetType", shown(kind), rule, "Remove one, or correct its type.")
    if isinstance(draft.document.get("Datasets"), list) and draft.document["Datasets"] and TARGET not in seen:
        yield Problem("Datasets", "", f"none of them is of type {TARGET}", "Add the dataset of train/.")


def _distinct_dataset_names(draft: Draft) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, raw in draft.raw_datasets():
        name = raw.get("DatasetName")
        if isinstance(name, str) and seen.setdefault(name.lower(), path) != path:
            rule = f"{seen[name.lower()]} has this name already"
            yield Problem(f"{path}.DatasetName", shown(name), rule, "Choose another.")


def _one_domain(draft: Draft) -> Iterator[Problem]:
    group = text_of(object_of(draft.document, "DatasetGroup"), "Domain")
    for path, raw in draft.raw_datasets():
        own = text_of(raw, "Domain")
        if own in DOMAINS and group in DOMAINS and own != group:
            rule = f"the dataset group's domain is {group}; all its datasets have to share it"
            yield Problem(f"{path}.Domain", shown(own), rule, "Use one domain everywhere.")


def _named_and_typed(draft: Draft) -> Iterator[Problem]:
    for path, raw in draft.raw_datasets():
        schema = raw.get("Schema")
        if isinstance(schema, dict) and "Attributes" not in schema:
            yield missing(f"{path}.Schema.Attributes")
        listed = schema.get("Attributes") if isinstance(schema, dict) else None
        for place, entry in enumerate(listed if isinstance(listed, list) else []):
            for member in ("AttributeName", "AttributeType"):
                if isinstance(entry, dict) and member not in entry:
                    yield missing(f"{path}.Schema.Attributes[{place}].{member}")


def _required_fields(draft: Draft) -> Iterator[Problem]:
    for dataset in draft.datasets:
        where = f"{dataset.path}.Schema.Attributes"
        types = dict(dataset.attributes)
        for name, allowed in DOMAINS[dataset.domain].required(dataset.type).items():
            if name not in types:
                rule = f"domain {dataset.domain} requires the field {name} ({' or '.join(allowed)}) here"
                near = nearest(name, dataset.names)
                remedy = (
                    f"Add it, or rename {near}." if near else "Add it in the place where the files have it."
                )
                yield Problem(where, "", rule, remedy)
            elif types[name] not in allowed:
                rule = f"field {name} has to be of type {' or '.join(allowed)}"
                yield Problem(where, types[name], rule, "Correct its AttributeType.")


def _distinct_fields(draft: Draft) -> Iterator[Problem]:
    for dataset in draft.datasets:
        lower = [name.lower() for name in dataset.names]
        for name in sorted({name for name in lower if lower.count(name) > 1}):
            rule = "two fields have this name (capital letters do not count)"
            yield Problem(f"{dataset.path}.Schema.Attributes", shown(name), rule, "Rename one.")


@cache
def reserved_names() -> frozenset[str]:
    """The words that no field may be called, in capital letters."""
    return frozenset(Path(__file__).with_name("reserved_names.txt").read_text().split())


def is_free(name: str) -> bool:
    """Whether a field may be called so, and a forecast dimension, too."""
    is_exports = name.lower() == TIME or TYPE.match(name) is not None
    return name.upper() not in reserved_names() and not is_exports


def _free_names(draft: Draft) -> Iterator[Problem]:
    for dataset in draft.datasets:
        own = DOMAINS[dataset.domain].required(TARGET)
        for name in dataset.names:
            if name.upper() in reserved_names() and name not in own:
                rule = "the service keeps this word for itself"
                remedy = f"Call the field {name}_name, say; the header of the files may stay as it is."
                yield Problem(f"{dataset.path}.Schema.Attributes", shown(name), rule, remedy)


def _number_of_fields(draft: Draft) -> Iterator[Problem]:
    for dataset in draft.datasets:
        count, limit = len(dataset.attributes), MOST_COLUMNS[dataset.type]
        if count > limit:
            rule = f"a dataset of type {dataset.type} can have {limit} fields"
            yield Problem(f"{dataset.path}.Schema.Attributes", f"{count} fields", rule, "Remove some.")
        texts = len(dataset.dimensions)
        if dataset.type != METADATA and texts > MOST_DIMENSIONS:
            rule = f"beside the item key a time series can have {MOST_DIMENSIONS} text fields"
            yield Problem(f"{dataset.path}.Schema.Attributes", f"{texts} text fields", rule, "Remove some.")


def _fields_fit_the_type(draft: Draft) -> Iterator[Problem]:
    for dataset in draft.datasets:
        where = f"{dataset.path}.Schema.Attributes"
        for name, kind in dataset.attributes:
            if kind == "timestamp" and (dataset.type == METADATA or name != domains.TIMESTAMP):
                rule = "the one timestamp of a time series is named timestamp; metadata have none"
                yield Problem(where, shown(name), rule, "Make it a string, or rename it.")
        if dataset.type == TARGET and dataset.features:
            rule = "beside the target a target time series has text fields only"
            remedy = "Make it a string if it tells series apart; else move it to a related time series."
            yield Problem(where, ", ".join(dataset.features), rule, remedy)
        if dataset.type == RELATED:
            yield from _related_fields(dataset, where)


def _related_fields(dataset: DraftDataset, where: str) -> Iterator[Problem]:
    target = DOMAINS[dataset.domain].target
    if target in dataset.names:
        yield Problem(where, shown(target), "related data must not hold the target", "Remove the field.")
    if (count := len(dataset.features)) > MOST_FEATURES:
        rule = f"related data can have {MOST_FEATURES} numeric fields"
        yield Problem(where, f"{count} numeric fields", rule, "Remove some.")
    if not dataset.features:
        yield Problem(where, "", "related data need at least one numeric field", "Add a float or an integer.")


def _related_dimensions(draft: Draft) -> Iterator[Problem]:
    related, target = draft.of_type(RELATED), draft.of_type(TARGET)
    if related is None or target is None:
        return
    for name in related.dimensions:
        where = f"{related.path}.Schema.Attributes"
        if name not in target.dimensions:
            rule = "a text field of related data has to be a text field of the target data too"
            yield Problem(
                where, shown(name), rule, "Make it numeric, add it to the target data, or remove it."
            )
        elif name not in strings_of(draft.settings, "ForecastDimensions"):
            rule = "a text field of related data has to be one of the ForecastDimensions"
            yield Problem(where, shown(name), rule, f"Add it to {draft.settings_path}.ForecastDimensions.")


def _tags(draft: Draft) -> Iterator[Problem]:
    holders: list[tuple[str, Mapping[str, Any]]] = [*draft.raw_datasets()]
    holders += [(name, object_of(draft.document, name)) for name in ("DatasetGroup", "Predictor", "Forecast")]
    for path, holder in holders:
        if isinstance(tags := holder.get("Tags"), list):
            yield from _tag_problems(f"{path}.Tags", tags)


def _tag_problems(where: str, tags: list[Any]) -> Iterator[Problem]:
    if len(tags) > MOST_TAGS:
        yield Problem(where, f"{len(tags)} tags", f"a resource can have {MOST_TAGS} tags", "Remove some.")
    pairs = [tag for tag in tags if isinstance(tag, dict)]
    for key, count in Counter(text_of(pair, "Key") for pair in pairs).items():
        if count > 1:
            yield Problem(where, shown(key), f"{count} tags have this key", "Keep one.")
        if key.lower().startswith(NOT_FOR_USERS):
            rule = f"tags that begin with {NOT_FOR_USERS} are Amazon's own"
            yield Problem(where, shown(key), rule, "Choose another key.")
    for text in (text_of(pair, name) for pair in pairs for name in pair):
        if not all(map(_is_for_tags, text)):
            rule = f"a tag holds letters, digits, blanks and {TAG_MARKS}"
            yield Problem(where, shown(text), rule, "Correct it.")


def _is_for_tags(character: str) -> bool:
    return character in TAG_MARKS or unicodedata.category(character)[0] in "LZN"


RULES: tuple[Rule, ...] = (
    _one_dataset_per_type,
    _distinct_dataset_names,
    _one_domain,
    _named_and_typed,
    _required_fields,
    _distinct_fields,
    _free_names,
    _number_of_fields,
    _fields_fit_the_type,
    _related_dimensions,
    _tags,
)
