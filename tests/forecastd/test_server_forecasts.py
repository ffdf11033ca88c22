"""Forecasts, their export files and queries."""

import csv
import io
import re
from typing import Any

import pandas as pd
import pytest

SCHEMA = {"item_id": "string", "timestamp": "timestamp", "target_value": "float", "shop": "string"}


@pytest.fixture(scope="module")
def predictor(lab: Any) -> str:
    """Two items in two shops, three weeks of days, seven days ahead."""
    times = pd.date_range("2024-01-01", periods=21, freq="D")
    lines = [
        f'{item},{time:%Y-%m-%d},{time.weekday() + 1},"{shop}"'
        for item in ("Apple", "Pear")
        for shop in ("North, old", "South")
        for time in times
    ]
    dataset = lab.dataset(SCHEMA, DataFrequency="D")
    done = lab.imported(dataset, "\n".join(lines), TimestampFormat="yyyy-MM-dd")
    assert done["Status"] == "ACTIVE", done
    config = {"ForecastFrequency": "D", "ForecastDimensions": ["shop"]}
    return lab.predictor(lab.group(dataset), ForecastHorizon=7, FeaturizationConfig=config)


@pytest.fixture(scope="module")
def ready(lab: Any, predictor: str) -> str:
    return lab.forecasted(predictor, ForecastTypes=["0.90", "mean", "0.05"])


def exported(lab: Any, forecast_arn: str, **options: Any) -> tuple[str, dict[str, bytes]]:
    """Export a forecast and give the job's name and the objects by file name."""
    name, folder = lab.name("export"), lab.name("out")
    arn = lab.forecast.create_forecast_export_job(
        ForecastExportJobName=name,
        ForecastArn=forecast_arn,
        Destination=lab.s3_config(f"{folder}/"),
        **options,
    )["ForecastExportJobArn"]
    done = lab.wait(lambda: lab.forecast.describe_forecast_export_job(ForecastExportJobArn=arn))
    assert done["Status"] == "ACTIVE", done
    assert done["ForecastArn"] == forecast_arn
    keys = [entry["Key"] for entry in lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=folder)["Contents"]]
    contents = {key: lab.s3.get_object(Bucket=lab.bucket, Key=key)["Body"].read() for key in keys}
    return name, {key.rpartition("/")[2]: content for key, content in contents.items()}


def test_a_forecast_is_described_with_its_group_and_types(forecast: Any, predictor: str, ready: str) -> None:
    described = forecast.describe_forecast(ForecastArn=ready)
    assert described["ForecastTypes"] == ["0.90", "mean", "0.05"]
    assert described["PredictorArn"] == predictor
    assert described["DatasetGroupArn"].startswith("arn:aws:forecast:us-east-1:000000000000:dataset-group/")
    [entry] = forecast.list_forecasts(
        Filters=[{"Key": "PredictorArn", "Value": predictor, "Condition": "IS"}]
    )["Forecasts"]
    assert entry["CreatedUsingAutoPredictor"] is False


def test_a_csv_export_has_the_services_names_columns_and_markers(lab: Any, ready: str) -> None:
    name, objects = exported(lab, ready)
    assert objects.pop("_CHECK") == b""
    assert objects.pop("_SUCCESS") == b""
    [note] = [file for file in objects if file.startswith("_METHODS")]
    methods = pd.read_csv(io.BytesIO(objects.pop(note)))
    assert list(methods.columns) == ["item_id", "shop", "method"]
    assert methods["method"].tolist() == ["NPTS"] * 4
    [(file, content)] = objects.items()
    assert re.fullmatch(rf"{name}_\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\dZ_part0\.csv", file)
    assert note == f"_METHODS_{file.removesuffix('_part0.csv')}"
    frame = pd.read_csv(io.BytesIO(content))
    assert list(frame.columns) == ["item_id", "date", "shop", "p5", "p90", "mean"]
    assert len(frame) == 2 * 2 * 7
    assert set(frame["shop"]) == {"North, old", "South"}
    assert frame["date"].iloc[0] == "2024-01-22T00:00:00Z"
    assert (frame["p5"] <= frame["p90"]).all()


