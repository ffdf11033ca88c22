"""A small catalogue with awkward content, and the same rows as pandas frames."""

import io
import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from pipeline import catalogue, ledgertables, runtables
from pipeline.charttable import chart_columns, item_columns
from pipeline.params import Params, load
from pipeline.runtables import ACCURACY_COLUMNS, RUN_COLUMNS
from pipeline.tables import parquet_table
from pipeline.workload import Workload

CHART, ITEMS = chart_columns(["item_id"]), item_columns(["item_id"])
LEDGER = {"item_id": pa.string(), "timestamp": pa.string(), "step": pa.int32(), "type": pa.string()} | (
    dict.fromkeys(("quantile", "forecast", "actual", "naive"), pa.float64())
)
BUCKET, RESULTS, DATABASE = "sql-data", "sql-results", "forecast"
OWN = Workload(BUCKET)  # whose ledger it is
AWKWARD = ["plain", "comma, inside", 'a "quoted" word', "it's", "naïve ☃", "back\\slash", "50% off"]
OPEN_CSV = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\u0001"},
    },
}
PARQUET = {
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}


@dataclass(frozen=True)
class Frames:
    """What the tables hold."""

    train: pd.DataFrame  # timestamp, target_value, item_id, units; 7 items × 40 days
    forecast: pd.DataFrame  # timestamp, target_value, item_id, type; 7 × 5 × 3
    history: pd.DataFrame  # the same with run; two runs
    sales: (
        pd.DataFrame
    )  # Parquet: day (date), item_id, price (double), sold (bigint), open (boolean), at (timestamp)

    chart: pd.DataFrame  # Parquet: item_id, time, type, value
    items: pd.DataFrame  # Parquet: item_id, observations, first, last, recent_mean, forecast_mean, method
    runs: pd.DataFrame  # Parquet: the columns of the product's own
    ledger: pd.DataFrame  # Parquet: item_id, timestamp, step, type, quantile, forecast, actual, naive; run
    accuracy: pd.DataFrame  # Parquet: the columns of the product's own; run


def frames() -> Frames:
    """The rows, the same every time."""
    days = pd.date_range("2026-01-01", periods=40)
    rows = [
        (f"{day:%Y-%m-%d}", round(10 + 3 * place + (step * 7 % 11) / 4, 2), item, step * (place - 2))
        for place, item in enumerate(AWKWARD)
        for step, day in enumerate(days)
    ]
    train = pd.DataFrame(rows, columns=["timestamp", "target_value", "item_id", "units"])
    ahead = [
        (f"{day:%Y-%m-%d}", round(12 + 3 * place + spread + step / 8, 3), item, label)
        for place, item in enumerate(AWKWARD)
        for step, day in enumerate(pd.date_range("2026-02-10", periods=5))
        for label, spread in (("p10", -1.5), ("p50", 0.0), ("p90", 2.25))
    ]
    forecast = pd.DataFrame(ahead, columns=["timestamp", "target_value", "item_id", "type"])
    earlier = forecast.assign(target_value=forecast["target_value"] - 1, run="run_a")
    history = pd.concat([earlier, forecast.assign(run="run_b")], ignore_index=True)
    sales = pd.DataFrame(
        {
            "day": days.date,
            "item_id": [AWKWARD[step % 7] if step % 5 else None for step in range(40)],
            "price": [step / 3 if step % 4 else None for step in range(40)],
            "sold": pd.array(
                [(step * 13) % 17 - 8 if step % 3 else None for step in range(40)], dtype="Int64"
            ),
            "open": [bool(step % 2) for step in range(40)],
            "at": days + pd.Timedelta("13h 5min 7s"),
        }
    )
    chart = pd.concat([train.assign(type="actual"), forecast], ignore_index=True)
    chart = chart.assign(time=pd.to_datetime(chart["timestamp"])).rename(columns={"target_value": "value"})
    chart = chart.sort_values(["item_id", "time", "type"], ignore_index=True)
    own = chart[list(CHART)], _items(train, forecast), _runs(), _ledger(history), _accuracy()
    return Frames(train, forecast, history, sales, *own)


