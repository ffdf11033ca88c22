import datetime as dt
import itertools
import json
import math
import random

import pandas as pd
import pytest

from pipeline import contract, inputs, params
from pipeline.errors import BadInput
from pipeline.proposal import propose
from pipeline.proposal.__main__ import main


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


HORIZONS = {
    "long": (
        lines("", DAY, 1200, form="%Y-%m-%d"),
        "28 days: usual for steps of 1 day and a history of 1200 steps.",
    ),
    "short": (
        lines("", DAY, 300, form="%Y-%m-%d"),
        "14 days: usual for steps of 1 day and a history of 300 steps; from 1120 steps on it would be 28 "
        "days.",
    ),
    "cut": (
        lines("", DAY, 20, form="%Y-%m-%d"),
        "5 days: the history has only 20 steps, and a quarter is the limit.",
    ),
    "hours for minutes": (
        lines("", HOUR / 4, 1000),
        "4 hours: usual for steps of 15 minutes and a history of 1000 steps.",
    ),
}


@pytest.mark.parametrize(("source", "said"), HORIZONS.values(), ids=HORIZONS.keys())
def test_the_horizon_has_its_reason(source, said):
    assert f"The horizon is {said}" in propose(source).reasons


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


def extra(header, row, days=300, stores=(1, 2, 3), categories=("x",), begin=dt.date(2022, 1, 1)):
    """Daily rows with further columns, whose cells go their own ways."""
    weather = ("sun", "rain", "fog")
    yield header
    for n, store, category in itertools.product(range(days), stores, categories):
        yield row.format(
            date=begin + n * DAY,
            weekday=(begin + n * DAY).strftime("%A"),
            store=store,
            category=category,
            units=20 + (n * 7 + store) % 13,
            customers=300 + (n * 11 + store) % 97,
            promo=int((n + store) % 9 < 3),
            returns=(n * n + store) % 4,
            weather=weather[n * n % 3],
        )


EXTRAS = {
    "a weekday, and an item of another name": (
        extra("date,weekday,where,units", "{date},{weekday},{store},{units}"),
        [],
    ),
    "a weekday": (extra("date,weekday,store,units", "{date},{weekday},{store},{units}"), []),
    "customers and promotions": (
        extra("Date,Store,Sales,Customers,Promo", "{date},{store},{units},{customers},{promo}"),
        [],
    ),
    "the weather": (extra("date,store,units,weather", "{date},{store},{units},{weather}"), []),
    "a category that is needed, returns that are not": (
        extra(
            "date,Store,Category,Sales,Returns",
            "{date},{store},{category},{units},{returns}",
            categories=("food", "toys"),
        ),
        ["Category"],
    ),
    "the same the other way round": (
        extra(
            "date,Store,Returns,Category,Sales",
            "{date},{store},{returns},{category},{units}",
            categories=("food", "toys"),
        ),
        ["Category"],
    ),
    "one of two columns that say the same": (
        extra("date,store,units,code,name", "{date},{store},{units},{category},{category}", categories="xy"),
        ["code"],
    ),
}


@pytest.mark.parametrize(("source", "dimensions"), EXTRAS.values(), ids=EXTRAS.keys())
def test_further_columns_change_neither_the_step_nor_what_is_missing(source, dimensions):
    found = propose(source)
    assert found.params["Predictor"]["ForecastFrequency"] == "D"
    assert found.params["Predictor"].get("ForecastDimensions", []) == dimensions
    assert "Rows of a series are typically 1 day apart." in found.reasons
    assert not any("have no value" in line for line in found.unknown)
    assert not any("added up" in reason for reason in found.reasons)
    assert "Checks" not in found.params


def test_a_row_that_comes_twice_makes_no_dimension_of_a_further_column():
    rows = list(extra("date,weekday,store,units", "{date},{weekday},{store},{units}"))
    found = propose([*rows, rows[1]])
    assert "ForecastDimensions" not in found.params["Predictor"]
    assert found.params["Checks"] == {"Duplicates": "last"}


def test_numbers_of_orders_make_no_series():
    rows = [f"2023-01-{d:02},A-{d}{n},{d + n}.5,lamp" for d in range(1, 29) for n in range(3)]
    found = propose(["date,order,sales,product", *rows])
    assert "ForecastDimensions" not in found.params["Predictor"]
    assert any("56 rows fall into a step of 1 day in which" in reason for reason in found.reasons)
    assert "Checks" not in found.params


def test_that_values_of_a_step_are_added_up_is_said():
    said = "the values of a step are added up (aggregation: sum)"
    assert any(said in reason for reason in propose(lines("", dt.timedelta(seconds=10), 3000)).reasons)
    assert not any(said in reason for reason in propose(lines("", HOUR, 300)).reasons)


