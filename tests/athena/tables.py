"""A small catalogue with awkward content, and the same rows as pandas frames."""

import io
from dataclasses import dataclass
from typing import Any

import pandas as pd

BUCKET, RESULTS, DATABASE = "sql-data", "sql-results", "forecast"
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
    return Frames(train, forecast, history, sales)


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
    future = {"timestamp": "string", "target_value": "double", "item_id": "string", "type": "string"}
    train = {"timestamp": "string", "target_value": "double", "item_id": "string", "units": "bigint"}
    sold = {"day": "date", "item_id": "string", "price": "double", "sold": "bigint", "open": "boolean"}
    _table(glue, "shop_train", "train/", train, OPEN_CSV, header=True)
    _table(glue, "shop_forecast", "forecast/r/", future, OPEN_CSV)
    _table(glue, "shop_history", "history/", future, OPEN_CSV, header=True, partitions=["run_a", "run_b"])
    _table(glue, "shop_sales", "sales/", {**sold, "at": "timestamp"}, PARQUET)
    _table(glue, "shop_empty", "nothing/", train, OPEN_CSV, header=True)


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