def _ledger(history: pd.DataFrame) -> pd.DataFrame:
    """Of both runs, what has come of the first four steps; of one item nothing has come."""
    days = sorted(history["timestamp"].unique())
    step = history["timestamp"].map({day: number for number, day in enumerate(days, 1)})
    place = history["item_id"].map({item: number for number, item in enumerate(AWKWARD)})
    share = history["type"].map({"p10": 0.1, "p50": 0.5, "p90": 0.9})
    rows = history.rename(columns={"target_value": "forecast"}).assign(
        step=step.astype("int32"),
        quantile=share,
        actual=(11.0 + 3 * place + (step * 5 % 4) / 2).astype(float),
        naive=(10.5 + 3 * place).where(step < 4),
    )
    known = rows[(step < 5) & (place < 6)]
    return known[[*LEDGER, "run"]].reset_index(drop=True)


def _accuracy() -> pd.DataFrame:
    moment = pd.Timestamp("2026-02-10 06:00:00")
    rows = [
        {
            **dict.fromkeys(ACCURACY_COLUMNS),
            "published": moment + pd.Timedelta(days=place),
            "algorithm": "AutoPredictor",
            "type": kind,
            "wql": 0.05 + place / 100,
            "wape": 0.07 + place / 100,
            "run": run,
        }
        for place, run in enumerate(("run_a", "run_b"))
        for kind in ("average", "p50")
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(("rmse", "mase", "mape"), float))


