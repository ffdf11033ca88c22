import datetime as dt

import boto3
import pytest

from pipeline import ledgertables, runtables, tables
from pipeline.errors import BadInput, Denied, Missing, Rejected, ResourceFailed, WaitedInVain
from pipeline.form import FileForm, InputForm
from pipeline.publish import Manifest
from pipeline.quicksight import definition as shown
from pipeline.quicksight import upkeep
from pipeline.quicksight.tables import quicksight_type
from tests.pipeline.fake_quicksight import PRINCIPAL, FakeQuickSight, Refused

DATABASE = "forecast"
PARTS = ("fan", "compared", "outcome", "accuracy", "outcome_by_item", "runs")


@pytest.fixture(scope="module")
def glue_client(aws):
    return boto3.client("glue")


@pytest.fixture
def glue(glue_client):
    """A catalogue with nothing in it."""
    for database in glue_client.get_databases()["DatabaseList"]:
        glue_client.delete_database(Name=database["Name"])
    return glue_client


@pytest.fixture
def register(glue, workload, make_params):
    """The tables of a workload, as its first run leaves them, or a later one."""

    def call(params=None, is_first=False, of=workload):
        params = params or make_params()
        file = FileForm("k", 1, 1, "CSV", True, params.target.columns, ())
        form = InputForm({"train": (file,)}, 1, dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2), 25, 0)
        manifest = Manifest(
            "one", of.uri("forecast/one/"), ("forecast.csv",), 1, 9, 1, 3, tuple(params.type_labels), (),
            True, dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 3), "H", "yyyy-MM-dd HH:mm:ss",
        )  # fmt: skip
        tables.register(glue, DATABASE, of, params, form, manifest)
        runtables.register(glue, DATABASE, of)
        if not is_first:
            ledgertables.register(glue, DATABASE, of, params, ["one"])
        return params

    return call


@pytest.fixture
def quicksight(aws):
    return FakeQuickSight()


@pytest.fixture
def bring(quicksight, glue, workload, make_params):
    def call(params=None, principal=PRINCIPAL, again=False, of=workload, **pauses):
        own = quicksight.client, glue, DATABASE, of, params or make_params()
        pauses = {"sleep": lambda _: None, **pauses}
        return [str(one) for one in upkeep.bring_up_to_date(*own, principal, "primary", again, **pauses)]

    return call


@pytest.fixture
def definition(quicksight, register, bring):
    """The dashboard's definition for a configuration."""

    def call(params=None, is_first=False):
        bring(register(params, is_first))
        return quicksight.sent("CreateDashboard")[-1]["Definition"]

    return call


def test_everything_is_created_once_and_then_left_alone(quicksight, register, bring, workload):
    register()
    prefix = f"forecast-{workload.slug}"
    names = [f"data source {prefix}", *(f"data set {prefix}-{part}" for part in PARTS)]
    names += [f"analysis {prefix}", f"dashboard {prefix}"]
    assert bring() == [f"created: {name}" for name in names]
    quicksight.forget_calls()
    assert bring() == [f"left alone: {name}" for name in names]
    assert quicksight.changes == []


def test_a_changed_definition_is_exactly_one_update_of_analysis_and_dashboard(
    quicksight, register, bring, monkeypatch
):
    register()
    bring()
    quicksight.forget_calls()
    monkeypatch.setitem(shown.GRANULARITY, "H", "DAY")
    changed = [change for change in bring() if not change.startswith("left alone")]
    assert [change.split(" forecast-")[0] for change in changed] == [
        "updated: analysis",
        "updated: dashboard",
    ]
    assert quicksight.changes == [
        "UpdateAnalysis", "TagResource", "UpdateDashboard", "UpdateDashboardPublishedVersion", "TagResource"
    ]  # fmt: skip
    assert quicksight.one("Dashboard")["published"] == 2
    quicksight.forget_calls()
    bring()
    assert quicksight.changes == []


def test_another_forecast_type_changes_what_has_it_and_nothing_else(quicksight, register, bring, make_params):
    register()
    bring()
    quicksight.forget_calls()
    wider = register(make_params(**{"Forecast.ForecastTypes": ["0.1", "0.5", "0.9", "mean"]}))
    changed = [change for change in bring(wider) if not change.startswith("left alone")]
    kinds = [change.split(" forecast-")[0] for change in changed]
    assert kinds == ["updated: data set", "updated: data set", "updated: analysis", "updated: dashboard"]
    assert [change.rsplit("-", 1)[-1] for change in changed[:2]] == ["fan", "compared"]


def test_what_was_deleted_by_hand_is_made_again_and_the_rest_left_alone(quicksight, register, bring):
    register()
    bring()
    arn = next(arn for arn in quicksight.resources if arn.endswith("-runs"))
    del quicksight.resources[arn]
    quicksight.forget_calls()
    bring()
    assert quicksight.changes == ["CreateDataSet", "TagResource"]


def test_an_analysis_that_waits_for_its_deletion_is_restored(quicksight, register, bring):
    register()
    bring()
    quicksight.one("Analysis")["versions"][-1]["Status"] = "DELETED"
    quicksight.forget_calls()
    assert next(one for one in bring() if "analysis" in one).startswith("left alone")
    assert quicksight.changes == ["RestoreAnalysis"]


def test_everything_can_be_sent_again(quicksight, register, bring):
    register()
    bring()
    assert {change.split(": ")[0] for change in bring(again=True)} == {"updated"}