def made(header, times, value, items="ab"):
    """Rows whose values follow from the place in the series."""
    yield header
    for item in items:
        yield from (f"{time},{item},{value(n)}" for n, time in enumerate(times))


def transformations(found):
    configs = found.params["Predictor"].get("DataConfig", {}).get("AttributeConfigs", [])
    return configs[0]["Transformations"] if configs else {}


BUSINESS_DAYS = [f"{day:%Y-%m-%d}" for day in pd.bdate_range("2023-01-02", periods=250)]
OPEN_DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2023-01-02", periods=300) if day.dayofweek < 6]
QUARTERS = [
    str(each) for n, each in enumerate(pd.date_range("2023-01-02", periods=4000, freq="15min")) if n % 50
]
GAPPY_DAYS = [f"{day:%Y-%m-%d}" for n, day in enumerate(pd.date_range("2023-01-02", periods=300)) if n % 11]
NOT_KNOWN = {"middlefill": "nan", "backfill": "nan"}
FILLED = {
    "prices of business days": (
        made("date,share,close", BUSINESS_DAYS, lambda n: 100 + n * 7 % 11 / 4),
        {"aggregation": "avg", **NOT_KNOWN},
    ),
    "prices without their name": (
        made("date,item,value", BUSINESS_DAYS, lambda n: 100 + n * 7 % 11 / 4),
        NOT_KNOWN,
    ),
    "a price that doubles": (
        made("date,item,value", BUSINESS_DAYS, lambda n: 100 + n + n * 7 % 11 / 4),
        NOT_KNOWN,
    ),
    "temperatures with gaps, on both sides of zero": (
        made("time,sensor,temp_c", QUARTERS, lambda n: 8 * math.sin(n / 15)),
        {"aggregation": "avg", **NOT_KNOWN},
    ),
    "sales with days that are lacking": (
        made("date,store,sales", GAPPY_DAYS, lambda n: 200 + n * 7 % 90),
        {"middlefill": "nan"},
    ),
    "sales of a shop that is closed on Sundays": (
        made("date,store,sales", OPEN_DAYS, lambda n: 200 + n * 7 % 90),
        {},
    ),
    "visits in the hours of opening": (
        made(
            "time,shop,visits",
            [
                str(each)
                for each in pd.date_range("2023-01-02", periods=1500, freq="h")
                if 8 <= each.hour < 20
            ],
            lambda n: 200 + n * 7 % 90,
        ),
        {},
    ),
    "units that are written only if some were sold": (
        made("date,product,units", GAPPY_DAYS, lambda n: 1 + n * 7 % 4),
        {},
    ),
    "one at a time": (made("date,product,value", GAPPY_DAYS, lambda n: 1), {}),
    "sales that come nearer to zero than to each other": (
        made("date,store,sales", GAPPY_DAYS, lambda n: 20.5 + n * 7 % 90),
        {},
    ),
    "sales that come near zero": (
        made("date,store,sales", GAPPY_DAYS, lambda n: n * 7 % 90),
        {},
    ),
    "sales without gaps": (
        made(
            "date,store,sales",
            [f"{day:%Y-%m-%d}" for day in pd.date_range("2023-01-02", periods=300)],
            lambda n: 200,
        ),
        {},
    ),
}


@pytest.mark.parametrize(("source", "expected"), FILLED.values(), ids=FILLED.keys())
def test_a_step_without_a_row_is_zero_only_where_zero_can_be(source, expected):
    found = propose(source)
    assert transformations(found) == expected
    assert any("not known rather than zero" in reason for reason in found.reasons) is bool(expected)
    missing = [line for line in found.unknown if "have no value" in line]
    assert missing or not expected
    assert all(("taken as not known" in line) is bool(expected) for line in missing)


def test_a_cell_without_a_number_is_a_step_without_a_value():
    rows = list(not_always("date,product,units", "{time},{item},{value}", "ab", "n/a", 14))
    for source in (rows, [row.replace("n/a", "") for row in rows], [r for r in rows if "n/a" not in r]):
        found = propose(source)
        assert any(line.startswith("28 steps have no value") for line in found.unknown)
        assert transformations(found) == {"middlefill": "nan"}


def test_days_without_any_row_are_named():
    found = propose(made("date,store,sales", BUSINESS_DAYS, lambda n: n * 7 % 90))
    assert any("there is never a row on a Saturday or Sunday" in line for line in found.unknown)


