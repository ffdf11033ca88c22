"""The whole flow on a real Prefect server, with S3 and friends on loopback and a service in memory."""

import contextvars
import re
import threading
from typing import Any

import boto3
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

from pipeline import chart, messages, report, tables
from pipeline.workload import Workload
from tasks.runs import turn_name
from tests.flows.conftest import Site, shared
from tests.flows.fake_forecast import client_error

STEPS = (
    "create_dataset",
    "create_dataset_group",
    "create_dataset_import_job",
    "create_auto_predictor",
    "get_accuracy_metrics",
    "create_forecast",
    "create_forecast_export_job",
)


def unlucky(site: Site, call: str) -> None:
    site.forecast.raise_on(call, client_error("AccessDeniedException", "not allowed", call))


def test_an_upload_becomes_a_published_forecast(site: Site) -> None:
    state = site.run()
    assert state.is_completed(), state.message
    assert state.message.startswith("Published 36 rows for 2 items")
    lines = site.published()
    assert lines[0] == "timestamp,target_value,item_id,type"
    assert lines[1:3] == ["2024-01-05 00:00:00,10.0,a,p10", "2024-01-05 00:00:00,11.0,a,p50"]
    assert len(lines) == 1 + 2 * 6 * 3, "items × horizon × types"
    run = site.manifest()["run"]
    assert site.keys(f"history/clean/{run}/") == [f"history/clean/{run}/forecast.csv"]
    assert len(site.keys(f"history/raw/{run}/")) == 1
    assert site.record(run)["state"] == "published"
    assert not site.keys(f"runs/{run}/input/"), "the copies that the import read are gone"
    assert site.keys("train/") == ["train/demand.csv"]


def test_it_leaves_tables_metrics_and_a_message(site: Site) -> None:
    site.run()
    glue = boto3.client("glue")
    tables = {t["Name"]: t for t in glue.get_tables(DatabaseName=site.place.database)["TableList"]}
    (forecast,) = [t for name, t in tables.items() if name.endswith("_forecast")]
    assert forecast["StorageDescriptor"]["Location"].endswith(f"/forecast/{site.manifest()['run']}/")
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Forecast")["Metrics"]
    mine = [m for m in metrics if {"Name": "Workload", "Value": site.name} in m["Dimensions"]]
    assert {m["MetricName"] for m in mine} >= {"WAPE", "RMSE", "WeightedQuantileLoss"}
    (mail,) = site.mail()
    assert site.name in mail["Subject"]
    assert f"s3://{site.name}/forecast/" in mail["Message"]


