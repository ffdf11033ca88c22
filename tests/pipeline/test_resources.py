import pytest

from pipeline import resources, waiting
from pipeline.domains import TARGET
from pipeline.errors import Missing, NotYet, WaitedInVain
from pipeline.names import Names

ROLE = "arn:aws:iam::000000000000:role/forecast"
RUN = "0123456789ab"


@pytest.fixture
def params(make_params):
    return make_params()


@pytest.fixture
def names(workload, params):
    return Names(workload, params, RUN)


@pytest.fixture
def build(forecast, workload, params):
    """Makes everything that a run makes, and returns the ARNs."""

    def make(run=RUN, params=params):
        own = (forecast, ROLE, Names(workload, params, run), params)
        dataset = resources.ensure_dataset(*own, TARGET)
        group = resources.ensure_dataset_group(*own, [dataset])
        imported = resources.start_import(*own, TARGET, dataset, "s3://demand/x/", "CSV")
        predictor = resources.start_predictor(*own, group)
        ahead = resources.start_forecast(*own, predictor)
        export = resources.start_export(*own[:3], ahead, "s3://demand/y/")
        return {
            "dataset": dataset,
            "group": group,
            "import": imported,
            "predictor": predictor,
            "forecast": ahead,
            "export": export,
        }

    return make


def created(forecast):
    return [call for call in forecast.calls if call.startswith("Create")]


def test_a_run_makes_each_resource_once_however_often_it_is_repeated(forecast, build):
    first = build()
    assert created(forecast) == [
        "CreateDataset",
        "CreateDatasetGroup",
        "CreateDatasetImportJob",
        "CreateAutoPredictor",
        "CreateForecast",
        "CreateForecastExportJob",
    ]
    assert build() == first
    assert len(created(forecast)) == 6


def test_a_second_run_shares_the_datasets_and_nothing_else(forecast, build):
    first, second = build(), build("ffffffffffff")
    assert {name for name in first if first[name] == second[name]} == {"dataset", "group"}


def test_the_older_predictor_is_made_described_and_found_again(forecast, build, make_params):
    predictor = {
        "PredictorName": "p",
        "ForecastHorizon": 3,
        "FeaturizationConfig": {"ForecastFrequency": "H"},
        "PerformAutoML": True,
    }
    params = make_params(Predictor=predictor)
    arn = build(params=params)["predictor"]
    assert build(params=params)["predictor"] == arn
    assert resources.describe(forecast, arn)["Status"] == "ACTIVE"
    assert created(forecast).count("CreatePredictor") == 1


@pytest.mark.parametrize(
    "operation",
    [
        "CreateDataset",
        "CreateDatasetGroup",
        "CreateDatasetImportJob",
        "CreateAutoPredictor",
        "CreateForecast",
        "CreateForecastExportJob",
    ],
)
def test_a_lost_answer_is_no_second_resource(forecast, build, operation):
    forecast.lose_answer_of.add(operation)
    with pytest.raises(NotYet):
        build()
    build()
    assert created(forecast).count(operation) == 1


def test_an_answer_lost_between_the_question_and_the_creation_is_adopted(forecast, names, params):
    arn = resources.ensure_dataset(forecast, ROLE, names, params, TARGET)
    kept, calls = forecast.resources, []

    def exists(forecast, wanted):
        calls.append(wanted)
        return len(calls) > 1  # at first it is not there yet

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resources, "_exists", exists)
        assert resources.ensure_dataset(forecast, ROLE, names, params, TARGET) == arn
    assert kept == forecast.resources


@pytest.mark.parametrize("state", ["CREATE_FAILED", "CREATE_STOPPED"])
def test_what_failed_in_an_earlier_attempt_is_made_again(forecast, names, params, state):
    dataset = resources.ensure_dataset(forecast, ROLE, names, params, TARGET)
    group = resources.ensure_dataset_group(forecast, ROLE, names, params, [dataset])
    forecast.next_states = [state]
    first = resources.start_predictor(forecast, ROLE, names, params, group)
    forecast.next_states = ["CREATE_IN_PROGRESS"]
    resources.start_predictor(forecast, ROLE, names, params, group)
    assert forecast.calls.count("CreateAutoPredictor") == 2
    assert forecast.calls.count("DeletePredictor") == 1
    assert resources.describe(forecast, first)["Status"] == "CREATE_IN_PROGRESS"
    resources.start_predictor(forecast, ROLE, names, params, group)
    assert forecast.calls.count("CreateAutoPredictor") == 2


def test_what_is_being_deleted_is_waited_for(forecast, names, params):
    forecast.next_states = ["DELETE_IN_PROGRESS"]
    resources.ensure_dataset(forecast, ROLE, names, params, TARGET)
    with pytest.raises(NotYet, match="DELETE_IN_PROGRESS"):
        resources.ensure_dataset(forecast, ROLE, names, params, TARGET)


def test_an_import_that_another_run_has_replaced_is_made_again(forecast, build):
    first = build()["import"]
    build("ffffffffffff")
    build()
    assert created(forecast).count("CreateDatasetImportJob") == 3
    described = {arn: entry["described"] for arn, entry in forecast.resources.items() if "import-job" in arn}
    assert max(described, key=lambda arn: described[arn]["CreationTime"]) == first


def test_an_import_waits_for_the_end_of_another_into_the_same_dataset(forecast, build):
    build("ffffffffffff")
    others = next(entry for arn, entry in forecast.resources.items() if "import-job" in arn)
    others["states"] = ["CREATE_IN_PROGRESS"]
    with pytest.raises(NotYet, match="under way"):
        build()
    others["states"] = ["ACTIVE"]
    build()


