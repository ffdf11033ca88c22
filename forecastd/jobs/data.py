"""Imported data, as the models want it: one panel for training and for forecasting."""

from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from forecastd.domains import METADATA, NUMERIC_TYPES, RELATED, TARGET, TIMESTAMP
from forecastd.errors import JobFailed
from forecastd.jobs.importing import DATA_FILE
from forecastd.jobs.job import Job
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel

_GIB = 2**30
BYTES_OF_A_JOB = _GIB // 2  # libraries, and tables that do not grow with the data
BYTES_PER_ROW = 120  # of a file, while its rows are sorted into series
BYTES_PER_CELL = 250  # of the panel, while models are trained on it


def load_panel(job: Job, plan: dict[str, Any], imports: dict[str, str]) -> Panel:
    """Build the panel of a training plan from imports.

    Args:
        plan: of the predictor.
        imports: ARNs of the import jobs by dataset type.

    Raises:
        JobFailed: an import is gone, or the data breaks a rule.
    """
    item_key, target, dimensions = plan["item_key"], plan["target"], plan["dimensions"]
    _check_rows(job, imports)
    return build_panel(
        _read_target(job, imports[TARGET], [item_key, *dimensions], [TIMESTAMP, target]),
        item_key=item_key,
        target_name=target,
        timestamp=TIMESTAMP,
        dimensions=dimensions,
        frequency=Frequency.parse(plan["frequency"]),
        aggregation=plan["aggregation"],
        filling=plan["filling"],
        boundary=plan["boundary"],
        related=_related(job, imports),
        related_filling=plan["related_filling"],
        metadata=_metadata(job, imports),
        horizon_steps=plan["horizon"],
        holiday_country=plan["holiday"],
        most_cells=max(0, job.settings.memory_bytes - BYTES_OF_A_JOB) // BYTES_PER_CELL,
    )


def _check_rows(job: Job, imports: dict[str, str]) -> None:
    """Refuse data that cannot be read into memory, before it is tried."""
    paths = [job.parent_folder(arn) / DATA_FILE for arn in imports.values()]
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    needed = BYTES_OF_A_JOB + rows * BYTES_PER_ROW
    if needed > job.settings.memory_bytes:
        raise JobFailed(
            f"{rows:,} rows need about {needed / _GIB:.1f} GiB of memory, and a job may use "
            f"{job.settings.memory_bytes / _GIB:.1f}: import a shorter history or a coarser frequency, or "
            "give the server more memory (FORECASTD_MEMORY_GIB says how much a job may use)."
        )


def _read_target(job: Job, import_arn: str, keys: list[str], values: list[str]) -> pd.DataFrame:
    """Read the target with its keys as categories: each text is in memory once, whatever the rows."""
    path = job.parent_folder(import_arn) / DATA_FILE
    return pq.read_table(path, columns=[*keys, *values], read_dictionary=keys).to_pandas()


def _read(job: Job, import_arn: str, columns: list[str] | None = None) -> pd.DataFrame:
    folder = job.parent_folder(import_arn)
    return pq.read_table(folder / DATA_FILE, columns=columns).to_pandas()


def _related(job: Job, imports: dict[str, str]) -> pd.DataFrame | None:
    if RELATED not in imports:
        return None
    return _read(job, imports[RELATED])


def _metadata(job: Job, imports: dict[str, str]) -> pd.DataFrame | None:
    """Metadata is text to the models; numbers are names of groups like any other."""
    if METADATA not in imports:
        return None
    frame = _read(job, imports[METADATA])
    kinds = job.parent(imports[METADATA]).plan["attributes"]
    numbers = [name for name, kind in kinds.items() if kind in NUMERIC_TYPES]
    return frame.astype(dict.fromkeys(numbers, "string")).astype(object)