@pytest.mark.draws
def test_items_that_the_service_leaves_out_are_all_listed_with_the_reason(site: Site) -> None:
    rows = [
        f"2024-01-04 {hour:02}:00:00,{hour},few_{item}"
        for item in range(7)
        for hour in range(20, 20 + item // 2)
    ]
    site.put("train/few.csv", "\n".join(["timestamp,target_value,item_id", *rows]) + "\n")
    assert site.run().is_completed()
    path = f"runs/{site.manifest()['run']}/unforecast.csv"
    listed = site.text(path).splitlines()
    assert listed[:2] == ["item_id,reason", 'few_2,"the service needs 5 values, and it has 1 recent one"']
    assert [line.split(",")[0] for line in listed[1:]] == [f"few_{item}" for item in range(2, 7)]
    (mail,) = site.mail()
    assert "5 of 7 items have no forecast; the service left them out. They are listed" in mail["Message"]
    assert path in mail["Message"]


def test_the_run_page_explains_itself(site: Site) -> None:
    state = site.run()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
        tasks = client.request(
            "POST",
            "/task_runs/filter",
            json={"flow_runs": {"id": {"any_": [str(run.id)]}}, "sort": "EXPECTED_START_TIME_ASC"},
        ).json()
        artifacts = client.request(
            "POST", "/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}}
        ).json()
    assert run.name == f"{site.name} · demand.csv"
    names = [t["name"] for t in tasks]
    assert {"Take-Stock", "Check-Input", "Create-Dataset TARGET_TIME_SERIES", "Create-Predictor"} <= set(
        names
    )
    assert {"Import-Data TARGET_TIME_SERIES", "Export-Forecast", "Update-Resources", "Notify"} <= set(names)
    assert {a["type"] for a in artifacts} == {"progress", "table", "image", "markdown"}
    accuracy = next(a for a in artifacts if (a["key"] or "").startswith("accuracy-"))
    assert "2024-01-03" in accuracy["data"], "every backtest window is a row"
    picture = next(a for a in artifacts if a["type"] == "image")
    assert picture["data"].startswith("data:image/png;base64,")
    written = next(a for a in artifacts if (a["key"] or "").startswith("summary-"))
    manifest = f"{site.name}/forecast/manifest.json"
    assert re.search(
        rf"\| manifest \| \[s3://{manifest}\]\(http://127\.0\.0\.1:\d+/{manifest}\) \|", written["data"]
    )
    tables = re.findall(r"\| table \| `([^`]*)` \|", written["data"])
    assert len(tables) == 8
    assert all(re.fullmatch(r"\w+\.\w+", name) for name in tables), tables


def test_the_same_upload_again_is_already_forecast(site: Site) -> None:
    site.run()
    made, before = site.forecast.created(), site.keys()
    state = site.run()
    assert state.is_completed()
    assert state.message.startswith("Already forecast")
    assert site.forecast.created() == made
    assert site.keys() == before


def test_later_data_give_a_forecast_that_begins_later(site: Site) -> None:
    site.run()
    site.upload(days=6)
    state = site.run()
    assert state.message.startswith("Published")
    assert site.published()[1].startswith("2024-01-07 00:00:00")
    assert site.forecast.created()["create_dataset"] == 1, "the workload's dataset is used again"
    assert site.forecast.created()["create_auto_predictor"] == 2


def test_earlier_content_that_comes_back_is_published_from_history(site: Site) -> None:
    site.run()
    first = site.manifest()["run"]
    site.upload(days=6)
    site.run()
    site.upload(days=4)
    made = site.forecast.created()
    state = site.run()
    assert "published again from history" in state.message
    assert site.manifest()["run"] == first
    assert site.published()[1].startswith("2024-01-05 00:00:00")
    assert site.forecast.created() == made, "nothing was paid for twice"


def test_a_forecast_that_comes_back_is_finished_when_its_tables_show_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run()
    first = site.manifest()["run"]
    site.upload(days=5)
    site.run()
    site.upload(days=4)
    with monkeypatch.context() as broken:
        broken.setattr(tables, "register", lambda *_: (_ for _ in ()).throw(ValueError("killed")))
        assert site.run().is_failed()
    assert site.manifest()["run"] == first, "what readers of the files see"
    assert "The run failed after that: Update-Resources" in site.text(f"runs/{first}/report.html")
    assert "published again from history" in site.run().message
    assert "failed" not in site.text(f"runs/{first}/report.html")
    tables_now = shared("glue").get_tables(DatabaseName=site.place.database)["TableList"]
    shown = [each["StorageDescriptor"]["Location"] for each in tables_now if site.name in str(each)]
    assert f"s3://{site.name}/forecast/{first}/" in shown
    assert site.run().message.startswith("Already forecast")


def test_perform_delete_removes_what_the_run_made_and_nothing_else(site: Site) -> None:
    site.run()
    kept = set(site.forecast.made)
    assert len(kept) == 6, "without it everything stays"
    site.configure(PerformDelete=True)
    site.upload(days=6)
    state = site.run()
    assert state.is_completed(), state.message
    assert set(site.forecast.made) == kept
    assert len(site.published()) == 1 + 2 * 6 * 3


def test_perform_delete_that_comes_later_cleans_up_and_trains_nothing(site: Site) -> None:
    site.run()
    made, live = site.forecast.created(), site.published()
    site.configure(PerformDelete=True)
    state = site.run(key="params.json")
    assert state.message.startswith("Already forecast")
    assert site.forecast.created() == made
    kinds = {arn.split(":", 5)[5].split("/")[0] for arn in site.forecast.made}
    assert kinds == {"dataset", "dataset-group"}
    assert site.published() == live


def test_a_clean_up_that_was_interrupted_is_finished_by_the_next_run(site: Site) -> None:
    site.configure(PerformDelete=True)
    unlucky(site, "delete_predictor")
    assert site.run().is_failed()
    written = f"runs/{site.manifest()['run']}/report.html"
    assert "Published: 36 rows" in site.text(written), "it has its report"
    assert f"Report: s3://{site.name}/{written}\n" in site.mail()[-1]["Message"]
    assert site.forecast.of_kind("predictor")
    state = site.run()
    assert state.message.startswith("Already forecast")
    assert not site.forecast.of_kind("predictor")
    assert not site.forecast.of_kind("dataset-import-job")


def test_no_data_is_nothing_to_forecast_yet(site: Site) -> None:
    site.s3.delete_object(Bucket=site.name, Key="train/demand.csv")
    state = site.run(key="params.json")
    assert state.is_completed()
    assert state.message.startswith("Nothing to forecast yet")
    assert not site.forecast.created()


def test_a_folder_is_a_workload_of_its_own(site: Site) -> None:
    site.configure(folder="shop/")
    site.upload("shop/train/x.csv")
    state = site.run(key=None, folder="shop")
    assert state.is_completed(), state.message
    assert not site.keys("forecast/")
    assert site.keys("shop/forecast/manifest.json")


def test_wrong_params_fail_with_every_problem_and_create_nothing(site: Site) -> None:
    site.configure(Predictor={"PredictorName": "1 bad name", "ForecastHorizon": 0, "ForecastFrequency": "H"})
    state = site.run()
    assert state.is_failed()
    assert "Take-Stock" in state.message
    assert "PredictorName" in state.message
    assert "ForecastHorizon" in state.message
    assert not site.forecast.created()
    (mail,) = site.mail()
    assert "PredictorName" in mail["Message"]
    assert "Report:" not in mail["Message"], "there is no run yet"


def test_the_report_of_a_run_that_published_nothing_links_only_what_is_there(site: Site) -> None:
    site.put("train/demand.csv", "timestamp,target_value,item_id\n2024-01-01 00:00:00,much,a\n")
    assert site.run().is_failed()
    (refused,) = [key for key in site.keys("runs/") if key.endswith("/report.html")]
    page, run = site.text(refused), refused.split("/")[1]
    (mail,) = site.mail()
    assert f"\nReport: s3://{site.name}/{refused}\n" in mail["Message"]
    linked = re.findall(rf"<td[^>]*><a href=[^>]*>s3://{site.name}/([^<]*)</a>", page)
    assert linked == [f"runs/{run}/manifest.json", f"runs/{run}/quality.json"]
    assert "published forecast" not in page
    site.upload()
    assert site.run().is_completed()
    live = site.manifest()["run"]
    linked = re.findall(rf">s3://{site.name}/([^<]*)</a>", site.text(f"runs/{live}/report.html"))
    assert linked[:2] == ["forecast/manifest.json", f"history/clean/{live}/"]
    site.put("train/demand.csv", "timestamp,target_value,item_id\n2024-01-01 00:00:00,more,a\n")
    assert site.run().is_failed()
    (later,) = [
        key for key in site.keys("runs/") if key.endswith("/report.html") and key[5:17] not in (run, live)
    ]
    assert "forecast still published" in site.text(later)
    assert "archived forecast" not in site.text(later)


def test_a_broken_row_fails_naming_file_and_row_and_leaves_the_old_forecast(site: Site) -> None:
    site.run()
    live = site.published()
    site.mail()
    site.put("train/more.csv", "timestamp,target_value,item_id\n2024-01-05 00:00:00,twelve,a\n")
    made = site.forecast.created()
    state = site.run(key="train/more.csv")
    assert state.is_failed()
    assert "Check-Input" in state.message
    assert "more.csv" in state.message
    assert site.forecast.created() == made
    assert site.published() == live
    assert sorted(site.keys("train/")) == ["train/demand.csv", "train/more.csv"]
    (mail,) = site.mail()
    assert "still published" in mail["Message"]
    refused = [site.record(key.split("/")[1]) for key in site.keys("runs/") if key.endswith("/manifest.json")]
    assert sorted(record["state"] for record in refused) == ["published", "refused"]


def test_a_model_that_cannot_be_trained_fails_with_the_services_words(site: Site) -> None:
    site.forecast.fail("predictor", "All items have fewer than 25 observations")
    state = site.run()
    assert state.is_failed()
    assert "Create-Predictor" in state.message
    assert "fewer than 25 observations" in state.message
    (mail,) = site.mail()
    assert "fewer than 25 observations" in mail["Message"]
    site.forecast.failing.clear()
    assert site.run().is_completed(), "a failed predictor is replaced by the next run"


def test_a_notice_of_failure_that_fails_does_not_hide_the_failure(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> messages.Message:
        raise ZeroDivisionError

    monkeypatch.setattr(messages, "failure", broken)
    site.forecast.fail("predictor", "All items have fewer than 25 observations")
    state = site.run()
    assert state.is_failed()
    assert "fewer than 25 observations" in state.message


def test_a_missing_permission_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky(site, "create_dataset_import_job")
    state = site.run()
    assert state.is_failed()
    assert "Import-Data" in state.message
    assert "permission" in state.message.lower()


def test_a_run_after_a_failure_goes_on_where_it_stopped(site: Site) -> None:
    for call in STEPS:
        unlucky(site, call)
        assert site.run().is_failed(), call
    assert site.run().is_completed()
    assert len(site.published()) == 1 + 2 * 6 * 3
    twice = {name: 2 for name in STEPS if name.startswith("create_")}
    assert site.forecast.created() == twice, "one that failed and one that worked: nothing was done again"


def test_throttling_is_waited_for(site: Site) -> None:
    site.forecast.raise_on(
        "create_forecast", client_error("ThrottlingException"), client_error("LimitExceededException")
    )
    state = site.run()
    assert state.is_completed(), state.message
    assert site.forecast.created()["create_forecast"] == 3


def test_a_lost_answer_is_no_second_resource(site: Site) -> None:
    create = site.forecast._create

    def answered_too_late(kind: str, request: dict) -> dict:
        answer = create(kind, request)
        if kind == "dataset_group":
            raise client_error("ResourceAlreadyExistsException")
        return answer

    site.forecast._create = answered_too_late  # type: ignore[method-assign]
    assert site.run().is_completed()
    assert len(site.forecast.of_kind("dataset-group")) == 1


def test_a_file_that_changes_during_the_check_is_looked_at_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import quality

    write = quality.write
    uploads = [6]

    def slow(*args: Any) -> str:
        if uploads:
            site.upload(days=uploads.pop())
        return write(*args)

    monkeypatch.setattr(quality, "write", slow)
    state = site.run()
    assert state.is_completed(), state.message
    assert site.published()[1].startswith("2024-01-07 00:00:00"), "the newest content wins"
    assert site.forecast.created()["create_auto_predictor"] == 1


@pytest.mark.parametrize("at", ["create_dataset_import_job", "create_forecast"])
def test_a_run_that_was_asleep_while_another_published_replaces_nothing(site: Site, at: str) -> None:
    outside = contextvars.copy_context()  # of the run that is about to begin

    def sleep() -> None:
        with get_client(sync_client=True) as client:  # what the server does when the lease has run out
            slot = GlobalConcurrencyLimitUpdate(active_slots=0)
            client.update_global_concurrency_limit(turn_name(Workload(site.name).label), slot)
        site.upload(days=6)
        other = threading.Thread(target=outside.run, args=(site.run,))
        other.start()
        other.join()

    site.forecast.before[at] = sleep
    state = site.run()
    assert state.is_completed(), state.message
    assert state.message.startswith("Already forecast")
    assert site.published()[1].startswith("2024-01-07 00:00:00"), "the newest content stays"
    assert site.manifest()["number"] == 1
    assert len(site.mail()) == 1


def test_a_key_that_is_no_input_fails_with_a_reason(site: Site) -> None:
    state = site.run(key="forecast/x.csv")
    assert state.is_failed()
    assert "is no input of a workload" in state.message


def test_a_topic_that_is_gone_does_not_fail_the_run(site: Site) -> None:
    site.place.topic_arn = "arn:aws:sns:us-east-1:123456789012:gone"
    site.place.save(site.name, overwrite=True)
    assert site.run().is_completed()


def test_every_run_leaves_a_report_and_one_that_cannot_be_written_fails_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run()
    run = site.manifest()["run"]
    page = site.text(f"runs/{run}/report.html")
    assert "Published: 36 rows for 2 items" in page
    assert "data:image/png;base64," in page
    assert f"Report: s3://{site.name}/runs/{run}/report.html" in site.mail()[-1]["Message"]
    site.upload(days=6)
    with monkeypatch.context() as broken:
        broken.setattr(report, "render", lambda *_: (_ for _ in ()).throw(ValueError("no")))
        assert site.run().is_completed()
    site.put("train/demand.csv", "timestamp,target_value,item_id\n2024-01-01 00:00:00,much,a\n")
    assert site.run().is_failed()
    (refused,) = [key for key in site.keys("runs/") if key.endswith("/report.html") and run not in key]
    assert "No new forecast was published: Check-Input" in site.text(refused)


@pytest.mark.parametrize("part", ["chart_data", "fan_chart"])
def test_a_picture_that_cannot_be_drawn_fails_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(chart, part, lambda *_, **__: (_ for _ in ()).throw(ValueError("no font")))
    state = site.run()
    assert state.message.startswith("Published")
    assert "data:image/png" not in site.text(f"runs/{site.manifest()['run']}/report.html")


def test_an_export_whose_files_were_removed_is_made_again(site: Site) -> None:
    site.forecast.value = 1e6
    assert site.run().is_failed(), "the gate refuses it"
    for key in site.keys("runs/"):
        if "/export/" in key:
            site.s3.delete_object(Bucket=site.name, Key=key)  # a lifecycle rule of the bucket
    site.configure(Gate={"MostDistance": False, "MostTotalFactor": False})
    state = site.run()
    assert state.message.startswith("Published"), state.message
    assert site.forecast.created()["create_forecast_export_job"] == 2
    assert site.forecast.created()["create_forecast"] == 1
