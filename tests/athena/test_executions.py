"""Executions: their states, results, pages and files; and answers while a table is being replaced."""

import io
import json
import threading
from typing import Any

import duckdb
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from local.athena.errors import QueryFailed
from local.athena.executions import Execution, Executions, with_parameters
from local.athena.values import Answer, java_double
from pipeline.tables import BY_POSITION, PARQUET_STORAGE
from tests.athena.queries import Failed, ask, start
from tests.athena.tables import BUCKET, DATABASE, OPEN_CSV, RESULTS
from tests.local.conftest import GatewayProcess

PUBLISHES = 50
ITEMS = 40


def test_the_result_lies_in_s3_as_athena_writes_it(athena: Any, stand_in: GatewayProcess) -> None:
    sql = "SELECT item_id, price FROM shop_sales WHERE day IN (date '2026-01-01', date '2026-01-04')"
    query = start(athena, sql)
    ask(athena, sql)
    execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
    place = execution["ResultConfiguration"]["OutputLocation"]
    assert place == f"s3://{RESULTS}/boto3/{query}.csv"
    body = (
        stand_in.client("s3").get_object(Bucket=RESULTS, Key=place.split("/", 3)[3])["Body"].read().decode()
    )
    assert body.splitlines() == ['"item_id","price"', ",", '"it\'s","1.0"']


def test_a_long_answer_comes_in_pages(athena: Any) -> None:
    query = start(athena, "SELECT item_id, timestamp FROM shop_train ORDER BY 1, 2")
    ask(athena, "SELECT 1")
    _wait(athena, query)
    seen, token = [], {}
    while True:
        page = athena.get_query_results(QueryExecutionId=query, MaxResults=100, **token)
        seen.append(len(page["ResultSet"]["Rows"]))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == [100, 100, 81]  # 280 rows and the line of names


def test_the_same_token_is_the_same_execution(athena: Any) -> None:
    token = "0123456789abcdef0123456789abcdef"
    first = start(athena, "SELECT 1", ClientRequestToken=token)
    assert start(athena, "SELECT 1", ClientRequestToken=token) == first
    assert start(athena, "SELECT 1") != first


def test_parameters_take_the_place_of_question_marks(athena: Any) -> None:
    sql = "SELECT count(*) FROM shop_train WHERE item_id = ? AND units > ? AND item_id <> 'a?'"
    assert ask(athena, sql, ExecutionParameters=["'it''s'", "3"]).rows == [(36,)]
    with pytest.raises(QueryFailed, match="2 parameter"):
        with_parameters("SELECT ?, ?", ["1"])


def test_an_execution_that_is_not_there_is_refused(athena: Any) -> None:
    with pytest.raises(ClientError, match="was not found"):
        athena.get_query_execution(QueryExecutionId="nope")


def test_results_of_a_failed_query_are_refused(athena: Any) -> None:
    query = start(athena, "SELECT nope")
    _wait(athena, query)
    with pytest.raises(ClientError, match="FAILED"):
        athena.get_query_results(QueryExecutionId=query)


def test_a_query_without_a_place_for_its_result_is_refused(athena: Any) -> None:
    with pytest.raises(ClientError, match="No output location"):
        athena.start_query_execution(QueryString="SELECT 1")


def test_a_work_group_can_say_where_results_go(athena: Any) -> None:
    place = f"s3://{RESULTS}/group/"
    athena.create_work_group(
        Name="analysts", Configuration={"ResultConfiguration": {"OutputLocation": place}}
    )
    query = athena.start_query_execution(QueryString="SELECT 1", WorkGroup="analysts")["QueryExecutionId"]
    execution = _wait(athena, query)
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(place)
    assert query in athena.list_query_executions(WorkGroup="analysts")["QueryExecutionIds"]
    with pytest.raises(ClientError, match="WorkGroup"):
        athena.start_query_execution(QueryString="SELECT 1", WorkGroup="nobody")


def test_a_running_query_can_be_stopped(athena: Any) -> None:
    many = ", ".join(f"shop_train t{place}" for place in range(6))
    query = start(athena, f"SELECT count(*) FROM {many} WHERE t0.units + t5.units = 1")
    athena.stop_query_execution(QueryExecutionId=query)
    assert _wait(athena, query)["Status"]["State"] == "CANCELLED"
    assert ask(athena, "SELECT 1").rows == [(1,)]


def test_stopping_ends_what_a_query_computes() -> None:
    begun = threading.Event()

    class Endless:
        def run(self, sql: str, database: str, tell: Any) -> Answer:
            connection = duckdb.connect()
            tell(connection)
            begun.set()
            connection.execute("SELECT count(*) FROM range(1000000000) a, range(1000000000) b")
            raise AssertionError("unreachable")

    executions = Executions(Endless(), None)  # type: ignore[arg-type]
    execution = executions.start(Execution("SELECT 1", "default", "primary", "s3://bucket/"), None)
    assert begun.wait(30)
    (thread,) = [each for each in threading.enumerate() if each.name == f"query {execution.id}"]
    executions.stop(execution.id)
    thread.join(60)
    assert not thread.is_alive()
    assert (execution.state, execution.connection) == ("CANCELLED", None)


