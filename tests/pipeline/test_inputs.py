import datetime as dt
import io
import json
import time

import pandas as pd
import pytest

from pipeline import contract, datafile, inputs, params, storage
from pipeline.domains import METADATA, RELATED
from pipeline.errors import BadInput, InputChanged
from pipeline.fingerprint import fingerprint
from pipeline.form import InputForm
from pipeline.workload import Workload

HEADER = "timestamp,target_value,item_id\n"
ROW = "2024-01-01 00:00:00,1,a\n"


@pytest.fixture
def checked(s3, workload, make_params):
    """The form of what lies in the bucket."""

    def check(params=None):
        params = params or make_params()
        return contract.check(s3, workload, params, inputs.take_stock(s3, workload, params))

    return check


@pytest.fixture
def refused(checked):
    """The problems of what lies in the bucket, and their total."""

    def check(params=None):
        with pytest.raises(BadInput) as caught:
            checked(params)
        return [str(problem) for problem in caught.value.problems], caught.value.total

    return check


def test_stock_is_taken_of_inputs_only(s3, workload, put, make_params):
    for rel in (
        "train/b.csv",
        "train/a.csv",
        "train/.x",
        "train/",
        "related/r.csv",
        "runs/1/input/train/a.csv",
    ):
        put(rel, b"x")
    s3.put_object(Bucket=workload.bucket, Key="train/other.csv", Body=b"x")
    found = inputs.take_stock(s3, workload, make_params())
    assert [o.key for o in found.objects] == ["shop/train/a.csv", "shop/train/b.csv"]
    assert not found.empty
    assert inputs.take_stock(s3, Workload(workload.bucket, "none/"), make_params()).empty


def test_the_form_tells_what_is_in_the_files(put, checked, hourly_csv):
    put("train/a.csv", (HEADER + hourly_csv(20)).encode())
    put(
        "train/b.csv",
        (HEADER + hourly_csv(4, ("c",), "2024-01-01T20:00") + "2024-01-02 03:00:00,,c\n").encode(),
    )
    form = checked()
    assert (form.rows, form.items, form.steps, form.missing) == (45, 3, 28, 1)
    assert (form.first, form.last) == (dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 3))
    assert form.has_header
    assert form.columns == ("timestamp", "target_value", "item_id")
    assert form.format("train") == "CSV"
    assert InputForm.from_dict(json.loads(json.dumps(form.to_dict()))) == form


HEADERS = {
    "none": ("", False),
    "the schema's names": (HEADER, True),
    "other names": ("Date,Sales,Product\n", True),
    "capital letters": (HEADER.upper(), True),
    "a byte order mark and quotes": ('\ufeff"timestamp","target_value","item_id"\n', True),
}


