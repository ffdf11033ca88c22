"""Athena's query operations over HTTP (AWS JSON 1.1); everything else of Athena stays with moto."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.athena.catalogue import Catalogue, Table
from local.athena.engine import Engine
from local.athena.errors import NotFound, RequestRefused
from local.athena.executions import FINAL, Execution, Executions, suffix_of
from local.athena.objects import Objects
from local.proxy import read_body

log = logging.getLogger("aws")

MOST_ROWS = 1000  # a page of GetQueryResults
LONGEST_SQL = 262144
# A question about a query that runs waits this long for its end: most end at once, and nobody polls twice.
PATIENCE_S = 0.2

Members = dict[str, Any]


class AthenaService:
    """Answers the operations of `OPERATIONS`.

    Args:
        endpoint: the AWS endpoint that has S3, Glue and the work groups.
        folder: for copies of objects.
    """

    def __init__(self, endpoint: str, folder: Path) -> None:
        config = Config(retries={"total_max_attempts": 3}, max_pool_connections=32)
        session = boto3.Session("local", "local", region_name="us-east-1")
        self._s3 = session.client("s3", endpoint_url=endpoint, config=config)
        self._athena = session.client("athena", endpoint_url=endpoint, config=config)
        self.catalogue = Catalogue(session.client("glue", endpoint_url=endpoint, config=config))
        self.executions = Executions(Engine(self.catalogue, Objects(self._s3, folder)), self._s3)

    def __call__(self, operation: str, environ: Members) -> tuple[str, bytes]:
        """Status line and JSON of the answer."""
        try:
            given = json.loads(read_body(environ) or b"{}")
            return "200 OK", json.dumps(OPERATIONS[operation](self, given)).encode()
        except RequestRefused as error:
            return _refused(error.code, str(error))
        except NotFound as error:
            return _refused("MetadataException", str(error))
        except (KeyError, ValueError, TypeError) as error:
            return _refused("InvalidRequestException", f"{operation}: {type(error).__name__}: {error}")

    # -- executions

    def start(self, given: Members) -> Members:
        sql = given["QueryString"]
        if not sql.strip() or len(sql) > LONGEST_SQL:
            raise RequestRefused(f"a query has 1 to {LONGEST_SQL} characters, this one {len(sql)}")
        context = given.get("QueryExecutionContext") or {}
        workgroup = given.get("WorkGroup") or "primary"
        execution = Execution(
            sql,
            (context.get("Database") or "default").lower(),
            workgroup,
            "",
            given.get("ExecutionParameters") or [],
        )
        execution.output = f"{self._output(given, workgroup)}{execution.id}.{suffix_of(sql)}"
        return {"QueryExecutionId": self.executions.start(execution, given.get("ClientRequestToken")).id}

    def describe(self, given: Members) -> Members:
        execution = self.executions.get(given["QueryExecutionId"])
        execution.settled.wait(PATIENCE_S)
        return {"QueryExecution": execution.describe()}

    def describe_several(self, given: Members) -> Members:
        found, missing = [], []
        for each in given["QueryExecutionIds"]:
            try:
                found.append(self.executions.get(each).describe())
            except RequestRefused as error:
                missing.append(
                    {"QueryExecutionId": each, "ErrorCode": error.code, "ErrorMessage": str(error)}
                )
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def list(self, given: Members) -> Members:
        ids = self.executions.ids(given.get("WorkGroup") or "primary")
        return _page("QueryExecutionIds", ids, given, 50)

    def stop(self, given: Members) -> Members:
        self.executions.stop(given["QueryExecutionId"])
        return {}

    def results(self, given: Members) -> Members:
        execution = self.executions.get(given["QueryExecutionId"])
        if execution.state != "SUCCEEDED" or execution.answer is None:
            state = execution.state if execution.state in FINAL else "still " + execution.state
            raise RequestRefused(f"Query did not finish successfully. Final query state: {state}")
        page = _page("Rows", execution.lines, given, MOST_ROWS)
        rows = [
            {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in page["Rows"]
        ]
        answer: Members = {
            "UpdateCount": 0,
            "ResultSet": {
                "Rows": rows,
                "ResultSetMetadata": {"ColumnInfo": [each.info() for each in execution.answer.columns]},
            },
        }
        return answer | ({"NextToken": page["NextToken"]} if "NextToken" in page else {})

    def statistics(self, given: Members) -> Members:
        execution = self.executions.get(given["QueryExecutionId"])
        described = execution.describe()["Statistics"]
        timeline = {name: described[name] for name in described if name.endswith("Millis")}
        rows = {
            "InputBytes": described["DataScannedInBytes"],
            "OutputRows": len(execution.answer.rows) if execution.answer else 0,
        }
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    # -- the catalogue

    def databases(self, given: Members) -> Members:
        _require_catalog(given)
        return _page("DatabaseList", [{"Name": name} for name in self.catalogue.databases()], given, 50)

    def database(self, given: Members) -> Members:
        _require_catalog(given)
        self.catalogue.require_database(given["DatabaseName"].lower())
        return {"Database": {"Name": given["DatabaseName"].lower()}}

    def tables(self, given: Members) -> Members:
        _require_catalog(given)
        database = given["DatabaseName"].lower()
        entries = [Table(database, each["Name"], each, ()) for each in self.catalogue.tables(database)]
        return _page("TableMetadataList", [_metadata(each) for each in entries], given, 50)

    def table(self, given: Members) -> Members:
        _require_catalog(given)
        found = self.catalogue.table(given["DatabaseName"].lower(), given["TableName"].lower())
        return {"TableMetadata": _metadata(found)}

    def _output(self, given: Members, workgroup: str) -> str:
        """Where the result goes: the work group's place if it insists, else the request's."""
        try:
            group = self._athena.get_work_group(WorkGroup=workgroup)["WorkGroup"]
        except self._athena.exceptions.ClientError as error:
            raise RequestRefused(f"WorkGroup {workgroup} is not found.") from error
        configuration = group.get("Configuration") or {}
        own = (given.get("ResultConfiguration") or {}).get("OutputLocation")
        theirs = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
        insists = configuration.get("EnforceWorkGroupConfiguration") and theirs
        place = theirs if insists else own or theirs
        if not place:
            raise RequestRefused(
                "No output location provided. An output location is required either through the Workgroup "
                "result configuration setting or as an API input."
            )
        return place if place.endswith("/") else f"{place}/"


def _page(member: str, items: list[Any], given: Members, most: int) -> Members:
    """A part of a list; a token is the place of the next one."""
    begin = int(given.get("NextToken") or 0)
    size = min(int(given.get("MaxResults") or most), most)
    page: Members = {member: items[begin : begin + size]}
    if begin + size < len(items):
        page["NextToken"] = str(begin + size)
    return page


def _metadata(table: Table) -> Members:
    return {
        "Name": table.name,
        "TableType": table.entry.get("TableType", "EXTERNAL_TABLE"),
        "Columns": [{"Name": each.name, "Type": each.type} for each in table.columns],
        "PartitionKeys": [{"Name": each.name, "Type": each.type} for each in table.partition_keys],
        "Parameters": {
            **(table.entry.get("Parameters") or {}),
            "location": table.entry["StorageDescriptor"].get("Location", ""),
        },
    }


def _require_catalog(given: Members) -> None:
    if given["CatalogName"].lower() != "awsdatacatalog":
        raise RequestRefused(f"Catalog {given['CatalogName']} does not exist; there is AwsDataCatalog")


def _refused(code: str, text: str) -> tuple[str, bytes]:
    return "400 Bad Request", json.dumps({"__type": code, "Message": text}).encode()


OPERATIONS: dict[str, Callable[[AthenaService, Members], Members]] = {
    "StartQueryExecution": AthenaService.start,
    "GetQueryExecution": AthenaService.describe,
    "BatchGetQueryExecution": AthenaService.describe_several,
    "ListQueryExecutions": AthenaService.list,
    "StopQueryExecution": AthenaService.stop,
    "GetQueryResults": AthenaService.results,
    "GetQueryRuntimeStatistics": AthenaService.statistics,
    "ListDatabases": AthenaService.databases,
    "GetDatabase": AthenaService.database,
    "ListTableMetadata": AthenaService.tables,
    "GetTableMetadata": AthenaService.table,
}
