"""Bad configurations and bad data, a row each: what is told, and that it cost nothing."""

import copy
import gzip
import io
import json
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from pipeline import contract, inputs, messages, params, quality
from pipeline.errors import BadInput
from pipeline.workload import Workload
from tests.pipeline.conftest import HOURLY, hours

HEADER = "timestamp,target_value,item_id\n"
GOOD = HEADER + hours(96)
PARAMS: dict[str, Any] = {**HOURLY, "Predictor": {**HOURLY["Predictor"], "ForecastHorizon": 6}}  # type: ignore[dict-item]
ARN = "arn:aws:forecast:us-east-1:000000000000:dataset/x"
LEGACY = {
    "PredictorName": "p",
    "ForecastHorizon": 6,
    "AlgorithmArn": "arn:aws:forecast:::algorithm/ETS",
    "FeaturizationConfig": {"ForecastFrequency": "H"},
}


def attributes(*pairs: str) -> list[dict[str, str]]:
    """`name:type` each."""
    return [dict(zip(("AttributeName", "AttributeType"), pair.split(":"), strict=True)) for pair in pairs]


def dataset(kind: str, *pairs: str, **more: Any) -> dict[str, Any]:
    return {
        "DatasetName": kind.lower(),
        "Domain": "CUSTOM",
        "DatasetType": kind,
        "Schema": {"Attributes": attributes(*pairs)},
        **more,
    }


RELATED = dataset(
    "RELATED_TIME_SERIES", "timestamp:timestamp", "price:float", "item_id:string", DataFrequency="H"
)
METADATA = dataset("ITEM_METADATA", "item_id:string", "kind:string")
SCHEMA = "Datasets.0.Schema.Attributes"


def changed(**changes: Any) -> bytes:
    """The good configuration with members replaced by path (`__` for a dot), or removed (`...`)."""
    document = copy.deepcopy(PARAMS)
    for path, value in changes.items():
        *parents, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        node: Any = document
        for step in parents:
            node = node[step]
        if value is ...:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = value
    return json.dumps(document).encode()


def checks(**members: Any) -> bytes:
    return changed(Checks=members)


def rows(*lines: str) -> bytes:
    """Good data with further lines."""
    return (GOOD + "".join(f"{line}\n" for line in lines)).encode()


def parquet(**columns: Any) -> bytes:
    hours = pd.date_range("2024-01-01", periods=96, freq="h").strftime("%Y-%m-%d %H:%M:%S")
    body = io.BytesIO()
    pd.DataFrame({"timestamp": hours, "target_value": 1.0, "item_id": "a", **columns}).to_parquet(body)
    return body.getvalue()


def hours_of(count: int) -> list[str]:
    return [str(moment) for moment in pd.date_range("2024-01-01", periods=count, freq="h")]


def table(names: list[str], *columns: list[Any]) -> bytes:
    body = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_arrays(list(map(pa.array, columns)), names), body)
    return body.getvalue()


def related(items: str = "ab", first: int = 0, last: int = 102) -> bytes:
    begin = pd.Timestamp("2024-01-01")
    lines = [f"{begin + pd.Timedelta(hours=n)},1.5,{i}" for i in items for n in range(first, last)]
    return ("timestamp,price,item_id\n" + "\n".join(lines) + "\n").encode()


