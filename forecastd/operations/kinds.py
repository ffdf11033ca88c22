"""The kinds of resources, one row each; the generic operations read everything from here.

A new kind is a new row, a rule for its Create operation in `rules.py`, and a job if it takes time.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What sets one kind of resource apart from the others.

    Attributes:
        name: how the store calls it; the Create operation is `Create<name>`.
        prefix: of the members that hold its name and ARN (`<prefix>Name`, `<prefix>Arn`).
        arn_type: the resource part of its ARN up to the first slash.
        noun, plural: in sentences and quota texts.
        lister: the list operation that shows it.
        parents: request members (dotted path) with the ARNs of its parents, and the kinds they may have.
        named_after_parent: the ARN has the parent's name before its own, which is unique within the parent.
        ulid: the ARN ends in a ULID.
        has_job: a worker makes it; otherwise Create leaves it ACTIVE at once.
        filters: keys that its list operation accepts.
        total, running: default quotas; None = no limit.
        takes_along: kinds of children that go with it when it is deleted.
        deleted_at_once: Delete leaves nothing to wait for.
    """

    name: str
    prefix: str
    arn_type: str
    noun: str
    lister: str
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    named_after_parent: bool = False
    ulid: bool = False
    has_job: bool = True
    filters: tuple[str, ...] = ()
    total: int | None = None
    running: int | None = None
    takes_along: tuple[str, ...] = ()
    deleted_at_once: bool = False
    stoppable: bool = True

    @property
    def plural(self) -> str:
        """Give the noun for several of them."""
        return f"{self.noun}s"

    @property
    def name_member(self) -> str:
        """Give the member that holds the name."""
        return f"{self.prefix}Name"

    @property
    def arn_member(self) -> str:
        """Give the member that holds the ARN."""
        return f"{self.prefix}Arn"


PREDICTORS = ("Predictor", "AutoPredictor")
EXPORTS = ("PredictorBacktestExportJob", "ForecastExportJob")

_ROWS = (
    Kind(
        name="DatasetGroup",
        prefix="DatasetGroup",
        arn_type="dataset-group",
        noun="dataset group",
        lister="ListDatasetGroups",
        has_job=False,
        total=500,
        deleted_at_once=True,
        stoppable=False,
    ),
    Kind(
        name="Dataset",
        prefix="Dataset",
        arn_type="dataset",
        noun="dataset",
        lister="ListDatasets",
        has_job=False,
        total=1500,
        takes_along=("DatasetImportJob",),
        stoppable=False,
    ),
    Kind(
        name="DatasetImportJob",
        prefix="DatasetImportJob",
        arn_type="dataset-import-job",
        noun="dataset import job",
        lister="ListDatasetImportJobs",
        parents={"DatasetArn": ("Dataset",)},
        named_after_parent=True,
        filters=("DatasetArn", "Status"),
        total=1000,
        running=3,
    ),
    Kind(
        name="Predictor",
        prefix="Predictor",
        arn_type="predictor",
        noun="predictor",
        lister="ListPredictors",
        parents={"InputDataConfig.DatasetGroupArn": ("DatasetGroup",)},
        filters=("DatasetGroupArn", "PredictorArn", "Status"),
        total=500,
        running=3,
    ),
    Kind(
        name="AutoPredictor",
        prefix="Predictor",
        arn_type="predictor",
        noun="predictor",
        lister="ListPredictors",
        parents={"DataConfig.DatasetGroupArn": ("DatasetGroup",)},
        ulid=True,
        filters=("DatasetGroupArn", "PredictorArn", "Status"),
        total=500,
        running=3,
    ),
    Kind(
        name="PredictorBacktestExportJob",
        prefix="PredictorBacktestExportJob",
        arn_type="predictor-backtest-export-job",
        noun="predictor backtest export job",
        lister="ListPredictorBacktestExportJobs",
        parents={"PredictorArn": PREDICTORS},
        named_after_parent=True,
        filters=("PredictorArn", "Status"),
        total=1000,
        running=3,
    ),
    Kind(
        name="Forecast",
        prefix="Forecast",
        arn_type="forecast",
        noun="forecast",
        lister="ListForecasts",
        parents={"PredictorArn": PREDICTORS},
        filters=("DatasetGroupArn", "PredictorArn", "Status"),
        total=100,
        running=3,
    ),
    Kind(
        name="ForecastExportJob",
        prefix="ForecastExportJob",
        arn_type="forecast-export-job",
        noun="forecast export",
        lister="ListForecastExportJobs",
        parents={"ForecastArn": ("Forecast",)},
        named_after_parent=True,
        filters=("ForecastArn", "Status"),
        total=1000,
        running=3,
    ),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}


def kinds_listed_by(operation: str) -> list[Kind]:
    """Give the kinds that a list operation shows."""
    return [kind for kind in KINDS.values() if kind.lister == operation]


def kinds_with_prefix(prefix: str) -> list[Kind]:
    """Give the kinds whose ARN is in the member `<prefix>Arn`: both kinds of predictor for "Predictor"."""
    return [kind for kind in KINDS.values() if kind.prefix == prefix]


def look_up(arguments: dict[str, Any], path: str) -> Any:
    """Give what stands at a dotted path of the arguments, None where nothing does."""
    value: Any = arguments
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