def test_an_export_says_which_items_the_model_could_not_serve(lab: Any, hourly: Any) -> None:
    group = lab.filled_group(hourly(items=1, days=4) + "young,2024-01-04 23:00:00,3\n")
    predictor = lab.predictor(group, AlgorithmArn="arn:aws:forecast:::algorithm/ETS", ForecastHorizon=3)
    _, objects = exported(lab, lab.forecasted(predictor))
    [methods] = [content for file, content in objects.items() if file.startswith("_METHODS_")]
    assert methods.decode().splitlines() == [
        "item_id,method",
        "item_0,ETS",
        "young,short history",
    ]


def test_every_reader_finds_the_rows_of_an_item_with_a_carriage_return(lab: Any) -> None:
    items = ["plain", "x\ry", "two\nlines", "both\r\n", 'a, "b"']
    text = io.StringIO(newline="")
    csv.writer(text).writerows(
        [item, f"2024-01-{day:02} 00:00:00", day % 7] for item in items for day in range(1, 29)
    )
    group = lab.filled_group(text.getvalue(), DataFrequency="D")
    config = {"ForecastFrequency": "D"}
    predictor = lab.predictor(group, ForecastHorizon=2, FeaturizationConfig=config)
    _, objects = exported(lab, lab.forecasted(predictor))
    [part] = [content for file, content in objects.items() if file.endswith("_part0.csv")]
    [methods] = [content for file, content in objects.items() if file.startswith("_METHODS_")]
    for content, rows in ((part, 2), (methods, 1)):
        assert pd.read_csv(io.BytesIO(content))["item_id"].tolist() == sorted(items * rows)
        cells = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
        assert [row[0] for row in cells] == sorted(items * rows)


def test_a_parquet_export_has_texts_and_doubles(lab: Any, ready: str) -> None:
    _, objects = exported(lab, ready, Format="PARQUET")
    [content] = [content for file, content in objects.items() if file.endswith("_part0.parquet")]
    frame = pd.read_parquet(io.BytesIO(content))
    assert frame["date"].iloc[-1] == "2024-01-28T00:00:00Z"
    assert frame["p90"].dtype == "float64"


def test_exports_of_one_name_into_one_path_lie_side_by_side(
    lab: Any, forecast: Any, predictor: str, ready: str
) -> None:
    folder, forecasts = lab.name("side_by_side"), (ready, lab.forecasted(predictor))
    jobs = [
        forecast.create_forecast_export_job(
            ForecastExportJobName="daily", ForecastArn=arn, Destination=lab.s3_config(folder)
        )["ForecastExportJobArn"]
        for arn in forecasts
    ]
    for job in jobs:
        lab.wait(lambda job=job: forecast.describe_forecast_export_job(ForecastExportJobArn=job))
    keys = [entry["Key"] for entry in lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=folder)["Contents"]]
    assert len([key for key in keys if key.endswith("_part0.csv")]) == 2
    assert len([key for key in keys if "/_METHODS_daily_" in key]) == 2


def test_an_export_into_a_bucket_that_does_not_exist_fails(lab: Any, forecast: Any, ready: str) -> None:
    destination = {"S3Config": {"Path": "s3://no-such-bucket/x", "RoleArn": lab.role}}
    arn = forecast.create_forecast_export_job(
        ForecastExportJobName=lab.name(), ForecastArn=ready, Destination=destination
    )["ForecastExportJobArn"]
    done = lab.wait(lambda: forecast.describe_forecast_export_job(ForecastExportJobArn=arn))
    assert done["Status"] == "CREATE_FAILED"
    assert done["Message"].startswith(
        "Writing s3://no-such-bucket/x/_CHECK failed: the bucket does not exist"
    )


def test_a_query_gives_one_series_by_type(lab: Any, forecastquery: Any, ready: str) -> None:
    filters = {"item_id": "Pear", "shop": "South"}
    predictions = forecastquery.query_forecast(ForecastArn=ready, Filters=filters)["Forecast"]["Predictions"]
    assert set(predictions) == {"p5", "p90", "mean"}
    times = [point["Timestamp"] for point in predictions["p5"]]
    assert times == [f"2024-01-{day}T00:00:00" for day in range(22, 29)]
    _, objects = exported(lab, ready)
    [content] = [content for file, content in objects.items() if file.endswith(".csv")]
    frame = pd.read_csv(io.BytesIO(content)).query("item_id == 'Pear' and shop == 'South'")
    assert [point["Value"] for point in predictions["mean"]] == frame["mean"].tolist()


