"""`python -m bench.tables`: how long a chart's table takes to build, and questions about one item to answer.

A workload of many items with a hundred days of past and a forecast of fourteen days in three types is made
up, its chart's table is written as a run writes it, and an analyst's questions go through the local Athena.
"""

import argparse
import datetime as dt
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from local.settings import PORTS
from pipeline import charttable, publish, tables
from pipeline.form import PARQUET, FileForm, InputForm
from pipeline.params import Params, load
from pipeline.publish import Manifest
from pipeline.reformat import Reformatted
from pipeline.workload import Workload

ROOT = Path(__file__).resolve().parents[1]
BUCKET, RUN, DATABASE = "bench-tables", "bench", "forecast"
FIRST, PAST, HORIZON = dt.datetime(2026, 1, 1), 100, 14
TYPES = ("p10", "p50", "p90")
ATTRIBUTES = {"item_id": "string", "timestamp": "timestamp", "target_value": "float"}
TRIES = 7


def params() -> Params:
    """Daily sales."""
    schema = [{"AttributeName": name, "AttributeType": kind} for name, kind in ATTRIBUTES.items()]
    target = {"DatasetName": "bench", "Domain": "CUSTOM", "DatasetType": "TARGET_TIME_SERIES"}
    return load(
        json.dumps(
            {
                "DatasetGroup": {"DatasetGroupName": "bench", "Domain": "CUSTOM"},
                "Datasets": [{**target, "DataFrequency": "D", "Schema": {"Attributes": schema}}],
                "Predictor": {
                    "PredictorName": "bench",
                    "ForecastHorizon": HORIZON,
                    "ForecastFrequency": "D",
                },
                "Forecast": {"ForecastName": "bench", "ForecastTypes": ["0.1", "0.5", "0.9"]},
                "TimestampFormat": "yyyy-MM-dd",
            }
        ).encode()
    )


