"""Each rule of the gate: a forecast that trips it, and one that just does not."""

import datetime as dt
import io
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline import gate, publish, quantiles, recent, record, tally, verdict
from pipeline.errors import RefusedForecast
from pipeline.frequency import Frequency
from pipeline.policy.gate import Gate
from pipeline.recent import Recent, steps_ahead, steps_back
from pipeline.record import Record
from pipeline.reformat import Reformatted
from pipeline.tally import LastForecast
from pipeline.verdict import Verdict
from pipeline.workload import Workload

HORIZON = 4
TYPES = ("p10", "p50", "p90")
FIRST = dt.datetime(2024, 1, 5)
COLUMNS = ("timestamp", "target_value", "item_id", "type")
ITEMS = ("a", "b", "c", "d")
DAYS = 4  # of hourly history: 0, 1 … 10, again and again, so that a range is 10


@pytest.fixture
def params(make_params):
    def make(types=("0.1", "0.5", "0.9"), dimensions=(), selector=False, **gate):
        changes = {"Predictor.ForecastHorizon": HORIZON, "Forecast.ForecastTypes": list(types)}
        if selector:
            changes["Forecast.TimeSeriesSelector"] = {
                "TimeSeriesIdentifiers": {
                    "DataSource": {
                        "S3Config": {
                            "Path": "s3://demand/x.csv",
                            "RoleArn": "arn:aws:iam::000000000000:role/f",
                        }
                    }
                }
            }
        return make_params(Gate=gate, **changes)

    return make


def past(items=ITEMS, value=lambda hour: hour % 11, until=FIRST, days=DAYS):
    lines = [
        f"{until - dt.timedelta(hours=hour)},{value(hour)},{item}"
        for item in items
        for hour in range(24 * days, 0, -1)
    ]
    return "\n".join(["timestamp,target_value,item_id", *lines]) + "\n"


def history(params, text, first=FIRST, items=4, name="train/a.csv"):
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": io.BytesIO(text.encode())})
    return recent.read(s3, Workload("demand"), params, [name], first, items)


def values(middle=5.0, half=2.0, items=4, types=3):
    """[N, H, K] the middle and a band around it."""
    around = np.linspace(-half, half, types)
    return np.full((items, HORIZON, types), middle, dtype=float) + around


def written_rows(numbers, items=ITEMS, types=TYPES, first=FIRST):
    times = [f"{first + dt.timedelta(hours=n)}" for n in range(HORIZON)]
    labels = itertools.product(items, times, types)
    return [
        [time, repr(float(number)), item, label]
        for (item, time, label), number in zip(labels, numbers.reshape(-1), strict=True)
    ]


def file_of(rows):
    return "\n".join([",".join(COLUMNS), *(",".join(row) for row in rows)]) + "\n"


def written(rows, types=TYPES, items=ITEMS, first=FIRST):
    last = first + dt.timedelta(hours=HORIZON - 1)
    return Reformatted(
        rows, len(items), HORIZON, types, COLUMNS, True, first, last, "H", "yyyy-MM-dd HH:mm:ss"
    )


def judged(params, numbers=None, rows=None, lasts=None, items=ITEMS, types=TYPES, text=None, first=FIRST):
    rows = rows or written_rows(values() if numbers is None else numbers, items, types, first)
    said = written(len(items) * HORIZON * len(types), types, items, first)
    kept = history(params, text or past(items, until=first), first)
    last = None
    if lasts is not None:
        earlier = first - dt.timedelta(hours=1)
        body = io.BytesIO(file_of(written_rows(lasts, items, types, earlier)).encode())
        last = LastForecast("old", body, earlier, HORIZON, types, True)
    return gate.judge("one", io.BytesIO(file_of(rows).encode()), said, params, kept, last)


def check(found: Verdict, name):
    return next(check for check in found.checks if check.name == name)


def changed(place, **cells):
    """The honest rows with some cells of one row changed."""
    rows = written_rows(values())
    for column, text in cells.items():
        rows[place][("time", "value", "item", "type").index(column)] = text
    return rows


def test_a_zero_has_no_minus():
    assert [verdict.figure(value) for value in (-0.0, 0.0, -0.5, -1234.5)] == ["0", "0", "-0.5", "-1,234"]


def test_an_honest_forecast_passes_every_check(params):
    found = judged(params(), lasts=values())
    assert [check.state for check in found.checks] == ["passed"] * 12
    assert found.words() == "12 of 12 checks passed"
    found.insist()


