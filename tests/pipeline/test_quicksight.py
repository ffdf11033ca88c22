import datetime as dt
import json
import re
from pathlib import Path

import boto3
import pytest

from pipeline import ledgertables, runtables, tables
from pipeline.domains import DOMAINS
from pipeline.errors import BadInput, Denied, Missing, NotYet, Rejected, ResourceFailed, WaitedInVain
from pipeline.form import FileForm, InputForm
from pipeline.publish import Manifest
from pipeline.quicksight import __main__ as command
from pipeline.quicksight import definition as shown
from pipeline.quicksight import upkeep
from pipeline.quicksight.resources import DATA_SOURCE, Account, wanted
from pipeline.quicksight.tables import existing, quicksight_type
from pipeline.workload import Workload
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


def test_the_stack_permits_what_is_done_and_no_more(quicksight, register, bring):
    register()
    bring()
    quicksight.one("Analysis")["versions"][-1]["Status"] = "DELETED"
    for is_again in (True, False):
        bring(again=is_again, principal=PRINCIPAL.replace("ann", "bob"))
    template = Path(__file__).resolve().parents[2] / "infra" / "forecast.yaml"
    permitted = set(re.findall(r"- quicksight:(\w+)", template.read_text()))
    assert permitted == {*quicksight.calls, "PassDataSource", "PassDataSet"}


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
    with pytest.raises(NotYet, match="still in use"):
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


@pytest.mark.parametrize("operation", ["CreateDataSet", "UpdateDashboardPublishedVersion"])
def test_a_refusal_names_the_permission_that_is_lacking(quicksight, register, bring, operation):
    register()
    bring()
    quicksight.resources.clear()
    quicksight.refusals[operation] = Refused("AccessDeniedException", "Denied.", 403)
    with pytest.raises(Denied, match=f"Permission quicksight:{operation} is lacking"):
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


def found_in(part, name):
    """Every value of this member, anywhere inside."""
    if isinstance(part, dict):
        own = [part[name]] if name in part else []
        return own + [one for value in part.values() for one in found_in(value, name)]
    return [one for value in part for one in found_in(value, name)] if isinstance(part, list) else []


AWKWARD = [["run", "naive"], ["actual", "forecast"], ["wape", "step"], ["item", "points"]]


@pytest.mark.parametrize(
    ("domain", "dimensions"),
    [(domain, ["store", "colour"]) for domain in DOMAINS] + [("CUSTOM", names) for names in AWKWARD],
)
def test_a_definition_refers_only_to_what_there_is(quicksight, definition, domain_params, domain, dimensions):
    whole = definition(domain_params(domain, dimensions))
    columns = {
        (arn.rsplit("-", 1)[-1], column["Name"])
        for arn, one in quicksight.resources.items()
        if one["kind"] == "DataSet"
        for column in found_in(one["versions"][-1]["asked"], "InputColumns")[0]
    }
    used = {(one["DataSetIdentifier"], one["ColumnName"]) for one in found_in(whole, "Column")}
    assert used <= columns
    assert {one for one, _ in used} == set(PARTS)
    for part in ("fan", "compared", "outcome_by_item"):
        assert {(part, name) for name in dimensions} <= used
    filters = {one["Filters"][0]["CategoryFilter"]["FilterId"] for one in whole["FilterGroups"]}
    assert sorted(filters) == sorted(found_in(whole["Sheets"], "SourceFilterId"))
    pages = {page["SheetId"]: set(found_in(page["Visuals"], "VisualId")) for page in whole["Sheets"]}
    for scope in (one for each in found_in(whole, "SheetVisualScopingConfigurations") for one in each):
        assert set(scope.get("VisualIds", ())) <= pages[scope["SheetId"]]
    for page in whole["Sheets"]:
        assert sorted(found_in(page["Layouts"], "ElementId")) == sorted(pages[page["SheetId"]])
        for visual in page["Visuals"]:
            fields = found_in(found_in(visual, "FieldWells"), "FieldId")
            assert len(fields) == len(set(fields))
            assert set(found_in(found_in(visual, "SortConfiguration"), "FieldId")) <= set(fields)


def test_the_fan_has_a_line_for_the_actual_values_and_for_each_type(definition):
    charts = found_in(definition(), "LineChartVisual")
    fan = next(chart for chart in charts if chart["VisualId"] == "fan")
    lines = found_in(fan, "Values")[0]
    assert [one["NumericalMeasureField"]["Column"]["ColumnName"] for one in lines] == [
        "actual", "mean", "p10", "p50"
    ]  # fmt: skip
    time = found_in(fan, "DateDimensionField")[0]
    assert (time["Column"]["ColumnName"], time["DateGranularity"]) == ("time", "HOUR")


def test_items_are_ranked_by_their_wape_of_the_median(definition):
    whole = definition()
    table = next(one for one in found_in(whole, "TableVisual") if one["VisualId"] == "worst")
    assert found_in(table, "RowSort")[0] == [{"FieldSort": {"FieldId": "worst.wape", "Direction": "DESC"}}]
    chosen = {
        one["Column"]["ColumnName"]: one["Configuration"]["FilterListConfiguration"].get("CategoryValues")
        for one in found_in(whole, "CategoryFilter")
        if one["Column"]["DataSetIdentifier"] == "outcome_by_item"
    }
    assert chosen == {"type": ["p50"], "item_id": None, "run": None}


