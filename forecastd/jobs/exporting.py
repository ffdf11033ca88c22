"""The export job: the values of a forecast become CSV or Parquet files below a path of S3."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecastd.jobs.destination import Destination
from forecastd.jobs.job import Facts, Job
from forecastd.store.forecasts import TIMESTAMP, StoredForecast, open_forecast

ROWS_PER_PART = 500_000


def run_export(job: Job) -> Facts:
    """Write the values of a forecast.

    Raises:
        JobFailed: the forecast is gone, or S3 refuses.
    """
    destination = Destination(job)
    destination.begin()
    forecast = open_forecast(job.parent_folder(job.record.plan["source"]))
    for number, values in enumerate(forecast.batches(ROWS_PER_PART)):
        job.progress(0.0)
        destination.write(exported(forecast, values), number)
    if forecast.methods is not None:
        destination.note("_METHODS", forecast.methods.to_pandas())
    destination.finish()
    return {}


def exported(forecast: StoredForecast, values: pa.Table) -> pd.DataFrame:
    """Give the columns of an export: item, `date`, dimensions, then the types; dates end in Z."""
    item, *dimensions = forecast.key_columns
    date = pc.strftime(pc.cast(values.column(TIMESTAMP), pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    columns = {item: values.column(item), "date": date}
    columns |= {name: values.column(name) for name in (*dimensions, *forecast.types)}
    return pa.table(columns).to_pandas()