def test_a_query_is_cut_at_both_dates_inclusively_and_ignores_case_if_it_must(
    forecastquery: Any, ready: str
) -> None:
    answer = forecastquery.query_forecast(
        ForecastArn=ready,
        Filters={"item_id": "PEAR", "shop": "south"},
        StartDate="2024-01-01T00:00:00",
        EndDate="2024-01-23T00:00:00",
    )
    assert [point["Timestamp"] for point in answer["Forecast"]["Predictions"]["mean"]] == [
        "2024-01-22T00:00:00",
        "2024-01-23T00:00:00",
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"Filters": {"item_id": "Pear"}}, "InvalidInputException", "shop is missing"),
        ({"Filters": {"item_id": "a", "shop": "b", "c": "d"}}, "InvalidInputException", "c is no key"),
        (
            {"Filters": {"item_id": "Fig", "shop": "South"}},
            "ResourceNotFoundException",
            "item_id = Fig and shop = S",
        ),
        ({"StartDate": "2024-13-01T00:00:00"}, "InvalidInputException", "is no date"),
        ({"NextToken": "x"}, "InvalidNextTokenException", "no tokens"),
    ],
)
def test_a_query_that_means_nothing_is_told_why(
    forecastquery: Any, ready: str, arguments: dict[str, Any], error: str, message: str
) -> None:
    filters = {"item_id": "Pear", "shop": "South"}
    with pytest.raises(getattr(forecastquery.exceptions, error), match=message):
        forecastquery.query_forecast(**{"ForecastArn": ready, "Filters": filters, **arguments})


def test_a_query_that_fits_two_series_in_all_but_case_is_refused(
    lab: Any, forecastquery: Any, hourly: Any
) -> None:
    one = hourly(items=1, days=4)
    group = lab.filled_group(one.replace("item_0", "Abc") + one.replace("item_0", "aBC"))
    arn = lab.forecasted(lab.predictor(group, ForecastHorizon=2))
    forecastquery.query_forecast(ForecastArn=arn, Filters={"item_id": "aBC"})
    message = "2 differ from it in their case alone, such as item_id = Abc / item_id = aBC; write it as one"
    with pytest.raises(forecastquery.exceptions.InvalidInputException, match=message):
        forecastquery.query_forecast(ForecastArn=arn, Filters={"item_id": "abc"})


def test_only_the_selected_series_are_forecast(
    lab: Any, forecast: Any, forecastquery: Any, predictor: str
) -> None:
    key = lab.put(f"{lab.name('selection')}/series.csv", "South,Apple\nNowhere,Apple\n")
    attributes = [{"AttributeName": name, "AttributeType": "string"} for name in ("shop", "item_id")]
    selector = {
        "TimeSeriesIdentifiers": {"DataSource": lab.s3_config(key), "Schema": {"Attributes": attributes}}
    }
    arn = lab.forecasted(predictor, TimeSeriesSelector=selector)
    assert forecast.describe_forecast(ForecastArn=arn)["TimeSeriesSelector"] == selector
    forecastquery.query_forecast(ForecastArn=arn, Filters={"item_id": "Apple", "shop": "South"})
    with pytest.raises(forecastquery.exceptions.ResourceNotFoundException):
        forecastquery.query_forecast(ForecastArn=arn, Filters={"item_id": "Pear", "shop": "South"})


def test_the_first_line_of_a_selection_is_a_series_or_names_none(
    lab: Any, forecastquery: Any, hourly: Any
) -> None:
    one = hourly(items=1, days=4)
    predictor = lab.predictor(
        lab.filled_group(one.replace("item_0", "Item") + one.replace("item_0", "other")), ForecastHorizon=2
    )

    def selected(lines: str) -> list[str]:
        source = lab.s3_config(lab.put(f"{lab.name('selection')}/series.csv", lines))
        schema = {"Attributes": [{"AttributeName": "item_id", "AttributeType": "string"}]}
        selector = {"TimeSeriesIdentifiers": {"DataSource": source, "Schema": schema}}
        _, objects = exported(lab, lab.forecasted(predictor, TimeSeriesSelector=selector))
        [part] = [content for file, content in objects.items() if file.endswith(".csv")]
        return sorted(set(pd.read_csv(io.BytesIO(part))["item_id"]))

    assert selected("Item\nother\n") == ["Item", "other"]
    assert selected("item_id\nother\n") == ["other"]


