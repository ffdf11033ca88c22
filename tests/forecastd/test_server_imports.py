"""Import jobs: real files in S3 become data with statistics, or a sentence that says what is wrong."""

import datetime as dt
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CUSTOM = {"item_id": "string", "timestamp": "timestamp", "target_value": "float"}
LINE = "a,2024-01-01 00:00:00,1\n"
ELECTRICITY = Path(os.environ.get("FORECAST_DATA", "")) / "amazon/elec_3clients/target_time_series.csv"


def test_statistics_of_every_field_are_shown(lab: Any, forecast: Any) -> None:
    dataset = lab.dataset()
    done = lab.imported(
        dataset, "a,2024-01-01 00:00:00,1\na,2024-01-01 01:00:00,\nb,2024-01-01 01:00:00,NaN\n"
    )
    assert done["Status"] == "ACTIVE"
    statistics = done["FieldStatistics"]
    assert set(statistics) == {"item_id", "timestamp", "target_value"}
    assert statistics["timestamp"]["Max"] == "2024-01-01T01:00:00Z"
    value = statistics["target_value"]
    assert (value["Count"], value["CountNull"], value["CountNan"], value["Min"]) == (3, 1, 1, "1.0")
    assert done["DataSize"] == pytest.approx(80 / 2**30, rel=0.2)
    assert (done["Format"], done["ImportMode"], done["UseGeolocationForTimeZone"]) == ("CSV", "FULL", False)
    assert done["TimestampFormat"] == "yyyy-MM-dd HH:mm:ss"
    assert done["LastModificationTime"] > done["CreationTime"]
    assert "EstimatedTimeRemainingInMinutes" not in done
    described = forecast.describe_dataset(DatasetArn=dataset)
    assert described["Status"] == "ACTIVE"
    assert described["LastModificationTime"] == done["LastModificationTime"]


@pytest.mark.skipif(not ELECTRICITY.exists(), reason="FORECAST_DATA has no amazon/elec_3clients")
def test_statistics_of_a_real_file_agree_with_pandas_to_the_last_digits(lab: Any) -> None:
    attributes = {"timestamp": "timestamp", "target_value": "float", "item_id": "string"}
    text = ELECTRICITY.read_text()
    done = lab.imported(lab.dataset(attributes), text)
    frame = pd.read_csv(io.StringIO(text), names=list(attributes), float_precision="round_trip")
    value = done["FieldStatistics"]["target_value"]
    assert value["Count"] == len(frame)
    assert value["CountDistinct"] == frame["target_value"].nunique()
    assert value["Avg"] == pytest.approx(frame["target_value"].mean(), rel=1e-13)
    assert value["Stddev"] == pytest.approx(frame["target_value"].std(ddof=1), rel=1e-13)
    assert float(value["Max"]) == frame["target_value"].max()
    assert done["FieldStatistics"]["timestamp"]["CountDistinct"] == frame["timestamp"].nunique()
    assert done["DataSize"] == len(text.encode()) / 2**30


def test_all_files_below_a_prefix_are_read_each_with_or_without_header(lab: Any, forecast: Any) -> None:
    folder = lab.name("many")
    lab.put(f"{folder}/1.csv", "item_id,timestamp,target_value\n" + LINE)
    lab.put(f"{folder}/deep/2.csv", "b,2024-01-01 00:00:00,2\n")
    lab.put(f"{folder}/_SUCCESS", "")
    lab.put(f"{folder}-not/3.csv", "c,2024-01-01 00:00:00,3\n")
    arn = lab.start_import(lab.dataset(), folder)
    done = lab.wait(lambda: forecast.describe_dataset_import_job(DatasetImportJobArn=arn))
    assert done["FieldStatistics"]["item_id"]["CountDistinct"] == 2


def test_parquet_is_read_by_column_name(lab: Any) -> None:
    times = pd.date_range("2024-01-01", periods=3, freq="h")
    frame = pd.DataFrame({"target_value": [1.0, np.nan, 3.0], "timestamp": times, "item_id": "a"})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    done = lab.imported(lab.dataset(), buffer.getvalue(), Format="PARQUET")
    assert done["Status"] == "ACTIVE", done
    assert done["FieldStatistics"]["timestamp"]["Max"] == "2024-01-01T02:00:00Z"


