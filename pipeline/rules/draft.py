"""params.json as far as it is well formed, for the rules between its members."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from pipeline import domains
from pipeline.domains import DOMAINS
from pipeline.errors import Problem
from pipeline.frequency import Frequency

ALGORITHMS = ("ARIMA", "CNN-QR", "Deep_AR_Plus", "ETS", "NPTS", "Prophet")
ALGORITHM_PREFIX = "arn:aws:forecast:::algorithm/"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


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
    def has_places(self) -> bool:
        return any(kind == "geolocation" for _, kind in self.attributes)

    @property
    def features(self) -> list[str]:
        target = DOMAINS[self.domain].target
        return [name for name, kind in self.attributes if kind in domains.NUMBERS and name != target]


class Draft:
    """The file as far as it is well formed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.predictor = object_of(document, "Predictor")
        self.auto = is_auto(self.predictor)
        self.settings_path = "Predictor" if self.auto else "Predictor.FeaturizationConfig"
        self.settings = self.predictor if self.auto else object_of(self.predictor, "FeaturizationConfig")
        self.frequency = _frequency(self.settings.get("ForecastFrequency"))
        self.datasets = list(self._well_formed())

    @property
    def algorithm(self) -> str:
        """The algorithm that is asked for by name; empty where there is no such one."""
        name = text_of(self.predictor, "AlgorithmArn").removeprefix(ALGORITHM_PREFIX)
        return "" if self.auto or name not in ALGORITHMS else name

    def of_type(self, dataset_type: str) -> DraftDataset | None:
        return next((dataset for dataset in self.datasets if dataset.type == dataset_type), None)

    def raw_datasets(self) -> list[tuple[str, Mapping[str, Any]]]:
        listed = self.document.get("Datasets")
        entries = listed if isinstance(listed, list) else []
        return [(f"Datasets[{place}]", d) for place, d in enumerate(entries) if isinstance(d, dict)]

    def _well_formed(self) -> Iterator[DraftDataset]:
        for path, raw in self.raw_datasets():
            attributes = _attributes(raw)
            known = text_of(raw, "Domain") in DOMAINS and text_of(raw, "DatasetType") in domains.ROLE_OF_TYPE
            if known and attributes is not None:
                frequency = _frequency(raw.get("DataFrequency"))
                yield DraftDataset(path, raw["DatasetType"], raw["Domain"], frequency, attributes)


def fillings(draft: Draft) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where, of which field, and what: from the form of either kind of predictor."""
    parent = object_of(draft.predictor, "DataConfig") if draft.auto else draft.settings
    member = "AttributeConfigs" if draft.auto else "Featurizations"
    listed = parent.get(member)
    for place, entry in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(entry, dict) and isinstance(entry.get("AttributeName"), str):
            path = "Predictor.DataConfig" if draft.auto else draft.settings_path
            parameters = object_of(entry, "Transformations") if draft.auto else _pipeline_parameters(entry)
            yield f"{path}.{member}[{place}]", entry["AttributeName"], parameters


def _pipeline_parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    steps = entry.get("FeaturizationPipeline")
    first = steps[0] if isinstance(steps, list) and steps and isinstance(steps[0], dict) else {}
    return object_of(first, "FeaturizationMethodParameters")


def object_of(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; an empty one where it is missing or something else."""
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def text_of(parent: Mapping[str, Any], name: str) -> str:
    """A member that is a text; an empty one where it is missing or something else."""
    found = parent.get(name)
    return found if isinstance(found, str) else ""


def strings_of(parent: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a member that is a list; none where it is missing or something else."""
    found = parent.get(name)
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def number_of(text: str) -> float:
    """The finite number in a text; NaN, which is in no range, where there is none."""
    number = float(text) if re.fullmatch(NUMBER, text) else math.nan
    return number if math.isfinite(number) else math.nan


def _attributes(raw: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    listed = object_of(raw, "Schema").get("Attributes")
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


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number, and not a truth."""
    return isinstance(value, int) and not isinstance(value, bool)


Rule = Callable[[Draft], Iterator[Problem]]
