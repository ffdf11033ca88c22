import datetime as dt
import io

import boto3
import pyarrow.parquet
import pytest

from pipeline import catalogue, runtables, storage
from pipeline.accuracy import SUMMARY, Accuracy, Window
from pipeline.errors import BadInput, PipelineError, Problem, Unreachable
from pipeline.publish import Manifest
from pipeline.runtables import Ended

NOW = dt.datetime(2024, 1, 9, 8, 7, 6, 5, tzinfo=dt.UTC)
FIRST, LAST = dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 3)


@pytest.fixture
def manifest(workload):
    return Manifest(
        "one", workload.uri("forecast/one/"), ("forecast.csv",), 1, 9, 3, 3, ("p50",), (), True,
        FIRST, LAST, "H", "yyyy-MM-dd HH:mm:ss", published_at="2024-01-09T08:00:00Z",
    )  # fmt: skip


@pytest.fixture
def rows(s3, workload):
    def read(rel):
        body = s3.get_object(Bucket=workload.bucket, Key=workload.key(rel))["Body"].read()
        return pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()

    return read


def test_every_end_of_a_run_is_a_row(s3, workload, manifest, rows):
    well = Ended.well("published", manifest, decision="A predictor is trained.", flow_run="f1")
    badly = Ended("failed", None, "Start", "Nothing works. Repair it.", flow_run="f2")
    for ended in (well, badly, badly):
        runtables.keep_end(s3, workload, ended, NOW)
    empty = dict.fromkeys(runtables.RUN_COLUMNS)
    finished = dt.datetime(2024, 1, 9, 8, 7, 6)
    assert rows("history/runs/f1.parquet") == [
        empty
        | {"finished": finished, "state": "published", "run": "one", "decision": "A predictor is trained."}
        | {"items": 3, "rows": 9, "first": FIRST, "last": LAST, "flow_run": "f1"}
    ]
    assert rows("history/runs/f2.parquet") == [
        empty
        | {"finished": finished, "state": "failed", "step": "Start"}
        | {"reason": "Nothing works. Repair it.", "flow_run": "f2"}
    ]


def test_accuracy_has_a_row_for_each_type_and_one_for_all(s3, workload, manifest, rows):
    glue = boto3.client("glue")
    catalogue.ensure_database(glue, "forecast")
    measures = {"WAPE": 0.2, "RMSE": 3.0, "AverageWeightedQuantileLoss": 0.15}
    accuracy = Accuracy((Window("Ensemble", SUMMARY, None, None, 3, measures, {"0.1": 0.1, "0.5": 0.2}),))
    for _ in range(2):
        runtables.register(glue, "forecast", workload)
        runtables.keep_accuracy(s3, glue, "forecast", workload, manifest, accuracy)
    found = rows("history/accuracy/one/accuracy.parquet")
    assert [(row["type"], row["wql"]) for row in found] == [("average", 0.15), ("p10", 0.1), ("p50", 0.2)]
    shared = {"published": dt.datetime(2024, 1, 9, 8), "algorithm": "Ensemble", "wape": 0.2, "rmse": 3.0}
    for row in found:
        assert row == row | shared | {"mase": None, "mape": None}
    name = f"{workload.slug}_accuracy"
    parts = glue.get_partitions(DatabaseName="forecast", TableName=name)["Partitions"]
    assert [part["StorageDescriptor"]["Location"] for part in parts] == [
        workload.uri("history/accuracy/one/")
    ]


def test_a_reason_never_has_cells_of_an_upload():
    problem = Problem("train/a.csv, row 3, column item_id", '"Jane Doe"', "it is no name", "Correct it.")
    reason = runtables.reason_of(BadInput([problem]))
    assert "Jane" not in reason
    assert "row 3, column item_id: it is no name. Correct it." in reason
    unknown = PipelineError(
        "ArrowInvalid while running Check-Input: Row 3: Jane Doe,7.", "See the run's log."
    )
    assert runtables.reason_of(unknown) == "ArrowInvalid while running Check-Input. See the run's log."


def test_a_reason_is_a_line_without_passwords_that_a_table_can_show():
    reason = runtables.reason_of(Unreachable("No answer from http://me:pass@host/.\nNone.", "x" * 2000))
    assert reason.startswith("No answer from http://…@host/. None. xxx")
    assert len(reason) == runtables.MOST_SHOWN


REASONS = ["Sales fell.", "Coverage is 0.4."]


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (None, None),
        ({"is_drifting": False, "reasons": ["not enough"], "figures": {}}, None),
        ({"is_drifting": True, "reasons": REASONS, "figures": {}}, " ".join(REASONS)),
    ],
)
def test_drift_is_told_where_the_workload_was_marked(s3, workload, drift, words):
    if drift is not None:
        storage.write_json(s3, workload, "runs/one/drift.json", drift)
    assert runtables.drift_of(s3, workload, "one") == words
