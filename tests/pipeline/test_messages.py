import dataclasses
import datetime as dt

import boto3
import pytest

from pipeline import messages
from pipeline.accuracy import Accuracy, Window
from pipeline.errors import BadInput, Missing, Problem, ResourceFailed
from pipeline.form import FileForm, InputForm
from pipeline.publish import Manifest
from pipeline.record import Record
from pipeline.workload import Workload

MANIFEST = Manifest(
    run="0123456789ab",
    location="s3://demand/shop/forecast/0123456789ab/",
    files=("forecast.csv",),
    size=1,
    rows=144,
    items=2,
    horizon=24,
    types=("p10", "p50", "p90"),
    columns=(),
    has_header=True,
    first=dt.datetime(2024, 1, 2),
    last=dt.datetime(2024, 1, 2, 23),
    frequency="H",
    timestamp_format="yyyy-MM-dd HH:mm:ss",
    published_at="2024-01-02T01:00:00Z",
)
ACCURACY = Accuracy((Window("ETS", "SUMMARY", None, None, None, {"WAPE": 0.123, "RMSE": 4.5}),))
FORM = InputForm(
    {"train": (FileForm("k", 1, 500),)},
    3,
    dt.datetime(2023, 1, 1),
    dt.datetime(2024, 1, 1),
    9000,
    0,
    ("A note.",),
)
RECORD = Record("0123456789ab", form=FORM.to_dict())


def test_success_tells_what_how_good_where_and_what_was_kept(workload):
    told = messages.success(
        workload,
        MANIFEST,
        RECORD,
        ACCURACY,
        ["forecast.demand_shop_train"],
        run_link="http://x/1",
        outcome="It was so.",
    )
    assert told.subject == "Forecast of demand/shop published: 2 items"
    for part in (
        "Run: 0123456789ab",
        "2 items, 24 hours ahead, types p10, p50, p90; 144 rows",
        "Period: 2024-01-02 00:00:00 to 2024-01-02 23:00:00",
        "Learned from: 500 rows in 1 file",
        "ETS were off by 12.3% of the total",
        "RMSE: 4.5",
        "Last time: It was so.",
        "Forecast: s3://demand/shop/forecast/0123456789ab/forecast.csv",
        "Tables: forecast.demand_shop_train",
        "History: s3://demand/shop/history/clean/0123456789ab/",
        "kept at the service",
        "Note: A note.",
        "1 of 3 items have no forecast; the service left them out. They are listed with the reason in "
        "s3://demand/shop/runs/0123456789ab/unforecast.csv",
        "Run page: http://x/1",
    ):
        assert part in told.body


def test_items_that_were_not_chosen_are_not_called_left_out(workload):
    chosen = Record("0123456789ab", form=FORM.to_dict(), params={"Forecast": {"TimeSeriesSelector": {}}})
    assert "have no forecast" not in messages.success(workload, MANIFEST, chosen, ACCURACY).body


@pytest.mark.parametrize(
    ("training", "told"),
    [
        (None, "Export, forecast, predictor and imports are now being deleted at the service"),
        ({"kind": "train"}, "Export, forecast, predictor and imports are now being deleted at the service"),
        ({"kind": "reuse"}, "Export, forecast and imports are now being deleted at the service"),
        ({"kind": "re-forecast"}, "Export and forecast are now being deleted at the service"),
    ],
    ids=["unknown", "trained", "used again", "forecast again"],
)
def test_success_tells_which_resources_are_being_deleted(workload, training, told):
    by = None if training is None else {**training, "reason": "so", "trained_by": "ba9876543210"}
    record = dataclasses.replace(RECORD, training=by)
    body = messages.success(workload, MANIFEST, record, None, deleted=True).body
    assert f"{told} (PerformDelete)." in body
    uses_another = training is not None and training["kind"] != "train"
    assert ("The predictor of run ba9876543210 stays." in body) == uses_another


def test_a_forecast_that_comes_back_may_have_nothing_left_to_delete(workload):
    back = dataclasses.replace(MANIFEST, kind="republish")
    body = messages.success(workload, back, RECORD, None, deleted=True).body
    assert "What is still at the service of this run is now being deleted (PerformDelete)." in body


def test_success_tells_what_the_gate_found(workload):
    told = messages.success(workload, MANIFEST, RECORD, ACCURACY, checked="12 of 12 checks passed")
    assert "Gate: 12 of 12 checks passed.\n" in told.body


def test_a_rollback_tells_what_is_current_in_whose_place_and_for_how_long(workload):
    back = dataclasses.replace(MANIFEST, previous="ba9876543210")
    told = messages.rolled_back(workload, back, ["forecast.demand_shop_forecast"], "http://x/1")
    assert told.subject == "Forecast of demand/shop rolled back to run 0123456789ab"
    for part in (
        "In the place of: run ba9876543210",
        "Tables: forecast.demand_shop_forecast",
        "stays until other content is uploaded",
        "http://x/1",
    ):
        assert part in told.body


def test_failure_tells_step_cause_remedy_and_what_is_still_live(workload):
    error = ResourceFailed("predictor/p is CREATE_FAILED: too little data.", "Upload a longer history.")
    told = messages.failure(workload, "Create-Predictor", error, "ffffffffffff", "http://x/1", MANIFEST)
    assert told.subject == "Forecast of demand/shop failed at Create-Predictor"
    for part in (
        "Step: Create-Predictor",
        "Cause: predictor/p is CREATE_FAILED: too little data.",
        "What to do: Upload a longer history.",
        "The earlier forecast is still published: run 0123456789ab",
        "The uploaded files are where they were.",
        "Run page: http://x/1",
    ):
        assert part in told.body


