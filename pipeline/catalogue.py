"""Writes databases, tables, partitions and views of the Glue catalogue: created or updated, never dropped."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.errors import code_of, translated


def ensure_database(glue: Any, database: str) -> None:
    """The database is there afterwards."""
    with translated(f"creating Glue database {database}"):
        try:
            glue.get_database(Name=database)
        except glue.exceptions.EntityNotFoundException:
            _create(glue.create_database, DatabaseInput={"Name": database})


def _create(call: Any, **request: Any) -> bool:
    """Whether the thing was made; False if somebody else has made it meanwhile."""
    try:
        call(**request)
    except Exception as error:
        if code_of(error) != "AlreadyExistsException":
            raise
        return False
    return True


def put_table(glue: Any, database: str, table: dict[str, Any]) -> None:
    """Creates the table, or replaces its entry in one request; `table` is the API's TableInput."""
    with translated(f"writing Glue table {database}.{table['Name']}"):
        try:
            glue.update_table(DatabaseName=database, TableInput=table)
        except glue.exceptions.EntityNotFoundException:
            if not _create(glue.create_table, DatabaseName=database, TableInput=table):
                glue.update_table(DatabaseName=database, TableInput=table)


def put_partition(glue: Any, database: str, table: dict[str, Any], run: str) -> None:
    """Adds the folder of a run to a table that is partitioned by it, or brings its entry up to date."""
    place = {**table["StorageDescriptor"], "Location": f"{table['StorageDescriptor']['Location']}{run}/"}
    partition = {"Values": [run], "StorageDescriptor": place, "Parameters": table["Parameters"]}
    own = {"DatabaseName": database, "TableName": table["Name"]}
    with translated(f"writing partition {run} of Glue table {database}.{table['Name']}"):
        if not _create(glue.create_partition, **own, PartitionInput=partition):
            glue.update_partition(**own, PartitionValueList=[run], PartitionInput=partition)


def own_name(name: str, given: Iterable[str]) -> str:
    """The name of a column of ours: with a prefix where a column of the upload has that name."""
    return name if name not in {each.lower() for each in given} else f"forecast_{name}"


def view(name: str, database: str, sql: str, columns: Mapping[str, str], description: str) -> dict[str, Any]:
    """A view as Athena keeps one: a TableInput.

    Args:
        sql: the query, in Athena's dialect.
        columns: its columns, name to Athena's type: varchar, double, bigint, integer …
    """
    definition = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column, "type": kind} for column, kind in columns.items()],
    }
    encoded = base64.b64encode(json.dumps(definition).encode()).decode()
    in_glue = {"varchar": "string", "integer": "int"}
    return {
        "Name": name,
        "Description": description,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {
            "Columns": [{"Name": one, "Type": in_glue.get(kind, kind)} for one, kind in columns.items()],
            "Location": "",
            "SerdeInfo": {},
        },
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
    }


def pivoted(
    source: str, by: Sequence[str], kind: str, value: str, kinds: Sequence[str]
) -> tuple[str, list[str]]:
    """A query that puts rows of several kinds side by side: a row per key, a column per kind.

    Args:
        source: the table. by: its keys. kind, value: its columns. kinds: at least one.

    Returns:
        The query, and the names of the columns after the keys.
    """
    own = [name if name not in by else f"forecast_{name}" for name in kinds]
    wide = [
        f'max(CASE WHEN "{kind}" = \'{one}\' THEN "{value}" END) AS "{name}"'
        for one, name in zip(kinds, own, strict=True)
    ]
    keys = ", ".join(f'"{name}"' for name in by)
    return f"SELECT {keys}, {', '.join(wide)} FROM {source} GROUP BY {keys}", own
