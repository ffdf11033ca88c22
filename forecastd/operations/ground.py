"""The ground a predictor or forecast stands on: a group's datasets and the newest import into each."""

import re
from dataclasses import dataclass

from forecastd.domains import DOMAINS, NUMERIC_TYPES, RELATED, TARGET, TIMESTAMP, Domain
from forecastd.errors import InvalidInput, ResourceInUse
from forecastd.operations.context import Context, require_active
from forecastd.operations.datasets import attributes_of
from forecastd.operations.frequencies import count_steps, parse_frequency
from forecastd.operations.groups import check_datasets
from forecastd.series.frequency import Boundary, Frequency
from forecastd.store.records import KEPT_TIMES, Record

# What forecasts, backtests and their exports call their own columns.
_COLUMNS_OF_EXPORTS = re.compile(
    r"date|mean|p\d{1,2}|target_value|window_start|window_end|backtest_window"
    r"|backtestwindow_(start|end)_time|rmse|wape|mape|mase",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Ground:
    """Datasets and their imports by dataset type; the target time series is always there."""

    group: Record
    datasets: dict[str, Record]
    imports: dict[str, Record]

    @property
    def domain(self) -> Domain:
        """Give the domain that all datasets share."""
        return DOMAINS[self.group.request["Domain"]]

    @property
    def import_arns(self) -> dict[str, str]:
        """Give the ARNs of the imports by dataset type."""
        return {kind: job.arn for kind, job in self.imports.items()}

    def attributes(self, dataset_type: str) -> dict[str, str]:
        """Give the schema of a dataset type, empty where there is no such dataset."""
        dataset = self.datasets.get(dataset_type)
        return attributes_of(dataset.request["Schema"]) if dataset else {}

    @property
    def dimensions(self) -> list[str]:
        """Give the dimensions of the target time series, used or not."""
        own = (self.domain.item_key, TIMESTAMP, self.domain.target)
        return [name for name in self.attributes(TARGET) if name not in own]

    @property
    def related_features(self) -> list[str]:
        """Give the numeric attributes of the related time series."""
        return [name for name, kind in self.attributes(RELATED).items() if kind in NUMERIC_TYPES]

    def length(self, frequency: Frequency, boundary: Boundary) -> int:
        """Count the time steps of the target time series at a frequency."""
        facts = self.imports[TARGET].facts
        # Imports of earlier versions have the statistics only.
        times = facts.get(KEPT_TIMES) or facts["FieldStatistics"][TIMESTAMP]
        return count_steps(times["Min"], times["Max"], frequency, boundary)


def survey(context: Context, group: Record) -> Ground:
    """Find the data of a dataset group.

    Raises:
        InvalidInput: there is no target time series, a dataset was never imported, or one that was deleted
            and made again does not fit its group any more.
        ResourceInUse: the only import into a dataset is still running.
    """
    require_active(group)
    found = [context.store.get(arn) for arn in group.request["DatasetArns"]]
    present = [record for record in found if record and not record.deleting]
    check_datasets(context, group.request["Domain"], [record.arn for record in present])
    datasets = {record.request["DatasetType"]: record for record in present}
    if TARGET not in datasets:
        raise InvalidInput(
            f"The dataset group {group.arn} has no TARGET_TIME_SERIES dataset;"
            " add one with UpdateDatasetGroup."
        )
    return Ground(group, datasets, {kind: _newest(context, dataset) for kind, dataset in datasets.items()})


def _newest(context: Context, dataset: Record) -> Record:
    jobs = context.store.children(dataset.arn, "DatasetImportJob")
    active = [job for job in jobs if job.status == "ACTIVE"]
    if active:
        return active[0]
    if any(job.creating for job in jobs):
        raise ResourceInUse(f"The first import into {dataset.arn} is still running; wait until it is ACTIVE.")
    raise InvalidInput(
        f"The dataset {dataset.arn} has no imported data; import some with CreateDatasetImportJob."
    )


def check_frequency(ground: Ground, text: str) -> Frequency:
    """Check a ForecastFrequency against the frequencies of the datasets.

    Raises:
        InvalidInput: it is finer than the target's, or not the related time series'.
    """
    frequency = parse_frequency(text, "ForecastFrequency")
    target = ground.datasets[TARGET].request.get("DataFrequency")
    if target and frequency.minutes < parse_frequency(target, "DataFrequency").minutes:
        raise InvalidInput(
            f"The ForecastFrequency {text} is finer than the frequency {target} of the target time series;"
            f" use {target} or a coarser one."
        )
    if RELATED in ground.datasets:
        related = ground.datasets[RELATED].request["DataFrequency"]
        if frequency != parse_frequency(related, "DataFrequency"):
            raise InvalidInput(
                f"The ForecastFrequency {text} must equal the frequency {related} of the related time series."
            )
    return frequency


def check_dimensions(ground: Ground, dimensions: list[str]) -> None:
    """Check ForecastDimensions against the schemas.

    Raises:
        InvalidInput: one is unknown or comes twice, is called like a column of an export, or a related time
            series needs another one.
    """
    unknown = [name for name in dimensions if name not in ground.dimensions]
    if unknown:
        known = ", ".join(ground.dimensions) or "none"
        raise InvalidInput(
            f"The forecast dimension {unknown[0]} is no dimension of the target time series; it has: {known}."
        )
    if len(set(dimensions)) < len(dimensions):
        raise InvalidInput("ForecastDimensions names a dimension twice.")
    taken = [name for name in dimensions if _COLUMNS_OF_EXPORTS.fullmatch(name)]
    if taken:
        raise InvalidInput(
            f"The forecast dimension {taken[0]} cannot be exported: exports have a column of their own with"
            " this name. Give the attribute another name in the schema and import again."
        )
    own = (ground.domain.item_key, TIMESTAMP)
    texts = [name for name, kind in ground.attributes(RELATED).items() if kind not in NUMERIC_TYPES]
    strays = [name for name in texts if name not in (*own, *dimensions)]
    if strays:
        raise InvalidInput(
            f"The attribute(s) [{', '.join(strays)}] present in the RELATED_TIME_SERIES schema should be of"
            " numeric type such as `integer` or `float`, or be added as a forecast dimension"
        )
