"""The rules between the members of params.json, which the API's model does not hold.

Each rule is a generator of problems over a `Draft`, the file as far as it is well formed: what a shape
check has already reported is left out, so that one mistake is told once.
"""

import math
import re
import unicodedata
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from pipeline import domains
from pipeline.domains import DOMAINS, METADATA, MOST_COLUMNS, RELATED, TARGET
from pipeline.errors import Problem
from pipeline.export import TIME, TYPE
from pipeline.frequency import Frequency
from pipeline.quantiles import DEFAULT_TYPES, type_label
from pipeline.shapes import missing, nearest, shown
from pipeline.timestamps import DAY, DEFAULT, DIRECTIVES, SECOND

LONGEST_HORIZON = 500
MOST_TYPES = 5
MOST_WINDOWS = 5
MOST_TAGS = 50
MOST_DIMENSIONS = 10
COUNTRY = "CountryCode"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
TAG_MARKS = "_.:/=+-@"  # what a tag may hold beside letters, digits and blanks
NOT_FOR_USERS = "aws:"  # tag keys that begin so are Amazon's
ALGORITHMS = ("ARIMA", "CNN-QR", "Deep_AR_Plus", "ETS", "NPTS", "Prophet")
TUNABLE = ("CNN-QR", "Deep_AR_Plus")
# What TrainingParameters may hold; the other algorithms have none.
HYPERPARAMETERS = {
    "CNN-QR": ("context_length", "use_related_data", "use_item_metadata", "epochs"),
    "Deep_AR_Plus": (
        "context_length", "epochs", "learning_rate", "learning_rate_decay", "likelihood",
        "max_learning_rate_decays", "num_averaged_models", "num_cells", "num_layers",
    ),
    "NPTS": (
        "context_length", "kernel_type", "exp_kernel_weights", "use_seasonal_model",
        "use_default_time_features",
    ),
}  # fmt: skip
ALGORITHM_PREFIX = "arn:aws:forecast:::algorithm/"

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
# The one member of TimeAlignmentBoundary that is one unit finer than the frequency's unit.
BOUNDARY_OF_UNIT = {"D": "Hour", "W": "DayOfWeek", "M": "DayOfMonth", "Y": "Month"}


def is_auto(predictor: Mapping[str, Any]) -> bool:
    """Whether the members of a predictor are CreateAutoPredictor's."""
    if "FeaturizationConfig" in predictor or "ForecastFrequency" in predictor:
        return "FeaturizationConfig" not in predictor
    return not {"AlgorithmArn", "PerformAutoML", "PerformHPO", "InputDataConfig"} & set(predictor)


@dataclass(frozen=True)
class DraftDataset:
    """A dataset as far as it is well formed."""

    path: str
    type: str
    domain: str
    frequency: Frequency | None
    attributes: list[tuple[str, str]]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.attributes]

    @property
    def dimensions(self) -> list[str]:
        own_key = DOMAINS[self.domain].item_key
        return [
            name for name, kind in self.attributes if kind in ("string", "geolocation") and name != own_key
        ]

    @property
    def features(self) -> list[str]:
        target = DOMAINS[self.domain].target
        return [name for name, kind in self.attributes if kind in domains.NUMBERS and name != target]