@contextmanager
def stand_in(folder: Path) -> Iterator[int]:
    """The local AWS on a free port."""
    ports = [_free_port() for _ in PORTS]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "FORECAST_LOCAL_DIR": str(folder),
        **{name: str(port) for name, port in zip(PORTS, ports, strict=True)},
    }
    process = subprocess.Popen([sys.executable, "-m", "local.aws"], cwd=ROOT, env=environment)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/_health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    raise RuntimeError("the local AWS did not start") from None
                time.sleep(0.1)
        yield ports[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _days(first: dt.datetime, count: int) -> np.ndarray:
    return np.datetime64(first, "D") + np.arange(count)


def make_up(s3: Any, workload: Workload, items: int, folder: Path) -> None:
    """The uploads, as a run has copied them, and a forecast in the archive."""
    drawn = np.random.default_rng(1)
    names = pa.array([f"item {n:06} of the shop" for n in range(items)])
    past = pa.table(
        {
            "item_id": names.take(pa.array(np.repeat(np.arange(items), PAST))),
            "timestamp": np.tile(
                _days(FIRST - dt.timedelta(days=PAST), PAST).astype("datetime64[ms]"), items
            ),
            "target_value": drawn.poisson(20, items * PAST).astype(float),
        }
    )
    out = io.BytesIO()
    pa.parquet.write_table(past, out)
    s3.put_object(Bucket=BUCKET, Key=workload.key(f"runs/{RUN}/input/train/a.parquet"), Body=out.getvalue())
    steps = np.tile(np.repeat(_days(FIRST, HORIZON).astype(str), len(TYPES)), items)
    ahead = pa.table(
        {
            "item_id": names.take(pa.array(np.repeat(np.arange(items), HORIZON * len(TYPES)))),
            "timestamp": pa.array(steps),
            "target_value": np.sort(drawn.gamma(9, 2, (items * HORIZON, len(TYPES)))).reshape(-1),
            "type": pa.array(np.tile(np.array(TYPES), items * HORIZON)),
        }
    )
    clean = folder / "forecast.csv"
    pa.csv.write_csv(ahead, clean)
    last = FIRST + dt.timedelta(days=HORIZON - 1)
    columns = (*ATTRIBUTES, "type")
    of = Reformatted(ahead.num_rows, items, HORIZON, TYPES, columns, True, FIRST, last, "D", "yyyy-MM-dd")
    publish.archive(s3, workload, RUN, clean, of, [])


def published(s3: Any, glue: Any, workload: Workload, items: int) -> Manifest:
    """All that a run does to show the forecast in tables."""
    manifest = publish.publish(s3, workload, RUN)
    types = ("string", "timestamp[ms]", "double")
    file = FileForm("a.parquet", 1, items * PAST, PARQUET, True, tuple(ATTRIBUTES), types)
    last = FIRST - dt.timedelta(days=1)
    form = InputForm({"train": (file,)}, items, FIRST - dt.timedelta(days=PAST), last, PAST, 0)
    tables.register(glue, DATABASE, workload, params(), form, manifest)
    return manifest


@dataclass(frozen=True)
class Question:
    """What an analyst's page asks."""

    name: str
    sql: str
    rows: int | None = None  # that it has to give


def questions(slug: str, items: int) -> list[Question]:
    """The page's statements."""
    wanted = f"item {items * 2 // 3:06} of the shop"
    ahead = HORIZON * len(TYPES)
    return [
        Question(
            "chart of one item",
            f'SELECT "time", type, value FROM {slug}_chart '
            f"WHERE item_id = '{wanted}' ORDER BY \"time\", type",
            PAST + ahead,
        ),
        Question(
            "fan of one item",
            f"SELECT * FROM {slug}_fan WHERE item_id = '{wanted}' ORDER BY \"time\"",
            PAST + HORIZON,
        ),
        Question(
            "item search, LIKE",
            f"SELECT item_id FROM {slug}_items WHERE lower(item_id) LIKE '%{wanted[5:11]}%' LIMIT 50",
            1,
        ),
        Question(
            "item search, strpos",
            f"SELECT item_id FROM {slug}_items WHERE strpos(lower(item_id), 'shop') > 0 "
            "ORDER BY item_id LIMIT 50",
            50,
        ),
        Question(
            "largest items", f"SELECT * FROM {slug}_items ORDER BY forecast_mean DESC, item_id LIMIT 20", 20
        ),
        Question("number of items", f"SELECT count(*) FROM {slug}_items", 1),
    ]


def ask(athena: Any, question: Question) -> float:
    """Seconds from the question to its rows, as a client sees it."""
    begun = time.monotonic()
    query = athena.start_query_execution(
        QueryString=question.sql,
        QueryExecutionContext={"Database": DATABASE},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
    if status["State"] != "SUCCEEDED":
        raise RuntimeError(f"{question.name}: {status['StateChangeReason']}")
    rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1:]
    if question.rows is not None and len(rows) != question.rows:
        raise RuntimeError(f"{question.name}: {len(rows)} rows instead of {question.rows}")
    return time.monotonic() - begun


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory() as name, stand_in(Path(name) / "state") as port:
        folder, own = Path(name), {"endpoint_url": f"http://127.0.0.1:{port}"}
        session = boto3.Session("local", "local", region_name="us-east-1")
        s3, glue, athena = (session.client(service, **own) for service in ("s3", "glue", "athena"))
        workload = Workload(BUCKET)
        s3.create_bucket(Bucket=BUCKET)
        make_up(s3, workload, items, folder)
        begun = time.monotonic()
        charttable.keep(s3, workload, params(), RUN, [f"runs/{RUN}/input/train/a.parquet"])
        took = time.monotonic() - begun
        print(f"built in {took:.1f} s; at most {_peak_mb()} MB in this process, data included")
        published(s3, glue, workload, items)
        for rel in (charttable.CHART, charttable.ITEMS):
            listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=rel)["Contents"]
            print(f"{rel}: {sum(each['Size'] for each in listed) / 1e6:.1f} MB")
        print(f"| question, {items} items | first, s | then, s (median of {TRIES}) |\n|---|---|---|")
        for question in questions(workload.slug, items):
            first, *more = [ask(athena, question) for _ in range(TRIES + 1)]
            print(f"| {question.name} | {first:.2f} | {sorted(more)[TRIES // 2]:.3f} |")


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