# What the configuration is, and what has to be told of it.
BAD_PARAMS: dict[str, tuple[bytes | None, str]] = {
    "no params.json": (None, "there is no such object"),
    "an empty params.json": (b"", "the file has to be JSON"),
    "no JSON": (b"{'a': 1}", "line 1, column 2"),
    "a list": (b"[]", "an object in braces"),
    "not UTF-8": (b'{"a": "\xff"}', "the file has to be UTF-8"),
    "a number that JSON does not have": (b'{"PerformDelete": NaN}', "NaN is no JSON number"),
    "a member twice": (b'{"Forecast": 1, "Forecast": 2}', "is given twice"),
    "nested without end": (b"[" * 200_000, "nested too deeply"),
    "a member that is unknown": (changed(Predictr={}), "Predictr"),
    "no dataset group": (changed(DatasetGroup=...), "DatasetGroup"),
    "no datasets": (changed(Datasets=[]), "Datasets"),
    "a name with a hyphen": (
        changed(DatasetGroup__DatasetGroupName="my-shop"),
        "a name is a letter followed",
    ),
    "a name that would be SQL": (
        changed(DatasetGroup__DatasetGroupName="x; DROP TABLE forecast"),
        "a name is a letter followed",
    ),
    "a name that is too long": (changed(Forecast__ForecastName="x" * 64), "63"),
    "an unknown domain": (changed(DatasetGroup__Domain="GROCERY"), "RETAIL"),
    "two datasets of a type": (changed(Datasets__1=PARAMS["Datasets"][0]), "TARGET_TIME_SERIES"),
    "no target dataset": (changed(Datasets=[METADATA]), "TARGET_TIME_SERIES"),
    "a schema without the item key": (
        changed(Datasets__0__Schema__Attributes=attributes("timestamp:timestamp", "target_value:float")),
        "item_id",
    ),
    "a target that is text": (
        changed(Datasets__0__Schema__Attributes__1__AttributeType="string"),
        "target_value",
    ),
    "an attribute twice": (
        changed(Datasets__0__Schema__Attributes__3=attributes("item_id:string")[0]),
        "item_id",
    ),
    "related data without their frequency": (
        changed(Datasets__1={k: v for k, v in RELATED.items() if k != "DataFrequency"}),
        "DataFrequency",
    ),
    "metadata with a time": (
        changed(Datasets__1=dataset("ITEM_METADATA", "item_id:string", "timestamp:timestamp")),
        "timestamp",
    ),
    "a horizon of nothing": (changed(Predictor__ForecastHorizon=0), "Predictor.ForecastHorizon is 0"),
    "a horizon in words": (changed(Predictor__ForecastHorizon="six"), "a whole number"),
    "a horizon beyond the limit": (changed(Predictor__ForecastHorizon=501), "500"),
    "a frequency in words": (changed(Predictor__ForecastFrequency="hourly"), "use a whole number and a unit"),
    "a frequency out of range": (changed(Predictor__ForecastFrequency="90min"), "out of range"),
    "a forecast finer than the data": (changed(Predictor__ForecastFrequency="15min"), "finer"),
    "a quantile out of range": (changed(Forecast__ForecastTypes=["1.5"]), "1.5"),
    "six types": (changed(Forecast__ForecastTypes=["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]), "5"),
    "an unknown algorithm": (
        changed(Predictor={**LEGACY, "AlgorithmArn": "arn:aws:forecast:::algorithm/Magic"}),
        "ETS",
    ),
    "an unknown form of time": (changed(TimestampFormat="dd/MM/yyyy"), "yyyy-MM-dd"),
    "dates for hourly data": (changed(TimestampFormat="yyyy-MM-dd"), "yyyy-MM-dd HH:mm:ss"),
    "a switch in words": (changed(PerformDelete="yes"), "true or false"),
    "what the run fills in": (changed(DatasetGroup__DatasetArns=[ARN]), "each run fills it in"),
    "an unknown policy": (checks(Duplicates="first"), 'one of "refuse", "last", "sum"'),
    "a share beyond one": (checks(MostBadRows=2), "a number from 0 to 1"),
    "a limit without end": (b'{"Checks": {"MostValue": 1e999}}', "Checks.MostValue"),
    "an unknown check": (checks(MostBadRow=0.1), "MostBadRows"),
}

# The configuration (None: the good one), the files, and what has to be told of them.
BAD_DATA: dict[str, tuple[bytes | None, dict[str, bytes], str]] = {
    "an empty file": (None, {"train/a.csv": b""}, "the file is empty"),
    "a header alone": (None, {"train/a.csv": HEADER.encode()}, "nothing but a header"),
    "an empty line above the header": (
        None,
        {"train/a.csv": b"\r\n" + GOOD.encode()},
        "its first line is empty",
    ),
    "one column": (None, {"train/a.csv": b"x\n"}, "it has 1 column; params.json lists 3"),
    "no value at all": (
        None,
        {"train/a.csv": HEADER.encode() + b"".join(b"2024-01-01 %02d:00:00,,a\n" % n for n in range(24))},
        "no row has a value",
    ),
    "semicolons": (None, {"train/a.csv": GOOD.replace(",", ";").encode()}, "separated by ;"),
    "tabs": (None, {"train/a.csv": GOOD.replace(",", "\t").encode()}, "separated by a tab"),
    "columns in another order": (
        None,
        {"train/a.csv": b"item_id,timestamp,target_value\na,2024-01-01 00:00:00,1\n"},
        "taken by position",
    ),
    "a column too many": (None, {"train/a.csv": b"timestamp,target_value,item_id,x\n"}, "it has 4 columns"),
    "a column too many, by its place": (
        None,
        {"train/a.csv": b"timestamp,target_value,item_id,x\n"},
        "3: timestamp, target_value, item_id (too many: column 4 of the file)",
    ),
    "columns unlike those of the other files": (
        None,
        {
            "train/a.csv": b"When,Sold,promo,SKU\n2024-01-05 00:00:00,1,0,a\n",
            "train/b.csv": b"when,sold,sku\n" + hours(96).encode(),
        },
        "item_id (compared with the other files, too many: column 3 of the file)",
    ),
    "a file of other columns": (
        None,
        {"train/a.csv": b"who,where\nann,paris\n"},
        "it has 2 columns; params.json lists 3: timestamp, target_value, item_id. Add",
    ),
    "a column too few": (None, {"train/a.csv": b"timestamp,target_value\n"}, "missing: item_id"),
    "a row too long": (
        None,
        {"train/a.csv": rows("2024-01-05 00:00:00,1,000,a")},
        "row 194: a row has to have 3",
    ),
    "a row too short": (None, {"train/a.csv": rows("2024-01-05 00:00:00")}, "row 194: a row has to have 3"),
    "an open quote": (None, {"train/a.csv": rows('2024-01-05 00:00:00,1,"a')}, "double quotes"),
    "a foreign form of time": (
        None,
        {"train/a.csv": rows("05/01/2024,1,a")},
        "row 194, column timestamp: it has to be a time in the form yyyy-MM-dd HH:mm:ss",
    ),
    "a day that does not exist": (
        None,
        {"train/a.csv": rows("2024-02-30 00:00:00,1,a")},
        "row 194, column timestamp",
    ),
    "a year before all history": (
        None,
        {"train/a.csv": rows("0000-01-01 00:00:00,1,a")},
        "row 194, column timestamp: the year has to be from 1700 to 2100",
    ),
    "a year that is a slip": (
        None,
        {"train/a.csv": rows("20240-01-01,1,a", "2204-01-05 00:00:00,1,a")},
        "the year has",
    ),
    "a missing time": (None, {"train/a.csv": rows(",1,a")}, "row 194, column timestamp"),
    "a time with its zone": (
        None,
        {"train/a.csv": rows("2024-01-05 00:00:00+01:00,1,a")},
        "it carries a time zone",
    ),
    "a time in UTC's own form": (
        None,
        {"train/a.csv": rows("2024-01-05T00:00:00Z,1,a")},
        "it carries a time zone",
    ),
    "a word for a number": (None, {"train/a.csv": rows("2024-01-05 00:00:00,many,a")}, "column target_value"),
    "a decimal comma": (None, {"train/a.csv": rows('2024-01-05 00:00:00,"1,5",a')}, "a point for decimals"),
    "infinity": (None, {"train/a.csv": rows("2024-01-05 00:00:00,inf,a")}, "it has to be a number"),
    "more than a number can be": (None, {"train/a.csv": rows("2024-01-05 00:00:00,1e999,a")}, "finite"),
    "no item": (None, {"train/a.csv": rows("2024-01-05 00:00:00,1,")}, "row 194, column item_id"),
    "a blank item": (None, {"train/a.csv": rows("2024-01-05 00:00:00,1,   ")}, "must not be empty"),
    "a line break in an item": (None, {"train/a.csv": rows('2024-01-05 00:00:00,1,"a\nb"')}, "control"),
    "a zero in an item": (None, {"train/a.csv": rows("2024-01-05 00:00:00,1,a\x00b") * 9}, "it is not text"),
    "an enormous item": (
        None,
        {"train/a.csv": rows(f"2024-01-05 00:00:00,1,{'x' * 5000}")},
        "a text may have 1000 letters",
    ),
    "an enormous row": (
        None,
        {"train/a.csv": rows(f"2024-01-05 00:00:00,1,{'x' * 26_000_000}")},
        "a row does not end, or is longer than 8 MB",
    ),
    "Latin-1": (
        None,
        {"train/a.csv": rows("2024-01-05 00:00:00,1,café").decode().encode("latin-1")},
        "Latin-1",
    ),
    "Windows-1252": (
        None,
        {"train/a.csv": rows("2024-01-05 00:00:00,1,5€").decode().encode("cp1252")},
        "Windows-1252",
    ),
    "UTF-16": (None, {"train/a.csv": GOOD.encode("utf-16")}, "it is UTF-16"),
    "UTF-16 without a mark": (None, {"train/a.csv": GOOD.encode("utf-16-le")}, "it is UTF-16"),
    "UTF-32": (None, {"train/a.csv": GOOD.encode("utf-32")}, "UTF-32"),
    "a compressed file": (None, {"train/a.csv": gzip.compress(GOOD.encode())}, "it is compressed"),
    "a compressed bomb": (None, {"train/a.csv": gzip.compress(bytes(50_000_000))}, "it is compressed"),
    "Parquet under another name": (None, {"train/a.csv": parquet()}, "Name it .parquet"),
    "no Parquet": (None, {"train/a.parquet": GOOD.encode()}, "it is no Parquet file"),
    "half a Parquet file": (None, {"train/a.parquet": parquet()[:400]}, "it is no Parquet file"),
    "lists in Parquet": (None, {"train/a.parquet": parquet(item_id=[["a"]] * 96)}, "cannot be read"),
    "two columns of one name in Parquet": (
        None,
        {"train/a.parquet": table(["x", "x", "z"], hours_of(96), [1.0] * 96, ["a"] * 96)},
        "column x: two columns of the file have this name",
    ),
    "no column in Parquet": (None, {"train/a.parquet": table([])}, "it has 0 columns"),
    "a text in Parquet that is not UTF-8": (
        None,
        {"train/a.parquet": parquet(item_id="aXb").replace(b"aXb", b"a\xffb")},
        "it is damaged",
    ),
    "a time in Parquet beyond microseconds": (
        None,
        {"train/a.parquet": parquet(timestamp=pd.array([2**45] * 96, pd.ArrowDtype(pa.timestamp("s"))))},
        "row 1, column timestamp: the year has to be from 1700 to 2100",
    ),
    "an endless key": (None, {f"train/{'x' * 990}.csv": GOOD.encode()}, "its key has 1005 bytes"),
    "two formats": (
        None,
        {"train/a.csv": GOOD.encode(), "train/b.parquet": parquet()},
        "cannot be imported together",
    ),
    "a workload in a folder called like a prefix": (
        None,
        {"train/a.csv": GOOD.encode(), "train/params.json": changed(), "train/train/a.csv": GOOD.encode()},
        "no folder of a workload may be called train, related, metadata, forecast, history, runs. Rename",
    ),
    "a name without a letter": (None, {"train/2024": GOOD.encode()}, "whose name has a letter"),
    "a row twice": (
        None,
        {"train/a.csv": rows("2024-01-01 00:00:00,7,a")},
        "row 194: another row of the file has the same series and time",
    ),
    "rows that add up to more than a number": (
        checks(Duplicates="sum"),
        {"train/a.csv": rows("2024-01-05 00:00:00,1e30,a", "2024-01-05 00:00:00,1e30,a")},
        "row 195, column target_value: the rows of this series and time add up to more",
    ),
    "an overlap of two files": (
        None,
        {"train/a.csv": GOOD.encode(), "train/b.csv": (HEADER + "2024-01-01 00:00:00,7,a\n").encode()},
        "another file has a row of the same series and time",
    ),
    "a value below the limit": (
        checks(LeastValue=0),
        {"train/a.csv": rows("2024-01-05 00:00:00,-1,a")},
        "it has to be 0 or more (Checks.LeastValue)",
    ),
    "a value above the limit": (
        checks(MostValue=1000),
        {"train/a.csv": rows("2024-01-05 00:00:00,1e9,a")},
        "it has to be 1000 or less (Checks.MostValue)",
    ),
    "more bad rows than are tolerated": (
        checks(MostBadRows=0.01),
        {"train/a.csv": rows(*["2024-01-05 00:00:00,x,a"] * 3)},
        "3 of 195 rows are bad, 1.54%; Checks.MostBadRows tolerates 1.00%",
    ),
    "more gaps than are tolerated": (
        checks(MostMissing=0.1),
        {"train/a.csv": rows("2024-02-05 00:00:00,1,a")},
        "Checks.MostMissing allows 10.0%",
    ),
    "keys alike": (
        checks(AlikeKeys="refuse"),
        {"train/a.csv": rows("2024-01-05 00:00:00,1,A")},
        "1 keys differ from another only in letter case, in blanks",
    ),
    "too short a history": (
        None,
        {"train/a.csv": (HEADER + hours(20)).encode()},
        "which is enough for a horizon",
    ),
    "no related data": (
        changed(Datasets__1=RELATED),
        {"train/a.csv": GOOD.encode()},
        "there is no file for the dataset",
    ),
    "gaps in related data": (
        changed(Datasets__1=RELATED),
        {"train/a.csv": GOOD.encode(), "related/r.csv": related().replace(b"1.5", b"", 1)},
        "must not have gaps",
    ),
    "related data that begin late": (
        changed(Datasets__1=RELATED),
        {"train/a.csv": GOOD.encode(), "related/r.csv": related(first=5)},
        "begin later than its target",
    ),
    "related data that end within the horizon": (
        changed(Datasets__1=RELATED),
        {"train/a.csv": GOOD.encode(), "related/r.csv": related(last=99)},
        "not to its end",
    ),
    "metadata of an item twice": (
        changed(Datasets__1=METADATA),
        {"train/a.csv": GOOD.encode(), "metadata/m.csv": b"item_id,kind\na,x\na,y\nb,x\n"},
        "another row of the file has the same item",
    ),
}


@pytest.fixture
def forecasts(aws: None) -> Any:
    """The service as a client would find it."""
    return boto3.client("forecast")


def refused(s3: Any, workload: Workload) -> tuple[BadInput, list[str]]:
    """What a run does before it creates anything: the error, and the messages it leads to."""
    try:
        configured = params.read(s3, workload)
        found = inputs.take_stock(s3, workload, configured)
        with contract.examine(s3, workload, configured, found) as examination:
            address = quality.write(s3, workload, "run", examination.report)
            examination.accepted(address)
            examination.stage("run")
    except BadInput as error:
        return error, [str(error), messages.failure(workload, "Check-Input", error).body]
    raise AssertionError("the input was accepted")


def check(
    s3: Any, workload: Workload, forecasts: Any, given: bytes | None, files: dict[str, bytes], expected: str
) -> None:
    """The input is refused with the message; nothing is created, and the uploads stay as they are."""
    for key, body in {"params.json": given, **files}.items():
        if body is not None:
            s3.put_object(Bucket=workload.bucket, Key=workload.key(key), Body=body)
    error, told = refused(s3, workload)
    for text in told:
        assert expected in text
        assert "Traceback" not in text
    assert all(problem.rule and problem.remedy for problem in error.problems)
    assert forecasts.list_dataset_groups()["DatasetGroups"] == []
    for key, body in files.items():
        assert s3.get_object(Bucket=workload.bucket, Key=workload.key(key))["Body"].read() == body
    left = s3.list_objects_v2(Bucket=workload.bucket, Prefix=workload.key("runs/")).get("Contents", [])
    assert {entry["Key"].rsplit("/", 1)[-1] for entry in left} <= {"quality.json"}


@pytest.mark.parametrize(("given", "expected"), BAD_PARAMS.values(), ids=BAD_PARAMS.keys())
def test_a_bad_configuration_is_told_and_costs_nothing(
    s3: Any, workload: Workload, forecasts: Any, given: bytes | None, expected: str
) -> None:
    check(s3, workload, forecasts, given, {"train/a.csv": GOOD.encode()}, expected)


@pytest.mark.parametrize(("given", "files", "expected"), BAD_DATA.values(), ids=BAD_DATA.keys())
def test_bad_data_are_told_and_cost_nothing(
    s3: Any, workload: Workload, forecasts: Any, given: bytes | None, files: dict[str, bytes], expected: str
) -> None:
    check(s3, workload, forecasts, given or changed(), files, expected)


def test_there_are_at_least_sixty_cases() -> None:
    assert len(BAD_PARAMS) + len(BAD_DATA) >= 60