def test_levels_are_averaged_and_the_last_of_a_time_counts():
    rows = list(made("time,sensor,temperature", QUARTERS, lambda n: 20 + n * 7 % 11 / 10))
    seconds = [row.replace(":00,", ":30,") for row in rows[1:]]
    found = propose([*rows, *seconds, rows[5].rsplit(",", 1)[0] + ",25.5"])
    assert transformations(found)["aggregation"] == "avg"
    assert found.params["Checks"] == {"Duplicates": "last"}
    assert any("as levels do not add up" in reason for reason in found.reasons)


def test_whether_values_without_a_name_add_up_is_said_not_to_be_known():
    rows = list(made("time,meter,value", QUARTERS, lambda n: 20 + n * 7 % 11 / 10))
    said = "Whether values add up"
    assert not any(said in line for line in propose(rows).unknown)
    assert any(said in line for line in propose([*rows, rows[5].rsplit(",", 1)[0] + ",25.5"]).unknown)
    sold = ["time,meter,units", *rows[1:], rows[5].rsplit(",", 1)[0] + ",25.5"]
    assert not any(said in line for line in propose(sold).unknown)


def test_filling_of_related_data_comes_beside_that_of_the_target():
    related = [row for row in related_rows(400) if "2023-02-1" not in row]
    related[3] = related[3].replace("1.5", "")
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2023-01-01", periods=300)]
    found = propose(
        made("date,item,close", days, lambda n: 100 + n % 7), related=["day,item,height", *related]
    )
    configs = found.params["Predictor"]["DataConfig"]["AttributeConfigs"]
    assert [config["AttributeName"] for config in configs] == ["target_value", "height"]