def test_a_datasets_content_is_from_the_newest_import(forecast, build):
    first = build()
    assert resources.current_import(forecast, first["dataset"]) == first["import"]
    second = build("ffffffffffff")
    assert resources.current_import(forecast, first["dataset"]) == second["import"]
    forecast.resources[second["import"]]["states"] = ["CREATE_IN_PROGRESS"]
    assert resources.current_import(forecast, first["dataset"]) is None


def test_a_forecast_of_another_predictor_is_made_again_with_its_export(forecast, build, names, params):
    first, other = build(), build("ffffffffffff")
    again = resources.start_forecast(forecast, ROLE, names, params, other["predictor"])
    assert again == first["forecast"]
    assert resources.describe(forecast, again)["PredictorArn"] == other["predictor"]
    assert first["export"] not in forecast.resources


@pytest.mark.parametrize(
    "kind", ["dataset-import-job", "predictor", "forecast/", "forecast-export-job"], ids=str.strip
)
def test_every_kind_of_failed_resource_is_made_again_by_the_next_attempt(forecast, build, kind):
    first = build()
    failed = next(arn for arn in first.values() if f":{kind}" in arn)
    forecast.resources[failed]["states"] = ["CREATE_FAILED"]
    for arn in [a for a in forecast.resources if a != failed and _stands_on(forecast, a, failed)]:
        del forecast.resources[arn]
    assert build() == first
    assert forecast.resources[failed]["states"] == ["ACTIVE"]


def _stands_on(forecast, arn, parent):
    """Whether a resource could not have been made while its parent had failed."""
    order = ["dataset-import-job", "predictor", "forecast", "forecast-export-job"]
    words = [a.split(":", 5)[5].split("/")[0] for a in (arn, parent)]
    return words[0] in order and order.index(words[0]) > order.index(words[1])


def test_a_deletion_that_something_foreign_holds_up_ends(forecast, build, pauses, clock):
    arns = build()
    with pytest.raises(WaitedInVain, match="in use"):
        resources.remove(forecast, arns["predictor"], **pauses)
    assert clock.now_s < 2 * resources.LONGEST_REMOVAL_S


def test_the_group_holds_exactly_the_datasets(forecast, names, params):
    arn = resources.ensure_dataset_group(forecast, ROLE, names, params, [])
    dataset = resources.ensure_dataset(forecast, ROLE, names, params, TARGET)
    resources.ensure_dataset_group(forecast, ROLE, names, params, [dataset])
    assert resources.describe(forecast, arn)["DatasetArns"] == [dataset]
    resources.ensure_dataset_group(forecast, ROLE, names, params, [dataset])
    assert forecast.calls.count("UpdateDatasetGroup") == 1


def test_an_import_is_full_and_tells_format_and_times(forecast, build, make_params):
    described = resources.describe(forecast, build()["import"])
    assert described["ImportMode"] == "FULL"
    assert described["Format"] == "CSV"
    assert described["TimestampFormat"] == "yyyy-MM-dd HH:mm:ss"
    assert described["DataSource"] == {"S3Config": {"Path": "s3://demand/x/", "RoleArn": ROLE}}


def test_a_runs_resources_are_found_and_removed_in_their_order_and_no_others(
    forecast, build, names, params, pauses
):
    build()
    other = build("ffffffffffff")
    found = resources.run_resources(forecast, ROLE, names, params)
    for arn in (found["export_job"], found["forecast"], found["predictor"], *found["import_jobs"]):
        resources.remove(forecast, arn, **pauses)
    assert resources.run_resources(forecast, ROLE, names, params) == {"import_jobs": []}
    assert set(forecast.resources) == set(other.values())


def test_a_deletion_waits_for_children_and_is_done_when_nothing_is_there(forecast, build, pauses):
    arns = build()
    with pytest.raises(NotYet):
        resources.delete(forecast, arns["forecast"])
    resources.remove(forecast, arns["export"], **pauses)
    resources.remove(forecast, arns["export"], **pauses)
    resources.remove(forecast, arns["forecast"], **pauses)
    with pytest.raises(Missing):
        resources.describe(forecast, arns["forecast"])


def test_the_role_tells_partition_and_account(forecast):
    arn = resources.arn_of(forecast, "arn:aws-cn:iam::123456789012:role/r", "forecast", "f")
    assert arn == "arn:aws-cn:forecast:us-east-1:123456789012:forecast/f"


def test_an_arn_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="names no resource that a run makes"):
        resources.kind_of("arn:aws:forecast:us-east-1:1:monitor/m")


def test_waiting_for_a_job_asks_until_it_is_active(forecast, names, params, pauses):
    forecast.next_states = ["CREATE_PENDING", "CREATE_IN_PROGRESS", "ACTIVE"]
    arn = resources.ensure_dataset(forecast, ROLE, names, params, TARGET)
    found = waiting.wait_until_active(lambda: resources.describe(forecast, arn), **pauses)
    assert found["Status"] == "ACTIVE"


def test_every_kind_has_calls_that_the_api_has(forecast):
    operations = set(forecast.meta.service_model.operation_names)
    for kind in resources.KINDS.values():
        for call in (kind.describe, kind.delete):
            name = "".join(word.capitalize() for word in call.split("_"))
            shape = forecast.meta.service_model.operation_model(name).input_shape
            assert name in operations
            assert kind.argument in shape.members