def _items(train: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    past = train.assign(time=pd.to_datetime(train["timestamp"])).groupby("item_id")
    middle = forecast[forecast["type"] == "p50"].groupby("item_id")["target_value"].mean()
    listed = past["time"].agg(observations="size", first="min", last="max")
    recent = past["target_value"].apply(lambda values: values[-5:].mean())
    return listed.assign(recent_mean=recent, forecast_mean=middle, method=None).reset_index()


def _runs() -> pd.DataFrame:
    """Five ends: one run failed, was run again, and came back after another."""
    ends = [
        ("failed", "run_a", "Import-Data", 'No answer from "http://host". Look, then repeat.'),
        ("published", "run_a", None, None),
        ("refused", None, "Check-Input", "The input has 1 problem; nothing was created."),
        ("published", "run_b", None, None),
        ("rolled back", "run_a", None, "The forecast of run run_a is the current one again."),
    ]
    begin = pd.Timestamp("2026-02-10 06:00:00")
    rows = [
        {
            **dict.fromkeys(RUN_COLUMNS),
            "finished": begin + pd.Timedelta(days=place),
            **dict(zip(("state", "run", "step", "reason"), end, strict=True)),
            "items": 7 if end[0] in ("published", "rolled back") else None,
            "flow_run": f"flow-{place}",
        }
        for place, end in enumerate(ends)
    ]
    return pd.DataFrame(rows).astype({"items": "Int64", "rows": "Int64"})


def register(s3: Any, glue: Any, given: Frames) -> None:
    """Puts the rows into S3 and the tables into the catalogue."""
    for bucket in (BUCKET, RESULTS):
        s3.create_bucket(Bucket=bucket)
    glue.create_database(DatabaseInput={"Name": DATABASE})
    half = len(given.train) // 2
    for part, rows in enumerate((given.train[:half], given.train[half:])):
        _put(s3, f"train/part {part}.csv", rows.to_csv(index=False).encode())
    _put(s3, "train/_hidden.csv", b"not,a,row\n")
    _put(s3, "forecast/r/forecast.csv", given.forecast.to_csv(index=False, header=False).encode())
    for run, rows in given.history.groupby("run"):
        _put(s3, f"history/{run}/forecast.csv", rows.drop(columns="run").to_csv(index=False).encode())
    out = io.BytesIO()
    given.sales.to_parquet(out, index=False)
    _put(s3, "sales/part.parquet", out.getvalue())
    _put_parquet(s3, "chart/r/chart.parquet", given.chart, CHART)
    _put_parquet(s3, "items/r/items.parquet", given.items, ITEMS)
    for place in range(len(given.runs)):
        _put_parquet(s3, f"runs/flow-{place}.parquet", given.runs[place : place + 1], RUN_COLUMNS)
    _register_ledger(s3, glue, given)
    for name, prefix, columns in (
        ("shop_chart", "chart/r/", CHART),
        ("shop_items", "items/r/", ITEMS),
        ("shop_runs", "runs/", RUN_COLUMNS),
    ):
        made = parquet_table(name, f"s3://{BUCKET}/{prefix}", columns, "")
        glue.create_table(DatabaseName=DATABASE, TableInput=made)
    sql, types = catalogue.pivoted(
        f'"{DATABASE}"."shop_chart"', ["item_id", "time"], "type", "value", ["actual", "p10", "p50", "p90"]
    )
    kinds = {"item_id": "varchar", "time": "timestamp"} | dict.fromkeys(types, "double")
    fan = catalogue.view("shop_fan", DATABASE, sql, kinds, "")
    glue.create_table(DatabaseName=DATABASE, TableInput=fan)
    future = {"timestamp": "string", "target_value": "double", "item_id": "string", "type": "string"}
    train = {"timestamp": "string", "target_value": "double", "item_id": "string", "units": "bigint"}
    sold = {"day": "date", "item_id": "string", "price": "double", "sold": "bigint", "open": "boolean"}
    _table(glue, "shop_train", "train/", train, OPEN_CSV, header=True)
    _table(glue, "shop_forecast", "forecast/r/", future, OPEN_CSV)
    _table(glue, "shop_history", "history/", future, OPEN_CSV, header=True, partitions=["run_a", "run_b"])
    _table(glue, "shop_sales", "sales/", {**sold, "at": "timestamp"}, PARQUET)
    _table(glue, "shop_empty", "nothing/", train, OPEN_CSV, header=True)


def _register_ledger(s3: Any, glue: Any, given: Frames) -> None:
    """The ledger with its views, and the promises of the backtests, as the product registers them."""
    for run, rows in given.ledger.groupby("run"):
        _put_parquet(s3, f"ledger/{run}/scores.parquet", rows, LEDGER)
    for run, rows in given.accuracy.groupby("run"):
        _put_parquet(s3, f"history/accuracy/{run}/accuracy.parquet", rows, ACCURACY_COLUMNS)
    runs = sorted(given.ledger["run"].unique())
    ledgertables.register(glue, DATABASE, OWN, _params(), runs)
    runtables.register(glue, DATABASE, OWN)
    for run in runs:
        table = glue.get_table(DatabaseName=DATABASE, Name=f"{OWN.slug}_accuracy")["Table"]
        catalogue.put_partition(glue, DATABASE, table, run)


def _params() -> Params:
    columns = {"timestamp": "timestamp", "target_value": "float", "item_id": "string"}
    schema = [{"AttributeName": name, "AttributeType": kind} for name, kind in columns.items()]
    target = {"DatasetName": "shop", "Domain": "CUSTOM", "DatasetType": "TARGET_TIME_SERIES"}
    document = {
        "DatasetGroup": {"DatasetGroupName": "shop", "Domain": "CUSTOM"},
        "Datasets": [{**target, "DataFrequency": "D", "Schema": {"Attributes": schema}}],
        "Predictor": {"PredictorName": "shop", "ForecastHorizon": 5, "ForecastFrequency": "D"},
        "Forecast": {"ForecastName": "shop", "ForecastTypes": ["0.1", "0.5", "0.9"]},
        "TimestampFormat": "yyyy-MM-dd",
    }
    return load(json.dumps(document).encode())


def _put_parquet(s3: Any, key: str, rows: pd.DataFrame, columns: dict[str, pa.DataType]) -> None:
    """As the product writes them: these columns, of these types."""
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pandas(rows, pa.schema(columns), preserve_index=False), out)
    _put(s3, key, out.getvalue())


def _put(s3: Any, key: str, body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def _table(
    glue: Any,
    name: str,
    prefix: str,
    columns: dict[str, str],
    storage: dict[str, Any],
    header: bool = False,
    partitions: list[str] | None = None,
) -> None:
    place = {
        "Columns": [{"Name": one, "Type": kind} for one, kind in columns.items()],
        "Location": f"s3://{BUCKET}/{prefix}",
        **storage,
    }
    table = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"skip.header.line.count": "1"} if header else {},
        "StorageDescriptor": place,
        "PartitionKeys": [{"Name": "run", "Type": "string"}] if partitions else [],
    }
    glue.create_table(DatabaseName=DATABASE, TableInput=table)
    for run in partitions or []:
        own = {**place, "Location": f"{place['Location']}{run}/"}
        glue.create_partition(
            DatabaseName=DATABASE, TableName=name, PartitionInput={"Values": [run], "StorageDescriptor": own}
        )
