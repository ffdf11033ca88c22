import datetime as dt
import itertools
import json

import pytest

from pipeline import contract, inputs, params, proposal
from pipeline.errors import BadInput
from pipeline.proposal import propose


def lines(header, step, count, items=("a", "b"), form="%Y-%m-%d %H:%M:%S", row="{time},{value},{item}"):
    begin = dt.datetime(2023, 1, 1)
    yield from [header] if header else []
    for item in items:
        for n in range(count):
            yield row.format(time=(begin + n * step).strftime(form), value=f"{n % 7}.5", item=item)


def months(count):
    for item in "ab":
        for n in range(count):
            yield f"{2000 + n // 12}-{n % 12 + 1:02}-01,{n}.5,{item}"


HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
RHYTHMS = {
    "hours, long": (lines("", HOUR, 3000), "H", 72),
    "hours, short": (lines("", HOUR, 200), "H", 24),
    "hours, very short": (lines("", HOUR, 20), "H", 5),
    "quarter hours": (lines("", HOUR / 4, 500), "15min", 4),
    "two hours": (lines("", 2 * HOUR, 500), "2H", 12),
    "days": (lines("", DAY, 300, form="%Y-%m-%d"), "D", 14),
    "days, long": (lines("", DAY, 1200, form="%Y-%m-%d"), "D", 28),
    "weeks": (lines("", 7 * DAY, 100, form="%Y-%m-%d"), "W", 8),
    "months": (months(60), "M", 6),
    "quarters": (lines("", 91 * DAY, 40, form="%Y-%m-%d"), "3M", 2),
    "years": (lines("", 365 * DAY, 20, form="%Y-%m-%d"), "Y", 2),
}


@pytest.mark.parametrize(("source", "frequency", "horizon"), RHYTHMS.values(), ids=RHYTHMS.keys())
def test_frequency_and_horizon_follow_the_data(source, frequency, horizon):
    found = propose(source, "my data")
    assert found.params["Predictor"]["ForecastFrequency"] == frequency
    assert found.params["Predictor"]["ForecastHorizon"] == horizon
    assert params.load(json.dumps(found.params).encode())


COLUMNS = {
    "our own names": ("timestamp,target_value,item_id", "{time},{value},{item}"),
    "series, ds, y": ("series,ds,y", "{item},{time},{value}"),
    "date, store, sales": ("date,store,sales", "{time},{item},{value}"),
    "names that say nothing": ("foo,bar,baz", "{value},{time},{item}"),
    "no header": ("", "{item},{value},{time}"),
}


@pytest.mark.parametrize(("header", "row"), COLUMNS.values(), ids=COLUMNS.keys())
def test_columns_are_known_by_name_or_content_and_keep_their_order(header, row):
    found = propose(lines(header, HOUR, 100, row=row))
    attributes = found.params["Datasets"][0]["Schema"]["Attributes"]
    wanted = {"{time}": "timestamp", "{value}": "target_value", "{item}": "item_id"}
    assert [a["AttributeName"] for a in attributes] == [wanted[cell] for cell in row.split(",")]
    assert found.reasons


def test_whole_numbers_for_items_are_told_from_demand_by_their_names():
    rows = ["date,store,sales", *(f"2023-01-{d:02},{s},{d + s}" for s in (1, 2, 3) for d in range(1, 29))]
    names = [a["AttributeName"] for a in propose(rows).params["Datasets"][0]["Schema"]["Attributes"]]
    assert names == ["timestamp", "item_id", "target_value"]


def test_a_further_column_is_a_dimension_only_if_it_is_needed():
    rows = [f"2023-01-{d:02},{i},{s},{d}.5" for i in "ab" for s in ("north", "south") for d in range(1, 29)]
    needed = propose(["date,item,shop region,sales", *rows]).params
    assert needed["Predictor"]["ForecastDimensions"] == ["shop_region"]
    unneeded = propose(["date,item,region,sales", *(row for row in rows if "north" in row)])
    assert "ForecastDimensions" not in unneeded.params["Predictor"]
    assert any("not needed" in reason for reason in unneeded.reasons)


UNUSABLE = {
    "an empty file": ([], "the file is empty"),
    "a header alone": (["timestamp,target_value,item_id"], "nothing but a header"),
    "semicolons": (["a;b;c", "1;2;3"], "not separated by commas"),
    "no item": (["ds,y", "2024-01-01,1", "2024-01-02,2"], "which item a row belongs to"),
    "no demand": (["ds,item", "2024-01-01,a", "2024-01-02,a"], "no column holds numbers"),
    "no time": (["x,y,item", "1,2,a", "2,3,b"], "no column holds times"),
    "a foreign time": (["ds,y,item", "01/02/2024,1,a"], "01/02/2024"),
    "two numbers": (
        ["ds,y,price,item", *(f"2024-01-{d:02},{d},1.5,a" for d in range(1, 29))],
        "further numbers",
    ),
    "one row": (["ds,y,item", "2024-01-01,1,a"], "one row only"),
    "three rows": (
        ["ds,y,item", *(f"2024-01-0{d},1,a" for d in (1, 2, 3))],
        "the shortest forecast needs four",
    ),
}


@pytest.mark.parametrize(("source", "expected"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_forecast_is_refused_with_what_to_do(source, expected):
    with pytest.raises(BadInput, match=expected):
        propose(source)


def test_the_command_prints_the_file_and_the_reasons(tmp_path, capsys):
    place = tmp_path / "2024 my-sales.csv"
    place.write_text(
        "\n".join(lines("date,item,sales", DAY, 100, form="%Y-%m-%d", row="{time},{item},{value}"))
    )
    assert proposal.main([str(place)]) == 0
    printed = capsys.readouterr()
    assert params.load(printed.out.encode()).dataset_group_name == "x_2024_my_sales"
    assert "is what is forecast" in printed.err
    assert proposal.main([]) == 2
    assert proposal.main([str(tmp_path / "none.csv")]) == 1


REAL = {
    "household/target_time_series.csv": ("H", []),
    "amazon/elec_3clients/target_time_series.csv": ("H", []),
    "amazon/elec_client12/target_time_series.csv": ("H", []),
    "amazon/manning_daily/manning_ts_2015.csv": ("D", []),
    "amazon/metro_traffic/target_time_series.csv": ("H", []),
    "amazon/walmart_weekly45/target_time_series.csv": ("W", []),
    "amazon/store_item_demand500/target_time_series.csv": ("D", ["column_3"]),
}


@pytest.mark.parametrize(("name", "expected"), REAL.items())
def test_real_files_pass_the_checks_with_what_is_proposed_for_them(
    s3, workload, put, data_folder, name, expected
):
    found = propose(data_folder / name)
    assert found.params["Predictor"]["ForecastFrequency"] == expected[0]
    assert found.params["Predictor"].get("ForecastDimensions", []) == expected[1]
    configured = params.load(json.dumps(found.params).encode())
    with (data_folder / name).open("rb") as file:
        put("train/a.csv", b"".join(itertools.islice(file, 50_000)))
    assert contract.check(s3, workload, configured, inputs.take_stock(s3, workload, configured)).items > 0