def test_parquet_of_nested_values_fails_with_file_column_and_type(lab: Any) -> None:
    table = pa.table(
        {"item_id": ["a"], "timestamp": pa.array([0], pa.timestamp("ms")), "target_value": [[1]]}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    done = lab.imported(lab.dataset(), buffer.getvalue(), Format="PARQUET")
    assert done["Status"] == "CREATE_FAILED"
    assert "/file, column target_value: it is of the type list<" in done["Message"]


def test_a_parquet_time_too_far_away_is_a_bad_row(lab: Any) -> None:
    buffer = io.BytesIO()
    times = pa.array([dt.datetime(2024, 1, 1), dt.datetime(9999, 12, 31)], pa.timestamp("us"))
    pq.write_table(pa.table({"item_id": ["a", "a"], "timestamp": times, "target_value": [1.0, 2.0]}), buffer)
    done = lab.imported(lab.dataset(), buffer.getvalue(), Format="PARQUET")
    assert done["Status"] == "CREATE_FAILED"
    assert "row 2, column timestamp: '9999-12-31 00:00:00' is not between the years" in done["Message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("item_id,timestamp,target_value\n", "No records were ingested for this data."),
        (LINE + "b,2024-01-01 01:00:00,many\n", "file, row 2, column target_value: 'many' is not a number."),
        (LINE + "b,2024-01-01\n", "file, row 2, column count: it has 2 columns, not 3."),
        (
            LINE + "b,01.01.2024,1\n",
            "row 2, column timestamp: '01.01.2024' is not a time like 2024-01-31 23:00:00.",
        ),
        (LINE + "b,3000-01-01 00:00:00,1\n", "'3000-01-01 00:00:00' is not between the years 1678 and 2261."),
        (LINE + "b,2024-01-01 00:00:00,-1e101\n", "'-1e101' is not between -1e+100 and 1e+100; use a larger"),
        ("a;2024-01-01 00:00:00;1\n", "it has 1 columns, not 3"),
    ],
)
def test_data_that_does_not_fit_fails_with_file_row_and_column(lab: Any, content: str, message: str) -> None:
    done = lab.imported(lab.dataset(), content)
    assert done["Status"] == "CREATE_FAILED"
    assert message in done["Message"]


def test_rows_without_item_or_time_are_left_out_and_counted(lab: Any) -> None:
    done = lab.imported(lab.dataset(), LINE + ",2024-01-01 00:00:00,5\nb,,6\n")
    assert done["Status"] == "ACTIVE"
    assert done["FieldStatistics"]["item_id"]["CountNull"] == 1
    assert done["FieldStatistics"]["timestamp"]["CountNull"] == 1


def test_the_time_of_a_row_that_was_left_out_makes_the_data_no_longer(lab: Any, forecast: Any) -> None:
    days = "".join(f"a,2024-01-{day:02} 00:00:00,1\n" for day in range(1, 21))
    dataset = lab.dataset(DataFrequency="D")
    group = lab.group(dataset)
    for stray, mode in ((",2030-01-01 00:00:00,1\n", "FULL"), (",1990-01-01 00:00:00,1\n", "INCREMENTAL")):
        done = lab.imported(dataset, days + stray, ImportMode=mode)
        assert done["Status"] == "ACTIVE", done
        assert "KeptTimes" not in done
        with pytest.raises(forecast.exceptions.InvalidInputException, match="has 20 time steps"):
            lab.start_auto_predictor(group, ForecastFrequency="D", ForecastHorizon=6)


def test_a_path_without_data_fails(lab: Any, forecast: Any) -> None:
    arn = lab.start_import(lab.dataset(), "nothing/here/")
    done = lab.wait(lambda: forecast.describe_dataset_import_job(DatasetImportJobArn=arn))
    assert done["Status"] == "CREATE_FAILED"
    assert "There is no data at s3://" in done["Message"]


def test_a_bucket_that_does_not_exist_fails_with_a_remedy(lab: Any, forecast: Any) -> None:
    source = {"S3Config": {"Path": "s3://no-such-bucket/x.csv", "RoleArn": lab.role}}
    arn = lab.start_import(lab.dataset(), "unused", DataSource=source)
    done = lab.wait(lambda: forecast.describe_dataset_import_job(DatasetImportJobArn=arn))
    assert (
        done["Message"]
        == "Listing s3://no-such-bucket/x.csv failed: the bucket does not exist; check the path."
    )


def test_a_failed_import_shows_on_the_dataset_and_another_one_mends_it(lab: Any, forecast: Any) -> None:
    dataset = lab.dataset()
    lab.imported(dataset, "a,b,c\nd,e,f\n")
    assert forecast.describe_dataset(DatasetArn=dataset)["Status"] == "UPDATE_FAILED"
    assert lab.imported(dataset, LINE)["Status"] == "ACTIVE"
    assert forecast.describe_dataset(DatasetArn=dataset)["Status"] == "ACTIVE"


def test_daily_data_may_have_plain_dates_if_the_import_says_so(lab: Any) -> None:
    dataset = lab.dataset(DataFrequency="D")
    assert lab.imported(dataset, "a,2024-01-31,1\n", TimestampFormat="yyyy-MM-dd")["Status"] == "ACTIVE"
    failed = lab.imported(dataset, "a,2024-01-31,1\n")
    assert "is not a time like 2024-01-31 23:00:00" in failed["Message"]


def test_hourly_data_cannot_have_plain_dates(lab: Any, forecast: Any) -> None:
    dataset = lab.dataset()
    with pytest.raises(forecast.exceptions.InvalidInputException, match="has no time of day"):
        lab.start_import(dataset, "x", TimestampFormat="yyyy-MM-dd")
    with pytest.raises(forecast.exceptions.InvalidInputException, match="is not known; use yyyy-MM-dd"):
        lab.start_import(dataset, "x", TimestampFormat="dd-MM-yyyy")