UNUSABLE = {
    "an empty file": ([], "the file is empty"),
    "a header alone": (["timestamp,target_value,item_id"], "nothing but a header"),
    "semicolons": (
        ["a;b;c", "1;2;3"],
        "not separated by commas but by ;. Save it with commas between the columns.$",
    ),
    "semicolons, decimal commas and foreign dates": (
        ["Datum;Artikel;Menge", "31/01/2022;Brot, hell;7", "28/02/2022;Brot, hell;11,5"],
        r"but by ;, numbers have a decimal comma \(11,5\), times are written as 31/01/2022. "
        "Save it with commas between the columns, points for decimals, times as yyyy-MM-dd or "
        "yyyy-MM-dd HH:mm:ss.$",
    ),
    "no item": (["ds,y", "2024-01-01,1", "2024-01-02,2"], "which item a row belongs to"),
    "nothing but a weekday beside the demand": (
        ["ds,weekday,units", *(f"2024-01-{d:02},{'MTWTFSS'[d % 7]},{d % 9}" for d in range(1, 29))],
        "which item a row belongs to",
    ),
    "no demand": (["ds,item", "2024-01-01,a", "2024-01-02,a"], "no column holds numbers"),
    "no time": (["x,y,item", "1,2,a", "2,3,b"], "no column holds times"),
    "a foreign time": (["ds,y,item", "01/02/2024,1,a"], "'ds' has 01/02/2024"),
    "a foreign time and foreign numbers": (
        ["Date,Region,Sales", '31/01/2022,North,"11,139"', '28/02/2022,North,"12,001"'],
        r"\(Column 'Date' has 31/01/2022\)",
    ),
    "a foreign time and foreign numbers without a header": (
        ['31/01/2022,North,"11,139"', '28/02/2022,North,"12,001"'],
        r"\(Column 1 has 31/01/2022\)",
    ),
    "seconds since 1970": (["x,y,z", "1704067200,1.5,a", "1704070800,2.5,a"], "'x' has 1704067200"),
    "dates without marks": (["x,y,z", "20240131,1.5,a", "20240201,2.5,a"], "'x' has 20240131"),
    "bare years": (["year,y,z", "2023,1.5,a", "2024,2.5,a"], "'year' has 2023"),
    "a decimal comma": (["ds,y,item", '2024-01-01,"1,5",a', '2024-01-02,"2,5",a'], "'y' has 1,5"),
    "a decimal comma now and then": (
        ["ds,y,item", *(f'2024-01-{d:02},"{"" if d == 1 else "1,"}{d}",a' for d in range(1, 29))],
        "'y' has 1,2",
    ),
    "words for most numbers": (
        ["ds,units,item", *(f"2024-01-{d:02},{d if d % 3 == 1 else 'n/a'},a" for d in range(1, 29))],
        "in most of its cells .Column 'units' has n/a",
    ),
    "times in another form now and then": (
        ["ds,y,item", *(f"2024-01-{d:02}{' noon' if d % 5 == 0 else ''},{d}.5,a" for d in range(1, 29))],
        "'ds' has 2024-01-05 noon",
    ),
    "a currency": (["ds,y,item", "2024-01-01,€1,a", "2024-01-02,€2,a"], "without a unit"),
    "digits of another script": (
        ["ds,y,item", "2024-01-01,٣,a", "2024-01-02,٤,a"],
        "no column holds numbers",
    ),
    "a counter of rows": (
        ["n,ds,y,item", *(f"{d},2024-01-{d:02},{d % 5},a" for d in range(1, 29))],
        "'n' is different in every row",
    ),
    "a few series beside each other": (
        ["ds,north,south,east", *(f"2024-01-{d:02},{d % 5},{d % 4},{d % 3}" for d in range(1, 29))],
        "one column for each series .Columns 'north', 'south' and 'east'",
    ),
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
    assert main([str(place)]) == 0
    printed = capsys.readouterr()
    assert params.load(printed.out.encode()).dataset_group_name == "x_2024_my_sales"
    assert "is what is forecast" in printed.err
    assert main([]) == 2
    assert main([str(tmp_path / "none.csv")]) == 1


def test_the_domain_is_named_where_the_header_has_its_fields():
    retail = propose(lines("item_id,timestamp,demand", DAY, 60, form="%Y-%m-%d", row="{item},{time},{value}"))
    assert retail.params["DatasetGroup"]["Domain"] == "RETAIL"
    names = [a["AttributeName"] for a in retail.params["Datasets"][0]["Schema"]["Attributes"]]
    assert names == ["item_id", "timestamp", "demand"]
    other = propose(lines("item_id,timestamp,sales", DAY, 60, form="%Y-%m-%d", row="{item},{time},{value}"))
    assert other.params["DatasetGroup"]["Domain"] == "CUSTOM"


def test_rows_that_repeat_another_exactly_count_once_and_others_are_added_up():
    rows = list(lines("", DAY, 60, form="%Y-%m-%d"))
    twice = propose([*rows, *rows[:5]])
    assert twice.params["Checks"] == {"Duplicates": "last"}
    assert any("5 rows repeat another" in reason for reason in twice.reasons)
    other = propose([*rows, "2023-01-01,99.5,a"])
    assert other.params["Checks"] == {"Duplicates": "sum"}
    assert "Checks" not in propose(rows).params


def test_a_week_that_begins_on_another_day_is_told_to_the_service():
    weeks = lines("", 7 * DAY, 100, form="%Y-%m-%d")  # 2023 began on a Sunday
    assert propose(weeks).params["Predictor"]["TimeAlignmentBoundary"] == {"DayOfWeek": "SUNDAY"}


def test_what_the_sample_cannot_tell_is_said():
    said = " ".join(propose(lines("", HOUR, 100)).unknown)
    for word in ("header", "holidays", "time zone", "ForecastHorizon"):
        assert word in said
    gappy = [row for n, row in enumerate(lines("", HOUR, 100)) if n % 10]
    assert any("steps have no value" in line for line in propose(gappy).unknown)


def test_rows_that_an_upload_would_be_refused_for_are_counted():
    assert not any("set aside" in line for line in propose(daily()).unknown)
    rows = [*daily(), "2023-02-30,1,a", "2023-04-11,many,b"]
    unknown = propose(rows).unknown
    assert "1 of 202 cells of Column 1 is no time: '2023-02-30' is the first." in unknown
    assert "1 of 202 cells of Column 2 is no number: 'many' is the first." in unknown
    (line,) = (line for line in unknown if line.startswith("Whether 2 rows without"))
    assert "Checks.MostBadRows, here of 0.01 at the least" in line


def not_always(header, row, items, word="N/A", every=10, count=200):
    """Daily rows whose value is now and then a word."""
    yield header
    for n in range(count):
        for item in items:
            value = word if n % every == every - 1 else 20 + n * 7 % 13
            yield row.format(time=f"{dt.date(2023, 1, 1) + n * DAY}", item=item, value=value)


NOT_ALWAYS = {
    "ids, our own names": (
        not_always("timestamp,item_id,target_value", "{time},{item},{value}", ("001", "002")),
        40,
    ),
    "ids, other names": (
        not_always("date,product,units", "{time},{item},{value}", (101, 102), "n/a", 14),
        28,
    ),
    "text for items": (not_always("date,product,units", "{time},{item},{value}", "ab", "n/a", 14), 28),
    "a target of an unknown name": (
        not_always("date,product,pieces", "{time},{item},{value}", (101, 102), "n.a.", 14),
        28,
    ),
    "no header": (not_always("2022-12-31,101,7", "{time},{item},{value}", (101, 102), "-", 14), 28),
    "more often than not a number": (
        not_always("date,store,sales", "{time},{item},{value}", (1, 2), "closed", 3),
        132,
    ),
}


@pytest.mark.parametrize(("source", "broken"), NOT_ALWAYS.values(), ids=NOT_ALWAYS.keys())
def test_a_target_with_words_among_its_numbers_stays_the_target_and_the_words_are_counted(source, broken):
    found = propose(source)
    names = [a["AttributeName"] for a in found.params["Datasets"][0]["Schema"]["Attributes"]]
    assert names == ["timestamp", "item_id", "target_value"]
    assert any(f"{broken} of 40" in line and "are no numbers" in line for line in found.unknown)
    assert any("Checks.MostBadRows, here of" in line for line in found.unknown)


def test_the_share_of_bad_rows_that_is_named_lets_the_file_pass(s3, workload, put):
    rows = list(not_always("date,product,units", "{time},{item},{value}", (101, 102), "n/a", 14))
    found = propose(rows)
    (line,) = (line for line in found.unknown if "MostBadRows" in line)
    least = float(line.split("here of ")[1].split()[0])
    put("train/a.csv", "\n".join(rows).encode())
    for share, is_well in ((least, True), (least - 0.002, False)):
        configured = params.load(json.dumps({**found.params, "Checks": {"MostBadRows": share}}).encode())
        stock = inputs.take_stock(s3, workload, configured)
        if is_well:
            assert contract.check(s3, workload, configured, stock).items == 2
        else:
            with pytest.raises(BadInput, match="MostBadRows"):
                contract.check(s3, workload, configured, stock)


def test_a_rhythm_that_the_service_does_not_know_is_told_as_it_is():
    reasons = propose(lines("", dt.timedelta(minutes=7), 300)).reasons
    assert any("7 minutes apart; the next finer step of the service is 6 minutes" in r for r in reasons)
    reasons = propose(lines("", dt.timedelta(seconds=10), 3000)).reasons
    assert any("10 seconds apart; the finest step of the service is 1 minute" in r for r in reasons)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (dt.timedelta(days=126), "126 days apart"),
        (dt.timedelta(days=10), "10 days apart"),
        (dt.timedelta(seconds=8604), "about 2.4 hours apart"),
        (dt.timedelta(minutes=90), "1.5 hours apart"),
        (dt.timedelta(seconds=90), "1.5 minutes apart"),
    ],
)
def test_a_rhythm_is_told_in_fitting_units(step, said):
    reasons = propose(lines("", step, 60)).reasons
    assert any(f"typically {said}; the next finer" in reason for reason in reasons)


