"""Tables of a workload in the Glue catalogue: what was uploaded, the current forecast, and its history.

    <workload>_train      train/                    every file, as uploaded
    <workload>_forecast   forecast/<run>/           moves to a new run in one UpdateTable
    <workload>_history    history/clean/run=…       one partition per run

Tables are created and updated, never dropped, so that a query in progress keeps what it reads.
"""

from collections.abc import Sequence
from typing import Any

from pipeline import catalogue
from pipeline.form import PARQUET, InputForm
from pipeline.params import Attribute, DatasetSpec, Params
from pipeline.publish import Manifest
from pipeline.reformat import type_column
from pipeline.workload import Workload

CSV_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {
        # The one reader that understands quotes. It takes a backslash for an escape unless it is given
        # another character: here one that no text holds, so that a backslash is itself.
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\u0001"},
    },
}
PARQUET_STORAGE = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
# The CSV reader takes times only as milliseconds since 1970, so they stay text, as they were uploaded.
GLUE_TYPES = {
    "float": "double",
    "integer": "bigint",
    "string": "string",
    "geolocation": "string",
    "timestamp": "string",
}
ARROW_TYPES = (
    ("int8", "tinyint"),
    ("int16", "smallint"),
    ("int32", "int"),
    ("int64", "bigint"),
    ("float", "float"),
    ("double", "double"),
    ("bool", "boolean"),
    ("date32", "date"),
    ("timestamp", "timestamp"),
    ("decimal128", "decimal"),
)

Column = dict[str, str]


def register(
    glue: Any, database: str, workload: Workload, params: Params, form: InputForm, manifest: Manifest
) -> list[str]:
    """Brings the workload's tables up to date with a published forecast.

    Args:
        database: made if it is not there.

    Returns:
        The names of the tables, `database.table`.
    """
    catalogue.ensure_database(glue, database)
    forecast = _forecast_columns(params, form)
    current = _current(workload, forecast, manifest)
    train = _table(
        f"{workload.slug}_train",
        workload.uri("train/"),
        _train_columns(params.target, form),
        form.format("train") == PARQUET,
        form.has_header,
        f"Past demand of {workload.label}, as uploaded.",
    )
    history = _table(
        f"{workload.slug}_history",
        workload.uri("history/clean/"),
        forecast,
        False,
        manifest.has_header,
        f"Every forecast of {workload.label}, by run.",
    )
    history["PartitionKeys"] = [{"Name": "run", "Type": "string"}]
    for table in (train, current, history):
        catalogue.put_table(glue, database, table)
    catalogue.put_partition(glue, database, history, manifest.run)
    return [f"{database}.{table['Name']}" for table in (train, current, history)]


def point(
    glue: Any, database: str, workload: Workload, params: Params, form: InputForm, manifest: Manifest
) -> list[str]:
    """Lets the table of the current forecast point to another one that was published before.

    Args:
        params: as they were when that forecast was made; with `form` they tell its columns.

    Returns:
        The name of the table, `database.table`.
    """
    catalogue.ensure_database(glue, database)
    current = _current(workload, _forecast_columns(params, form), manifest)
    catalogue.put_table(glue, database, current)
    return [f"{database}.{current['Name']}"]


def _current(workload: Workload, columns: list[Column], manifest: Manifest) -> dict[str, Any]:
    """The table over the current forecast: place and columns change together, in one request."""
    description = f"Current forecast of {workload.label}, run {manifest.run}."
    name, has_header = f"{workload.slug}_forecast", manifest.has_header
    return _table(name, manifest.location, columns, False, has_header, description)


def _table(
    name: str, location: str, columns: list[Column], is_parquet: bool, has_header: bool, description: str
) -> dict[str, Any]:
    storage = PARQUET_STORAGE if is_parquet else CSV_STORAGE
    parameters = {"classification": "parquet" if is_parquet else "csv", "EXTERNAL": "TRUE"}
    if has_header and not is_parquet:
        parameters["skip.header.line.count"] = "1"
    return {
        "Name": name,
        "Description": description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "StorageDescriptor": {"Columns": columns, "Location": location, **storage},
    }


def _train_columns(spec: DatasetSpec, form: InputForm) -> list[Column]:
    types = form.files["train"][0].types
    if types:
        return _named(spec, [_of_arrow(kind) for kind in types])
    return _named(spec, [_of_schema(attribute, spec, form) for attribute in spec.attributes])


def _of_schema(attribute: Attribute, spec: DatasetSpec, form: InputForm) -> str:
    """The column's type; the CSV reader fails on an empty cell in a column of numbers, so one is text."""
    if attribute.name == spec.target_field and form.missing:
        return "string"
    return GLUE_TYPES[attribute.type]


def _of_arrow(kind: str) -> str:
    found = next((glue for arrow, glue in ARROW_TYPES if kind.startswith(arrow)), "string")
    return kind.replace("decimal128", "decimal") if found == "decimal" else found


def _forecast_columns(params: Params, form: InputForm) -> list[Column]:
    """The input's columns with the target a number, whatever it was in the input, and the type."""
    spec = params.target
    types = ["double" if a.name == spec.target_field else "string" for a in spec.attributes]
    return [*_named(spec, types), {"Name": type_column(form.columns), "Type": "string"}]


def _named(spec: DatasetSpec, types: Sequence[str]) -> list[Column]:
    return [{"Name": name.lower(), "Type": kind} for name, kind in zip(spec.columns, types, strict=True)]