class Draft:
    """The file as far as it is well formed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.predictor = _object(document, "Predictor")
        self.auto = is_auto(self.predictor)
        self.settings_path = "Predictor" if self.auto else "Predictor.FeaturizationConfig"
        self.settings = self.predictor if self.auto else _object(self.predictor, "FeaturizationConfig")
        self.frequency = _frequency(self.settings.get("ForecastFrequency"))
        self.datasets = list(self._well_formed())

    def of_type(self, dataset_type: str) -> DraftDataset | None:
        return next((dataset for dataset in self.datasets if dataset.type == dataset_type), None)

    def raw_datasets(self) -> list[tuple[str, Mapping[str, Any]]]:
        listed = self.document.get("Datasets")
        entries = listed if isinstance(listed, list) else []
        return [(f"Datasets[{place}]", d) for place, d in enumerate(entries) if isinstance(d, dict)]

    def _well_formed(self) -> Iterator[DraftDataset]:
        for path, raw in self.raw_datasets():
            attributes = _attributes(raw)
            known = _text(raw, "Domain") in DOMAINS and _text(raw, "DatasetType") in domains.ROLE_OF_TYPE
            if known and attributes is not None:
                frequency = _frequency(raw.get("DataFrequency"))
                yield DraftDataset(path, raw["DatasetType"], raw["Domain"], frequency, attributes)


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _text(parent: Mapping[str, Any], name: str) -> str:
    found = parent.get(name)
    return found if isinstance(found, str) else ""


def _strings(parent: Mapping[str, Any], name: str) -> list[str]:
    found = parent.get(name)
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def _attributes(raw: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    listed = _object(raw, "Schema").get("Attributes")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        return None
    pairs = [(entry.get("AttributeName"), entry.get("AttributeType")) for entry in listed]
    whole = all(isinstance(name, str) and isinstance(kind, str) for name, kind in pairs)
    return [(str(name), str(kind)) for name, kind in pairs] if whole else None


def _frequency(text: Any) -> Frequency | None:
    try:
        return Frequency.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def check(document: Mapping[str, Any]) -> list[Problem]:
    """All breaches of rules between members, in the order of the rules."""
    draft = Draft(document)
    return [problem for rule in RULES for problem in rule(draft)]


# -- datasets


def _one_dataset_per_type(draft: Draft) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, raw in draft.raw_datasets():
        kind = _text(raw, "DatasetType")
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
    group = _text(_object(draft.document, "DatasetGroup"), "Domain")
    for path, raw in draft.raw_datasets():
        own = _text(raw, "Domain")
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
        elif name not in _strings(draft.settings, "ForecastDimensions"):
            rule = "a text field of related data has to be one of the ForecastDimensions"
            yield Problem(where, shown(name), rule, f"Add it to {draft.settings_path}.ForecastDimensions.")


def _tags(draft: Draft) -> Iterator[Problem]:
    holders: list[tuple[str, Mapping[str, Any]]] = [*draft.raw_datasets()]
    holders += [(name, _object(draft.document, name)) for name in ("DatasetGroup", "Predictor", "Forecast")]
    for path, holder in holders:
        if isinstance(tags := holder.get("Tags"), list):
            yield from _tag_problems(f"{path}.Tags", tags)


def _tag_problems(where: str, tags: list[Any]) -> Iterator[Problem]:
    if len(tags) > MOST_TAGS:
        yield Problem(where, f"{len(tags)} tags", f"a resource can have {MOST_TAGS} tags", "Remove some.")
    pairs = [tag for tag in tags if isinstance(tag, dict)]
    for key, count in Counter(_text(pair, "Key") for pair in pairs).items():
        if count > 1:
            yield Problem(where, shown(key), f"{count} tags have this key", "Keep one.")
        if key.lower().startswith(NOT_FOR_USERS):
            rule = f"tags that begin with {NOT_FOR_USERS} are Amazon's own"
            yield Problem(where, shown(key), rule, "Choose another key.")
    for text in (_text(pair, name) for pair in pairs for name in pair):
        if not all(map(_is_for_tags, text)):
            rule = f"a tag holds letters, digits, blanks and {TAG_MARKS}"
            yield Problem(where, shown(text), rule, "Correct it.")


def _is_for_tags(character: str) -> bool:
    return character in TAG_MARKS or unicodedata.category(character)[0] in "LZN"


# -- time


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
    boundary = _object(draft.predictor, "TimeAlignmentBoundary")
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


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


# -- predictor and forecast


def _horizon(draft: Draft) -> Iterator[Problem]:
    horizon = draft.predictor.get("ForecastHorizon")
    if _is_whole(horizon) and not 1 <= horizon <= LONGEST_HORIZON:
        rule = f"it has to be from 1 to {LONGEST_HORIZON} steps"
        yield Problem(
            "Predictor.ForecastHorizon", shown(horizon), rule, "Shorten it, or use a coarser frequency."
        )


def _dimensions(draft: Draft) -> Iterator[Problem]:
    target, given = draft.of_type(TARGET), _strings(draft.settings, "ForecastDimensions")
    where = f"{draft.settings_path}.ForecastDimensions"
    for name in given:
        if given.count(name) > 1:
            yield Problem(where, shown(name), "it is listed twice", "Remove one.")
        if target is not None and name not in target.dimensions:
            rule = "a forecast dimension is a text field of the target data other than the item key"
            there = ", ".join(target.dimensions) or "none"
            yield Problem(where, shown(name), rule, f"There are: {there}.")
        if name.lower() == TIME or TYPE.match(name):
            rule = "the service's exports have a column of this name themselves"
            yield Problem(where, shown(name), rule, f"Call the field {name}_name, say.")


def _types(draft: Draft) -> Iterator[Problem]:
    for member in ("Predictor", "Forecast"):
        where = f"{member}.ForecastTypes"
        given = _strings(_object(draft.document, member), "ForecastTypes")
        labels = [type_label(each) for each in given if each == "mean" or _is_quantile(each)]
        for each in given:
            if _is_quantile(each) and not 0.01 <= float(each) <= 0.99:
                yield Problem(where, shown(each), "a quantile is from 0.01 to 0.99", "Correct it.")
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            yield Problem(where, label, "it is listed twice", "Remove one.")
        if len(given) > MOST_TYPES:
            yield Problem(where, f"{len(given)} types", f"there can be {MOST_TYPES}", "Remove some.")


def _recalibrated_types(draft: Draft) -> Iterator[Problem]:
    if _object(draft.document, "Recalibration").get("When") != "needed":
        return
    forecast, predictor = (_object(draft.document, name) for name in ("Forecast", "Predictor"))
    types = _strings(forecast, "ForecastTypes") or _strings(predictor, "ForecastTypes") or DEFAULT_TYPES
    shares = [float(each) for each in types if _is_quantile(each)]
    if 0.5 not in shares or not min(shares) < 0.5 < max(shares):
        rule = "it moves the quantiles about the median, and needs 0.5 and one on either side of it"
        yield Problem("Forecast.ForecastTypes", ", ".join(types), rule, 'Add them, or set When to "never".')


def _is_quantile(text: str) -> bool:
    return re.fullmatch(r"0?\.[0-9][0-9]?", text) is not None


def _metric(draft: Draft) -> Iterator[Problem]:
    wanted = draft.predictor.get("OptimizationMetric")
    types = _strings(draft.predictor, "ForecastTypes") or DEFAULT_TYPES
    if wanted == "AverageWeightedQuantileLoss" and types == ["mean"]:
        rule = "it needs a quantile, and Predictor.ForecastTypes has the mean only"
        yield Problem("Predictor.OptimizationMetric", shown(wanted), rule, "Add a quantile, or use RMSE.")


def _algorithm(draft: Draft) -> Iterator[Problem]:
    if draft.auto or not draft.predictor:
        return
    where, given = "Predictor.AlgorithmArn", draft.predictor.get("AlgorithmArn")
    automl = draft.predictor.get("PerformAutoML") is True
    if automl:
        for member in ("AlgorithmArn", "HPOConfig", "TrainingParameters"):
            if member in draft.predictor:
                rule = "with PerformAutoML the service chooses the algorithm and its parameters"
                yield Problem(f"Predictor.{member}", "", rule, "Leave it out, or set PerformAutoML to false.")
    elif given is None:
        remedy = f"Give {ALGORITHM_PREFIX}<name>, set PerformAutoML to true, or use the AutoPredictor's form."
        yield Problem(where, "", "it is missing, and PerformAutoML is not true", remedy)
    elif isinstance(given, str) and given not in [ALGORITHM_PREFIX + name for name in ALGORITHMS]:
        rule = f"the algorithms are {ALGORITHM_PREFIX}" + "{" + ", ".join(ALGORITHMS) + "}"
        near = nearest(given.rsplit("/", 1)[-1], list(ALGORITHMS))
        remedy = f"Did you mean {ALGORITHM_PREFIX}{near}?" if near else "Choose one of them."
        yield Problem(where, shown(given), rule, remedy)
    if not automl and "AutoMLOverrideStrategy" in draft.predictor:
        rule = "it says how PerformAutoML chooses, which is not true"
        yield Problem("Predictor.AutoMLOverrideStrategy", "", rule, "Leave it out.")


def _training_parameters(draft: Draft) -> Iterator[Problem]:
    algorithm = _text(draft.predictor, "AlgorithmArn").removeprefix(ALGORITHM_PREFIX)
    if draft.auto or algorithm not in ALGORITHMS:
        return
    known = HYPERPARAMETERS.get(algorithm, ())
    for name in _object(draft.predictor, "TrainingParameters"):
        if name not in known:
            rule = f"{algorithm} has no such parameter"
            near = nearest(name, list(known))
            remedy = f"Did you mean {near}?" if near else f"There are: {', '.join(known) or 'none'}."
            yield Problem(f"Predictor.TrainingParameters.{name}", "", rule, remedy)


def _tuning(draft: Draft) -> Iterator[Problem]:
    tuned = draft.predictor.get("PerformHPO") is True
    algorithm = str(draft.predictor.get("AlgorithmArn", "")).rsplit("/", 1)[-1]
    if tuned and (draft.predictor.get("PerformAutoML") is True or algorithm not in TUNABLE):
        rule = f"tuning is for {' and '.join(TUNABLE)} only, without PerformAutoML"
        yield Problem(
            "Predictor.PerformHPO", "true", rule, "Set it to false, or choose one of these algorithms."
        )
    if "HPOConfig" in draft.predictor and not tuned:
        yield Problem(
            "Predictor.HPOConfig", "", "it needs PerformHPO", "Set PerformHPO to true, or leave it out."
        )


def _backtests(draft: Draft) -> Iterator[Problem]:
    where = "Predictor.EvaluationParameters"
    given, horizon = _object(draft.predictor, "EvaluationParameters"), draft.predictor.get("ForecastHorizon")
    windows, offset = given.get("NumberOfBacktestWindows"), given.get("BackTestWindowOffset")
    if _is_whole(windows) and not 1 <= windows <= MOST_WINDOWS:
        rule = f"there can be 1 to {MOST_WINDOWS}"
        yield Problem(
            f"{where}.NumberOfBacktestWindows", shown(windows), rule, "Choose a number in this range."
        )
    if _is_whole(offset) and _is_whole(horizon) and offset < horizon:
        rule = f"it must not be less than the horizon, {horizon}"
        yield Problem(f"{where}.BackTestWindowOffset", shown(offset), rule, "Raise it, or leave it out.")


def _explanation(draft: Draft) -> Iterator[Problem]:
    if draft.predictor.get("ExplainPredictor") is True:
        rule = (
            "this workflow does not ask for explanations, which would keep the predictor from being deleted"
        )
        yield Problem("Predictor.ExplainPredictor", "true", rule, "Leave it out.")


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


def fillings(draft: Draft) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where, of which field, and what: from the form of either kind of predictor."""
    parent = _object(draft.predictor, "DataConfig") if draft.auto else draft.settings
    member = "AttributeConfigs" if draft.auto else "Featurizations"
    listed = parent.get(member)
    for place, entry in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(entry, dict) and isinstance(entry.get("AttributeName"), str):
            path = "Predictor.DataConfig" if draft.auto else draft.settings_path
            parameters = _object(entry, "Transformations") if draft.auto else _pipeline_parameters(entry)
            yield f"{path}.{member}[{place}]", entry["AttributeName"], parameters


