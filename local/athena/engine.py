"""Answers one statement: tables from the catalogue, files from S3, rows from DuckDB."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from local.athena import dialect, files
from local.athena.catalogue import Catalogue, Column, Place, Table
from local.athena.errors import NotFound, QueryFailed, Unsupported
from local.athena.objects import Objects, Vanished
from local.athena.statements import Show
from local.athena.values import Answer, OutputColumn, output_column

# A forecast that is replaced while it is being fetched is looked up again; a reader is faster than this
# many publishes.
TRIES = 5
MOST_MEMORY = "2GB"
CATALOGS = ("", "awsdatacatalog")


class Engine:
    """Runs statements; each has a connection and a snapshot of its own.

    Args:
        catalogue: of databases, tables and views.
        objects: fetches objects of S3.
    """

    def __init__(self, catalogue: Catalogue, objects: Objects) -> None:
        self.catalogue = catalogue
        self.objects = objects

    def run(self, sql: str, database: str, begun: Callable[[Any], None] = lambda _: None) -> Answer:
        """The answer to a statement.

        Args:
            sql: one statement of Athena's SQL.
            database: where names without a database belong.
            begun: is given the DuckDB connection, so that another thread can interrupt it.

        Raises:
            QueryFailed: with the reason as Athena's users know it.
        """
        show = Show.parse(sql)
        if show is not None:
            return show.answer(self.catalogue, database)
        statement = dialect.parse(sql)
        if isinstance(statement, exp.Create):
            return self._create_view(statement, database)
        if isinstance(statement, exp.Drop):
            return self._drop_view(statement, database)
        if isinstance(statement, exp.Values):
            statement = exp.select("*").from_(exp.alias_(statement, "v", table=True))
        if not isinstance(statement, exp.Query):
            raise Unsupported(f"the local engine reads; it does not do {type(statement).__name__.upper()}")
        return self._read(statement, database, begun)

    # -- queries

    def _read(self, query: exp.Expr, database: str, begun: Callable[[Any], None]) -> Answer:
        for attempt in range(1, TRIES + 1):
            try:
                return _Reading(self, begun).answer(query.copy(), database)
            except Vanished as error:
                if attempt == TRIES:
                    raise QueryFailed(f"{error}, and again in each of {TRIES} tries") from error
        raise AssertionError("unreachable")

    # -- views

    def _create_view(self, statement: exp.Create, database: str) -> Answer:
        if statement.args.get("kind") != "VIEW" or not isinstance(statement.expression, exp.Query):
            raise Unsupported("the local engine creates views; tables come from the Glue API")
        where, name = _named(statement.find(exp.Table), database)
        query = statement.expression
        columns = _Reading(self, lambda _: None).columns(query.copy(), database)
        self.catalogue.put_view(
            where, name, query.sql(dialect=dialect.ATHENA), columns, bool(statement.args.get("replace"))
        )
        return Answer(is_query=False)

    def _drop_view(self, statement: exp.Drop, database: str) -> Answer:
        if statement.args.get("kind") != "VIEW":
            raise Unsupported("the local engine drops views only; tables are changed through the Glue API")
        where, name = _named(statement.find(exp.Table), database)
        self.catalogue.drop_view(where, name, bool(statement.args.get("exists")))
        return Answer(is_query=False)


class _Reading:
    """One query: the relations that it needs, in a DuckDB of its own."""

    def __init__(self, engine: Engine, begun: Callable[[Any], None]) -> None:
        self.engine = engine
        self.begun = begun
        self.relations: dict[tuple[str, str], str] = {}
        self.schema: dict[str, dict[str, str]] = {}
        self.scanned = 0

    def answer(self, query: exp.Expr, database: str) -> Answer:
        with tempfile.TemporaryDirectory() as folder, self._connection(Path(folder)) as connection:
            self.begun(connection)
            cursor = self._execute(connection, self._translated(connection, query, database, Path(folder)))
            columns = _columns_of(cursor)
            return Answer(columns, cursor.fetchall(), self.scanned)

    def columns(self, query: exp.Expr, database: str) -> list[Column]:
        """The columns of a query's answer, without its rows."""
        wrapped = (
            exp.select("*")
            .from_(exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("v"))))
            .limit(0)
        )
        return [Column(each.name, each.type) for each in self.answer(wrapped, database).columns]

    def _connection(self, folder: Path) -> Any:
        connection = duckdb.connect(":memory:")
        connection.execute(f"SET temp_directory = '{folder}'")
        connection.execute(f"SET memory_limit = '{MOST_MEMORY}'")
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _translated(self, connection: Any, query: exp.Expr, database: str, folder: Path) -> str:
        dialect.check(query)
        for table in dialect.tables_of(query):
            relation = self._relation(connection, table, database, folder)
            table.replace(exp.alias_(exp.to_table(relation), _alias(table), table=True))
        return dialect.translate(query, self.schema)

    def _relation(self, connection: Any, table: exp.Table, database: str, folder: Path) -> str:
        where, name = _named(table, database)
        if (where, name) not in self.relations:
            relation = f"r{len(self.relations)}"
            self.relations[where, name] = relation
            self._make(connection, self.engine.catalogue.table(where, name), relation, folder)
        return self.relations[where, name]

    def _make(self, connection: Any, table: Table, relation: str, folder: Path) -> None:
        if table.is_view:
            view = table.view
            query, home = dialect.parse(view["originalSql"]), view.get("schema") or table.database
            sql = self._translated(connection, query, home, folder)
            self.schema[relation] = {each["name"].lower(): each["type"] for each in view["columns"]}
        else:
            sql = self._rows(connection, table)
            self.schema[relation] = {each.name: each.type for each in table.all_columns}
        self._execute(connection, f"CREATE VIEW {relation} AS {sql}")

    def _rows(self, connection: Any, table: Table) -> str:
        """A query over the files of a table."""
        parts = [self._rows_of(connection, table, place) for place in table.places]
        if not all(parts):
            self._settle(table)
        return " UNION ALL ".join(part for part in parts if part) or files.no_rows(table)

    def _settle(self, table: Table) -> None:
        """An empty folder is the truth only if the catalogue still names it: it may have been cleared."""
        again = self.engine.catalogue.table(table.database, table.name)
        if not set(table.places) <= set(again.places):
            raise Vanished(f"table {table.database}.{table.name} moved while it was being read")

    def _rows_of(self, connection: Any, table: Table, place: Place) -> str | None:
        found = self.engine.objects.fetch(place)
        self.scanned += sum(file.stat().st_size for file in found)
        full = [file for file in found if file.stat().st_size]
        if not full:
            return None
        return files.rows(table, self._as_parquet(connection, table, full), place.partition)

    def _as_parquet(self, connection: Any, table: Table, found: list[Path]) -> list[Path]:
        """The files in a form that DuckDB reads by the column; CSV is brought into it once."""
        if table.reader.startswith("Parquet"):
            return found
        return [files.parquet_of(table, file, lambda sql: self._execute(connection, sql)) for file in found]

    @staticmethod
    def _execute(connection: Any, sql: str) -> Any:
        try:
            return connection.execute(sql)
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise _failure(_first_line(error)) from error


