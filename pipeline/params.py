"""The configuration of a workload: params.json, validated in full before anything is created.

    DatasetGroup     members of CreateDatasetGroup
    Datasets         a list, members of CreateDataset each
    Predictor        members of CreatePredictor, or of CreateAutoPredictor (ForecastFrequency at top level)
    Forecast         members of CreateForecast
    TimestampFormat  and other members of CreateDatasetImportJob
    PerformDelete    whether a run removes its forecast, predictor and imports at the end
    Checks, Recalibration, Gate, Retraining, Drift, Retention   sections of our own, see `policy`

The other members are Amazon's own and are checked against botocore's model of the API; the rules between them
are in `rules`. Members that a run fills in itself (ARNs, paths) cannot be given.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pipeline import domains, rules, shapes
from pipeline.errors import BadInput, Problem, translated
from pipeline.frequency import Frequency
from pipeline.policy import section
from pipeline.policy.checks import Checks
from pipeline.policy.drift import Drift
from pipeline.policy.gate import Gate
from pipeline.policy.recalibration import Recalibration
from pipeline.policy.retention import Retention
from pipeline.policy.retraining import Retraining
from pipeline.quality import printable
from pipeline.quantiles import DEFAULT_TYPES, type_label, type_order
from pipeline.rules.draft import is_auto
from pipeline.timestamps import DEFAULT as DEFAULT_TIMESTAMP_FORMAT
from pipeline.workload import PARAMS, Workload

MOST_BYTES = 256 * 1024  # a hundred times as many as most files have
MOST_DIGITS = 300  # of a whole number: one that a float can hold
_FROM_RUN = "Leave it out; each run fills it in."
_REQUIRED = ("DatasetGroup", "Datasets", "Predictor", "Forecast")
_IMPORT_MEMBERS = ("TimestampFormat", "TimeZone", "UseGeolocationForTimeZone", "GeolocationFormat")
SECTIONS: Mapping[str, type] = {
    "Checks": Checks,
    "Recalibration": Recalibration,
    "Gate": Gate,
    "Retraining": Retraining,
    "Drift": Drift,
    "Retention": Retention,
}
MEMBERS = (*_REQUIRED, *_IMPORT_MEMBERS, "PerformDelete", *SECTIONS)
# What a run does with a forecast, not what the forecast is: changing it makes no other content.
_AFTER_THE_FORECAST = ("PerformDelete", "Gate", "Retraining", "Drift", "Retention")

_FILLED_IN = {
    "DatasetGroup.DatasetArns": _FROM_RUN,
    "Predictor.InputDataConfig.DatasetGroupArn": _FROM_RUN,
    "Predictor.DataConfig.DatasetGroupArn": _FROM_RUN,
    "Predictor.ReferencePredictorArn": "Leave it out; each run trains on the data as they are now.",
    "Predictor.MonitorConfig": "Leave it out; the accuracy of every run goes to CloudWatch instead.",
    "Forecast.PredictorArn": _FROM_RUN,
}


@dataclass(frozen=True)
class Attribute:
    """A column of a dataset: its name and the API's type (string, integer, float, timestamp, geolocation)."""

    name: str
    type: str

    @property
    def is_number(self) -> bool:
        return self.type in domains.NUMBERS


