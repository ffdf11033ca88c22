"""The export job: a forecast becomes CSV or Parquet files below a path of S3.

`_CHECK` is written first, to find out at once whether writing is allowed; `_SUCCESS` last. The time in
the file names is the job's creation, so a job that is done again after a crash overwrites its own files.
"""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from forecastd.jobs.job import Facts, Job
from forecastd.store.forecasts import TIMESTAMP, StoredForecast, open_forecast

ROWS_PER_PART = 500_000


def run_export(job: Job) -> Facts:
    """Write the values of a forecast.

    Raises:
        JobFailed: the forecast is gone, or S3 refuses.
    """
    target = job.record.request["Destination"]["S3Config"]
    folder = target["Path"].rstrip("/")
    kms_key = target.get("KMSKeyArn")
    job.objects.put(f"{folder}/_CHECK", b"", kms_key)
    forecast = open_forecast(job.parent_folder(job.record.plan["source"]))
    for number, values in enumerate(forecast.batches(ROWS_PER_PART)):
        job.progress(0.0)
        part = _write(job, exported(forecast, values))
        with part.open("rb") as file:
            job.objects.put(f"{folder}/{_part_name(job, number)}", file, kms_key)
        part.unlink()
    job.objects.put(f"{folder}/_SUCCESS", b"", kms_key)
    return {}


def exported(forecast: StoredForecast, values: pa.Table) -> pa.Table:
    """Give the columns of an export: item, `date`, dimensions, then the types; dates end in Z."""
    item, *dimensions = forecast.key_columns
    date = pc.strftime(pc.cast(values.column(TIMESTAMP), pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    columns = {item: values.column(item), "date": date}
    columns |= {name: values.column(name) for name in (*dimensions, *forecast.types)}
    return pa.table(columns)


def _write(job: Job, table: pa.Table) -> Path:
    path = job.folder / "part"
    if job.record.request["Format"] == "PARQUET":
        pq.write_table(table, path)
    else:
        table.to_pandas().to_csv(path, index=False)
    return path


def _part_name(job: Job, number: int) -> str:
    at = dt.datetime.fromtimestamp(job.record.created, dt.UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    ending = job.record.request["Format"].lower()
    return f"{job.record.name}_{at}_part{number}.{ending}"
