import datetime as dt
from dataclasses import replace

import boto3
import pyarrow as pa
import pytest

from pipeline import tables
from pipeline.domains import DOMAINS
from pipeline.form import FileForm, InputForm
from pipeline.publish import Manifest

DATABASE = "forecast"


@pytest.fixture(scope="module")
def glue_client(aws):
    return boto3.client("glue")


@pytest.fixture
def glue(glue_client):
    """A catalogue with nothing in it."""
    for database in glue_client.get_databases()["DatabaseList"]:
        glue_client.delete_database(Name=database["Name"])
    return glue_client


def form_of(params, header=True, missing=0, file_format="CSV", types=()):
    file = FileForm("k", 1, 1, file_format, header, params.target.columns, types)
    return InputForm({"train": (file,)}, 1, dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2), 25, missing)


def manifest_of(workload, run="one", header=True):
    return Manifest(
        run, workload.uri(f"forecast/{run}/"), ("forecast.csv",), 1, 9, 1, 3, ("p50",), (), header,
        dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 3), "H", "yyyy-MM-dd HH:mm:ss",
    )  # fmt: skip


@pytest.fixture
def register(glue, workload, make_params):
    def call(run="one", params=None, header=True, **form):
        params = params or make_params()
        own = form_of(params, header, **form)
        return tables.register(glue, DATABASE, workload, params, own, manifest_of(workload, run, header))

    return call


def table(glue, workload, name):
    return glue.get_table(DatabaseName=DATABASE, Name=f"{workload.slug}_{name}")["Table"]


def columns(found):
    return [(column["Name"], column["Type"]) for column in found["StorageDescriptor"]["Columns"]]


def test_a_workload_has_its_tables(glue, workload, register):
    names = ("train", "forecast", "chart", "items", "fan", "history")
    assert register() == [f"forecast.{workload.slug}_{name}" for name in names]
    train, forecast, history = (table(glue, workload, name) for name in ("train", "forecast", "history"))
    assert train["StorageDescriptor"]["Location"] == "s3://demand/shop/train/"
    assert columns(train) == [("timestamp", "string"), ("target_value", "double"), ("item_id", "string")]
    assert forecast["StorageDescriptor"]["Location"] == "s3://demand/shop/forecast/one/"
    assert columns(forecast) == [*columns(train), ("type", "string")]
    assert train["Parameters"]["skip.header.line.count"] == "1"
    assert [key["Name"] for key in history["PartitionKeys"]] == ["run"]


def test_the_forecast_table_moves_and_the_history_grows(glue, workload, register):
    register("one")
    register("two")
    register("two")
    location = table(glue, workload, "forecast")["StorageDescriptor"]["Location"]
    assert location == "s3://demand/shop/forecast/two/"
    name = f"{workload.slug}_history"
    found = glue.get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    assert sorted((p["Values"][0], p["StorageDescriptor"]["Location"]) for p in found) == [
        ("one", "s3://demand/shop/history/clean/one/"),
        ("two", "s3://demand/shop/history/clean/two/"),
    ]


def test_tables_are_never_dropped(glue, register):
    seen = []
    glue.meta.events.register("before-call.glue", lambda model, **_: seen.append(model.name))
    register("one")
    register("two")
    assert not [name for name in seen if name.startswith(("Delete", "BatchDelete"))]
    assert "UpdateTable" in seen


def test_without_a_header_no_line_is_skipped(glue, workload, register):
    register(header=False)
    assert "skip.header.line.count" not in table(glue, workload, "train")["Parameters"]
    assert "skip.header.line.count" not in table(glue, workload, "forecast")["Parameters"]


def test_a_target_with_empty_cells_is_text_in_the_uploads_and_a_number_in_the_forecast(
    glue, workload, register
):
    register(missing=3)
    assert ("target_value", "string") in columns(table(glue, workload, "train"))
    assert ("target_value", "double") in columns(table(glue, workload, "forecast"))


def test_where_only_some_files_have_a_header_no_row_is_lost(glue, workload, register, make_params):
    params = make_params()
    with_header = form_of(params).files["train"][0]
    mixed = (with_header, replace(with_header, has_header=False))
    form = replace(form_of(params), files={"train": mixed})
    tables.register(glue, DATABASE, workload, params, form, manifest_of(workload))
    train = table(glue, workload, "train")
    assert "skip.header.line.count" not in train["Parameters"]
    assert {kind for _, kind in columns(train)} == {"string"}
    assert table(glue, workload, "forecast")["Parameters"]["skip.header.line.count"] == "1"