@dataclass(frozen=True)
class DatasetSpec:
    """One dataset of the configuration; its attributes are the columns of the files, in order."""

    name: str
    type: str
    domain: str
    data_frequency: str | None
    attributes: tuple[Attribute, ...]
    request: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "DatasetSpec":
        attributes = given["Schema"]["Attributes"]
        return cls(
            name=given["DatasetName"],
            type=given["DatasetType"],
            domain=given["Domain"],
            data_frequency=given.get("DataFrequency"),
            attributes=tuple(Attribute(a["AttributeName"], a["AttributeType"]) for a in attributes),
            request=given,
        )

    @property
    def role(self) -> str:
        """The prefix with its files: train, related or metadata."""
        return domains.ROLE_OF_TYPE[self.type]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def item_key(self) -> str:
        return domains.DOMAINS[self.domain].item_key

    @property
    def target_field(self) -> str:
        return domains.DOMAINS[self.domain].target

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The text columns beside the item key, in the order of the files."""
        text = ("string", "geolocation")
        return tuple(a.name for a in self.attributes if a.type in text and a.name != self.item_key)

    @property
    def features(self) -> tuple[str, ...]:
        """The numeric columns beside the target, in the order of the files."""
        return tuple(a.name for a in self.attributes if a.is_number and a.name != self.target_field)

    def position(self, name: str) -> int:
        return self.columns.index(name)

    def definition(self) -> dict[str, Any]:
        """What makes it this dataset and no other: all that CreateDataset is given but name and tags."""
        return {key: value for key, value in self.request.items() if key not in ("DatasetName", "Tags")}


@dataclass(frozen=True)
class Params:
    """A valid configuration."""

    document: Mapping[str, Any]

    @property
    def dataset_group_name(self) -> str:
        return self.document["DatasetGroup"]["DatasetGroupName"]

    @property
    def group_domain(self) -> str:
        return self.document["DatasetGroup"]["Domain"]

    @cached_property
    def datasets(self) -> tuple[DatasetSpec, ...]:
        """The datasets, target first."""
        specs = [DatasetSpec.of(given) for given in self.document["Datasets"]]
        return tuple(sorted(specs, key=lambda spec: list(domains.ROLE_OF_TYPE).index(spec.type)))

    def dataset(self, dataset_type: str) -> DatasetSpec | None:
        """The dataset of a type, if there is one."""
        return next((spec for spec in self.datasets if spec.type == dataset_type), None)

    def spec(self, dataset_type: str) -> DatasetSpec:
        """The dataset of a type that is known to be there."""
        found = self.dataset(dataset_type)
        if found is None:
            raise LookupError(f"params.json lists no dataset of type {dataset_type}.")
        return found

    @property
    def target(self) -> DatasetSpec:
        return self.spec(domains.TARGET)

    @property
    def predictor(self) -> Mapping[str, Any]:
        return self.document["Predictor"]

    @property
    def predictor_name(self) -> str:
        return self.predictor["PredictorName"]

    @property
    def auto(self) -> bool:
        """Whether the predictor is an AutoPredictor."""
        return is_auto(self.predictor)

    @property
    def horizon(self) -> int:
        """Steps of a forecast."""
        return self.predictor["ForecastHorizon"]

    @property
    def _settings(self) -> Mapping[str, Any]:
        return self.predictor if self.auto else self.predictor["FeaturizationConfig"]

    @property
    def frequency(self) -> Frequency:
        """The step of a forecast."""
        return Frequency.parse(self._settings["ForecastFrequency"])

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The forecast dimensions: with the item key they tell one series from another."""
        return tuple(self._settings.get("ForecastDimensions", ()))

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The item key and the forecast dimensions, in the order of the target's columns."""
        wanted = {self.target.item_key, *self.dimensions}
        return tuple(name for name in self.target.columns if name in wanted)

    @property
    def forecast_name(self) -> str:
        return self.document["Forecast"]["ForecastName"]

    @property
    def forecast_types(self) -> list[str]:
        """The quantiles and `mean`, as the API wants them."""
        given = self.document["Forecast"].get("ForecastTypes") or self.predictor.get("ForecastTypes")
        return list(given or DEFAULT_TYPES)

    @property
    def type_labels(self) -> list[str]:
        """The types as exports name them, quantiles ascending, `mean` first: mean, p10, p50, p90."""
        return sorted((type_label(given) for given in self.forecast_types), key=type_order)

    @property
    def timestamp_format(self) -> str:
        return self.document.get("TimestampFormat") or DEFAULT_TIMESTAMP_FORMAT

    @property
    def perform_delete(self) -> bool:
        return self.document.get("PerformDelete", False)

    @cached_property
    def checks(self) -> Checks:
        return section.read(Checks, self.document.get("Checks", {}))

    @cached_property
    def recalibration(self) -> Recalibration:
        return section.read(Recalibration, self.document.get("Recalibration", {}))

    @cached_property
    def gate(self) -> Gate:
        return section.read(Gate, self.document.get("Gate", {}))

    @cached_property
    def retraining(self) -> Retraining:
        return section.read(Retraining, self.document.get("Retraining", {}))

    @cached_property
    def drift(self) -> Drift:
        return section.read(Drift, self.document.get("Drift", {}))

    @cached_property
    def retention(self) -> Retention:
        return section.read(Retention, self.document.get("Retention", {}))

    def normalised(self) -> dict[str, Any]:
        """What the forecast depends on, with defaults filled in: equal for files that ask for the same.

        Members that say what becomes of a forecast once it is made are left out.
        """
        filled = {
            **{name: value for name, value in self.document.items() if name not in _AFTER_THE_FORECAST},
            "Checks": section.written(self.checks),
            "TimestampFormat": self.timestamp_format,
        }
        filled.pop("Recalibration", None)
        if self.recalibration.is_on:
            filled["Recalibration"] = section.written(self.recalibration)
        filled["Forecast"] = {**filled["Forecast"], "ForecastTypes": self.type_labels}
        filled["Datasets"] = [dict(spec.request) for spec in self.datasets]
        return filled

    @property
    def selector_path(self) -> str | None:
        """The `s3://` address of the file that lists the items to forecast; None where all are."""
        selector = self.document["Forecast"].get("TimeSeriesSelector", {})
        path = selector.get("TimeSeriesIdentifiers", {}).get("DataSource", {}).get("S3Config", {}).get("Path")
        return str(path) if path else None

    def create_dataset_request(self, dataset_type: str, name: str) -> dict[str, Any]:
        """CreateDataset's arguments. Metadata have no frequency, whatever the file says."""
        request = {**self.spec(dataset_type).request, "DatasetName": name}
        if dataset_type == domains.METADATA:
            request.pop("DataFrequency", None)
        return request

    def create_dataset_group_request(self, name: str, dataset_arns: list[str]) -> dict[str, Any]:
        """CreateDatasetGroup's arguments."""
        return {**self.document["DatasetGroup"], "DatasetGroupName": name, "DatasetArns": dataset_arns}

    def create_import_request(
        self, dataset_type: str, name: str, dataset_arn: str, path: str, role_arn: str, file_format: str
    ) -> dict[str, Any]:
        """CreateDatasetImportJob's arguments: a full import of all files under the path."""
        spec = self.spec(dataset_type)
        source: dict[str, Any] = {"Path": path, "RoleArn": role_arn}
        encryption = spec.request.get("EncryptionConfig")
        if encryption:  # the service demands the dataset's own role and key
            source |= {"RoleArn": encryption["RoleArn"], "KMSKeyArn": encryption["KMSKeyArn"]}
        request: dict[str, Any] = {
            "DatasetImportJobName": name,
            "DatasetArn": dataset_arn,
            "DataSource": {"S3Config": source},
            "Format": file_format,
            "ImportMode": "FULL",
        }
        if dataset_type != domains.METADATA:
            zones = {member: self.document[member] for member in _IMPORT_MEMBERS if member in self.document}
            request |= {**zones, "TimestampFormat": self.timestamp_format}
        return request

    def create_predictor_request(self, name: str, dataset_group_arn: str) -> dict[str, Any]:
        """CreateAutoPredictor's arguments if `auto`, else CreatePredictor's."""
        member = "DataConfig" if self.auto else "InputDataConfig"
        data = {**self.predictor.get(member, {}), "DatasetGroupArn": dataset_group_arn}
        return {**self.predictor, "PredictorName": name, member: data}

    def create_forecast_request(self, name: str, predictor_arn: str) -> dict[str, Any]:
        """CreateForecast's arguments."""
        own = {"ForecastName": name, "PredictorArn": predictor_arn, "ForecastTypes": self.forecast_types}
        return {**self.document["Forecast"], **own}