def _columns_of(cursor: Any) -> list[OutputColumn]:
    return [output_column(str(each[0]).lower(), str(each[1])) for each in cursor.description]


def _named(table: exp.Table | None, database: str) -> tuple[str, str]:
    """Database and name of a table, in lower case."""
    if table is None or table.catalog.lower() not in CATALOGS:
        raise NotFound(f"Catalog '{table.catalog if table else ''}' does not exist; there is awsdatacatalog")
    return (table.db or database).lower(), table.name.lower()


def _alias(table: exp.Table) -> str:
    return str(table.alias or table.name).lower()


# What DuckDB says, and the code that Athena has for it; the first that fits.
_CODES = (
    ("Division by zero", "DIVISION_BY_ZERO"),
    ("Error parsing a field value", "HIVE_BAD_DATA"),
    ("Could not convert", "INVALID_CAST_ARGUMENT"),
    ("Conversion Error", "INVALID_CAST_ARGUMENT"),
    ("CSV Error", "HIVE_BAD_DATA"),
    ("Cannot cast", "INVALID_CAST_ARGUMENT"),
    ("Out of Range Error", "NUMERIC_VALUE_OUT_OF_RANGE"),
)


def _failure(text: str) -> QueryFailed:
    error = QueryFailed(text)
    error.code = next((code for sign, code in _CODES if sign in text), QueryFailed.code)
    return error


def _first_line(error: Exception) -> str:
    """The sentence of an error, without the page of advice that may follow it."""
    lines = str(error).strip().splitlines()
    return next((line for line in lines if line.startswith("Could not convert")), lines[0])
