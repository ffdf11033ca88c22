"""How the runs of a workload ended, and how accurate they promised to be, as tables of the Glue catalogue.

<workload>_runs       history/runs/             a row per end: published, refused, failed, rolled back
<workload>_accuracy   history/accuracy/<run>/   a row per type: the backtests of the predictor that was used

Each end is an object of its own, named after the flow run, so that nothing is ever rewritten but by the same
flow run that starts again after a crash.
"""

import datetime as dt
import io
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet

from pipeline import catalogue, storage
from pipeline.accuracy import Accuracy
from pipeline.decision import Decision
from pipeline.errors import BadInput, PipelineError, translated
from pipeline.publish import MOMENT, Manifest
from pipeline.recalibration import Adjustment
from pipeline.record import Record
from pipeline.tables import parquet_table
from pipeline.workload import Workload, one_line

RUNS, ACCURACY = "history/runs/", "history/accuracy/"
MOST_SHOWN = 1000  # letters of a reason: a table is no log
AVERAGE = "average"  # the row of all types together
SECRET = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # user and password of an address

State = Literal["published", "refused", "failed", "rolled back"]


@dataclass(frozen=True)
class Ended:
    """The end of a run; what does not apply is None."""

    state: State
    run: str | None = None  # None where it failed before its content was known
    step: str | None = None
    reason: str | None = None
    decision: str | None = None
    gate: str | None = None
    items: int | None = None
    rows: int | None = None
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    drift: str | None = None
    recalibration: str | None = None
    flow_run: str | None = None

    @classmethod
    def well(cls, state: State, manifest: Manifest, **more: Any) -> "Ended":
        """A forecast was made the current one."""
        of = manifest
        return cls(state, of.run, items=of.items, rows=of.rows, first=of.first, last=of.last, **more)


_KINDS = {"items": pa.int64(), "rows": pa.int64()} | dict.fromkeys(("first", "last"), pa.timestamp("ms"))
RUN_COLUMNS = {"finished": pa.timestamp("ms")} | {
    each.name: _KINDS.get(each.name, pa.string()) for each in fields(Ended)
}
MEASURES = ("wql", "wape", "rmse", "mase", "mape")
ACCURACY_COLUMNS = {"published": pa.timestamp("ms"), "algorithm": pa.string(), "type": pa.string()} | (
    dict.fromkeys(MEASURES, pa.float64())
)


def register(glue: Any, database: str, workload: Workload) -> list[str]:
    """Brings the entries of both tables up to date; the database is there.

    Returns:
        Their names, `database.table`.
    """
    for table in (_runs(workload), _accuracy(workload)):
        catalogue.put_table(glue, database, table)
    return [f"{database}.{table['Name']}" for table in (_runs(workload), _accuracy(workload))]


def _runs(workload: Workload) -> dict[str, Any]:
    words = f"How the runs of {workload.label} ended."
    return parquet_table(f"{workload.slug}_runs", workload.uri(RUNS), RUN_COLUMNS, words)


def _accuracy(workload: Workload) -> dict[str, Any]:
    words = f"How accurate the forecasts of {workload.label} promised to be, by run."
    table = parquet_table(f"{workload.slug}_accuracy", workload.uri(ACCURACY), ACCURACY_COLUMNS, words)
    return {**table, "PartitionKeys": [{"Name": "run", "Type": "string"}]}


def keep_end(s3: Any, workload: Workload, ended: Ended, now: dt.datetime) -> None:
    """Writes the row of a run's end."""
    row = {"finished": now.replace(tzinfo=None, microsecond=0), **asdict(ended)}
    name = ended.flow_run or f"{ended.run}-{ended.state.replace(' ', '-')}"
    _put(s3, workload, f"{RUNS}{name}.parquet", [row], RUN_COLUMNS)


def keep_accuracy(
    s3: Any, glue: Any, database: str, workload: Workload, manifest: Manifest, accuracy: Accuracy
) -> None:
    """Writes what the backtests promise for a published forecast, and adds it to the table."""
    rows = accuracy_rows(manifest, accuracy)
    _put(s3, workload, f"{ACCURACY}{manifest.run}/accuracy.parquet", rows, ACCURACY_COLUMNS)
    catalogue.put_partition(glue, database, _accuracy(workload), manifest.run)


def accuracy_rows(manifest: Manifest, accuracy: Accuracy) -> list[dict[str, Any]]:
    """A row per type with its own loss, and one for all together; the other measures are the same in each."""
    moment = dt.datetime.strptime(manifest.published_at, MOMENT) if manifest.published_at else None
    shared: dict[str, Any] = {"published": moment, "algorithm": accuracy.algorithm}
    shared |= {name: accuracy.best.get(name.upper()) for name in MEASURES[1:]}
    losses = {AVERAGE: accuracy.best.get("AverageWeightedQuantileLoss")}
    losses |= {f"p{round(float(name) * 100)}": loss for name, loss in accuracy.quantile_losses.items()}
    return [{**shared, "type": kind, "wql": loss} for kind, loss in losses.items()]


def decision_of(known: Record | None) -> str | None:
    """What a run did for a predictor, and why: a sentence."""
    return Decision.from_dict(known.training).words() if known and known.training else None


def recalibration_of(known: Record | None) -> str | None:
    """What a run did with the intervals of its forecast, and why; None where nothing was asked for."""
    return Adjustment(**known.recalibration).words() if known and known.recalibration else None


def drift_of(s3: Any, workload: Workload, run: str) -> str | None:
    """Why the workload was marked as drifting in a run; None if it was not."""
    found: Mapping[str, Any] = storage.read_json(s3, workload, f"runs/{run}/drift.json") or {}
    return " ".join(found.get("reasons", ())) if found.get("is_drifting") else None


def reason_of(cause: PipelineError) -> str:
    """Cause and remedy in a line, without what stands in the cells of an upload and without passwords.

    A forecast that is refused is told with the items that the gate names.
    """
    if isinstance(cause, BadInput):
        told = [f"{each.where}: {each.rule}. {each.remedy}" for each in cause.problems]
        text = " ".join([cause.what, *told])
    elif type(cause) is PipelineError:  # nobody knows what it quotes
        text = f"{cause.what.split(':')[0].rstrip('.')}. {cause.remedy}"
    else:
        text = str(cause)
    plain = SECRET.sub("…", one_line(" ".join(text.split())))
    return plain if len(plain) <= MOST_SHOWN else plain[: MOST_SHOWN - 1] + "…"


def _put(
    s3: Any, workload: Workload, rel: str, rows: list[dict[str, Any]], columns: Mapping[str, pa.DataType]
) -> None:
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(rows, pa.schema(columns)), out)
    with translated(f"writing {workload.uri(rel)}"):
        s3.put_object(Bucket=workload.bucket, Key=workload.key(rel), Body=out.getvalue())
