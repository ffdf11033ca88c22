"""The configuration for a sample of past demand alone, and what the sample cannot tell."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.domains import DOMAINS
from pipeline.proposal.columns import Columns
from pipeline.proposal.demand import Demand
from pipeline.proposal.steps import Steps
from pipeline.proposal.words import rows
from pipeline.rules.datasets import is_free
from pipeline.sample import Sample, is_number_or_empty, plain

ANOTHER = "_name"  # what is added to a name that the service keeps for itself


class Target:
    """What is known of the target, with the reason of each choice in the order in which they are made.

    Raises:
        BadInput: if it cannot be forecast as it is, with what to add or change.
    """

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.reasons: list[str] = []
        self.columns = Columns(sample, self.reasons)
        self.steps = Steps(self.columns, self.reasons)
        self._demand = Demand(self.columns, self.steps, self.reasons)
        self.names: dict[int, str] = {}

    def params(self, name: str) -> dict[str, Any]:
        """The configuration for the target alone."""
        columns, frequency = self.columns, self.steps.frequency
        domain = columns.domain()
        own = DOMAINS[domain]
        self.names = {columns.time: "timestamp", columns.target: own.target, columns.item: own.item_key}
        kinds = {columns.time: "timestamp", columns.target: "float"}
        for column in columns.others:
            self.names[column] = self.free_name(self.sample.labels[column], self.names.values())
        predictor: dict[str, Any] = {
            "PredictorName": f"{name}_predictor",
            "ForecastHorizon": self.steps.horizon(),
            "ForecastFrequency": str(frequency),
            "ForecastTypes": ["0.1", "0.5", "0.9"],
        }
        if columns.dimensions:
            predictor["ForecastDimensions"] = [self.names[column] for column in columns.dimensions]
        if boundary := self.steps.boundary():
            predictor["TimeAlignmentBoundary"] = boundary
        transformations, reason = self._demand.treatment
        if transformations:
            self.reasons.append(reason)
            config = {"AttributeName": own.target, "Transformations": transformations}
            predictor["DataConfig"] = {"AttributeConfigs": [config]}
        pairs = [(self.names[c], kinds.get(c, "string")) for c in self.sample.columns]
        target = dataset(f"{name}_target", domain, "TARGET_TIME_SERIES", pairs)
        target["DataFrequency"] = str(frequency)
        draft: dict[str, Any] = {
            "DatasetGroup": {"DatasetGroupName": name, "Domain": domain},
            "Datasets": [target],
            "Predictor": predictor,
            "Forecast": {"ForecastName": f"{name}_forecast", "ForecastTypes": ["0.1", "0.5", "0.9", "mean"]},
            "TimestampFormat": columns.java_format,
            "PerformDelete": False,
        }
        self._demand.tell_of_aggregation()
        if policy := self._demand.duplicates():
            draft["Checks"] = {"Duplicates": policy}
        return draft

    def free_name(self, label: str, taken: Iterable[str]) -> str:
        """What a column is called in the schema; that it is not as in the file has its reason."""
        name = _unique(plain(label), set(taken))
        if not is_free(plain(label)):
            self.reasons.append(f"Column {label!r} is called {name}: the service keeps its name for itself.")
        return name

    def names_columns(self, cells: list[str]) -> bool:
        """Whether the first line of item metadata is a header: it names the item key, and no item."""
        item = self.columns.item
        called = {self.names[item].lower(), self.sample.labels[item].lower()}
        items = set(self.sample.frame[item])
        return any(cell.strip().lower() in called for cell in cells) and not items.intersection(cells)

    def unknown(self) -> list[str]:
        """What the sample cannot tell."""
        said: list[str] = []
        said += self._broken()
        if not self.sample.header:
            said.append("Without a header the meaning of the columns is a guess from their content.")
        if self.sample.is_cut:
            said.append(
                f"Only the first {len(self.sample.frame)} rows were read; an upload is checked in full."
            )
        said += self._demand.unsure_of_missing()
        said += self._demand.unsure_of_adding()
        said.append("How far ahead you need to know: set ForecastHorizon if the proposed one is not it.")
        said.append(
            "Which country's holidays matter: without it they are forecast as usual days. "
            'DataConfig takes it, for France "AdditionalDatasets": '
            '[{"Name": "holiday", "Configuration": {"CountryCode": ["FR"]}}].'
        )
        if self.steps.frequency.needs_time_of_day:
            said.append("The time zone: times are taken as they stand; TimeZone can name their zone.")
        return said

    def _broken(self) -> Iterator[str]:
        """Cells that an upload would be refused for, and what follows."""
        frame, times, label = self.sample.frame, self.columns.moments, self.sample.label
        no_time, no_number = times.isna(), ~frame[self.columns.target].map(is_number_or_empty)
        broken = int((no_time | no_number).sum())
        if not broken:
            return
        for column, kind, wrong in (
            (self.columns.time, "time", no_time),
            (self.columns.target, "number", no_number),
        ):
            if wrong.any():
                first = frame[column][wrong].iloc[0]
                is_no = f"is no {kind}" if wrong.sum() == 1 else f"are no {kind}s"
                seen = f"{first!r} is the first" if first else "the first is empty"
                yield f"{wrong.sum()} of {len(frame)} cells of {label(column)} {is_no}: {seen}."
        share = math.ceil(1000 * broken / len(frame)) / 1000
        yield (
            f"Whether {rows(broken)} without a time or a number may be set aside: an upload is refused "
            "until they are correct, or their numbers empty, or Checks.MostBadRows, here of "
            f"{share:g} at the least, tolerates them."
        )


def dataset(name: str, domain: str, kind: str, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A dataset with its schema, in the order of the file's columns."""
    attributes = [{"AttributeName": own, "AttributeType": type_} for own, type_ in pairs]
    return {"DatasetName": name, "Domain": domain, "DatasetType": kind, "Schema": {"Attributes": attributes}}


def _unique(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    candidates = itertools.chain([name, f"{name}{ANOTHER}"], numbered)
    lower = {each.lower() for each in taken}
    return next(each for each in candidates if each.lower() not in lower and is_free(each))