def test_a_series_with_an_empty_dimension_is_one_series_and_can_be_selected(
    lab: Any, forecastquery: Any
) -> None:
    days = pd.date_range("2024-01-01", periods=20)
    shops = [*["S"] * 20, *[None] * 10, *[""] * 10]
    table = {"item_id": ["a"] * 40, "timestamp": [*days, *days], "target_value": 2.0, "shop": shops}
    buffer = io.BytesIO()
    pd.DataFrame(table).to_parquet(buffer)
    dataset = lab.dataset(SCHEMA, DataFrequency="D")
    assert lab.imported(dataset, buffer.getvalue(), Format="PARQUET")["Status"] == "ACTIVE"
    config = {"ForecastFrequency": "D", "ForecastDimensions": ["shop"]}
    predictor = lab.predictor(lab.group(dataset), ForecastHorizon=2, FeaturizationConfig=config)
    attributes = [{"AttributeName": name, "AttributeType": "string"} for name in ("item_id", "shop")]
    source = lab.s3_config(lab.put(f"{lab.name('selection')}/series.csv", "a,\n"))
    identifiers = {"DataSource": source, "Schema": {"Attributes": attributes}}
    arn = lab.forecasted(predictor, TimeSeriesSelector={"TimeSeriesIdentifiers": identifiers})
    _, objects = exported(lab, arn)
    [part] = [content for file, content in objects.items() if file.endswith(".csv")]
    assert part.decode().count("\na,") == 2
    forecastquery.query_forecast(ForecastArn=arn, Filters={"item_id": "a", "shop": ""})


def test_a_forecast_uses_the_newest_import_with_its_new_items(
    lab: Any, forecastquery: Any, hourly: Any
) -> None:
    dataset = lab.dataset()
    assert lab.imported(dataset, hourly(items=1, days=5))["Status"] == "ACTIVE"
    predictor = lab.predictor(lab.group(dataset), ForecastHorizon=12)
    lab.imported(dataset, hourly(items=2, days=6))
    arn = lab.forecasted(predictor)
    answer = forecastquery.query_forecast(ForecastArn=arn, Filters={"item_id": "item_1"})
    points = answer["Forecast"]["Predictions"]["p50"]
    assert points[0]["Timestamp"] == "2024-01-07T00:00:00"
    assert len(points) == 12


def test_what_was_known_ahead_in_training_must_be_known_ahead_in_each_forecast(
    lab: Any, forecast: Any
) -> None:
    def rows(days: int) -> str:
        times = pd.date_range("2024-01-01", periods=days)
        return "".join(f"a,{time:%Y-%m-%d},{10 + time.weekday()}\n" for time in times)

    def forecast_message(predictor: str) -> str:
        arn = forecast.create_forecast(ForecastName=lab.name(), PredictorArn=predictor)["ForecastArn"]
        return lab.wait(lambda: forecast.describe_forecast(ForecastArn=arn)).get("Message", "")

    dates = {"TimestampFormat": "yyyy-MM-dd"}
    target = lab.dataset(DataFrequency="D")
    schema = {"item_id": "string", "timestamp": "timestamp", "price": "float"}
    related = lab.dataset(schema, DataFrequency="D", DatasetType="RELATED_TIME_SERIES")
    lab.imported(target, rows(40), **dates)
    lab.imported(related, rows(45), **dates)
    group = lab.group(target, related)
    options = {"ForecastHorizon": 5, "FeaturizationConfig": {"ForecastFrequency": "D"}}
    prophet = lab.predictor(group, AlgorithmArn="arn:aws:forecast:::algorithm/Prophet", **options)
    npts = lab.predictor(group, **options)
    assert forecast_message(prophet) == ""
    lab.imported(target, rows(45), **dates)
    assert "The related time series price was known ahead when" in forecast_message(prophet)
    assert "2024-02-15 00:00:00 to 2024-02-19 00:00:00" in forecast_message(prophet)
    assert forecast_message(npts) == ""  # it passes over related data
    lab.imported(target, rows(43), **dates)
    assert "price reaches into the forecast horizon but lacks steps of it" in forecast_message(prophet)
    forecast.update_dataset_group(DatasetGroupArn=group, DatasetArns=[target])
    assert "The related time series price was known ahead when" in forecast_message(prophet)