def orders(count, hours, form="%Y-%m-%d %H:%M:%S", items="ab"):
    """Rows at irregular times, so many hours apart on average."""
    chance = random.Random(5)
    yield "order_time,product,quantity"
    for item in items:
        time = dt.datetime(2023, 1, 2)
        for _ in range(count):
            time += dt.timedelta(hours=chance.expovariate(1 / hours))
            yield f"{time.strftime(form)},{item},{chance.randint(1, 5)}"


LOGS = {
    "several a day": (orders(2000, 3), "D", "about"),
    "some a week, written by day": (orders(300, 60, "%Y-%m-%d"), "W", "2 days"),
    "some a month": (orders(100, 300), "M", "9.1 days"),
    "several an hour, for a few days": (orders(1500, 0.2), "H", "about"),
}


@pytest.mark.parametrize(("source", "step", "typical"), LOGS.values(), ids=LOGS.keys())
def test_rows_at_irregular_times_get_a_step_that_most_of_have_a_row(source, step, typical):
    found = propose(source)
    assert found.params["Predictor"]["ForecastFrequency"] == step
    (reason,) = (reason for reason in found.reasons if "irregular times" in reason)
    assert f"typically {typical}" in reason
    assert any("the values of a step are added up" in reason for reason in found.reasons)
    assert transformations(found) == {}


def test_all_of_the_steps_are_said_to_have_a_row_only_if_all_have_one():
    whole = list(orders(2000, 3))
    assert any("100% of the steps have a row" in reason for reason in propose(whole).reasons)
    closed = propose(row for row in whole if not row.startswith("2023-03-01"))
    assert any("99% of the steps have a row" in reason for reason in closed.reasons)


def test_a_closing_line_with_the_total_is_no_item():
    found = propose(
        ["day,item,sold", *lines("", DAY, 100, row="{time},{item},{value}", form="%Y-%m-%d"), "Total,,700"]
    )
    assert "Column 'item' names the items; there are 2." in found.reasons
    assert any("'Total' is the first" in line for line in found.unknown)