def test_queries_see_one_whole_forecast_while_fifty_are_published(
    stand_in: GatewayProcess, athena: Any
) -> None:
    """The table moves to a new folder, and the folder before the last goes, as when runs publish."""
    s3, glue = stand_in.client("s3"), stand_in.client("glue")
    columns = [{"Name": "item_id", "Type": "string"}, {"Name": "target_value", "Type": "bigint"}]

    def publish(run: int, call: Any) -> None:
        body = "".join(f"item {item},{run}\n" for item in range(ITEMS)).encode()
        s3.put_object(Bucket=BUCKET, Key=f"swap/{run}/forecast.csv", Body=body)
        place = {"Columns": columns, "Location": f"s3://{BUCKET}/swap/{run}/", **OPEN_CSV}
        call(DatabaseName=DATABASE, TableInput={"Name": "swapped", "StorageDescriptor": place})
        s3.delete_object(Bucket=BUCKET, Key=f"swap/{run - 2}/forecast.csv")

    publish(0, glue.create_table)
    finished = threading.Event()

    def publish_all() -> None:
        for run in range(1, PUBLISHES + 1):
            publish(run, glue.update_table)
        finished.set()

    publisher = threading.Thread(target=publish_all)
    publisher.start()
    answers = []
    while not finished.is_set() or len(answers) < PUBLISHES // 2:
        answers += ask(
            athena,
            "SELECT count(*), count(DISTINCT item_id), min(target_value), max(target_value) FROM swapped",
        ).rows
    publisher.join()
    assert {(rows, items) for rows, items, _, _ in answers} == {(ITEMS, ITEMS)}
    runs = [least for _, _, least, most in answers if least == most]
    assert len(runs) == len(answers)
    assert runs == sorted(runs)
    assert ask(athena, "SELECT max(target_value) FROM swapped").rows == [(PUBLISHES,)]


def test_a_number_that_is_none_fails_the_query_that_reads_it(stand_in: GatewayProcess, athena: Any) -> None:
    stand_in.client("s3").put_object(Bucket=BUCKET, Key="broken/x.csv", Body=b"a,1\nb,\n")
    columns = [{"Name": "item_id", "Type": "string"}, {"Name": "n", "Type": "double"}]
    place = {"Columns": columns, "Location": f"s3://{BUCKET}/broken/", **OPEN_CSV}
    stand_in.client("glue").create_table(
        DatabaseName=DATABASE, TableInput={"Name": "broken", "StorageDescriptor": place}
    )
    assert ask(athena, "SELECT count(item_id) FROM broken").rows == [(2,)]
    with pytest.raises(Failed, match=r"HIVE_BAD_DATA.*field n"):
        ask(athena, "SELECT sum(n) FROM broken")


def test_a_column_that_older_files_lack_is_null(stand_in: GatewayProcess, athena: Any) -> None:
    """A table gets a column more, as those of the product do with a newer version of it."""
    s3, glue = stand_in.client("s3"), stand_in.client("glue")
    place = {"Columns": [], "Location": f"s3://{BUCKET}/grown/", **PARQUET_STORAGE}
    place["Columns"] = [{"Name": "id", "Type": "string"}, {"Name": "more", "Type": "bigint"}]
    glue.create_table(
        DatabaseName=DATABASE,
        TableInput={"Name": "grown", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": place},
    )
    for name, frame in (("a", {"ID": ["old"]}), ("b", {"id": ["new"], "more": [7]})):
        body = io.BytesIO()
        pd.DataFrame(frame).to_parquet(body, index=False)
        s3.put_object(Bucket=BUCKET, Key=f"grown/{name}.parquet", Body=body.getvalue())
        if name == "a":
            assert ask(athena, "SELECT id, more FROM grown").rows == [("old", None)]
    assert ask(athena, "SELECT id, more FROM grown ORDER BY id").rows == [("new", 7), ("old", None)]
    s3.put_object(Bucket=BUCKET, Key="grown/c.parquet", Body=b"no such file")
    with pytest.raises(Failed, match=r"HIVE_BAD_DATA.*no Parquet"):
        ask(athena, "SELECT id FROM grown")


def test_columns_are_taken_by_position_where_the_table_says_so(stand_in: GatewayProcess, athena: Any) -> None:
    """As those of an upload are, whatever its files call them."""
    s3, glue = stand_in.client("s3"), stand_in.client("glue")
    place = {"Columns": [], "Location": f"s3://{BUCKET}/placed/", **PARQUET_STORAGE, "SerdeInfo": BY_POSITION}
    place["Columns"] = [{"Name": "item_id", "Type": "string"}, {"Name": "demand", "Type": "double"}]
    glue.create_table(
        DatabaseName=DATABASE,
        TableInput={"Name": "placed", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": place},
    )
    frames = {
        "a": {"Sku": ["x"], "Sold": [1.5]},
        "b": {"demand": ["y"], "item_id": [2.5]},
        "c": {"Sku": ["z"]},
    }
    for name, frame in frames.items():
        body = io.BytesIO()
        pd.DataFrame(frame).to_parquet(body, index=False)
        s3.put_object(Bucket=BUCKET, Key=f"placed/{name}.parquet", Body=body.getvalue())
    found = ask(athena, "SELECT item_id, demand FROM placed ORDER BY item_id").rows
    assert found == [("x", 1.5), ("y", 2.5), ("z", None)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (-0.001, "-0.001"),
        (0.0009, "9.0E-4"),
        (1e7, "1.0E7"),
        (9999999.5, "9999999.5"),
        (123456789.25, "1.2345678925E8"),
        (1.5e-300, "1.5E-300"),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_doubles_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert java_double(value) == text


def _wait(athena: Any, query: str) -> dict[str, Any]:
    while True:
        execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            assert json.dumps(execution, default=str)
            return dict(execution)