@pytest.mark.parametrize(("header", "expected"), HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_header_is_seen_by_its_cells(put, checked, hourly_csv, header, expected, line_end):
    put("train/a.csv", (header + hourly_csv(12)).replace("\n", line_end).encode())
    form = checked()
    assert (form.has_header, form.rows) == (expected, 24)
    if expected:
        assert [name.lower() for name in form.columns] == header.lower().strip("\ufeff\n").replace(
            '"', ""
        ).split(",")


def with_metadata(document, column):
    """The configuration with item metadata of two columns."""
    attributes = [{"AttributeName": n, "AttributeType": "string"} for n in ("item_id", column)]
    spec = {"DatasetName": "m", "Domain": "CUSTOM", "DatasetType": METADATA}
    document["Datasets"].append({**spec, "Schema": {"Attributes": attributes}})
    return params.load(json.dumps(document).encode())


def test_metadata_have_a_header_only_if_it_has_their_names(put, checked, document, hourly_csv):
    configured = with_metadata(document, "category")
    put("train/a.csv", hourly_csv(12).encode())
    put("metadata/m.csv", b"a,food\nb,toys\nnew,toys\n")
    form = checked(configured)
    assert not form.files["metadata"][0].has_header
    (warning,) = form.warnings
    assert warning == "metadata/: 1 item known from the metadata only. Check their keys."
    put("metadata/m.csv", b"item_id,category\na,food\n")
    assert checked(configured).files["metadata"][0].has_header


def test_metadata_have_a_header_if_it_calls_the_item_as_the_target_does(
    s3, workload, put, document, hourly_csv, snapshot
):
    configured = with_metadata(document, "kind")
    put("train/a.csv", b"when,sold,sku\n" + hourly_csv(12).encode())
    put("metadata/m.csv", b"SKU,category\na,food\nb,toys\n")
    stock = inputs.take_stock(s3, workload, configured)
    with contract.examine(s3, workload, configured, stock) as examination:
        form = examination.accepted()
        examination.stage("run")
    (file,) = form.files["metadata"]
    assert (file.has_header, file.rows, form.warnings) == (True, 2, ())
    imported = snapshot()["shop/runs/run/input/metadata/m.csv"]
    assert imported == b"a,food\nb,toys\n", "the service could take the line for an item"


def test_blank_lines_and_quoted_text_are_no_problem(put, checked, hourly_csv):
    body = hourly_csv(12, ('"A, ""big"" one"',)) + "\n\n" + '2024-01-02 00:00:00,"1.5",b\n\n'
    put("train/a.csv", body.encode())
    form = checked()
    assert (form.rows, form.items) == (13, 2)


# The file's lines after a good first row, and what has to be told of them.
BROKEN_ROWS = {
    "too few cells": ("2024-01-01 01:00:00,1\n", "row 2: a row has to have 3 cells"),
    "too many cells": ("2024-01-01 01:00:00,1,000,a\n", "row 2: a row has to have 3 cells"),
    "a wrong time": ("2024-01-01T01:00:00,1,a\n", "row 2, column timestamp: it has to be a time"),
    "a time without its hour": ("2024-01-01,1,a\n", "a time in the form yyyy-MM-dd HH:mm:ss"),
    "a day that does not exist": ("2024-02-30 01:00:00,1,a\n", "column timestamp: it has to be a time"),
    "an hour that does not exist": ("2024-01-01 25:00:00,1,a\n", "column timestamp"),
    "no time": (
        ",1,a\n",
        "row 2, column timestamp: the cell is empty, and each row has to have a time. Fill it, remove the "
        "row, or let a few such rows be set aside: Checks.MostBadRows",
    ),
    "a blank for a time": (" ,1,a\n", "row 2, column timestamp: the cell is empty"),
    "a word for a number": (
        "2024-01-01 01:00:00,many,a\n",
        "column target_value: it has to be a number",
    ),
    "a decimal comma": ('2024-01-01 01:00:00,"1,5",a\n', "column target_value: it has to be a number"),
    "a blank before a number": ("2024-01-01 01:00:00, 1,a\n", "column target_value: it has to be a number"),
    "an infinite number": ("2024-01-01 01:00:00,inf,a\n", "column target_value"),
    "a number beyond all bounds": ("2024-01-01 01:00:00,1e999,a\n", "it has to be finite"),
    "no item": ("2024-01-01 01:00:00,1,\n", "row 2, column item_id: it tells the series apart"),
    "a blank item": ("2024-01-01 01:00:00,1,  \n", "must not be empty"),
    "text that is not UTF-8": (b"2024-01-01 01:00:00,1,caf\xe9\n", "the text is not UTF-8"),
    "a broken row that is not UTF-8": (
        b"2024-01-01 01:00:00,1,caf\xe9,\xff\n",
        "row 2: a row has to have 3 cells",
    ),
    "a lone quote": ('2024-01-01 01:00:00,1,"a\n' + ROW, "an odd number of double quotes"),
}


@pytest.mark.parametrize(("lines", "expected"), BROKEN_ROWS.values(), ids=BROKEN_ROWS.keys())
def test_a_broken_row_is_named_with_its_column_and_value(put, refused, lines, expected):
    put("train/a.csv", ROW.encode() + (lines if isinstance(lines, bytes) else lines.encode()))
    told, total = refused()
    assert expected in told[0]
    assert told[0].startswith("train/a.csv")
    assert total == 1


BROKEN_FILES = {
    "an empty file": (b"", "the file is empty"),
    "a header alone": (HEADER.encode(), "nothing but a header"),
    "semicolons": (HEADER.replace(",", ";").encode(), "separated by ;"),
    "tabs": (HEADER.replace(",", "\t").encode(), "separated by a tab"),
    "columns in another order": (
        b"item_id,timestamp,target_value\na,2024-01-01 00:00:00,1\n",
        "taken by position",
    ),
    "a column too many": (b"timestamp,target_value,item_id,colour\n", "it has 4 columns"),
    "a column too few": (
        b"timestamp,target_value\n",
        "it has 2 columns; params.json lists 3: timestamp, target_value, item_id (mis",
    ),
    "gzip": (b"\x1f\x8b\x08\x00", "it is compressed"),
    "zip": (b"PK\x03\x04", "it is compressed"),
    "UTF-16": ("timestamp".encode("utf-16"), "it is UTF-16"),
    "zeros": (b"a,b,c\x00\n", "it is not text"),
    "Parquet under another name": (b"PAR1", "Name it .parquet"),
    "a text that is not UTF-8": (b"2024-01-01 00:00:00,1,\xff\n", "the text is not UTF-8"),
}


@pytest.mark.parametrize(("body", "expected"), BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_a_broken_file_is_refused_with_the_reason(put, refused, body, expected):
    put("train/a.csv", body)
    told, _ = refused()
    assert expected in told[0]


def test_letters_of_all_alphabets_are_read_across_blocks(put, checked, hourly_csv, monkeypatch):
    items = ("Zoë", "東京", "☃�", "naïve café")
    put("train/a.csv", hourly_csv(12, items).encode())
    for block_bytes in (64, 101, 1000):  # letters that take several bytes stand at the edges of blocks
        monkeypatch.setattr(datafile, "BLOCK_BYTES", block_bytes)
        monkeypatch.setattr(datafile, "HEAD_BYTES", 50)
        form = checked()
        assert (form.rows, form.items) == (48, 4)


def test_row_numbers_count_the_header_blank_lines_and_broken_rows(put, refused):
    later = ROW.replace("00:00:00", "02:00:00")
    put("train/a.csv", (HEADER + ROW + "\n" + "short\n" + later + "2024-01-01 01:00:00,x,a\n").encode())
    told, total = refused()
    assert "row 4: a row has to have 3 cells" in told[0]
    assert "row 6, column target_value: it has to be a number" in told[1]
    assert total == 2


def test_a_few_examples_and_the_total_of_a_widespread_problem_are_told(put, refused):
    put("train/a.csv", ("2024-01-01 00:00:00,x,a\n" * 1000).encode())
    told, total = refused()
    assert total == 1000
    assert 1 < len(told) < 10


def test_problems_of_all_files_are_told_together(put, refused):
    put("train/a.csv", b"2024-01-01 00:00:00,x,a\n")
    put("train/b.csv", b"")
    told, total = refused()
    assert [problem.split(",")[0].split(":")[0] for problem in told] == ["train/a.csv", "train/b.csv"]
    assert total == 2


def test_a_file_name_needs_a_letter_and_files_share_a_format(put, refused, hourly_csv):
    put("train/2024", hourly_csv(12).encode())
    put("train/a.parquet", b"x")
    told, _ = refused()
    assert any("name has a letter" in problem for problem in told)
    assert any("cannot be imported together" in problem for problem in told)
    assert any("it is no Parquet file" in problem for problem in told)


def test_parquet_is_checked_like_csv(put, checked, refused):
    hours = pd.date_range("2024-01-01", periods=20, freq="h")
    frame = pd.DataFrame(
        {"timestamp": hours.strftime("%Y-%m-%d %H:%M:%S"), "target_value": 1.5, "item_id": "a"}
    )
    frame.loc[3, "target_value"] = None

    def write(changed):
        body = io.BytesIO()
        changed.to_parquet(body, index=False)
        put("train/a.parquet", body.getvalue())

    write(frame)
    form = checked()
    assert (form.format("train"), form.rows, form.missing, form.has_header) == ("PARQUET", 20, 1, True)
    write(frame.assign(timestamp=hours))
    assert checked().last == dt.datetime(2024, 1, 1, 19)
    write(frame.assign(item_id=None))
    told, total = refused()
    assert "row 1, column item_id: it tells the series apart" in told[0]
    assert total == 20
    write(frame[["item_id", "timestamp", "target_value"]])
    assert "taken by position" in refused()[0][0]


RELATED_SPEC = {
    "DatasetName": "r",
    "Domain": "CUSTOM",
    "DatasetType": RELATED,
    "DataFrequency": "H",
    "Schema": {
        "Attributes": [
            {"AttributeName": "timestamp", "AttributeType": "timestamp"},
            {"AttributeName": "price", "AttributeType": "float"},
            {"AttributeName": "item_id", "AttributeType": "string"},
        ]
    },
}


def test_related_data_are_checked_for_gaps_and_for_items(put, checked, refused, document, hourly_csv):
    document["Datasets"].append(RELATED_SPEC)
    configured = params.load(json.dumps(document).encode())
    put("train/a.csv", hourly_csv(12).encode())
    assert "there is no file for the dataset r" in refused(configured)[0][0]
    put("related/r.csv", hourly_csv(15, ("a",)).encode())
    assert "1 item without related data" in checked(configured).warnings[0]
    put("related/r.csv", hourly_csv(15).replace("14.5", "").encode())
    assert "must not have gaps" in refused(configured)[0][0]
    transformations = {"middlefill": "zero", "backfill": "zero", "futurefill": "zero"}
    document["Predictor"]["DataConfig"] = {
        "AttributeConfigs": [{"AttributeName": "price", "Transformations": transformations}]
    }
    assert checked(params.load(json.dumps(document).encode())).items == 2


def test_related_data_need_every_step_of_the_horizon_that_they_reach_into(
    put, checked, refused, document, hourly_csv
):
    def without(hour):
        rows = hourly_csv(15, ("a", "b")).splitlines(keepends=True)
        return "".join(row for row in rows if f"{hour:02}:00:00" not in row or ",b" not in row)

    document["Datasets"].append(RELATED_SPEC)
    configured = params.load(json.dumps(document).encode())
    put("train/a.csv", hourly_csv(12, ("a", "b")).encode())
    put("related/r.csv", without(7).encode())
    assert checked(configured).items == 2, "the models bridge gaps of the past"
    for hour in (12, 13):
        put("related/r.csv", without(hour).encode())
        told, total = refused(configured)
        assert "reach into the horizon of 3 hours, but steps of it have no row" in told[0]
        assert total == 1
    document["Predictor"]["DataConfig"] = {
        "AttributeConfigs": [{"AttributeName": "price", "Transformations": {"middlefill": "mean"}}]
    }
    assert checked(params.load(json.dumps(document).encode())).items == 2


def test_a_short_history_is_refused_with_the_longest_horizon(put, checked, refused, make_params, hourly_csv):
    put("train/a.csv", hourly_csv(11).encode())
    told, _ = refused()
    assert "the data cover 11 hours" in told[0]
    assert "Set it to 2 or less" in told[0]
    assert checked(make_params(**{"Predictor.ForecastHorizon": 2})).steps == 11


@pytest.mark.parametrize(
    ("predictor", "hours", "is_enough"),
    [
        ({"PerformAutoML": True}, 9, True),
        ({"PerformAutoML": True}, 8, False),
        ({"AlgorithmArn": "arn:aws:forecast:::algorithm/ETS"}, 7, True),
        ({"AlgorithmArn": "arn:aws:forecast:::algorithm/ETS"}, 6, False),
        (
            {
                "AlgorithmArn": "arn:aws:forecast:::algorithm/ETS",
                "EvaluationParameters": {"NumberOfBacktestWindows": 5},
            },
            15,
            False,
        ),
        (
            {
                "AlgorithmArn": "arn:aws:forecast:::algorithm/ETS",
                "EvaluationParameters": {"NumberOfBacktestWindows": 5},
            },
            16,
            True,
        ),
    ],
)
def test_the_older_predictors_have_limits_of_their_own(
    put, checked, refused, make_params, hourly_csv, predictor, hours, is_enough
):
    own = {"PredictorName": "p", "ForecastHorizon": 3, "FeaturizationConfig": {"ForecastFrequency": "H"}}
    params = make_params(Predictor={**own, **predictor})
    put("train/a.csv", hourly_csv(hours).encode())
    if is_enough:
        assert checked(params).steps == hours
    else:
        assert "cover" in refused(params)[0][0]


def test_series_with_few_rows_are_named(put, checked, hourly_csv):
    put("train/a.csv", (hourly_csv(12) + "2024-01-01 00:00:00,1,new\n").encode())
    assert "1 series with fewer than 5 rows" in checked().warnings[0]


def test_reading_is_fast_enough_for_half_a_million_rows(put, checked):
    begin = dt.datetime(2023, 1, 1)
    times = [begin + dt.timedelta(hours=n) for n in range(500)]
    body = "".join(f"{time},{n % 7}.25,item_{n}\n" for time in times for n in range(1000))
    put("train/a.csv", body.encode())
    start = time.monotonic()
    assert checked().rows == 500_000
    assert time.monotonic() - start < 10


def test_a_file_replaced_after_stock_was_taken_is_noticed(s3, workload, put, make_params, hourly_csv):
    put("train/a.csv", hourly_csv(12).encode())
    found = inputs.take_stock(s3, workload, make_params())
    put("train/a.csv", hourly_csv(13).encode())
    with pytest.raises(InputChanged):
        contract.check(s3, workload, make_params(), found)
    assert not storage.keys(s3, workload, "runs/")


def test_a_file_removed_after_stock_was_taken_is_noticed(s3, workload, put, make_params, hourly_csv):
    put("train/a.csv", hourly_csv(12).encode())
    found = inputs.take_stock(s3, workload, make_params())
    with contract.examine(s3, workload, make_params(), found) as examination:
        s3.delete_object(Bucket=workload.bucket, Key=workload.key("train/a.csv"))
        with pytest.raises(InputChanged):
            examination.stage("run")


def test_a_file_replaced_after_the_check_is_noticed(s3, workload, put, make_params, hourly_csv):
    put("train/a.csv", hourly_csv(12).encode())
    found = inputs.take_stock(s3, workload, make_params())
    with contract.examine(s3, workload, make_params(), found) as examination:
        put("train/a.csv", hourly_csv(13).encode())
        with pytest.raises(InputChanged):
            examination.stage("run")
    assert not storage.keys(s3, workload, "runs/")


def test_inputs_are_set_aside_for_a_run_and_cleared_away(
    s3, workload, put, make_params, snapshot, hourly_csv
):
    put("train/2024/a b+ü.csv", hourly_csv(12).encode())
    found = inputs.take_stock(s3, workload, make_params())
    before = snapshot()
    with contract.examine(s3, workload, make_params(), found) as examination:
        paths = examination.stage("run")
        put("train/2024/a b+ü.csv", b"newer")  # an interrupted run goes on with what was checked
        assert examination.stage("run") == paths
    assert paths == {"train": "s3://demand/shop/runs/run/input/train/"}
    after = snapshot()
    assert after["shop/runs/run/input/train/2024/a b+ü.csv"] == hourly_csv(12).encode()
    inputs.unstage(s3, workload, "run")
    assert set(snapshot()) == set(before)


def test_the_file_that_lists_the_items_to_forecast_is_part_of_the_content(s3, workload, put, make_params):
    put("train/a.csv", b"1")

    def known(rel):
        source = {
            "S3Config": {"Path": workload.uri(rel), "RoleArn": "arn:aws:iam::000000000000:role/forecast"}
        }
        schema = {"Attributes": [{"AttributeName": "item_id", "AttributeType": "string"}]}
        identifiers = {"DataSource": source, "Schema": schema, "Format": "CSV"}
        asking = make_params(**{"Forecast.TimeSeriesSelector": {"TimeSeriesIdentifiers": identifiers}})
        return fingerprint(workload, asking, inputs.take_stock(s3, workload, asking))

    put("chosen/items.csv", b"a")
    put("chosen/items.csv.bak", b"x")
    first, folder = known("chosen/items.csv"), known("chosen/")
    put("chosen/items.csv.bak", b"y")
    assert known("chosen/items.csv") == first
    assert known("chosen/") != folder
    put("chosen/items.csv", b"b")
    assert known("chosen/items.csv") != first


def test_the_fingerprint_stands_for_content_and_nothing_else(s3, workload, put, make_params):
    put("train/a.csv", b"1")
    put("train/b.csv", b"2")
    found = inputs.take_stock(s3, workload, make_params())
    own = fingerprint(workload, make_params(), found)
    assert len(own) == 12
    assert fingerprint(workload, make_params(), inputs.Inputs(found.objects[::-1])) == own
    put("train/a.csv", b"1")  # the same again
    assert fingerprint(workload, make_params(), inputs.take_stock(s3, workload, make_params())) == own
    others = [
        fingerprint(Workload(workload.bucket), make_params(), found),
        fingerprint(workload, make_params(**{"Predictor.ForecastHorizon": 2}), found),
        fingerprint(workload, make_params(), inputs.Inputs(found.objects[:1])),
    ]
    put("train/a.csv", b"3")
    others.append(fingerprint(workload, make_params(), inputs.take_stock(s3, workload, make_params())))
    assert len({own, *others}) == 5


def test_real_household_data_pass(s3, workload, put, make_params, data_folder):
    put("train/a.csv", (data_folder / "household" / "target_time_series.csv").read_bytes())
    params = make_params()
    form = contract.check(s3, workload, params, inputs.take_stock(s3, workload, params))
    assert (form.rows, form.items, form.steps) == (136_672, 4, 34_589)