def test_an_instrument_that_is_a_little_late_is_regular():
    chance = random.Random(5)
    times = pd.date_range("2023-01-02", periods=500, freq="15min")
    late = [f"{time + chance.randint(0, 120) * pd.Timedelta(seconds=1)}" for time in times]
    found = propose(made("time,sensor,temperature", late, lambda n: 20 + n % 7))
    assert found.params["Predictor"]["ForecastFrequency"] == "15min"
    assert any("about 15 minutes apart." in reason for reason in found.reasons)


def test_ends_of_months_are_told_to_become_beginnings():
    ends = [f"{day:%Y-%m-%d},1.5,a" for day in pd.date_range("2019-01-31", periods=60, freq="ME")]
    found = propose(ends)
    assert found.params["Predictor"]["ForecastFrequency"] == "M"
    assert any("steps of 1 month: the service moves them there" in reason for reason in found.reasons)
    assert not any("moves them" in reason for reason in propose(months(60)).reasons)


def test_a_name_that_the_service_keeps_for_itself_is_replaced_with_the_reason():
    rows = [
        f"2024-01-{d:02},{d}.5,{s},{t},{m}" for s in "ab" for t in "xy" for m in "pq" for d in range(1, 29)
    ]
    found = propose(["date,sales,store,Type,mean", *rows])
    names = [a["AttributeName"] for a in found.params["Datasets"][0]["Schema"]["Attributes"]]
    assert names == ["timestamp", "target_value", "item_id", "Type_name", "mean_name"]
    assert found.params["Predictor"]["ForecastDimensions"] == names[3:]
    assert sum("the service keeps its name for itself" in reason for reason in found.reasons) == 2
    described = propose(daily(), metadata=["item,size,SIZE", "a,L,1", "b,S,2"]).params["Datasets"][1]
    assert [a["AttributeName"] for a in described["Schema"]["Attributes"]] == [
        "item_id",
        "size_name",
        "SIZE_2",
    ]


def test_a_flag_beside_a_named_item_is_text_that_stays_out_of_the_forecast():
    found = propose(["ds,y,item,promo", *(f"2024-01-{d:02},{d}.5,a,{d % 2}" for d in range(1, 29))])
    assert found.params["Datasets"][0]["Schema"]["Attributes"][3] == {
        "AttributeName": "promo",
        "AttributeType": "string",
    }
    assert "ForecastDimensions" not in found.params["Predictor"]


def test_an_item_column_of_whole_numbers_may_be_the_same_everywhere():
    found = propose([f"2024-01-{d:02},{d}.5,101" for d in range(1, 29)])
    assert [a["AttributeName"] for a in found.params["Datasets"][0]["Schema"]["Attributes"]][2] == "item_id"


WIDE = {
    "a step a column": (
        [
            "item," + ",".join(f"2024-01-{d:02}" for d in range(1, 31)),
            *(f"i{i}" + ",5" * 30 for i in range(9)),
        ],
        "each row is a series, with 30 steps",
    ),
    "a series a row": (
        ["V1," + ",".join(f"V{n}" for n in range(2, 60)), *(f"H{i}," + ",".join("5" * 58) for i in range(9))],
        "each row is a series, with 58 steps",
    ),
    "a series a column": (
        [
            "date," + ",".join(f"s{n}" for n in range(20)),
            *(f"2024-01-{d:02}" + ",1.5" * 20 for d in range(1, 28)),
        ],
        "20 columns of numbers, each of them a series",
    ),
}


@pytest.mark.parametrize(("source", "expected"), WIDE.values(), ids=WIDE.keys())
def test_the_wide_form_is_recognised_and_the_long_one_asked_for(source, expected):
    with pytest.raises(BadInput, match=expected) as caught:
        propose(source)
    assert "one row per series and time" in str(caught.value)


def test_a_few_series_beside_each_other_are_all_named_with_the_way_into_long_form():
    rows = [f"2024-01-{d:02},{d}.5,{d + 1}.5,{d % 3}.5" for d in range(1, 29)]
    with pytest.raises(BadInput) as caught:
        propose(["date,Paris,Lyon,Nice", *rows])
    assert "(Columns 'Paris', 'Lyon' and 'Nice')" in str(caught.value)
    assert "melt('date', var_name='item_id', value_name='target_value')" in str(caught.value)
    long = pd.DataFrame([row.split(",") for row in rows], columns=["date", "Paris", "Lyon", "Nice"]).melt(
        "date", var_name="item_id", value_name="target_value"
    )
    assert propose(long.to_csv(index=False).splitlines()).params["Predictor"]["ForecastFrequency"] == "D"