def read(s3: Any, workload: Workload) -> Params:
    """The workload's configuration.

    Raises:
        BadInput: with all problems, or because there is no params.json.
    """
    where = workload.uri(PARAMS)
    with translated(f"reading {where}"):
        try:
            answer = s3.get_object(Bucket=workload.bucket, Key=workload.key(PARAMS))
        except s3.exceptions.NoSuchKey:
            remedy = "Upload one beside the train/ prefix; `python -m pipeline.proposal data.csv` writes one."
            raise BadInput([Problem(where, "", "there is no such object", remedy)]) from None
        if (size := answer["ContentLength"]) > MOST_BYTES:
            rule = f"the file has to be {MOST_BYTES // 1024} KB at the most"
            raise BadInput([Problem(where, f"{size} bytes", rule, "Is it the right one?")])
        raw = answer["Body"].read()
    return load(raw)


def load(raw: bytes, name: str = PARAMS) -> Params:
    """The configuration in the file's bytes.

    Raises:
        BadInput: with all problems: syntax with line and column; else every member that breaks a rule.
    """
    document = _parse(raw, name)
    problems = list(_shape_problems(document))
    problems += rules.check(document)
    if problems:
        unique = dict.fromkeys(problems)
        raise BadInput([replace(p, where=f"{name}: {printable(p.where)}") for p in unique])
    return Params(document)