def test_item_metadata_is_imported_with_its_header(lab: Any) -> None:
    dataset = lab.dataset({"item_id": "string", "category": "string"}, DatasetType="ITEM_METADATA")
    done = lab.imported(dataset, "item_id,category\na,toys\nb,\n")
    assert done["FieldStatistics"]["category"]["CountNull"] == 1
    assert done["FieldStatistics"]["item_id"]["Count"] == 2


def test_a_header_of_other_names_is_no_item_of_the_metadata(lab: Any) -> None:
    dataset = lab.dataset({"item_id": "string", "category": "string"}, DatasetType="ITEM_METADATA")
    done = lab.imported(dataset, "Item,Categorie\na,toys\nb,games\n")
    assert done["FieldStatistics"]["item_id"]["Count"] == 2


def test_a_name_is_taken_within_its_dataset_only(lab: Any, forecast: Any) -> None:
    first, second = lab.dataset(), lab.dataset()
    arn = lab.imported(first, LINE, DatasetImportJobName="same")["DatasetImportJobArn"]
    assert lab.imported(second, LINE, DatasetImportJobName="same")["Status"] == "ACTIVE"
    with pytest.raises(forecast.exceptions.ResourceAlreadyExistsException) as raised:
        lab.start_import(first, "x", DatasetImportJobName="same")
    assert (
        raised.value.response["Error"]["Message"]
        == f"A dataset import job already exists with the arn: {arn}"
    )


def test_imports_are_listed_by_dataset_and_status(lab: Any, forecast: Any) -> None:
    dataset = lab.dataset()
    good = lab.imported(dataset, LINE)["DatasetImportJobArn"]
    bad = lab.imported(dataset, "a,b,c\nd,e,f\n")["DatasetImportJobArn"]

    def listed(*filters: tuple[str, str, str]) -> list[str]:
        entries = [{"Key": key, "Condition": condition, "Value": value} for key, condition, value in filters]
        jobs = forecast.list_dataset_import_jobs(Filters=entries)["DatasetImportJobs"]
        return [job["DatasetImportJobArn"] for job in jobs]

    mine = ("DatasetArn", "IS", dataset)
    assert listed(mine) == [bad, good]
    assert listed(mine, ("Status", "IS", "ACTIVE")) == [good]
    assert listed(mine, ("Status", "IS_NOT", "ACTIVE")) == [bad]


def test_options_that_contradict_each_other_are_refused(lab: Any, forecast: Any) -> None:
    dataset = lab.dataset()
    places = lab.dataset({**CUSTOM, "place": "geolocation"})
    with pytest.raises(forecast.exceptions.InvalidInputException, match="exclude each other"):
        lab.start_import(places, "x", TimeZone="Europe/Berlin", UseGeolocationForTimeZone=True)
    with pytest.raises(forecast.exceptions.InvalidInputException, match="no attribute of type geolocation"):
        lab.start_import(dataset, "x", UseGeolocationForTimeZone=True)
    assert lab.start_import(places, "x", UseGeolocationForTimeZone=True)
    with pytest.raises(forecast.exceptions.InvalidInputException, match=r"Mars/Base is not known"):
        lab.start_import(dataset, "x", TimeZone="Mars/Base")


def test_an_incremental_import_replaces_rows_of_the_same_key_and_keeps_the_rest(lab: Any) -> None:
    dataset = lab.dataset(DataFrequency="D")
    days = [f"2024-01-{day:02}" for day in range(1, 21)]
    first = lab.imported(dataset, "".join(f"a,{day},1\n" for day in days), TimestampFormat="yyyy-MM-dd")
    done = lab.imported(dataset, f"a,{days[-1]},5\na,2024-01-21,5\nb,{days[0]},\n", ImportMode="INCREMENTAL")
    assert done["Status"] == "ACTIVE", done
    assert (done["ImportMode"], done["TimestampFormat"]) == ("INCREMENTAL", "yyyy-MM-dd")
    value = done["FieldStatistics"]["target_value"]
    assert (value["Count"], value["CountNull"], value["Avg"]) == (22, 1, pytest.approx((19 + 5 + 5) / 21))
    assert done["FieldStatistics"]["timestamp"]["Max"] == "2024-01-21T00:00:00Z"
    assert done["DataSize"] > first["DataSize"]


def test_an_incremental_import_needs_data_before_it_written_alike(lab: Any, forecast: Any) -> None:
    dataset = lab.dataset()
    with pytest.raises(forecast.exceptions.InvalidInputException, match="begin with FULL"):
        lab.start_import(dataset, "x", ImportMode="INCREMENTAL")
    lab.imported(dataset, LINE)
    with pytest.raises(forecast.exceptions.InvalidInputException, match="Format is PARQUET, but was CSV"):
        lab.start_import(dataset, "x", ImportMode="INCREMENTAL", Format="PARQUET")
