"""Reads tables, views and partitions from the Glue catalogue, as they are when a query begins."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from local.athena.errors import NotFound, QueryFailed, Unsupported

VIEW_PREFIX, VIEW_SUFFIX = "/* Presto View: ", " */"


@dataclass(frozen=True)
class Column:
    """A column of a table; its type is Glue's: `string`, `double`, `decimal(10,2)`."""

    name: str
    type: str


@dataclass(frozen=True)
class Place:
    """A folder in S3 whose objects belong to a table, with the values of its partition columns."""

    bucket: str
    prefix: str
    partition: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table or view of the catalogue."""

    database: str
    name: str
    entry: Mapping[str, Any]
    places: tuple[Place, ...]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that files have, in their order."""
        return _columns(self.entry["StorageDescriptor"].get("Columns", ()))

    @cached_property
    def partition_keys(self) -> tuple[Column, ...]:
        """The columns that follow from where a file lies."""
        return _columns(self.entry.get("PartitionKeys") or ())

    @property
    def all_columns(self) -> tuple[Column, ...]:
        return (*self.columns, *self.partition_keys)

    @property
    def is_view(self) -> bool:
        return bool(self.entry.get("TableType") == "VIRTUAL_VIEW")

    @cached_property
    def view(self) -> Mapping[str, Any]:
        """A view's definition: `originalSql`, and `schema`, where names without a database belong."""
        text = self.entry.get("ViewOriginalText") or ""
        if not (text.startswith(VIEW_PREFIX) and text.endswith(VIEW_SUFFIX)):
            raise Unsupported(f"View {self.database}.{self.name} was not made by Athena.")
        decoded = base64.b64decode(text[len(VIEW_PREFIX) : -len(VIEW_SUFFIX)])
        return dict(json.loads(decoded))

    @property
    def reader(self) -> str:
        """The last part of the class that reads its files: OpenCSVSerde, ParquetHiveSerDe …"""
        library = self.entry["StorageDescriptor"].get("SerdeInfo", {}).get("SerializationLibrary", "")
        return str(library).rsplit(".", 1)[-1]

    @property
    def reader_settings(self) -> Mapping[str, str]:
        return self.entry["StorageDescriptor"].get("SerdeInfo", {}).get("Parameters") or {}

    @property
    def is_by_position(self) -> bool:
        """Whether the columns of a Parquet file are taken by their place, whatever it calls them."""
        return self.reader_settings.get("parquet.column.index.access", "").lower() == "true"

    @property
    def header_lines(self) -> int:
        """Lines at the beginning of each file that are no rows."""
        return int((self.entry.get("Parameters") or {}).get("skip.header.line.count", 0))


class Catalogue:
    """The catalogue behind a Glue client; names are lower case, as Glue keeps them."""

    def __init__(self, glue: Any) -> None:
        self.glue = glue

    def databases(self) -> list[str]:
        pages = self.glue.get_paginator("get_databases").paginate()
        return sorted(each["Name"] for page in pages for each in page["DatabaseList"])

    def require_database(self, database: str) -> None:
        """Raises NotFound unless the database exists."""
        try:
            self.glue.get_database(Name=database)
        except self.glue.exceptions.EntityNotFoundException:
            raise _missing_database(database) from None

    def tables(self, database: str) -> list[Mapping[str, Any]]:
        """Every entry of a database, by name."""
        self.require_database(database)
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=database)
        return sorted((each for page in pages for each in page["TableList"]), key=lambda each: each["Name"])

    def table(self, database: str, name: str) -> Table:
        """One table or view, with the places of its files.

        Raises:
            NotFound: there is no such database or table.
        """
        try:
            entry = self.glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self.glue.exceptions.EntityNotFoundException:
            self.require_database(database)
            raise NotFound(f"Table 'awsdatacatalog.{database}.{name}' does not exist") from None
        return Table(database, name, entry, tuple(self._places(database, entry)))

    def partitions(self, database: str, name: str) -> list[Mapping[str, Any]]:
        pages = self.glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
        return [each for page in pages for each in page["Partitions"]]

    def put_view(self, database: str, name: str, sql: str, columns: list[Column], replace: bool) -> None:
        """Creates a view, or replaces it in one step."""
        definition = {
            "originalSql": sql,
            "catalog": "awsdatacatalog",
            "schema": database,
            "columns": [{"name": one.name, "type": one.type} for one in columns],
        }
        encoded = base64.b64encode(json.dumps(definition).encode()).decode()
        entry = {
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{"Name": one.name, "Type": _as_glue(one.type)} for one in columns],
                "Location": "",
                "SerdeInfo": {},
            },
            "ViewOriginalText": f"{VIEW_PREFIX}{encoded}{VIEW_SUFFIX}",
            "ViewExpandedText": "/* Presto View */",
        }
        self.require_database(database)
        try:
            self.glue.create_table(DatabaseName=database, TableInput=entry)
        except self.glue.exceptions.AlreadyExistsException:
            if not replace:
                raise QueryFailed(f"View already exists: '{database}.{name}'") from None
            if not self.table(database, name).is_view:
                raise QueryFailed(f"'{database}.{name}' is a table, and no view takes its place") from None
            self.glue.update_table(DatabaseName=database, TableInput=entry)

    def drop_view(self, database: str, name: str, if_exists: bool) -> None:
        """Removes a view; a table is left alone."""
        try:
            found = self.table(database, name)
        except NotFound:
            if if_exists:
                return
            raise
        if not found.is_view:
            raise QueryFailed(f"'{database}.{name}' is a table, not a view")
        self.glue.delete_table(DatabaseName=database, Name=name)

    def _places(self, database: str, entry: Mapping[str, Any]) -> Iterator[Place]:
        if entry.get("PartitionKeys"):
            for each in self.partitions(database, entry["Name"]):
                yield _place(each["StorageDescriptor"]["Location"], tuple(each["Values"]))
        elif location := entry["StorageDescriptor"].get("Location"):
            yield _place(location)


def _place(location: str, partition: tuple[str, ...] = ()) -> Place:
    parts = urlsplit(location, allow_fragments=False)
    prefix = location.split("/", 3)[3] if location.count("/") >= 3 else ""
    return Place(parts.netloc, prefix if not prefix or prefix.endswith("/") else f"{prefix}/", partition)


def _columns(given: Any) -> tuple[Column, ...]:
    return tuple(Column(each["Name"].lower(), each.get("Type", "string").lower()) for each in given)


def _as_glue(kind: str) -> str:
    """Athena's name of a type as the catalogue spells it."""
    return {"varchar": "string", "integer": "int"}.get(kind, kind)


def _missing_database(database: str) -> NotFound:
    error = NotFound(f"Schema '{database}' does not exist")
    error.code = "SCHEMA_NOT_FOUND"
    return error