def _pipeline_parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    steps = entry.get("FeaturizationPipeline")
    first = steps[0] if isinstance(steps, list) and steps and isinstance(steps[0], dict) else {}
    return _object(first, "FeaturizationMethodParameters")


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
    is_one = isinstance(value, str) and re.fullmatch(NUMBER, value) is not None
    return is_one and math.isfinite(float(value))


def _further_data(draft: Draft) -> Iterator[Problem]:
    parent, member = (
        ("DataConfig", "AdditionalDatasets") if draft.auto else ("InputDataConfig", "SupplementaryFeatures")
    )
    listed = _object(draft.predictor, parent).get(member)
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    where = f"Predictor.{parent}.{member}"
    for entry in entries:
        name = _text(entry, "Name")
        if name == "holiday":
            yield from _holiday(where, _countries(entry))
        elif name == "weather":
            yield from _weather(where, draft.of_type(TARGET))
        elif name:
            rule = "the service knows the holiday calendar and the weather index"
            yield Problem(where, shown(name), rule, 'Give "holiday" or "weather".')


def _countries(entry: Mapping[str, Any]) -> list[str]:
    return [_text(entry, "Value")] if "Value" in entry else _strings(_object(entry, "Configuration"), COUNTRY)


def _holiday(where: str, countries: list[str]) -> Iterator[Problem]:
    if len(countries) != 1 or not re.fullmatch("[A-Z]{2}", countries[0]):
        rule = "the holiday calendar needs one country, of two capital letters"
        yield Problem(where, ", ".join(map(shown, countries)), rule, f'Give its {COUNTRY}, such as "US".')


def _weather(where: str, target: DraftDataset | None) -> Iterator[Problem]:
    if target is not None and "geolocation" not in dict(target.attributes).values():
        rule = "the weather index needs a field of type geolocation in the target data"
        yield Problem(where, '"weather"', rule, "Add the field, or leave weather out.")


# -- sections of our own


def _limits(draft: Draft) -> Iterator[Problem]:
    least, most = (_object(draft.document, "Checks").get(name) for name in ("LeastValue", "MostValue"))
    both = [value for value in (least, most) if isinstance(value, int | float) and value is not False]
    if len(both) == 2 and both[0] > both[1]:
        rule = f"it is above MostValue, {shown(most)}, so that no value is left"
        yield Problem("Checks.LeastValue", shown(least), rule, "Exchange or correct them.")


Rule = Callable[[Draft], Iterator[Problem]]
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
    _frequencies,
    _frequency_given,
    _frequency_order,
    _timestamp_format,
    _boundary,
    _time_zone,
    _horizon,
    _dimensions,
    _types,
    _recalibrated_types,
    _metric,
    _algorithm,
    _training_parameters,
    _tuning,
    _backtests,
    _explanation,
    _filling,
    _further_data,
    _limits,
)
