"""The ledger in the Glue catalogue: its rows as a table, and how the forecasts turned out as views.

<workload>_ledger            ledger/run=…   a row per run, item, step and type whose actual value is known
<workload>_compared          forecast beside actual value: a row per run, item and time, a column per type
<workload>_outcome           by run and type: WAPE, wQL, bias, coverage, beside the seasonal naive forecast
<workload>_outcome_by_item   the same by item
<workload>_outcome_by_step   the same by step of the horizon
"""

import re
from collections.abc import Iterable
from typing import Any

from pipeline import catalogue
from pipeline.catalogue import own_name
from pipeline.errors import translated
from pipeline.ledger import FOLDER
from pipeline.params import Params
from pipeline.tables import PARQUET_STORAGE
from pipeline.workload import Workload

# Σ |actual| that is zero leaves a share undefined.
SIZE = "nullif(sum(abs(actual)), 0e0)"
MEASURES = {
    "points": ("count(*)", "bigint"),
    "wape": (f"sum(abs(actual - forecast)) / {SIZE}", "double"),
    "naive_wape": (
        "sum(abs(actual - naive)) / nullif(sum(CASE WHEN naive IS NOT NULL THEN abs(actual) END), 0e0)",
        "double",
    ),
    "wql": (
        "2e0 * sum(greatest(quantile * (actual - forecast), (1e0 - quantile) * (forecast - actual))) / "
        + SIZE,
        "double",
    ),
    "bias": (f"sum(forecast - actual) / {SIZE}", "double"),
    "coverage": ("avg(CASE WHEN actual <= forecast THEN 1e0 ELSE 0e0 END)", "double"),
    "first": ("min(timestamp)", "varchar"),
    "last": ("max(timestamp)", "varchar"),
}

# The ledger's columns after the keys, and where a formula names one of them.
OWN = {"timestamp": "string", "step": "int", "type": "string"} | dict.fromkeys(
    ("quantile", "forecast", "actual", "naive"), "double"
)
COLUMN = re.compile(rf"\b({'|'.join(OWN)})\b")


ENDINGS = ("ledger", "compared", "outcome", "outcome_by_item", "outcome_by_step")  # in the order of writing


def register(glue: Any, database: str, workload: Workload, params: Params, runs: Iterable[str]) -> list[str]:
    """Brings the ledger's table, its views and the partitions of these runs up to date.

    Returns:
        The names of table and views, `database.name`.
    """
    catalogue.ensure_database(glue, database)
    ledger = _ledger(workload, params)
    catalogue.put_table(glue, database, ledger)
    for run in runs:
        catalogue.put_partition(glue, database, ledger, run)
    views = list(_views(workload, params, database, ledger["Name"]))
    for one in views:
        catalogue.put_table(glue, database, one)
    return [f"{database}.{one['Name']}" for one in (ledger, *views)]


def there(glue: Any, database: str, workload: Workload) -> list[str]:
    """The names of table and views, `database.name`; none as long as no forecast has been scored."""
    names = [f"{workload.slug}_{ending}" for ending in ENDINGS]
    with translated(f"looking for Glue table {database}.{names[-1]}"):
        try:
            glue.get_table(DatabaseName=database, Name=names[-1])
        except glue.exceptions.EntityNotFoundException:
            return []
    return [f"{database}.{name}" for name in names]


def _keys(params: Params) -> list[str]:
    return [name.lower() for name in (params.target.item_key, *params.dimensions)]


def _ledger(workload: Workload, params: Params) -> dict[str, Any]:
    keys = _keys(params)
    columns = [(own_name(name, keys), kind) for name, kind in OWN.items()]
    return {
        "Name": f"{workload.slug}_ledger",
        "Description": f"Every forecast of {workload.label} beside what came.",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE"},
        "PartitionKeys": [{"Name": own_name("run", keys), "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [
                {"Name": name, "Type": kind} for name, kind in [*[(key, "string") for key in keys], *columns]
            ],
            "Location": workload.uri(FOLDER),
            **PARQUET_STORAGE,
        },
    }


def _formula(sql: str, keys: list[str]) -> str:
    """A formula with the names that the ledger's columns have beside these keys."""
    return COLUMN.sub(lambda found: own_name(found[0], keys), sql)


def _views(workload: Workload, params: Params, database: str, ledger: str) -> Iterable[dict[str, Any]]:
    yield _compared(workload, params, database, ledger)
    keys = _keys(params)
    run, kind, step = (own_name(name, keys) for name in ("run", "type", "step"))
    groups: tuple[tuple[str, dict[str, str]], ...] = (
        ("", {}),
        ("_by_item", dict.fromkeys(keys, "varchar")),
        ("_by_step", {step: "integer"}),
    )
    for ending, own in groups:
        by = {run: "varchar", kind: "varchar", **own}
        named = {own_name(name, by): measure for name, measure in MEASURES.items()}
        measures = ", ".join(f'{_formula(formula, keys)} AS "{name}"' for name, (formula, _) in named.items())
        groups_by = ", ".join(f'"{name}"' for name in by)  # a dimension may be called `order`
        sql = f'SELECT {groups_by}, {measures} FROM "{database}"."{ledger}" GROUP BY {groups_by}'
        columns = {**by, **{name: kind for name, (_, kind) in named.items()}}
        name = f"{workload.slug}_outcome{ending}"
        words = f"How the forecasts of {workload.label} turned out{ending.replace('_', ' ')}."
        yield catalogue.view(name, database, sql, columns, words)


def _compared(workload: Workload, params: Params, database: str, ledger: str) -> dict[str, Any]:
    """A view: the types as they are today side by side; an earlier forecast's others are in the ledger."""
    keys = _keys(params)
    run, time, step, actual, naive, kind, value = (
        own_name(name, keys) for name in ("run", "timestamp", "step", "actual", "naive", "type", "forecast")
    )
    by = {run: "varchar", **dict.fromkeys((*keys, time), "varchar"), step: "integer"}
    by |= {actual: "double", naive: "double"}
    sql, columns = catalogue.pivoted(f'"{database}"."{ledger}"', list(by), kind, value, params.type_labels)
    words = f"Forecasts of {workload.label} beside what came, a column per type."
    return catalogue.view(
        f"{workload.slug}_compared", database, sql, by | dict.fromkeys(columns, "double"), words
    )