def test_a_lost_end_is_found_by_the_next_run(quicksight, register, bring):
    register()
    bring()
    quicksight.tags = {arn: {} for arn in quicksight.tags}  # killed before anything was noted
    assert {change.split(": ")[0] for change in bring()} == {"updated"}
    assert {change.split(": ")[0] for change in bring()} == {"left alone"}


def test_the_principal_owns_everything(quicksight, register, bring):
    register()
    bring()
    other = PRINCIPAL.replace("user/default/ann", "group/default/planners")
    quicksight.forget_calls()
    bring(principal=other)
    assert set(quicksight.changes) == {
        f"Update{kind}Permissions" for kind in ("DataSource", "DataSet", "Analysis", "Dashboard")
    }
    for one in quicksight.resources.values():
        assert one["grants"][PRINCIPAL] == one["grants"][other]
    assert "quicksight:QueryDashboard" in quicksight.one("Dashboard")["grants"][other]
    assert "quicksight:PassDataSet" in quicksight.one("DataSet", "-fan")["grants"][other]
    quicksight.forget_calls()
    bring(principal=other)
    assert quicksight.changes == []


def test_what_is_still_in_progress_is_waited_for(quicksight, register, bring):
    register()
    quicksight.busy_answers = 3
    pauses = []
    bring(sleep=pauses.append)
    assert len(pauses) == 3 * 3  # data source, analysis and dashboard; a data set has no state
    assert {change.split(": ")[0] for change in bring()} == {"left alone"}


def test_waiting_has_an_end(quicksight, register, bring):
    register()
    quicksight.busy_answers = 10**6
    clock = iter(range(0, 10**6, 20))
    with pytest.raises(WaitedInVain, match="CREATION_IN_PROGRESS"):
        bring(clock=lambda: next(clock))


def test_a_failed_resource_tells_why_and_is_sent_again(quicksight, register, bring):
    register()
    quicksight.outcome = "FAILED"
    with pytest.raises(
        ResourceFailed, match=r"is CREATION_FAILED: ACCESS_DENIED: Athena may not be used\."
    ) as told:
        bring()
    assert "Security & permissions" in told.value.remedy
    quicksight.outcome = "SUCCESSFUL"
    assert bring()[0].startswith("updated: data source")


def test_a_dashboard_that_cannot_be_updated_stays_as_readers_know_it(
    quicksight, register, bring, monkeypatch
):
    register()
    bring()
    monkeypatch.setitem(shown.GRANULARITY, "H", "DAY")
    quicksight.refusals["UpdateDashboardPublishedVersion"] = Refused("ConflictException", "Busy.", 409)
    with pytest.raises(Exception, match="still in use"):
        bring()
    assert quicksight.one("Dashboard")["published"] == 1
    del quicksight.refusals["UpdateDashboardPublishedVersion"]
    assert bring()[-1].startswith("updated: dashboard")
    assert quicksight.one("Dashboard")["published"] == 3


@pytest.mark.parametrize(
    ("operation", "code", "kind", "words"),
    [
        ("CreateDataSource", "ResourceNotFoundException", Missing, "Sign this account up for QuickSight"),
        ("DescribeDataSource", "AccessDeniedException", Denied, "infra/forecast.yaml"),
        ("CreateAnalysis", "UnsupportedUserEditionException", Rejected, "Enterprise edition"),
        ("CreateDataSet", "InvalidParameterValueException", Rejected, "role of an author"),
    ],
)
def test_a_refusal_is_a_sentence_with_a_remedy(quicksight, register, bring, operation, code, kind, words):
    register()
    quicksight.refusals[operation] = Refused(code, "No.")
    with pytest.raises(kind) as told:
        bring()
    assert words in told.value.remedy
    assert "QuickSight's" in told.value.what


def test_a_refusal_names_the_permission_that_is_lacking(quicksight, register, bring):
    register()
    quicksight.refusals["CreateDataSet"] = Refused("AccessDeniedException", "Denied.", 403)
    with pytest.raises(Denied, match="Permission quicksight:CreateDataSet is lacking"):
        bring()


@pytest.mark.parametrize("principal", ["ann", "arn:aws:iam::111122223333:role/forecast"])
def test_a_principal_is_a_user_or_group_of_quicksight(quicksight, register, bring, principal):
    register()
    with pytest.raises(BadInput, match="QuickSight user or group"):
        bring(principal=principal)
    assert quicksight.calls == []


def test_a_workload_without_tables_asks_for_a_forecast_first(quicksight, bring):
    with pytest.raises(Missing, match="has no tables of demand/shop"):
        bring()
    assert quicksight.calls == []


def test_a_dashboard_grows_with_the_ledger(quicksight, register, bring, definition):
    assert [page["Name"] for page in definition(is_first=True)["Sheets"]] == ["Forecast", "Accuracy", "Runs"]
    register()
    bring()
    later = quicksight.sent("UpdateDashboard")[-1]["Definition"]
    names = ["Forecast", "How it turned out", "Accuracy", "Worst items", "Runs"]
    assert [page["Name"] for page in later["Sheets"]] == names


def test_types_of_the_catalogue_have_a_name_in_quicksight():
    told = {"double": "DECIMAL", "decimal(10,2)": "DECIMAL", "bigint": "INTEGER", "int": "INTEGER"}
    told |= {"timestamp": "DATETIME", "boolean": "BOOLEAN", "string": "STRING", "array<int>": "STRING"}
    assert {kind: quicksight_type(kind) for kind in told} == told