def test_a_target_dataset_without_the_predictors_dimension_is_refused(lab: Any, forecast: Any) -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 31)]
    with_shop, without = lab.dataset(SCHEMA, DataFrequency="D"), lab.dataset(DataFrequency="D")
    dates = {"TimestampFormat": "yyyy-MM-dd"}
    lab.imported(with_shop, "".join(f"a,{day},1,north\n" for day in days), **dates)
    lab.imported(without, "".join(f"a,{day},1\n" for day in days), **dates)
    group = lab.group(with_shop)
    config = {"ForecastFrequency": "D", "ForecastDimensions": ["shop"]}
    predictor = lab.predictor(group, ForecastHorizon=2, FeaturizationConfig=config)
    forecast.update_dataset_group(DatasetGroupArn=group, DatasetArns=[without])
    message = f"dimension shop, which the group's target dataset {without} does not have"
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        forecast.create_forecast(ForecastName=lab.name(), PredictorArn=predictor)


def test_datasets_whose_frequency_does_not_suit_the_predictor_are_refused(lab: Any, forecast: Any) -> None:
    def dataset(frequency: str, step: str, **options: Any) -> str:
        times = pd.date_range("2024-01-01", periods=30, freq=step)
        arn = lab.dataset(options.pop("schema", None), DataFrequency=frequency, **options)
        lab.imported(arn, "".join(f"a,{time},1\n" for time in times))
        return arn

    days, weeks = dataset("D", "D"), dataset("W", "7D")
    prices = {"item_id": "string", "timestamp": "timestamp", "price": "float"}
    hours = dataset("H", "h", schema=prices, DatasetType="RELATED_TIME_SERIES")
    group = lab.group(days)
    config = {"ForecastFrequency": "D"}
    predictor = lab.predictor(group, ForecastHorizon=2, FeaturizationConfig=config)
    for datasets, message in (
        ([weeks], "D is finer than the frequency W of the target time series"),
        ([days, hours], "D must equal the frequency H of the related time series"),
    ):
        forecast.update_dataset_group(DatasetGroupArn=group, DatasetArns=datasets)
        with pytest.raises(forecast.exceptions.InvalidInputException, match=f"{message}.* train a new predi"):
            forecast.create_forecast(ForecastName=lab.name(), PredictorArn=predictor)


def test_a_dataset_that_was_made_again_in_another_domain_does_not_come_back_into_its_group(
    lab: Any, forecast: Any
) -> None:
    name, schema = lab.name("again"), {"item_id": "string", "timestamp": "timestamp"}
    days = "".join(f"a,2024-01-{day:02} 00:00:00,1\n" for day in range(1, 31))

    def make(domain: str, target: str) -> str:
        attributes = {**schema, target: "float"}
        dataset = lab.dataset(attributes, DatasetName=name, Domain=domain, DataFrequency="D")
        assert lab.imported(dataset, days)["Status"] == "ACTIVE"
        return dataset

    dataset = make("RETAIL", "demand")
    group = lab.group(dataset, Domain="RETAIL")
    options = {"ForecastHorizon": 2, "FeaturizationConfig": {"ForecastFrequency": "D"}}
    predictor = lab.predictor(group, **options)
    lab.wait_until_gone(lambda: forecast.delete_dataset(DatasetArn=dataset))
    assert make("CUSTOM", "target_value") == dataset
    message = f"{dataset} is of the domain CUSTOM, but its group is of the domain RETAIL"
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        lab.start_predictor(group, **options)
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        forecast.create_forecast(ForecastName=lab.name(), PredictorArn=predictor)


def test_a_forecast_beyond_the_last_year_fails_with_the_year(lab: Any, forecast: Any) -> None:
    def months(start: str) -> str:
        return "".join(f"a,{time},1\n" for time in pd.date_range(start, periods=24, freq="MS"))

    dataset = lab.dataset(DataFrequency="M")
    lab.imported(dataset, months("2255-01-01"))
    config = {"ForecastFrequency": "M"}
    predictor = lab.predictor(lab.group(dataset), ForecastHorizon=6, FeaturizationConfig=config)
    lab.imported(dataset, months("2259-12-01"))
    arn = forecast.create_forecast(ForecastName=lab.name(), PredictorArn=predictor)["ForecastArn"]
    done = lab.wait(lambda: forecast.describe_forecast(ForecastArn=arn))
    assert done["Status"] == "CREATE_FAILED"
    assert "2261-11-01 00:00:00, from where 6 steps of M reach to the year 2262" in done["Message"]


def test_the_types_of_a_forecast_are_checked(lab: Any, forecast: Any, predictor: str) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match="at most 5"):
        forecast.create_forecast(ForecastName="x", PredictorArn=predictor, ForecastTypes=["0.1"] * 6)