def test_numbers_beside_a_named_target_are_no_series():
    with pytest.raises(BadInput, match="Columns 'price' and 'cost' hold further numbers"):
        propose(["ds,units,price,cost", *(f"2024-01-{d:02},{d},1.{d},2.{d}" for d in range(1, 29))])


def test_parquet_is_read_like_csv(tmp_path):
    frame = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=100, freq="D").repeat(2),
            "item": ["a", "b"] * 100,
            "sales": [n % 7 + 0.5 for n in range(200)],
        }
    )
    frame.to_parquet(tmp_path / "sales.parquet", index=False)
    found = propose(tmp_path / "sales.parquet")
    names = [a["AttributeName"] for a in found.params["Datasets"][0]["Schema"]["Attributes"]]
    assert names == ["timestamp", "item_id", "target_value"]
    assert found.params["Predictor"]["ForecastFrequency"] == "D"
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(BadInput, match="no Parquet file"):
        propose(tmp_path / "broken.parquet")


def test_parquet_times_that_an_upload_is_refused_for_are_refused_with_the_same_sentence(tmp_path):
    times = pd.date_range("2024-01-01", periods=100, freq="h", tz="Europe/Paris")
    frame = pd.DataFrame({"timestamp": times, "target_value": 1.5, "item_id": "a", "price": 2.5})
    demand = frame.drop(columns="price")
    demand.to_parquet(tmp_path / "a.parquet", index=False)
    said = "the column has the time zone Europe/Paris, and services read times without one"
    with pytest.raises(BadInput, match=f"the file, column 'timestamp': {said}. Write all times in one zone"):
        propose(tmp_path / "a.parquet")
    demand.assign(timestamp=times.tz_convert("UTC")).to_parquet(tmp_path / "a.parquet", index=False)
    frame.drop(columns="target_value").to_parquet(tmp_path / "r.parquet", index=False)
    found = propose(tmp_path / "a.parquet", related=tmp_path / "r.parquet")
    assert found.unknown[-1].startswith(f"The related file is left out: {said}.")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("timestamp,a\n".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        ("ds,y,item\n2024-01-01,1,café\n".encode("latin-1"), "its line 2 is not UTF-8"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "cannot be read as CSV"),
    ],
)
def test_a_foreign_file_is_named(tmp_path, body, expected):
    (tmp_path / "a.csv").write_bytes(body)
    with pytest.raises(BadInput, match=expected):
        propose(tmp_path / "a.csv")


@pytest.mark.parametrize("place", ["nowhere.csv", "."])
def test_what_is_no_file_is_told(tmp_path, place):
    with pytest.raises(BadInput, match="there is no such file"):
        propose(tmp_path / place)


def related_rows(days, price="1.5", items=("a", "b")):
    begin = dt.date(2023, 1, 1)
    return [f"{begin + dt.timedelta(days=n)},{i},{price}" for i in items for n in range(days)]


def daily(days=100):
    return list(lines("", DAY, days, form="%Y-%m-%d"))


def test_related_data_that_reach_over_the_horizon_are_listed():
    found = propose(daily(), "shop", related=["day,item,price", *related_rows(120)])
    _, related = found.params["Datasets"]
    assert related["DatasetType"] == "RELATED_TIME_SERIES"
    assert [a["AttributeName"] for a in related["Schema"]["Attributes"]] == ["timestamp", "item_id", "price"]
    assert any("reach 20 days beyond" in reason for reason in found.reasons)


def test_related_data_that_end_within_the_horizon_shorten_it():
    found = propose(daily(), related=related_rows(105))
    assert found.params["Predictor"]["ForecastHorizon"] == 5


def test_gaps_of_related_data_get_a_filling():
    rows = related_rows(120)
    rows[3] = rows[3].replace("1.5", "")
    (config,) = propose(daily(), related=rows).params["Predictor"]["DataConfig"]["AttributeConfigs"]
    assert config["Transformations"]["futurefill"] == "mean"


LEFT_OUT = {
    "text": ([f"{row},rain" for row in related_rows(120)], "holds text that is no forecast dimension"),
    "another rhythm": (related_rows(120)[::7], "not 1 day apart"),
    "other items": (related_rows(120, items=("x", "y")), "no column has the target's items"),
    "no times": (["a,1.5", "b,2.5"], "no column holds times"),
    "another form of time": (
        [row.replace(",", " 00:00:00,", 1) for row in related_rows(120)],
        "not in the form",
    ),
    "nothing known": ([row.rsplit(",", 1)[0] for row in related_rows(120)], "no column of numbers"),
}


