"""A workload with everything that the page shows, in tables that the product's own code has written."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit

from pipeline import catalogue, charttable, ledger, ledgertables, publish, runtables, tables
from pipeline.accuracy import SUMMARY, Accuracy, Window
from pipeline.form import FileForm, InputForm
from pipeline.params import Params, load
from pipeline.reformat import Reformatted
from pipeline.runtables import Ended
from pipeline.workload import Workload
from tests.local.conftest import GatewayProcess

BUCKET, DATABASE = "page-data", "forecast"
SHOP, NEW = Workload(BUCKET, "shop/"), Workload(BUCKET, "new/")
FIRST, STEPS, HORIZON = dt.datetime(2026, 1, 1), 40, 4
ITEMS = ('Bob\'s 50% "special"', "apple", "naïve ☃", "plum")  # in the order of a forecast's file
SIZES = ("large", "small")  # of a dimension that is called as a column of ours
TYPES = (("mean", 0.5), ("p10", -2.0), ("p50", 0.25), ("p90", 2.0))
COLUMNS = [("timestamp", "timestamp"), ("target_value", "float"), ("item_id", "string"), ("run", "string")]
RUNS = {"run_a": 28, "run_b": 32, "run_c": STEPS}  # and the step at which the forecast of each begins
DRIFT = "The forecast of run run_b lies far from what came for 100% of its items."
RECALIBRATION = "The intervals were made wider, 1.20 times what the service made them."
REASON = "The input has 1 problem; nothing was created. train/a.csv, row 2: correct it."


def day(step: int) -> str:
    return f"{FIRST + dt.timedelta(days=step):%Y-%m-%d}"


def actual(item: int, step: int) -> float:
    return 10.0 * (item + 1) + step % 7 + (step * 13 % 5) / 4


def params() -> Params:
    attributes = [{"AttributeName": name, "AttributeType": kind} for name, kind in COLUMNS]
    target = {"DatasetName": "shop_target", "Domain": "CUSTOM", "DatasetType": "TARGET_TIME_SERIES"}
    document = {
        "DatasetGroup": {"DatasetGroupName": "shop", "Domain": "CUSTOM"},
        "Datasets": [{**target, "DataFrequency": "D", "Schema": {"Attributes": attributes}}],
        "Predictor": {
            "PredictorName": "shop",
            "ForecastHorizon": HORIZON,
            "ForecastFrequency": "D",
            "ForecastDimensions": ["run"],
        },
        "Forecast": {"ForecastName": "shop", "ForecastTypes": ["mean", "0.1", "0.5", "0.9"]},
        "TimestampFormat": "yyyy-MM-dd",
    }
    return load(json.dumps(document).encode())


def series() -> Iterator[tuple[int, str, str]]:
    for number, name in enumerate(ITEMS):
        for size in SIZES:
            yield number, name, size


def archive(s3: Any, run: str, begin: int, folder: Path) -> None:
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in ITEMS}
    rows = [
        f"{day(begin + n)},{actual(number, begin + n) + spread * (n + 1)},{quoted[name]},{size},{label}"
        for number, name, size in series()
        for n in range(HORIZON)
        for label, spread in TYPES
    ]
    clean = folder / f"{run}.csv"
    clean.write_text("\n".join(rows) + "\n")
    written = Reformatted(
        rows=len(rows),
        items=len(ITEMS) * len(SIZES),
        horizon=HORIZON,
        types=tuple(label for label, _ in TYPES),
        columns=("timestamp", "target_value", "item_id", "run", "type"),
        has_header=False,
        first=FIRST + dt.timedelta(days=begin),
        last=FIRST + dt.timedelta(days=begin + HORIZON - 1),
        frequency="D",
        timestamp_format="yyyy-MM-dd",
    )
    publish.archive(s3, SHOP, run, clean, written, [])


def fill(stand_in: GatewayProcess, folder: Path) -> None:
    """Two workloads: one with three forecasts, and one whose only run was refused."""
    s3, glue, athena = (stand_in.client(name) for name in ("s3", "glue", "athena"))
    for bucket in (BUCKET, "page-results"):
        s3.create_bucket(Bucket=bucket)
    place = {"OutputLocation": "s3://page-results/"}
    athena.create_work_group(Name="forecast", Configuration={"ResultConfiguration": place})
    for database in (DATABASE, "unused"):
        catalogue.ensure_database(glue, database)
    given = params()
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in ITEMS}
    lines = [
        f"{day(step)},{actual(number, step)},{quoted[name]},{size}"
        for number, name, size in series()
        for step in range(STEPS)
    ]
    s3.put_object(Bucket=BUCKET, Key="shop/train/a.csv", Body="\n".join(lines).encode())
    for run, begin in RUNS.items():
        archive(s3, run, begin, folder)
    scores = ledger.keep(s3, SHOP, given, ["shop/train/a.csv"])
    ledgertables.register(glue, DATABASE, SHOP, given, [one.run for one in scores])
    charttable.keep(s3, SHOP, given, "run_c", ["shop/train/a.csv"])
    manifest = publish.publish(s3, SHOP, "run_c")
    file = FileForm("train/a.csv", 1, len(lines), "csv", False, tuple(name for name, _ in COLUMNS), ())
    last = FIRST + dt.timedelta(days=STEPS - 1)
    form = InputForm({"train": (file,)}, len(ITEMS) * len(SIZES), FIRST, last, STEPS, 0)
    tables.register(glue, DATABASE, SHOP, given, form, manifest)
    _ends(s3, glue, manifest)


def _ends(s3: Any, glue: Any, manifest: publish.Manifest) -> None:
    """How the runs of both workloads ended."""
    for workload in (SHOP, NEW):
        runtables.register(glue, DATABASE, workload)
    promise = {"AverageWeightedQuantileLoss": 0.05, "WAPE": 0.07, "RMSE": 3.0, "MASE": 0.8, "MAPE": 0.1}
    accuracy = Accuracy((Window("AutoPredictor", SUMMARY, None, None, None, promise, {"0.5": 0.06}),))
    runtables.keep_accuracy(s3, glue, DATABASE, SHOP, manifest, accuracy)
    begin = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
    more = {"decision": "A predictor is trained, because the data are new.", "drift": DRIFT}
    more["recalibration"] = RECALIBRATION
    ends = [
        (SHOP, Ended.well("published", manifest, flow_run="flow-1", **more)),
        (SHOP, Ended("refused", None, "Check-Input", REASON, flow_run="flow-2")),
        (NEW, Ended("refused", None, "Check-Input", REASON, flow_run="flow-3")),
    ]
    for place, (workload, ended) in enumerate(ends):
        runtables.keep_end(s3, workload, ended, begin + dt.timedelta(hours=place))


@pytest.fixture(scope="package")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path_factory.mktemp("page"))
    made.start()
    fill(made, tmp_path_factory.mktemp("forecasts"))
    yield made
    made.end()


@pytest.fixture
def environment(stand_in: GatewayProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The variables that lead the page to the stand-in, set for this process, too."""
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{stand_in.port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for cache in (streamlit.cache_data, streamlit.cache_resource):
        cache.clear()
    yield variables
    for cache in (streamlit.cache_data, streamlit.cache_resource):
        cache.clear()