BROKEN = {
    "a row is missing": (lambda: changed(0)[:-1], "rows, keys and times", ["Item d has 11 rows; 12 are due"]),
    "a row in the middle is missing": (
        lambda: changed(0)[:14] + changed(0)[15:],
        "rows, keys and times",
        ["Item b has 11 rows"],
    ),
    "a row comes twice": (lambda: [changed(0)[0], *changed(0)], "rows, keys and times", ["Item a"]),
    "an item comes twice": (
        lambda: changed(0)[:12] + changed(0),
        "rows, keys and times",
        ["Item a comes twice"],
    ),
    "an item is lacking": (lambda: changed(0)[:-12], "rows, keys and times", ["36 rows; 48 were written"]),
    "an item is out of order": (
        lambda: changed(0)[12:24] + changed(0)[:12] + changed(0)[24:],
        "rows, keys and times",
        ["Item a comes twice, or not in its place after b"],
    ),
    "a time is another": (
        lambda: changed(3, time="2024-01-05 07:00:00"),
        "rows, keys and times",
        ["'2024-01-05 07:00:00' in its row 4", "'2024-01-05 01:00:00' is due"],
    ),
    "a type is another": (
        lambda: changed(1, type="p10"),
        "rows, keys and times",
        ["Item a has 'p10' in its row 2", "'p50' is due"],
    ),
    "an item has no name": (
        lambda: [[*r[:2], "", r[3]] if r[2] == "a" else r for r in changed(0)],
        "rows, keys and times",
        ["1 items have no key"],
    ),
    "a value is empty": (lambda: changed(13, value=""), "finite values", ["1 of 4 items", "b"]),
    "a value is not a number": (lambda: changed(13, value="nan"), "finite values", ["1 of 4 items"]),
    "a value is infinite": (lambda: changed(25, value="-inf"), "finite values", ["1 of 4 items", "c"]),
    "a value is a word": (lambda: changed(25, value="much"), "rows, keys and times", ["cannot be read"]),
    "quantiles cross": (lambda: changed(36, value="5.25"), "quantile order", ["1 of 4 items", "d (0.25)"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_must_always_hold_has_no_switch(params, case):
    rows, name, told = BROKEN[case]
    found = judged(params(**dict.fromkeys(SWITCHES, False)), rows=rows())
    (failed,) = found.failed
    assert failed.name == name
    assert all(words in failed.words for words in told), failed.words
    with pytest.raises(RefusedForecast) as refused:
        found.insist()
    assert failed.words in refused.value.what
    assert "Run again" in refused.value.remedy


SWITCHES = {
    "LeastCoverage": "coverage",
    "BeginsAfterHistory": "beginning",
    "MostDistance": "level",
    "MostDepth": "depth",
    "MostWidth": "width",
    "RefusesFlat": "flatness",
    "MostTotalFactor": "total",
    "MostChangeFactor": "change",
}
ODD_ONE = {"MostOddItems": 0.25}


def one_odd(**options):
    """One item of four is forecast otherwise."""
    numbers = values()
    numbers[0] = values(**options)[0]
    return numbers


# Rule: settings, what is judged, its number when it just passes … and when it trips.
RULES = {
    "coverage": (
        {"LeastCoverage": 0.75},
        lambda few: {"numbers": values(items=4), "text": past("abcdefgh"[: 6 if few else 5])},
    ),
    "beginning": ({}, lambda few: {"text": past(until=FIRST - dt.timedelta(hours=1 if few else 0))}),
    "level": ({}, lambda trips: {"numbers": one_odd(middle=60.5 if trips else 59.5)}),
    "depth": ({}, lambda trips: {"numbers": one_odd(middle=-5.1 if trips else -4.9)}),
    "width": ({}, lambda trips: {"numbers": one_odd(half=50.5 if trips else 49.5)}),
    "flatness": ({}, lambda trips: {"numbers": one_odd(half=0.039 if trips else 0.041)}),
    "total": ({"MostDistance": False}, lambda trips: {"numbers": values(middle=54.0 if trips else 44.0)}),
    "change": ({}, lambda trips: {"numbers": values(), "lasts": values(middle=35.5 if trips else 34.5)}),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_trips_and_just_does_not(params, rule):
    settings, case = RULES[rule]
    own = params(**settings)
    assert not check(judged(own, **case(False)), rule).is_failed
    found = judged(own, **case(True))
    failed = check(found, rule)
    assert failed.is_failed, failed
    assert [each.name for each in found.failed] == [rule]
    with pytest.raises(RefusedForecast) as refused:
        found.insist()
    assert failed.words in refused.value.what
    assert f"Gate.{failed.member}" in refused.value.remedy


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_switched_off(params, rule):
    settings, case = RULES[rule]
    member = next(member for member, name in SWITCHES.items() if name == rule)
    found = judged(params(**{**settings, member: False}), **case(True))
    assert check(found, rule).state == "off"
    assert not found.failed
    assert f"off: {rule}" in found.words() or "off: level, total" in found.words()


def test_every_limit_has_a_rule_and_every_rule_a_limit():
    members = {"".join(word.capitalize() for word in name.split("_")) for name in Gate.__dataclass_fields__}
    assert members == {*SWITCHES, "MostOddItems"}
    assert set(SWITCHES.values()) == set(RULES)


def test_a_message_names_the_items_the_numbers_and_the_limit(params):
    words = check(judged(params(), one_odd(middle=75.0)), "level").words
    assert words == (
        "1 of 4 items lie more than 5 ranges outside of their history: a (6.5); "
        "0.05 of them may (MostOddItems)."
    )


@pytest.mark.parametrize(
    ("types", "middle"),
    [
        (("mean", "p10", "p50", "p90"), "p50"),
        (("mean", "p10", "p90"), "mean"),
        (("p20", "p40", "p90"), "p40"),
        (("mean",), "mean"),
    ],
)
def test_the_middle_is_the_same_here_as_everywhere(types, middle):
    none = np.zeros(0, dtype=int)
    gathered = tally.Tally(types, tally.Common(none, none, none, none))
    assert gathered.types[gathered.middle] == middle == quantiles.middle(types)


def test_totals_are_told_per_step(params):
    assert " per hour; the last year had" in check(judged(params()), "total").words


def test_a_few_odd_items_are_let_through(params):
    found = judged(params(**ODD_ONE), one_odd(middle=75.0))
    assert check(found, "level").state == "passed"
    assert check(found, "level").items == ("a",)


def test_items_that_lack_are_named(params):
    words = check(judged(params(), text=past("abcdef")), "coverage").words
    assert words == "4 of 6 items of the history have a forecast; lacking: e, f."


def test_items_that_nobody_knows_are_refused(params):
    failed = check(judged(params(), text=past("abc")), "known items")
    assert failed.is_failed
    assert failed.words == "1 of 4 items are in no row of the history: d."


def test_chosen_items_need_not_cover_the_history(params):
    found = judged(params(selector=True), text=past("abcdefgh"))
    assert check(found, "coverage").state == "nothing to compare"


def test_items_with_little_history_are_not_judged(params):
    text = past("abc") + "\n".join(f"2024-01-04 {hour:02}:00:00,5,d" for hour in range(9)) + "\n"
    assert not judged(
        params(), one_odd(middle=5) + np.array([0, 0, 0, 900]).reshape(4, 1, 1) * 0, text=text
    ).failed
    numbers = values()
    numbers[3] += 55
    assert check(judged(params(), numbers, text=text), "level").state == "passed"


@pytest.mark.parametrize(
    ("value", "name", "words"),
    [
        (lambda hour: hour % 11 - 5, "depth", "every item with 10 steps of history has been below zero."),
        (
            lambda hour: hour % 11 if hour > 24 else "",
            "flatness",
            "no item has 10 values in the 24 steps before the forecast.",
        ),
    ],
)
def test_a_check_without_anything_to_compare_says_why(params, value, name, words):
    found = check(judged(params(), text=past(value=value)), name)
    assert (found.state, found.words) == ("nothing to compare", words)


def test_without_any_history_that_is_the_reason(params):
    rows = [f"2024-01-04 {hour:02}:00:00,5,{item}" for item in ITEMS for hour in range(9)]
    text = "\n".join(["timestamp,target_value,item_id", *rows]) + "\n"
    found = judged(params(), text=text)
    for name in ("level", "depth", "width", "flatness"):
        assert check(found, name).words == "no item has 10 steps of history."


def test_without_an_earlier_forecast_there_is_no_change(params):
    assert check(judged(params()), "change").state == "nothing to compare"


def test_a_last_forecast_of_another_form_is_no_reason_to_refuse(params):
    said = written(48)
    last = LastForecast("old", io.BytesIO(b"timestamp,x\n1,2\n"), FIRST, HORIZON, TYPES, True)
    body = io.BytesIO(file_of(written_rows(values())).encode())
    found = gate.judge("one", body, said, params(), history(params(), past()), last)
    assert check(found, "change").state == "nothing to compare"
    assert not found.failed


def test_the_last_forecast_is_compared_whatever_its_header_says(s3, workload, params, tmp_path):
    today = params()
    clean = tmp_path / "forecast.csv"
    clean.write_text(file_of(written_rows(values())))
    said = replace(written(48), columns=("Date", "Units Sold", "Product", "type"))
    assert gate.last_forecast(s3, workload, today) is None
    publish.archive(s3, workload, "old", clean, said, [])
    publish.publish(s3, workload, "old")
    assert gate.last_forecast(s3, workload, today) is None, "nobody knows what its columns are"
    record.write(s3, workload, Record("old", params=today.normalised()))
    found = gate.last_forecast(s3, workload, today)
    assert (found.run, found.first, found.types) == ("old", FIRST, TYPES)


HONEST = {
    "intermittent demand": (lambda hour: 3 if hour % 17 == 0 else 0, [0, 0, 1]),
    "tiny counts": (lambda hour: hour % 2, [0, 1, 1]),
    "a constant": (lambda hour: 7, [7, 7, 7]),
    "nothing ever": (lambda hour: 0, [0, 0, 0]),
    "nothing ever, with a little noise": (lambda hour: 0, [0, 0, 0.2]),
    "growth": (lambda hour: 200 - hour, [180, 230, 300]),
    "shrinking": (lambda hour: hour, [0, 0, 2]),
    "below zero": (lambda hour: -5 + hour % 11, [-9, -1, 8]),
    "far from zero with little spread": (lambda hour: 1000 + hour % 2, [950, 1010, 1100]),
    "night after day": (lambda hour: max(0, 12 - (hour + 6) % 24), [0, 0, 0.1]),
    "one spike": (lambda hour: 1000 if hour == 50 else 1, [1, 1, 1.1]),
}


@pytest.mark.parametrize("case", HONEST)
def test_honest_forecasts_of_odd_data_pass(params, case):
    value, quantiles = HONEST[case]
    numbers = np.broadcast_to(np.array(quantiles, dtype=float), (4, HORIZON, 3))
    found = judged(params(), numbers, text=past(value=value), lasts=numbers)
    assert not found.failed, found.failed


@pytest.mark.parametrize(
    ("types", "labels"), [(["mean"], ("mean",)), (["0.9"], ("p90",)), (["mean", "0.5"], ("mean", "p50"))]
)
def test_any_types_can_be_judged(params, types, labels):
    numbers = values(types=len(labels), half=0.0 if len(labels) == 1 else 1.0)
    found = judged(params(types=types), numbers, types=labels, lasts=numbers)
    assert not found.failed, found.failed


def test_a_forecast_of_nothing_is_refused_where_there_is_something(params):
    found = judged(params(), np.zeros((4, HORIZON, 3)), text=past(value=lambda hour: 5 + hour % 3))
    assert {each.name for each in found.failed} == {"flatness", "total"}


def test_a_table_says_early_what_was_found(params):
    rows = judged(params()).rows()
    assert list(rows[0]) == ["check", "result", "found", "value", "limit", "in params.json"]


def test_a_verdict_is_kept_as_it_was(s3, workload, params):
    found = judged(params(MostWidth=False), one_odd(middle=75.0))
    verdict.write(s3, workload, found)
    assert verdict.read(s3, workload, "one") == found
    assert verdict.read(s3, workload, "two") is None
    row = next(row for row in found.rows() if row["check"] == "level")
    assert row["result"] == "failed"
    assert (row["value"], row["limit"], row["in params.json"]) == (6.5, 5.0, "Gate.MostDistance")


STEPS = {
    "15min": (
        "2024-01-05 00:00:00",
        [("2024-01-04 23:45:00", 1), ("2024-01-04 23:44:59", 2), ("2024-01-05 00:00:00", 0)],
    ),
    "D": ("2024-03-01 00:00:00", [("2024-02-29 17:00:00", 1), ("2024-02-28 00:00:00", 2)]),
    "W": (
        "2024-03-04 00:00:00",
        [("2024-03-03 23:59:59", 1), ("2024-02-26 00:00:00", 1), ("2024-02-25 00:00:00", 2)],
    ),
    "M": (
        "2024-05-01 00:00:00",
        [
            ("2024-04-30 23:00:00", 1),
            ("2024-04-01 00:00:00", 1),
            ("2024-03-31 00:00:00", 2),
            ("2023-05-01 00:00:00", 12),
        ],
    ),
    "3M": (
        "2024-05-15 00:00:00",
        [("2024-05-14 00:00:00", 1), ("2024-02-15 00:00:00", 1), ("2024-02-14 00:00:00", 2)],
    ),
    "Y": ("2024-01-01 00:00:00", [("2023-01-01 00:00:00", 1), ("2022-12-31 00:00:00", 2)]),
}


@pytest.mark.parametrize("frequency", STEPS)
def test_steps_are_counted_back_from_the_forecast(frequency):
    first, times = STEPS[frequency]
    found = steps_back(
        np.array([time for time, _ in times], dtype="datetime64[s]"),
        dt.datetime.fromisoformat(first),
        Frequency.parse(frequency),
    )
    assert found.tolist() == [back for _, back in times]


def test_months_ahead_are_months():
    ahead = steps_ahead(dt.datetime(2024, 1, 31), Frequency.parse("M"), 3)
    assert [f"{time:%m-%d}" for time in ahead] == ["01-31", "02-29", "03-31"]
    assert steps_ahead(dt.datetime(2024, 2, 29), Frequency.parse("Y"), 2)[1] == dt.datetime(2025, 2, 28)


def test_finer_history_is_added_up_to_the_forecasts_step(params):
    lines = [f"2024-01-04 23:{minute:02}:00,{minute},a" for minute in (0, 15, 30)] + [
        "2024-01-04 22:10:00,,a"
    ]
    found = history(params(), "\n".join(lines) + "\n")
    assert found.items.tolist() == ["a"]
    assert (found.back.tolist(), found.values.tolist(), found.last_back) == ([1], [45.0], 1)


def test_rows_that_are_averaged_in_the_forecast_are_averaged_here(make_params):
    own = make_params(
        **{
            "Predictor.DataConfig": {
                "AttributeConfigs": [
                    {"AttributeName": "target_value", "Transformations": {"aggregation": "avg"}}
                ]
            }
        }
    )
    found = history(own, "2024-01-04 23:00:00,4,a\n2024-01-04 23:30:00,6,a\n")
    assert found.values.tolist() == [5.0]


def test_parquet_history_is_read_too(params, tmp_path):
    import pandas as pd

    frame = pd.DataFrame(
        {"timestamp": [FIRST - dt.timedelta(hours=2)], "target_value": [3], "item_id": ["007"]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": (tmp_path / "a.parquet").open("rb")})
    found = recent.read(s3, Workload("demand"), params(), ["train/a.parquet"], FIRST, 1)
    assert (found.items.tolist(), found.back.tolist(), found.values.tolist()) == (["007"], [2], [3.0])


def test_a_large_history_gives_in_pieces_what_it_gives_in_one(params, monkeypatch):
    def parts(of: Recent):
        order = np.lexsort((of.back, of.item))
        return of.items.tolist(), of.item[order].tolist(), of.back[order].tolist(), of.values[order].tolist()

    text = past()
    whole = parts(history(params(), text))
    monkeypatch.setattr(recent, "ROWS_HELD", 50)
    monkeypatch.setattr("pipeline.datafile.BLOCK_BYTES", 700)
    assert parts(history(params(), text)) == whole


def test_a_history_of_many_cells_is_not_added_up_again_for_every_piece(params, monkeypatch):
    added, rows = recent._added, []

    def counted(cells):
        rows.append(len(cells))
        return added(cells)

    monkeypatch.setattr(recent, "_added", counted)
    monkeypatch.setattr(recent, "ROWS_HELD", 1_000)
    gathered = recent._Gathered(reach=1_000)
    for back in range(1, 101):
        piece = pd.DataFrame({"item": pd.Categorical([f"i{n}" for n in range(100)]), "value": 1.0})
        gathered.add(piece, np.full(100, back))
    assert len(gathered.recent(averaged=False).values) == 10_000
    assert sum(rows) < 10 * 10_000


def test_a_file_in_small_blocks_is_the_same_file(params, monkeypatch):
    monkeypatch.setattr("pipeline.forecastfile.BLOCK_BYTES", 200)
    assert not judged(params(), lasts=values()).failed
    (failed,) = judged(params(), rows=changed(0)[:20] + changed(0)[21:]).failed
    assert "Item b has 11 rows" in failed.words