@pytest.mark.parametrize(("rows", "expected"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_a_related_file_that_does_not_fit_is_left_out_with_the_reason(rows, expected):
    found = propose(daily(), related=rows)
    assert len(found.params["Datasets"]) == 1
    assert any("related file is left out" in line and expected in line for line in found.unknown)


def test_metadata_are_listed_by_their_items():
    found = propose(daily(), "shop", metadata=["a,food", "b,toys"])
    _, metadata = found.params["Datasets"]
    assert [a["AttributeName"] for a in metadata["Schema"]["Attributes"]] == ["item_id", "column_2"]
    twice = propose(daily(), metadata=["a,food", "a,toys", "b,toys"])
    assert any("an item has several rows" in line for line in twice.unknown)


METADATA_HEADERS = {
    "the target's": ("sku,category,colour", "sku"),
    "the schema's": ("item_id,category,colour", "sku"),
    "the target's among others": ("category,SKU,colour", "sku"),
    "the schema's, and the target has none": ("item_id,category,colour", ""),
}


@pytest.mark.parametrize(("header", "called"), METADATA_HEADERS.values(), ids=METADATA_HEADERS.keys())
def test_a_header_of_metadata_is_known_by_what_the_item_is_called(header, called):
    target = [f"day,sold,{called}" if called else "", *daily()]
    body = ["a,food,red", "b,toys,blue"]
    if header.startswith("category"):
        body = ["food,a,red", "toys,b,blue"]
    found = propose([line for line in target if line], "shop", metadata=[header, *body])
    metadata = found.params["Datasets"][1]
    names = [a["AttributeName"] for a in metadata["Schema"]["Attributes"]]
    assert sorted(names) == ["category", "colour", "item_id"]
    assert "The metadata describe 2 items." in found.reasons


def test_an_item_that_is_called_like_the_column_of_items_is_an_item():
    target = ["day,sold,store", *lines("", DAY, 100, items=("store", "b"), form="%Y-%m-%d")]
    found = propose(target, "shop", metadata=["store,food", "b,toys"])
    assert "The metadata describe 2 items." in found.reasons


REAL = {
    "household/target_time_series.csv": ("H", [], {}),
    "amazon/elec_3clients/target_time_series.csv": ("H", [], {}),
    "amazon/elec_client12/target_time_series.csv": ("H", [], {}),
    "amazon/manning_daily/manning_ts_2015.csv": ("D", [], {}),
    "amazon/metro_traffic/target_time_series.csv": ("H", [], {"Duplicates": "last"}),
    "amazon/walmart_weekly45/target_time_series.csv": ("W", [], {}),
    "amazon/store_item_demand500/target_time_series.csv": ("D", ["column_3"], {}),
}


@pytest.mark.parametrize(("name", "expected"), REAL.items())
def test_real_files_pass_the_checks_with_what_is_proposed_for_them(
    s3, workload, put, data_folder, name, expected
):
    found = propose(data_folder / name)
    assert found.params["Predictor"]["ForecastFrequency"] == expected[0]
    assert found.params["Predictor"].get("ForecastDimensions", []) == expected[1]
    assert found.params.get("Checks", {}) == expected[2]
    configured = params.load(json.dumps(found.params).encode())
    with (data_folder / name).open("rb") as file:
        put("train/a.csv", b"".join(itertools.islice(file, 50_000)))
    assert contract.check(s3, workload, configured, inputs.take_stock(s3, workload, configured)).items > 0


def test_real_related_data_and_metadata_pass_with_what_is_proposed(s3, workload, put, data_folder):
    folder = data_folder / "amazon" / "walmart_weekly45"
    files = {
        "train": folder / "target_time_series.csv",
        "related": folder / "related_time_series.csv",
        "metadata": folder / "store_meta.csv",
    }
    found = propose(files["train"], related=files["related"], metadata=files["metadata"])
    configured = params.load(json.dumps(found.params).encode())
    assert len(configured.datasets) == 3
    for role, file in files.items():
        put(f"{role}/a.csv", file.read_bytes())
    form = contract.check(s3, workload, configured, inputs.take_stock(s3, workload, configured))
    assert form.items == 45


def test_real_related_text_is_left_out(data_folder):
    folder = data_folder / "amazon" / "metro_traffic"
    found = propose(folder / "target_time_series.csv", related=folder / "related_time_series.csv")
    assert any("Column 6 holds text" in line for line in found.unknown)


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_real_wide_files_are_refused(data_folder, name):
    with pytest.raises(BadInput, match="wide form"):
        propose(data_folder / "m4_hourly" / name)