def _parse(raw: bytes, name: str) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8-sig")
        document = json.loads(
            text, object_pairs_hook=_without_repetition, parse_constant=_no_constant, parse_int=_whole_number
        )
        _require_characters(document)
    except UnicodeDecodeError as error:
        where, rule = f"{name}, byte {error.start}", "the file has to be UTF-8"
        raise BadInput([Problem(where, "", rule, "Save it as UTF-8.")]) from error
    except json.JSONDecodeError as error:
        where = f"{name}, line {error.lineno}, column {error.colno}"
        rule = f"the file has to be JSON ({error.msg[0].lower()}{error.msg[1:]})"
        is_comment = error.doc[error.pos :].startswith(("//", "/*", "#"))
        remedy = "Remove the comment: JSON has none." if is_comment else "Correct the syntax there."
        raise BadInput([Problem(where, "", rule, remedy)]) from error
    except (_NotStrict, RecursionError) as error:
        rule = str(error) if isinstance(error, _NotStrict) else "objects are nested too deeply"
        raise BadInput([Problem(name, "", rule, "Correct it.")]) from error
    if not isinstance(document, dict):
        problem = shapes.wrong_type(name, document, "an object in braces")
        raise BadInput([problem])
    return document


class _NotStrict(ValueError):
    """Something that Python's reader takes although JSON does not have it, or that is ambiguous."""


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    if twice:
        name = printable(twice[0])
        raise _NotStrict(f"the member {name} is given twice in one object; only one of them can hold")
    return dict(pairs)


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _NotStrict(f"{digits[:10]}… has {len(digits)} digits; no number can be so large")
    return int(digits)


def _require_characters(document: Any) -> None:
    """Half of an escaped pair, such as `\ud83d` alone, is no character, and cannot be written anywhere."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise _NotStrict(f"{half} in a text is half a character") from error


def _no_constant(name: str) -> None:
    raise _NotStrict(f"{name} is no JSON number")


def _shape_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name in _REQUIRED:
        if name not in document:
            yield shapes.missing(name)
    for name, value in document.items():
        if name in MEMBERS:
            yield from _member_problems(name, value)
        else:
            yield shapes.unknown(name, name, list(MEMBERS))


def _member_problems(name: str, value: Any) -> Iterator[Problem]:
    if name == "Datasets":
        yield from _datasets_problems(value)
    elif name in SECTIONS:
        yield from section.check(SECTIONS[name], value, name)
    elif name == "PerformDelete":
        if not isinstance(value, bool):
            yield shapes.wrong_type(name, value, "true or false without quotes")
    elif name in _IMPORT_MEMBERS:
        shape = shapes.request_shape("CreateDatasetImportJob").members[name]
        yield from shapes.check(value, shape, name, {})
    else:
        yield from shapes.check(value, shapes.request_shape(_operation(name, value)), name, _FILLED_IN)


def _operation(name: str, value: Any) -> str:
    if name == "Predictor" and isinstance(value, dict) and is_auto(value):
        return "CreateAutoPredictor"
    return f"Create{name}"


def _datasets_problems(value: Any) -> Iterator[Problem]:
    if not isinstance(value, list) or not value:
        yield shapes.wrong_type("Datasets", value, "a list with one to three datasets")
        return
    for place, given in enumerate(value):
        yield from shapes.check(given, shapes.request_shape("CreateDataset"), f"Datasets[{place}]", {})
