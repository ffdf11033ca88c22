"""The same statements through boto3 and PyAthena, against pandas."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest

from tests.athena.page_statements import PAGE_STATEMENTS
from tests.athena.queries import Failed, ask
from tests.athena.statements import STATEMENTS, Statement
from tests.athena.tables import DATABASE, RESULTS, Frames
from tests.local.conftest import GatewayProcess

EVERY = [*STATEMENTS, *PAGE_STATEMENTS]


def assert_same(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]], is_sorted: bool) -> None:
    if not is_sorted:
        found, expected = sorted(found, key=_order), sorted(expected, key=_order)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        assert all(_same(a, b) for a, b in zip(one, other, strict=True)), f"{one} is not {other}"


def _order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((cell is None, f"{cell:.6f}" if isinstance(cell, float) else str(cell)) for cell in row)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float | Decimal) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other and isinstance(one, dt.datetime) == isinstance(other, dt.datetime))


@pytest.mark.parametrize("statement", EVERY, ids=lambda each: each.name)
def test_a_statement_gives_the_rows_of_the_same_computation_in_pandas(
    statement: Statement, athena: Any, given: Frames
) -> None:
    assert_same(ask(athena, statement.sql).rows, statement.expected(given), statement.is_sorted)


@pytest.mark.parametrize("statement", EVERY, ids=lambda each: each.name)
def test_pyathena_gives_the_same_rows(statement: Statement, stand_in: GatewayProcess, given: Frames) -> None:
    from pyathena import connect

    with connect(
        s3_staging_dir=f"s3://{RESULTS}/pyathena/",
        schema_name=DATABASE,
        endpoint_url=f"http://127.0.0.1:{stand_in.port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        poll_interval=0.01,
    ) as connection:
        found = connection.cursor().execute(statement.sql).fetchall()
    assert_same([tuple(row) for row in found], statement.expected(given), statement.is_sorted)


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("SELEC 1", "SYNTAX_ERROR", ""),
        ("SELECT 1; SELECT 2", "SYNTAX_ERROR", "one statement"),
        ("SELECT nope FROM shop_train", "COLUMN_NOT_FOUND", "nope"),
        ("SELECT * FROM nope", "TABLE_NOT_FOUND", "awsdatacatalog.forecast.nope"),
        ("SELECT * FROM nowhere.nope", "SCHEMA_NOT_FOUND", "nowhere"),
        ("SELECT * FROM other.forecast.shop_train", "TABLE_NOT_FOUND", "Catalog 'other'"),
        ("SELECT 1/0", "DIVISION_BY_ZERO", ""),
        ("SELECT 7 % (units * 0) FROM shop_train", "DIVISION_BY_ZERO", ""),
        ("SELECT CAST(item_id AS double) FROM shop_train", "INVALID_CAST_ARGUMENT", "DOUBLE"),
        ("SELECT CAST('1.5' AS bigint)", "INVALID_CAST_ARGUMENT", "whole number"),
        ("SELECT timestamp = units FROM shop_train", "TYPE_MISMATCH", "text"),
        ("SELECT count(*) FROM shop_train WHERE units IN ('1')", "TYPE_MISMATCH", "number"),
        ("SELECT 'a' || units FROM shop_train", "TYPE_MISMATCH", "number"),
        ("SELECT units / 2.0 FROM shop_train", "NOT_SUPPORTED", "cast to double"),
        ("SELECT regexp_like(item_id, 'a') FROM shop_train", "NOT_SUPPORTED", "RegexpLike"),
        ("SELECT array_agg(item_id) FROM shop_train", "NOT_SUPPORTED", "ArrayAgg"),
        ("SELECT element_at(item_id, 1) FROM shop_train", "NOT_SUPPORTED", ""),
        ("SELECT made_up(1)", "NOT_SUPPORTED", "made_up"),
        ("SELECT CAST(target_value AS varchar) FROM shop_train", "NOT_SUPPORTED", "decimal"),
        ("SELECT now()", "NOT_SUPPORTED", ""),
        ("SELECT rand()", "NOT_SUPPORTED", ""),
        ("SELECT * FROM shop_train TABLESAMPLE BERNOULLI (10)", "NOT_SUPPORTED", ""),
        ("SELECT * FROM UNNEST(ARRAY[1, 2])", "NOT_SUPPORTED", ""),
        ("DROP TABLE shop_train", "NOT_SUPPORTED", "views only"),
        ("DELETE FROM shop_train", "NOT_SUPPORTED", ""),
        ("INSERT INTO shop_train SELECT * FROM shop_train", "NOT_SUPPORTED", ""),
        ("CREATE TABLE x AS SELECT 1 AS a", "NOT_SUPPORTED", "views"),
        ("MSCK REPAIR TABLE shop_history", "NOT_SUPPORTED", "MSCK"),
        ("EXPLAIN SELECT 1", "NOT_SUPPORTED", "EXPLAIN"),
        ("COPY shop_train TO '/tmp/x'", "NOT_SUPPORTED", ""),
        ("SELECT * FROM read_csv('/etc/passwd')", "NOT_SUPPORTED", ""),
        ("SELECT * FROM '/etc/passwd'", "", ""),
        ("PRAGMA database_list", "NOT_SUPPORTED", ""),
    ],
)
def test_what_has_no_certain_answer_fails_with_its_reason(
    sql: str, code: str, said: str, athena: Any
) -> None:
    with pytest.raises(Failed) as failed:
        ask(athena, sql)
    assert str(failed.value).startswith(code)
    assert said in str(failed.value)


def test_expressions_without_a_name_are_called_as_athena_calls_them(athena: Any) -> None:
    assert ask(athena, "SELECT count(*), item_id, 1 + 1 FROM shop_train GROUP BY item_id").names == [
        "_col0",
        "item_id",
        "_col2",
    ]


def test_types_are_athenas(athena: Any) -> None:
    found = ask(athena, "SELECT day, item_id, price, sold, open, at, sum(sold) OVER (), 1.25 FROM shop_sales")
    assert found.types == ["date", "varchar", "double", "bigint", "boolean", "timestamp", "bigint", "decimal"]


def test_a_view_is_made_replaced_queried_and_dropped(athena: Any) -> None:
    ask(athena, "CREATE OR REPLACE VIEW plain AS SELECT timestamp, units / 2 AS half FROM shop_train")
    assert ask(athena, "SELECT max(half) FROM plain").rows == [(78,)]
    with pytest.raises(Failed, match="already exists"):
        ask(athena, "CREATE VIEW plain AS SELECT 1 AS one")
    ask(athena, "CREATE OR REPLACE VIEW plain AS SELECT 1 AS one")
    ask(athena, "CREATE OR REPLACE VIEW plainer AS SELECT one + 1 AS two FROM plain")
    assert ask(athena, "SELECT two FROM plainer JOIN plain ON two > one").rows == [(2,)]
    assert ask(athena, "SHOW VIEWS LIKE 'plain*'").rows == [("plain",), ("plainer",)]
    for name in ("plain", "plainer"):
        ask(athena, f"DROP VIEW {name}")
    with pytest.raises(Failed, match="does not exist"):
        ask(athena, "SELECT * FROM plain")
    with pytest.raises(Failed, match="is a table"):
        ask(athena, "DROP VIEW shop_train")


def test_the_catalogue_is_shown(athena: Any) -> None:
    assert ("forecast",) in ask(athena, "SHOW DATABASES").rows
    assert ("shop_train",) in ask(athena, "SHOW TABLES IN forecast 'shop*'").rows
    assert ask(athena, "SHOW PARTITIONS shop_history").rows == [("run=run_a",), ("run=run_b",)]
    assert [row[0].split()[0] for row in ask(athena, "DESCRIBE shop_train").rows] == [
        "timestamp",
        "target_value",
        "item_id",
        "units",
    ]


def test_the_catalogue_is_told_through_the_api(athena: Any) -> None:
    found = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName="forecast", TableName="shop_history"
    )["TableMetadata"]
    assert [each["Name"] for each in found["PartitionKeys"]] == ["run"]
    pages = athena.get_paginator("list_table_metadata").paginate(
        CatalogName="AwsDataCatalog", DatabaseName="forecast"
    )
    assert "shop_sales" in [each["Name"] for page in pages for each in page["TableMetadataList"]]
    assert {"Name": "forecast"} in athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
