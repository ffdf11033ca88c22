"""What there should be in QuickSight for a workload: one data source, data sets, an analysis, a dashboard.

Their ids follow from the workload alone, so that what was made once is found again.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import BadInput, Problem
from pipeline.params import Params
from pipeline.quicksight.definition import Table, definition
from pipeline.workload import Workload

LONGEST_NAME = 128  # of a data set; the others may be longer
CATALOG = "AwsDataCatalog"
OWNER = r"arn:(?P<partition>[\w-]+):quicksight:[\w-]+:(?P<account>\d{12}):(user|group)/[^/]+/.+"
WORDS = {
    "fan": "charts",
    "compared": "earlier forecasts and what came",
    "outcome": "outcome",
    "accuracy": "promised accuracy",
    "outcome_by_item": "outcome by item",
    "runs": "runs",
}


@dataclass(frozen=True)
class Kind:
    """A kind of resource: its name in calls and ARNs, and what its owner may do with it."""

    words: str  # for people
    call: str  # as in boto3's methods: describe_<call>
    member: str  # as in requests and answers
    actions: tuple[str, ...]

    @property
    def id_member(self) -> str:
        return f"{self.member}Id"

    @property
    def in_arn(self) -> str:
        return self.member.lower()


def _actions(names: str) -> tuple[str, ...]:
    return tuple(f"quicksight:{name}" for name in names.split())


# QuickSight takes sets of actions that make an owner or a viewer, and no others.
DATA_SOURCE = Kind(
    "data source",
    "data_source",
    "DataSource",
    _actions(
        "DescribeDataSource DescribeDataSourcePermissions PassDataSource "
        "UpdateDataSource DeleteDataSource UpdateDataSourcePermissions"
    ),
)
DATA_SET = Kind(
    "data set",
    "data_set",
    "DataSet",
    _actions(
        "DescribeDataSet DescribeDataSetPermissions PassDataSet DescribeIngestion ListIngestions "
        "UpdateDataSet DeleteDataSet CreateIngestion CancelIngestion UpdateDataSetPermissions"
    ),
)
ANALYSIS = Kind(
    "analysis",
    "analysis",
    "Analysis",
    _actions(
        "RestoreAnalysis UpdateAnalysisPermissions DeleteAnalysis QueryAnalysis "
        "DescribeAnalysisPermissions DescribeAnalysis UpdateAnalysis"
    ),
)
DASHBOARD = Kind(
    "dashboard",
    "dashboard",
    "Dashboard",
    _actions(
        "DescribeDashboard ListDashboardVersions UpdateDashboardPermissions QueryDashboard UpdateDashboard "
        "DeleteDashboard DescribeDashboardPermissions UpdateDashboardPublishedVersion"
    ),
)


@dataclass(frozen=True)
class Account:
    """Where resources are made: all that their ARNs need; and for whom."""

    partition: str
    region: str
    id: str
    principal: str

    @classmethod
    def of(cls, principal: str, region: str) -> "Account":
        """The account of a QuickSight user or group.

        Raises:
            BadInput: the ARN names neither.
        """
        found = re.fullmatch(OWNER, principal)
        if not found:
            rule = "this is the ARN of a QuickSight user or group"
            example = "arn:aws:quicksight:us-east-1:111122223333:user/default/ann"
            raise BadInput(
                [Problem("QuickSight's principal", repr(principal), rule, f"Give one: {example}.")]
            )
        return cls(found["partition"], region, found["account"], principal)

    def arn(self, kind: Kind, id: str) -> str:
        return f"arn:{self.partition}:quicksight:{self.region}:{self.id}:{kind.in_arn}/{id}"


@dataclass(frozen=True)
class Resource:
    """One resource as it should be: `settings` go with every create and update, `fixed` with create alone."""

    kind: Kind
    id: str
    settings: Mapping[str, Any]
    fixed: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Tells whether what was sent last is what should be there now."""
        text = json.dumps([self.settings, self.fixed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        return f"{self.kind.words} {self.id}"


def wanted(
    account: Account,
    workload: Workload,
    params: Params,
    database: str,
    tables: Mapping[str, Table],
    workgroup: str,
) -> list[Resource]:
    """The workload's resources, in the order in which they need each other.

    Args:
        tables: those that there are, by part.
        workgroup: the Athena work group that runs the queries.
    """
    prefix = f"forecast-{workload.slug}"
    source = _source(prefix, workload, workgroup)
    source_arn = account.arn(DATA_SOURCE, source.id)
    sets = {
        part: _data_set(prefix, workload, database, part, table, source_arn) for part, table in tables.items()
    }
    arns = {part: account.arn(DATA_SET, one.id) for part, one in sets.items()}
    shown = {"Name": _name(workload), "Definition": definition(params, tables, arns)}
    return [
        source,
        *sets.values(),
        Resource(ANALYSIS, prefix, shown, {}),
        Resource(DASHBOARD, prefix, shown, {}),
    ]


def _source(id: str, workload: Workload, workgroup: str) -> Resource:
    settings = {
        "Name": _name(workload),
        "DataSourceParameters": {"AthenaParameters": {"WorkGroup": workgroup}},
    }
    return Resource(DATA_SOURCE, id, settings, {"Type": "ATHENA"})


def _data_set(
    prefix: str, workload: Workload, database: str, part: str, table: Table, source_arn: str
) -> Resource:
    relation = {
        "DataSourceArn": source_arn,
        "Catalog": CATALOG,
        "Schema": database,
        "Name": table.name,
        "InputColumns": [{"Name": name, "Type": kind} for name, kind in table.columns.items()],
    }
    settings = {
        "Name": _name(workload, f": {WORDS[part]}"),
        "PhysicalTableMap": {part.replace("_", "-"): {"RelationalTable": relation}},
        "ImportMode": "DIRECT_QUERY",
    }
    return Resource(DATA_SET, f"{prefix}-{part}", settings, {})


def _name(workload: Workload, ending: str = "") -> str:
    start = f"Forecast of {workload.label}"
    room = LONGEST_NAME - len(ending)
    return (start if len(start) <= room else start[: room - 1] + "…") + ending