def test_failure_names_the_report_where_there_is_one(workload):
    error = ResourceFailed("It failed.", "Try again.")
    told = messages.failure(workload, "Import-Data", error, report="s3://demand/shop/runs/x/report.html")
    assert "\nReport: s3://demand/shop/runs/x/report.html\n" in told.body
    assert "Report:" not in messages.failure(workload, "Start", error).body


def test_failure_before_any_forecast_says_so_and_lists_the_problems(workload):
    problems = [Problem(f"train/a.csv, row {n}", "x", "it has to be a number", "Correct it.") for n in (1, 2)]
    told = messages.failure(workload, "Check-Input", BadInput(problems))
    assert "2 problems" in told.body
    assert "train/a.csv, row 2 is x" in told.body
    assert "No forecast has been published yet." in told.body


def test_a_rollback_that_failed_is_called_one(workload):
    error = Missing("Run x has no forecast in the archive.", "Choose a run that `--list` shows.")
    told = messages.failure(workload, "Roll-Back", error, None, "http://x/1", MANIFEST, is_rollback=True)
    assert told.subject == "Rollback of demand/shop failed at Roll-Back"
    assert told.body.startswith("The rollback of demand/shop could not be done.\n")
    assert "could not be made" not in told.body
    assert "What is published has not changed: run 0123456789ab" in told.body


def test_a_rollback_that_failed_after_it_was_done_says_so(workload):
    back = dataclasses.replace(MANIFEST, kind="rollback", by="http://x/1")
    error = ResourceFailed("The table is gone.", "Run it again.")
    told = messages.failure(workload, "Roll-Back", error, None, "http://x/1", back, is_rollback=True)
    assert told.body.startswith("The rollback of demand/shop was done, but the run failed after that.\n")
    assert "This run's forecast is published" not in told.body
    assert "The earlier forecast is published again: run 0123456789ab" in told.body
    another = messages.failure(workload, "Roll-Back", error, None, "http://x/2", back, is_rollback=True)
    assert "could not be done" in another.body


@pytest.mark.parametrize("address", ["", "\nThe values and all counts are in the report: s3://x"])
def test_a_single_problem_is_no_list(workload, address):
    error = BadInput([Problem("params.json: Forecast", "", "it is missing", "Add it.")])
    error.remedy += address
    body = messages.failure(workload, "Take-Stock", error).body
    if address:
        assert (
            "What to do: correct this and upload again.\nparams.json: Forecast: it is missing. Add it.\n"
            in body
        )
    else:
        assert "What to do: params.json: Forecast: it is missing. Add it.\n" in body
    assert "\n- " not in body


def test_failure_after_publication_says_that_the_forecast_is_out(workload):
    error = ResourceFailed("predictor/p is DELETE_FAILED.", "Delete it.")
    told = messages.failure(workload, "Delete-Predictor", error, MANIFEST.run, published=MANIFEST)
    assert "was published, but the run failed after that" in told.body
    assert "This run's forecast is published: run 0123456789ab" in told.body
    assert "earlier" not in told.body


def test_a_fault_of_our_own_is_called_one(workload):
    told = messages.failure(workload, "Notify", KeyError("x"))
    assert "KeyError" in told.body
    assert "fault in the workflow itself" in told.body


def test_a_subject_is_short_plain_ascii():
    told = messages.success(Workload("b", "ünïcode\n" * 30 + "/"), MANIFEST, None, None)
    assert len(told.subject) == 100
    assert told.subject.isascii()
    assert told.subject.isprintable()


def test_days_are_written_without_a_time(workload):
    daily = dataclasses.replace(MANIFEST, last=dt.datetime(2024, 1, 9), frequency="D", horizon=8)
    assert "8 days ahead" in messages.success(workload, daily, None, None).body
    assert "Period: 2024-01-02 to 2024-01-09" in messages.success(workload, daily, None, None).body


@pytest.fixture
def outbox(aws):
    """A topic, its client, and the queue behind it."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="notices")["TopicArn"]
    queue = sqs.create_queue(QueueName="outbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return sns, topic, lambda: sqs.receive_message(QueueUrl=queue).get("Messages", [])


def test_a_message_reaches_the_topic(outbox, workload):
    sns, topic, received = outbox
    assert messages.notify(sns, topic, messages.rolled_back(workload, MANIFEST))
    assert "was rolled back" in received()[0]["Body"]


def test_a_notice_that_fails_fails_nothing_else(outbox, workload):
    sns, topic, _ = outbox
    told = messages.rolled_back(workload, MANIFEST)
    assert not messages.notify(sns, None, told)
    assert not messages.notify(sns, f"{topic}-gone", told)


def test_a_body_fits_into_sns_whatever_its_letters(workload):
    error = ResourceFailed("数" * 300_000, "\u202e" * 10)
    body = messages.failure(workload, "Import-Data", error).body
    assert 190_000 < len(body.encode()) < 256 * 1024
    assert "\u202e" not in messages.failure(workload, "Import-Data", ResourceFailed("x", "\u202e y")).body


def test_a_folder_with_a_line_break_adds_no_line():
    odd = Workload("demand", "a\nWhat to do: pay/")
    told = messages.failure(odd, "Import-Data", ResourceFailed("It failed.", "Try again."))
    assert "\nWhat to do: pay" not in told.body
    assert told.subject.isprintable()