def test_data_sets_read_the_tables_through_athena_without_a_copy(quicksight, definition, workload):
    definition()
    made = quicksight.sent("CreateDataSet")
    assert {one["ImportMode"] for one in made} == {"DIRECT_QUERY"}
    fan = found_in(made[0], "RelationalTable")[0]
    assert (fan["Catalog"], fan["Schema"], fan["Name"]) == (
        "AwsDataCatalog", "forecast", f"{workload.slug}_fan"
    )  # fmt: skip
    assert {"Name": "time", "Type": "DATETIME"} in fan["InputColumns"]
    source = quicksight.sent("CreateDataSource")[0]
    assert (source["Type"], found_in(source, "WorkGroup")) == ("ATHENA", ["primary"])


def test_a_workload_with_a_long_name_has_names_that_quicksight_takes(quicksight, register, bring):
    far = Workload("b" * 63, "f" * 200 + "/" + "Ü ".strip() * 99 + "/")
    register(of=far)
    bring(of=far)
    names = [one["Name"] for one in quicksight.sent("CreateDataSet")]
    assert len(set(names)) == len(PARTS)
    assert max(map(len, names)) == 128


def test_the_stand_in_refuses_what_the_model_forbids(quicksight):
    own = {"AwsAccountId": "111122223333", "DataSourceId": "one", "Name": "One"}
    for wrong in ({"Type": "ABACUS"}, {"Type": "ATHENA", "Name": "x" * 129}):
        with pytest.raises(quicksight.client.exceptions.InvalidParameterValueException):
            quicksight.client.create_data_source(**own | wrong)
    with pytest.raises(quicksight.client.exceptions.InvalidParameterValueException, match="111"):
        quicksight.client.create_data_source(**own | {"AwsAccountId": "111122223x33", "Type": "ATHENA"})
    with pytest.raises(quicksight.client.exceptions.InvalidParameterValueException, match="one of"):
        quicksight.client.create_analysis(
            AwsAccountId="111122223333",
            AnalysisId="one",
            Name="One",
            Definition={
                "DataSetIdentifierDeclarations": [],
                "Sheets": [{"SheetId": "s", "Visuals": [{}]}],
            },
        )
    assert quicksight.resources == {}


def test_a_data_source_is_made_in_another_stand_in_as_well(register, workload, make_params, glue):
    client = boto3.client("quicksight", region_name="eu-west-1")
    account = Account.of(PRINCIPAL, "eu-west-1")
    known = existing(glue, DATABASE, workload)
    register()
    source = wanted(account, workload, make_params(), DATABASE, known, "primary")[0]
    assert [one.what for one in upkeep.Upkeep(client, account).keep([source])] == ["created"]
    found = client.describe_data_source(AwsAccountId=account.id, DataSourceId=source.id)["DataSource"]
    assert (found["Arn"], found["Name"]) == (account.arn(DATA_SOURCE, source.id), "Forecast of demand/shop")
    tags = client.list_tags_for_resource(ResourceArn=found["Arn"])["Tags"]
    assert tags == [{"Key": upkeep.TAG, "Value": source.digest}]


def test_cloudformations_own_schema_finds_nothing_wrong_either(quicksight, definition):
    lint = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed").lint
    definition()
    resources = {
        f"One{place}": {
            "Type": f"AWS::QuickSight::{operation.removeprefix('Create')}",
            "Properties": request,
        }
        for place, (operation, request) in enumerate(quicksight.requests)
        if operation.startswith("Create")
    }
    template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    assert len(resources) == 9
    assert lint(template, regions=["us-east-1"]) == []
    assert lint(template.replace('"ASC"', '"UP"'), regions=["us-east-1"]) != []


def test_the_command_tells_what_it_did(quicksight, register, workload, put, document, capsys, monkeypatch):
    put("params.json", json.dumps(document).encode())
    register()
    real = boto3.client
    monkeypatch.setattr(
        command.boto3, "client", lambda name: quicksight.client if name == "quicksight" else real(name)
    )
    asked = ["--bucket", workload.bucket, "--folder", "shop", "--principal", PRINCIPAL]
    assert command.main(asked) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"created: data source forecast-{workload.slug}"
    assert command.main(asked) == 0
    assert {line.split(":")[0] for line in capsys.readouterr().out.splitlines()} == {"left alone"}
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(command.boto3, "client", boto3.session.Session().client)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert command.main(asked) == 1
    assert "specify a region" in capsys.readouterr().err
    monkeypatch.undo()
    assert command.main([*asked[:-1], "ann"]) == 1
    assert "ARN of a QuickSight user or group" in capsys.readouterr().err


def test_types_of_the_catalogue_have_a_name_in_quicksight():
    told = {"double": "DECIMAL", "decimal(10,2)": "DECIMAL", "bigint": "INTEGER", "int": "INTEGER"}
    told |= {"timestamp": "DATETIME", "boolean": "BOOLEAN", "string": "STRING", "array<int>": "STRING"}
    assert {kind: quicksight_type(kind) for kind in told} == told
