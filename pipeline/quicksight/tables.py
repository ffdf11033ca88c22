"""The tables that a dashboard shows, as the Glue catalogue knows them by now."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import translated
from pipeline.quicksight.definition import PARTS, Table
from pipeline.workload import Workload

TYPES = (
    ("DECIMAL", r"double|float|decimal.*"),
    ("INTEGER", r"(tiny|small|big)?int|integer"),
    ("DATETIME", r"timestamp|date"),
    ("BOOLEAN", r"boolean"),
)


def existing(glue: Any, database: str, workload: Workload) -> dict[str, Table]:
    """The tables of the workload that a dashboard can show, by part; some come with later runs only."""
    found = {part: _table(glue, database, f"{workload.slug}_{part}") for part in PARTS}
    return {part: table for part, table in found.items() if table is not None}


def _table(glue: Any, database: str, name: str) -> Table | None:
    with translated(f"reading Glue table {database}.{name}"):
        try:
            entry = glue.get_table(DatabaseName=database, Name=name)["Table"]
        except glue.exceptions.EntityNotFoundException:
            return None
    return Table(name, _columns([*entry["StorageDescriptor"]["Columns"], *entry.get("PartitionKeys", [])]))


def _columns(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {column["Name"]: quicksight_type(column["Type"]) for column in listed}


def quicksight_type(kind: str) -> str:
    """QuickSight's word for a type of the catalogue."""
    return next((name for name, pattern in TYPES if re.fullmatch(pattern, kind)), "STRING")