def test_parquet_uploads_have_the_files_own_types(glue, workload, register):
    register(file_format="PARQUET", types=("timestamp[us]", "double", "string"))
    found = table(glue, workload, "train")
    assert [kind for _, kind in columns(found)] == ["timestamp", "double", "string"]
    assert "Parquet" in found["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    assert (
        "OpenCSV"
        in table(glue, workload, "forecast")["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    )


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (pa.uint8(), "smallint"),
        (pa.uint32(), "bigint"),
        (pa.uint64(), "decimal(20,0)"),
        (pa.int8(), "tinyint"),
        (pa.float32(), "float"),
        (pa.decimal128(12, 3), "decimal(12,3)"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.large_string(), "string"),
        (pa.timestamp("ns", "UTC"), "timestamp"),
        (pa.date32(), "date"),
    ],
)
def test_a_parquet_column_has_the_type_that_holds_it(glue, workload, register, kind, column):
    register(file_format="PARQUET", types=(str(kind),) * 3)
    assert {kind for _, kind in columns(table(glue, workload, "train"))} == {column}


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_with_two_dimensions_has_its_tables(glue, workload, register, domain_params, domain):
    own = DOMAINS[domain]
    register(params=domain_params(domain, ["Shelf", "forecast_type"]))
    assert columns(table(glue, workload, "forecast")) == [
        (own.item_key, "string"), ("timestamp", "string"), (own.target, "double"),
        ("shelf", "string"), ("forecast_type", "string"), ("type", "string"),
    ]  # fmt: skip


def test_a_table_made_meanwhile_by_somebody_else_is_updated(glue, workload, register):
    register("one")
    real, asked = glue.update_table, []

    def missed_once(**request):
        asked.append(request)
        if len(asked) == 1:
            raise glue.exceptions.EntityNotFoundException(
                {"Error": {"Code": "EntityNotFoundException"}}, "UpdateTable"
            )
        return real(**request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glue, "update_table", missed_once)
        register("two")
    assert table(glue, workload, "forecast")["StorageDescriptor"]["Location"].endswith("/two/")


def test_the_tables_of_charts_move_with_the_forecast(glue, workload, register):
    for run in ("one", "two"):
        register(run)
        places = [table(glue, workload, name)["StorageDescriptor"]["Location"] for name in ("chart", "items")]
        assert places == [f"s3://demand/shop/history/{name}/{run}/" for name in ("chart", "items")]
    assert columns(table(glue, workload, "chart")) == [
        ("item_id", "string"), ("time", "timestamp"), ("type", "string"), ("value", "double"),
    ]  # fmt: skip


def test_a_dimension_may_have_the_name_of_a_column_of_ours(glue, workload, register, domain_params):
    register(params=domain_params("CUSTOM", ["observations", "actual"]))
    names = [[name for name, _ in columns(table(glue, workload, each))] for each in ("chart", "items", "fan")]
    assert names[0] == ["item_id", "observations", "actual", "time", "type", "value"]
    assert names[1][:4] == ["item_id", "observations", "actual", "forecast_observations"]
    assert names[2][:5] == ["item_id", "observations", "actual", "time", "forecast_actual"]


def test_a_rollback_moves_the_tables_of_the_forecast_alone(glue, workload, register, make_params):
    params = make_params()
    register("one")
    register("two", header=False)
    names = ("train", "history")
    before = [table(glue, workload, name) for name in names]
    point = tables.point(glue, DATABASE, workload, params, form_of(params), manifest_of(workload, "one"))
    assert point == [f"forecast.{workload.slug}_{name}" for name in ("forecast", "chart", "items", "fan")]
    moved = table(glue, workload, "forecast")
    assert moved["StorageDescriptor"]["Location"] == "s3://demand/shop/forecast/one/"
    assert moved["Parameters"]["skip.header.line.count"] == "1", "place and form change together"
    assert [table(glue, workload, name) for name in names] == before


def test_the_history_of_a_dimension_called_run_has_two_columns(glue, workload, register, domain_params):
    register(params=domain_params("CUSTOM", ["run"]))
    history = table(glue, workload, "history")
    assert ("run", "string") in columns(history)
    assert [key["Name"] for key in history["PartitionKeys"]] == ["forecast_run"]
