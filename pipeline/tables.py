"""Tables of a workload in the Glue catalogue: what was uploaded, the current forecast, and its history.

    <workload>_train      train/                    every file, as uploaded
    <workload>_forecast   forecast/<run>/           moves to a new run in one UpdateTable
    <workload>_history    history/clean/<run>/      one partition per run
    <workload>_chart      history/chart/<run>/      moves with the forecast
    <workload>_items      history/items/<run>/      moves with the forecast
    <workload>_fan        a view: a chart's rows with a column per type

Tables are created and updated, never dropped, so that a query in progress keeps what it reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline import catalogue, charttable
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
PARQUET_STORAGE: dict[str, Any] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
# The columns of an upload are taken by position, whatever the file calls them.
BY_POSITION = {**PARQUET_STORAGE["SerdeInfo"], "Parameters": {"parquet.column.index.access": "true"}}
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
    ("uint8", "smallint"),
    ("uint16", "int"),
    ("uint32", "bigint"),
    ("uint64", "decimal(20,0)"),
    ("float", "float"),
    ("double", "double"),
    ("bool", "boolean"),
    ("date32", "date"),
    ("timestamp", "timestamp"),
    ("decimal128", "decimal"),
)

OF_ARROW = {pa.string(): "string", pa.float64(): "double", pa.int64(): "bigint"}

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
        form.has_header and not form.mixes_headers,
        f"Past demand of {workload.label}, as uploaded.",
    )
    if form.format("train") == PARQUET:
        train["StorageDescriptor"]["SerdeInfo"] = BY_POSITION
    history = _table(
        f"{workload.slug}_history",
        workload.uri("history/clean/"),
        forecast,
        False,
        manifest.has_header,
        f"Every forecast of {workload.label}, by run.",
    )
    history["PartitionKeys"] = [{"Name": catalogue.own_name("run", params.target.columns), "Type": "string"}]
    written = [train, current, *_charts(database, workload, params, manifest), history]
    for table in written:
        catalogue.put_table(glue, database, table)
    catalogue.put_partition(glue, database, history, manifest.run)
    return _names(database, written)


def point(
    glue: Any, database: str, workload: Workload, params: Params, form: InputForm, manifest: Manifest
) -> list[str]:
    """Lets the tables of the current forecast point to another one that was published before.

    Args:
        params: as they were when that forecast was made; with `form` they tell its columns.

    Returns:
        The names of the tables, `database.table`.
    """
    catalogue.ensure_database(glue, database)
    current = _current(workload, _forecast_columns(params, form), manifest)
    moved = [current, *_charts(database, workload, params, manifest)]
    for table in moved:
        catalogue.put_table(glue, database, table)
    return _names(database, moved)


def _names(database: str, tables: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{database}.{table['Name']}" for table in tables]


def _charts(database: str, workload: Workload, params: Params, manifest: Manifest) -> list[dict[str, Any]]:
    """What charts of the current forecast are drawn from; a folder without a file is a table without rows."""
    run, keys = manifest.run, (params.target.item_key, *params.dimensions)
    words = f"of the current forecast of {workload.label}, run {run}."
    made = [
        parquet_table(f"{workload.slug}_{name}", workload.uri(f"{folder}{run}/"), columns, f"{what} {words}")
        for name, folder, columns, what in (
            ("chart", charttable.CHART, charttable.chart_columns(keys), "Charts: the recent past, and rows"),
            ("items", charttable.ITEMS, charttable.item_columns(keys), "Items"),
        )
    ]
    return [*made, _fan(database, workload, keys, manifest, made[0]["Name"])]


def _fan(
    database: str, workload: Workload, keys: Sequence[str], manifest: Manifest, chart: str
) -> dict[str, Any]:
    """A view: a row per item and time of a chart, with the actual value and each type in its own column."""
    by = [name.lower() for name in keys]
    time, kind, value = (catalogue.own_name(name, keys) for name in ("time", "type", "value"))
    sql, columns = catalogue.pivoted(
        f'"{database}"."{chart}"', [*by, time], kind, value, (charttable.ACTUAL, *manifest.types)
    )
    kinds = {**dict.fromkeys(by, "varchar"), time: "timestamp", **dict.fromkeys(columns, "double")}
    words = f"Charts of the current forecast of {workload.label}, a column per type."
    return catalogue.view(f"{workload.slug}_fan", database, sql, kinds, words)


def parquet_table(
    name: str, location: str, columns: Mapping[str, pa.DataType], description: str
) -> dict[str, Any]:
    """A table over Parquet files with these columns: a TableInput."""
    listed = [{"Name": column, "Type": OF_ARROW.get(kind, "timestamp")} for column, kind in columns.items()]
    return _table(name, location, listed, True, False, description)


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
    """The column's type; the CSV reader fails on what is no number, such as an empty cell or a header."""
    if form.mixes_headers or (attribute.name == spec.target_field and form.missing):
        return "string"
    return GLUE_TYPES[attribute.type]


def _of_arrow(kind: str) -> str:
    found = next((glue for arrow, glue in ARROW_TYPES if kind.startswith(arrow)), "string")
    return kind.replace("decimal128", "decimal").replace(" ", "") if found == "decimal" else found


def _forecast_columns(params: Params, form: InputForm) -> list[Column]:
    """The input's columns with the target a number, whatever it was in the input, and the type."""
    spec = params.target
    types = ["double" if a.name == spec.target_field else "string" for a in spec.attributes]
    return [*_named(spec, types), {"Name": type_column(params, form), "Type": "string"}]


def _named(spec: DatasetSpec, types: Sequence[str]) -> list[Column]:
    return [{"Name": name.lower(), "Type": kind} for name, kind in zip(spec.columns, types, strict=True)]
