"""What the data contract finds, sets aside, merges and imports."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from moto.s3.models import s3_backends

from pipeline import cells, comparisons, contract, inputs, messages, params, quality, rowlog
from pipeline.errors import BadInput
from pipeline.fingerprint import fingerprint
from pipeline.frequency import Frequency, Grid

HEADER = "timestamp,target_value,item_id\n"


@pytest.fixture
def contracted(s3, workload, make_params):
    """Checks what lies in the bucket under `Checks` and stages it; the report, the form and the copies."""

    def work(run="run", changes=None, **checks):
        configured = make_params(**{"Checks": checks, **(changes or {})})
        found = inputs.take_stock(s3, workload, configured)
        with contract.examine(s3, workload, configured, found) as examination:
            form = examination.accepted()
            examination.stage(run)
            return examination.report, form

    return work


@pytest.fixture
def found(s3, workload, make_params):
    """The findings in what lies in the bucket, whether it is refused or not."""

    def work(changes=None, **checks):
        configured = make_params(**{"Checks": checks, **(changes or {})})
        stock = inputs.take_stock(s3, workload, configured)
        with contract.examine(s3, workload, configured, stock) as examination:
            return examination.report.findings

    return work


@pytest.fixture
def uploaded_earlier(s3):
    """Makes an upload an hour older: the store tells times in whole seconds."""

    def work(rel):
        key = s3_backends["123456789012"]["aws"].buckets["demand"].keys[f"shop/{rel}"]
        key.last_modified -= dt.timedelta(hours=1)

    return work


def copied(snapshot, rel="train/a.csv", run="run"):
    return snapshot().get(f"shop/runs/{run}/input/{rel}")


def rules(findings, severity=None):
    return [finding.rule for finding in findings if severity in (None, finding.severity)]


# -- tolerance


def test_few_bad_rows_are_set_aside_with_their_reason_and_the_rest_is_imported(
    put, contracted, snapshot, hourly_csv
):
    good = hourly_csv(60)
    bad = '2024-01-09 00:00:00,"1,5",a\n2024-01-09 01:00:00,-3,"b, the ""bad"" one"\nshort\n'
    put("train/a.csv", (HEADER + bad + good).encode())
    report, form = contracted(MostBadRows=0.1, LeastValue=0)
    assert copied(snapshot).decode() == HEADER + good
    rejected = snapshot()["shop/runs/run/rejected/train/a.csv"].decode().splitlines()
    assert rejected[0] == "row,column,rule,timestamp,target_value,item_id"
    assert rejected[1].startswith("2,target_value,it has to be a number with a decimal point,")
    assert rejected[1].endswith('2024-01-09 00:00:00,"1,5",a')
    assert rejected[2].startswith("3,target_value,it has to be 0 or more")
    assert rejected[2].endswith('"b, the ""bad"" one"')
    assert rejected[3] == "4,,another number of cells,short"
    assert (form.rows, report.rows, report.bad_rows) == (120, 123, 3)
    assert sum("rejected/" in sentence for sentence in form.warnings) == 3


def test_a_rejected_row_with_a_carriage_return_stays_one_row(put, contracted, snapshot, hourly_csv):
    bad = '2024-01-09 00:00:00,1,"x\ry"\n2024-01-09 00:00:00,2,"x\r\ny"\n'
    put("train/a.csv", (HEADER + bad + hourly_csv(60)).encode())
    contracted(MostBadRows=0.1)
    rejected = snapshot()["shop/runs/run/rejected/train/a.csv"].decode()
    rows = list(csv.reader(io.StringIO(rejected, newline="")))
    assert [row[-1] for row in rows] == ["item_id", "x\ry", "x\r\ny"]
    assert rejected.count("\r") == 2


def test_columns_are_called_as_the_file_calls_them(put, contracted, snapshot, hourly_csv):
    bad = ",1,a\n2024-01-09 00:00:00,many,a\n"
    put("train/a.csv", ("ORDER DATE,Target_Value,sku\n" + bad + hourly_csv(60)).encode())
    report, form = contracted(MostBadRows=0.1)
    rejected = snapshot()["shop/runs/run/rejected/train/a.csv"].decode().splitlines()
    assert rejected[0] == "row,column,rule,ORDER DATE,Target_Value,sku"
    assert rejected[1].startswith("2,ORDER DATE,")
    assert rejected[2].startswith("3,Target_Value,")
    told = [row["column"] for row in report.table()]
    assert told == ["timestamp (in the file: ORDER DATE)", "target_value"]
    assert any("column timestamp (in the file: ORDER DATE) (row 2)" in each for each in form.warnings)
    with pytest.raises(
        BadInput, match=r"row 2, column timestamp \(in the file: ORDER DATE\): the cell is empty"
    ):
        contracted()


def test_at_the_tolerated_share_the_run_goes_on_and_above_it_does_not(put, contracted, hourly_csv):
    put("train/a.csv", (HEADER + hourly_csv(49) + "x,1,a\nx,1,a\n").encode())
    report, _ = contracted(MostBadRows=0.02)
    assert report.bad_rows == 2
    with pytest.raises(BadInput, match=r"Checks\.MostBadRows tolerates 1\.90%"):
        contracted(MostBadRows=0.019)


def test_a_file_of_which_nothing_is_left_is_not_imported(put, contracted, snapshot, hourly_csv):
    put("train/a.csv", (HEADER + hourly_csv(60)).encode())
    put("train/b.csv", b"2024-01-09 00:00:00,x,a\n")
    contracted(MostBadRows=0.1)
    assert copied(snapshot, "train/b.csv") is None
    assert "shop/runs/run/rejected/train/b.csv" in snapshot()


def test_what_is_broken_beyond_rows_is_never_tolerated(put, contracted, hourly_csv):
    put("train/a.csv", (HEADER + hourly_csv(60)).encode())
    put("train/b.csv", b"\x1f\x8b")
    with pytest.raises(BadInput, match="compressed"):
        contracted(MostBadRows=1)


# -- duplicates, overlaps, several files


def test_the_last_of_several_rows_counts(put, contracted, snapshot, hourly_csv):
    good = hourly_csv(60)
    put("train/a.csv", (HEADER + "2024-01-01 00:00:00,99,a\n" + good).encode())
    report, form = contracted(Duplicates="last")
    assert copied(snapshot).decode() == HEADER + good
    assert form.rows == 120
    (finding,) = [finding for finding in report.findings if finding.severity == quality.CHANGED]
    assert (finding.count, finding.examples[0].row) == (1, 2)


@pytest.mark.parametrize(("policy", "done"), [("sum", "added to"), ("last", "replaced by")])
def test_what_became_of_several_rows_is_told_in_a_sentence(put, contracted, hourly_csv, policy, done):
    put("train/a.csv", (HEADER + "2024-01-01 00:00:00,99,a\n" * 2 + hourly_csv(60)).encode())
    _, form = contracted(Duplicates=policy)
    assert form.warnings[0] == (
        f"train/a.csv (rows 2, 3), 2 times: the row was {done} a later one of the same series and time "
        f'(Checks.Duplicates is "{policy}"). Nothing has to be done if that is meant.'
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["1", "2.5", ""], "3.5"), (["", ""], ""), (["", "4"], "4.0"), (["-1", "1"], "0.0")],
)
def test_several_rows_are_added_up(put, contracted, snapshot, hourly_csv, values, expected):
    several = "".join(f"2024-01-09 00:00:00,{value},a\n" for value in values)
    put("train/a.csv", (HEADER + several + hourly_csv(60)).encode())
    contracted(Duplicates="sum")
    assert copied(snapshot).decode() == HEADER + f"2024-01-09 00:00:00,{expected},a\n" + hourly_csv(60)


def test_of_overlapping_files_the_newest_upload_counts(
    put, contracted, snapshot, hourly_csv, uploaded_earlier
):
    newer = HEADER + "2024-01-01 00:00:00,99,a\n"
    put("train/b.csv", (HEADER + hourly_csv(60)).encode())
    uploaded_earlier("train/b.csv")
    put("train/a.csv", newer.encode())  # the later upload, though it comes first by name
    contracted(Duplicates="last")
    assert copied(snapshot).decode() == newer
    assert copied(snapshot, "train/b.csv").decode() == HEADER + "".join(
        hourly_csv(60).splitlines(keepends=True)[1:]
    )


def test_the_order_of_uploads_makes_another_run_only_where_the_last_row_counts(
    s3, workload, put, make_params, hourly_csv, uploaded_earlier
):
    def run(**checks):
        configured = make_params(Checks=checks)
        return fingerprint(workload, configured, inputs.take_stock(s3, workload, configured))

    put("train/a.csv", hourly_csv(12).encode())
    put("train/b.csv", hourly_csv(12, ("c",)).encode())
    uploaded_earlier("train/a.csv")
    uploaded_earlier("train/a.csv")
    before = run(), run(Duplicates="last")
    for _ in range(3):
        uploaded_earlier("train/b.csv")
    assert run() == before[0]
    assert run(Duplicates="last") != before[1]


def test_a_snapshot_is_the_newest_file_alone(put, contracted, snapshot, hourly_csv, uploaded_earlier):
    put("train/b.csv", (HEADER + hourly_csv(50)).encode())
    uploaded_earlier("train/b.csv")
    put("train/a.csv", (HEADER + hourly_csv(60)).encode())
    report, form = contracted(Files="snapshot")
    assert form.rows == 120
    assert copied(snapshot, "train/b.csv") is None
    (finding,) = [finding for finding in report.findings if finding.severity == quality.CHANGED]
    assert finding.file == "train/b.csv"
    assert "a newer file is the data" in finding.rule


def test_rows_told_apart_by_a_further_column_are_no_duplicates(put, s3, workload, document, hourly_csv):
    attributes = document["Datasets"][0]["Schema"]["Attributes"]
    attributes.append({"AttributeName": "shop", "AttributeType": "string"})
    configured = params.load(json.dumps(document).encode())
    body = "".join(f"{line},{shop}\n" for shop in "xy" for line in hourly_csv(20).splitlines())
    put("train/a.csv", body.encode())
    stock = inputs.take_stock(s3, workload, configured)
    assert contract.check(s3, workload, configured, stock).rows == 80
    put("train/a.csv", (body + body.splitlines()[0] + "\n").encode())
    with pytest.raises(BadInput, match="same series and time"):
        contract.check(s3, workload, configured, inputs.take_stock(s3, workload, configured))


def test_files_without_a_change_are_copied_by_the_store_itself(put, contracted, hourly_csv, monkeypatch):
    put("train/a.csv", hourly_csv(60).encode())
    monkeypatch.setattr(contract.cleaning, "clean", lambda *_: pytest.fail("the file was written anew"))
    contracted(Duplicates="sum")


def test_parquet_keeps_its_types_when_rows_are_merged(put, contracted, snapshot):
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    frame = pd.DataFrame({"timestamp": [hours[0], *hours], "target_value": [2] * 41, "item_id": "a"})
    body = io.BytesIO()
    frame.to_parquet(body, index=False)
    put("train/a.parquet", body.getvalue())
    contracted(Duplicates="sum")
    cleaned = pd.read_parquet(io.BytesIO(copied(snapshot, "train/a.parquet")))
    assert cleaned["target_value"].tolist() == [4, *[2] * 39]
    assert cleaned.dtypes.equals(frame.dtypes)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (pa.scalar(100, pa.int8()), "int64"),
        (pa.scalar(2**63, pa.uint64()), "double"),
        (pa.scalar(60_000, pa.float16()), "double"),
        (pa.scalar(Decimal("9.9"), pa.decimal128(2, 1)), "double"),
        (pa.scalar(9 * 10**18, pa.int64()), "double"),
        (pa.scalar(1.5).cast(pa.float32()), "double"),
    ],
    ids=str,
)
def test_a_sum_that_does_not_fit_into_its_parquet_column_gets_a_roomier_one(
    put, contracted, snapshot, value, kind
):
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    columns = {"timestamp": [*hours, hours[0]], "target_value": pa.array([value] * 41), "item_id": ["a"] * 41}
    body = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), body, row_group_size=7)
    put("train/a.parquet", body.getvalue())
    contracted(Duplicates="sum")
    cleaned = pyarrow.parquet.read_table(io.BytesIO(copied(snapshot, "train/a.parquet")))["target_value"]
    expected = float(value.as_py())
    assert sorted(map(float, cleaned.to_pylist())) == [expected] * 39 + [2 * expected]
    assert str(cleaned.type) == kind


@pytest.mark.parametrize("value", ["1e30", "-1e30"])
def test_a_number_is_as_large_as_models_allow(put, found, value):
    lines = [f"2024-01-01 {hour:02}:00:00,{value},a" for hour in range(24)]
    put("train/a.csv", (HEADER + "\n".join(lines) + "\n").encode())
    assert rules(found()) == []
    put("train/a.csv", (HEADER + "\n".join(lines).replace("1e30", "1.1e30", 1) + "\n").encode())
    (enormous,) = found()
    assert enormous.rule == "it has to be 1e+30 at the most: no model computes with larger numbers"
    assert (enormous.count, enormous.severity) == (1, quality.ERROR)


def test_a_second_attempt_finds_the_copies_of_the_first(put, contracted, snapshot, hourly_csv):
    put("train/a.csv", (HEADER + "2024-01-01 00:00:00,99,a\n" + hourly_csv(60)).encode())
    contracted(Duplicates="last")
    before = snapshot()
    contracted(Duplicates="last")
    assert snapshot() == before


@pytest.mark.parametrize("part_bytes", [200, 10**9])
def test_merging_is_the_same_however_many_parts_the_rows_are_kept_in(
    put, contracted, snapshot, monkeypatch, part_bytes
):
    chance = np.random.default_rng(3)
    begin = dt.datetime(2024, 1, 1)
    keys = [(begin + dt.timedelta(hours=h), i) for h in range(30) for i in ("a", "b", "c", "é")]
    rows = [keys[n] for n in chance.integers(0, len(keys), 400)]
    lines = [f"{time},{value},{item}\n" for value, (time, item) in enumerate(rows)]
    monkeypatch.setattr(rowlog, "PART_BYTES", part_bytes)
    put("train/a.csv", "".join(lines).encode())
    contracted(Duplicates="sum")
    expected = pd.DataFrame([(str(t), i, n) for n, (t, i) in enumerate(rows)]).groupby([0, 1])[2].sum()
    got = pd.read_csv(io.BytesIO(copied(snapshot)), header=None).set_index([0, 2])[1]
    assert len(got) == len(expected)
    assert got.sort_index().tolist() == expected.sort_index().tolist()


def test_headers_in_some_files_alone_are_told(put, found, hourly_csv):
    put("train/a.csv", hourly_csv(60, ("a",)).encode())
    put("train/b.csv", hourly_csv(60, ("b",)).encode())
    assert not found()
    put("train/b.csv", f"time,sold,sku\n{hourly_csv(60, ('b',))}".encode())
    (finding,) = found()
    assert (finding.file, finding.severity) == ("train/", quality.WARNING)
    assert "1 of 2 files begin with a header" in finding.rule


# -- time


def test_gaps_are_counted_with_the_filling_that_closes_them(put, found, hourly_csv):
    lines = hourly_csv(60).splitlines(keepends=True)
    put("train/a.csv", "".join(lines[:20] + lines[30:]).encode())
    (finding,) = [f for f in found() if "have no row" in f.rule]
    assert (finding.count, finding.severity) == (10, quality.WARNING)
    assert "middlefill: zero" in finding.rule
    assert finding.examples[0] == quality.Example(21, "10 steps without a row before it")


def test_too_many_gaps_are_refused_where_a_limit_is_set(put, found, hourly_csv):
    lines = hourly_csv(60, ("a",)).splitlines(keepends=True)
    put("train/a.csv", "".join(lines[:20] + lines[35:]).encode())
    assert not rules(found(MostMissing=0.25), quality.ERROR)
    assert "25.0% of the steps have no row" in rules(found(MostMissing=0.24), quality.ERROR)[0]


WEEKLY = {
    "Predictor.ForecastFrequency": "W",
    "Datasets.0.DataFrequency": "D",
    "TimestampFormat": "yyyy-MM-dd",
}


def weeks(days):
    begin = dt.date(2024, 1, 1)  # a Monday
    return "".join(f"{begin + dt.timedelta(days=d)},1,a\n" for d in days).encode()


def test_weeks_on_another_weekday_are_reported_with_the_boundary_that_fits(put, found):
    put("train/a.csv", weeks(range(6, 280, 7)))
    (finding,) = [f for f in found(WEEKLY) if "beside the steps of 1 week" in f.rule]
    assert finding.count == 40
    assert '{"DayOfWeek": "SUNDAY"}' in finding.remedy
    fitting = {**WEEKLY, "Predictor.TimeAlignmentBoundary": {"DayOfWeek": "SUNDAY"}}
    assert not found(fitting)


def test_weeks_that_begin_on_changing_days_and_meet_are_reported(put, found):
    put("train/a.csv", weeks([*range(0, 140, 7), 142, 146, *range(154, 280, 7)]))
    findings = found(WEEKLY)
    assert any("fall into one step of 1 week" in rule for rule in rules(findings, quality.WARNING))
    assert not rules(findings, quality.ERROR)


def test_finer_data_are_aggregated_without_a_word(put, found):
    put("train/a.csv", weeks(range(280)))
    assert not found(WEEKLY)


def test_coarser_data_are_told(put, found):
    put("train/a.csv", weeks(range(0, 280, 7)))
    daily = {
        "Predictor.ForecastFrequency": "D",
        "Datasets.0.DataFrequency": "D",
        "TimestampFormat": "yyyy-MM-dd",
    }
    assert any("rows are typically 7 steps apart" in rule for rule in rules(found(daily)))


def clock(zone, first, last):
    """Local times of every hour in a zone."""
    hours = pd.date_range(first, last, freq="h", tz="UTC").tz_convert(zone)
    return [hour.strftime("%Y-%m-%d %H:%M:%S") for hour in hours]


@pytest.mark.parametrize("zone", ["Europe/Paris", "Europe/London", "America/New_York", "Australia/Sydney"])
def test_local_times_with_daylight_saving_are_recognised(put, found, zone):
    local = clock(zone, "2023-01-01", "2023-12-31")
    put("train/a.csv", "".join(f"{time},1,a\n" for time in dict.fromkeys(local)).encode())
    (rule,) = [rule for rule in rules(found()) if "daylight" in rule]
    assert zone in rule
    assert "is missing whenever" in rule


def test_the_hour_that_comes_twice_is_explained(put, found):
    local = clock("Europe/Paris", "2023-06-01", "2023-12-31")
    put("train/a.csv", "".join(f"{time},1,a\n" for time in local).encode())
    findings = found()
    assert "another row of the file has the same series and time" in rules(findings, quality.ERROR)
    assert any(
        "comes twice whenever daylight saving ends in Europe/Paris" in rule for rule in rules(findings)
    )


def test_times_without_daylight_saving_are_not_suspected(put, found):
    put("train/a.csv", "".join(f"{time},1,a\n" for time in clock("UTC", "2023-01-01", "2023-12-31")).encode())
    assert not found()


@pytest.mark.parametrize(("zone", "is_refused"), [("UTC", False), ("Europe/Paris", True), ("+02:00", True)])
def test_a_zone_in_a_parquet_file_is_refused_unless_its_clocks_are_the_files(put, found, zone, is_refused):
    hours = pa.array(pd.date_range("2024-01-01", periods=40, freq="h"), pa.timestamp("us", zone))
    body = io.BytesIO()
    pyarrow.parquet.write_table(
        pa.table({"timestamp": hours, "target_value": [1.0] * 40, "item_id": ["a"] * 40}), body
    )
    put("train/a.parquet", body.getvalue())
    expected = [f"the column has the time zone {zone}, and services read times without one"]
    assert rules(found(), quality.ERROR) == (expected if is_refused else [])


GRIDS = [
    ("H", {}, "2024-01-01 05:30:00", 5, False),
    ("D", {"Hour": 6}, "2024-01-02 05:00:00", 1, False),
    ("D", {"Hour": 6}, "2024-01-02 06:00:00", 2, True),
    ("W", {}, "2024-01-08 00:00:00", 1, True),
    ("W", {"DayOfWeek": "SUNDAY"}, "2024-01-07 00:00:00", 1, True),
    ("2D", {}, "2024-01-04 00:00:00", 1, False),
    ("2D", {}, "2024-01-05 00:00:00", 2, True),
    ("M", {}, "2024-03-01 00:00:00", 2, True),
    ("M", {"DayOfMonth": 15}, "2024-02-15 00:00:00", 2, True),
    ("3M", {}, "2024-04-01 00:00:00", 1, True),
    ("Y", {}, "2025-01-01 00:00:00", 1, True),
    ("Y", {"Month": "JULY"}, "2024-07-01 00:00:00", 1, True),
    ("15min", {}, "2024-01-01 00:45:00", 3, True),
]


@pytest.mark.parametrize(("frequency", "boundary", "time", "step", "is_on"), GRIDS)
def test_times_fall_into_the_steps_of_the_service(frequency, boundary, time, step, is_on):
    first, moment = (
        np.array([text], dtype="datetime64[us]").astype(np.int64) for text in ("2024-01-01", time)
    )
    grid = Grid(Frequency.parse(frequency), int(first[0]), boundary)
    assert grid.steps(moment).tolist() == [step]
    assert grid.is_on(moment).tolist() == [is_on]


# -- values and keys


def test_a_value_far_beyond_its_series_is_told_and_a_lively_series_is_not(put, found, hourly_csv):
    lines = hourly_csv(200).splitlines()
    lines[7] = lines[7].replace("7.5", "9000000")
    put("train/a.csv", "\n".join(lines).encode())
    (finding,) = found()
    assert (finding.severity, finding.column, finding.examples) == (
        quality.WARNING,
        "target_value",
        [quality.Example(8, "9e+06")],
    )
    assert not found(OutlierScale=False)


def test_only_series_that_can_have_an_outlier_are_looked_at_closely():
    chance = np.random.default_rng(0)
    for _ in range(300):
        values = chance.standard_cauchy(chance.integers(2, 60)) * chance.choice([1, 1e6])
        rows = np.zeros(len(values), dtype=rowlog.ROW)
        rows["value"] = values
        far = np.abs(values - np.median(values))
        typical = (far.sum() - far.max()) / (len(values) - 1)
        has_outlier = far.max() > 20 * max(typical, abs(np.median(values)) / 100)
        assert len(comparisons._suspects(rows, 20)) or not has_outlier


@pytest.mark.parametrize("other", ["A", "a ", " a", "\uff41", "a\u200b"])
def test_keys_alike_are_told(put, found, hourly_csv, other):
    put("train/a.csv", (hourly_csv(20) + hourly_csv(20, (other,))).encode())
    findings = found()
    (alike,) = [f for f in findings if "letter case, in blanks" in f.rule]
    assert alike.severity == quality.WARNING
    assert repr(other) in alike.examples[0].value
    assert any("begins or ends with a blank" in rule for rule in rules(findings)) == (" " in other)


@pytest.mark.parametrize("key", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+cmd", "-x"])
def test_a_formula_stays_what_it_is_and_is_told(put, contracted, snapshot, hourly_csv, key):
    body = hourly_csv(20, (f'"{key}"',)).encode()
    put("train/a.csv", body)
    report, form = contracted()
    assert "spreadsheets take it for a formula" in rules(report.findings, quality.WARNING)[0]
    assert copied(snapshot) == body
    assert form.items == 1


@pytest.mark.parametrize(
    "key", ["-5", "+3.2", "a=b", "x@y", "'; DROP TABLE forecast; --", "東京", "NULL", "nan"]
)
def test_any_other_name_is_a_name(put, contracted, hourly_csv, key):
    put("train/a.csv", hourly_csv(20, (key,)).encode())
    report, form = contracted()
    assert (form.items, report.findings) == (1, [])


# -- hostile files


KEYS = [
    "train/a\nb.csv",
    'train/it\'s "quoted".csv',
    "train/100% +plus&=?.csv",
    "train/../../etc/passwd.csv",
    "train/日本 ☃.csv",
    "train/'; DROP TABLE x; --.csv",
    "train/" + "long/" * 150 + "a.csv",
    "train/=cmd|' /C calc'!A0.csv",
]


@pytest.mark.parametrize("key", KEYS)
def test_an_object_may_have_any_name(put, contracted, snapshot, hourly_csv, key):
    body = (HEADER + hourly_csv(60)).encode()
    put(key, body + b"x,1,a\n")
    report, form = contracted(MostBadRows=0.1)
    assert snapshot()[f"shop/runs/run/input/{key}"] == body
    assert all("\n" not in sentence and len(sentence) < 500 for sentence in form.warnings)
    assert all("\n" not in row["file"] for row in report.table())


def test_a_text_that_would_fill_the_memory_is_not_unpacked(put, found):
    """One text of 2 MB that half a million rows share: a file of some kilobytes, a terabyte unpacked."""
    rows = 500_000
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), ["x" * 2_000_000])
    times = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), ["2024-01-01 00:00:00"])
    table = pa.table({"timestamp": times, "target_value": pa.array(np.ones(rows)), "item_id": texts})
    body = io.BytesIO()
    pyarrow.parquet.write_table(table, body, compression="zstd")
    assert body.tell() < 1_000_000
    put("train/a.parquet", body.getvalue())
    (rule,) = [rule for rule in rules(found(), quality.ERROR) if rule.startswith("200000 rows")]
    assert "expand to more than 1 GB" in rule


def test_a_row_group_that_expands_beyond_bounds_is_refused(put, found, monkeypatch):
    from pipeline import datafile

    monkeypatch.setattr(datafile, "MOST_EXPANDED_BYTES", 1000)
    frame = pd.DataFrame(
        {"timestamp": "2024-01-01 00:00:00", "target_value": np.arange(500.0), "item_id": "a"}
    )
    body = io.BytesIO()
    frame.to_parquet(body, index=False)
    put("train/a.parquet", body.getvalue())
    assert "a row group expands" in rules(found(), quality.ERROR)[0]


def test_quotes_that_open_early_and_never_close_end_in_a_sentence(put, found):
    put("train/a.csv", b'2024-01-01 00:00:00,1,"a\n' + b"2024-01-01 00:00:00,1,b\n" * 1_300_000)
    (rule,) = rules(found(), quality.ERROR)[:1]
    assert "row does not end" in rule


def test_a_zero_deep_in_a_file_is_a_bad_row(put, found, hourly_csv):
    body = hourly_csv(10_000, ("a",)) + "2030-01-01 00:00:00,1,a\x00b\n"
    put("train/a.csv", body.encode())
    assert any("control characters" in rule for rule in rules(found(), quality.ERROR))


def test_too_many_series_to_tell_apart_are_still_checked(put, found, hourly_csv, monkeypatch):
    monkeypatch.setattr(cells, "MOST_KEYS", 1)
    put("train/a.csv", (hourly_csv(20) + "2024-01-01 00:00:00,1,b\n").encode())
    findings = found()
    assert any("there are more than 1 series" in rule for rule in rules(findings))
    assert any("same series and time" in rule for rule in rules(findings, quality.ERROR))


# -- the report


def test_the_report_names_file_row_column_rule_remedy_and_value(
    s3, workload, put, make_params, snapshot, hourly_csv
):
    put("train/a.csv", (HEADER + hourly_csv(20) + "2024-01-09 00:00:00,Secret-7,a\n").encode())
    configured = make_params()
    stock = inputs.take_stock(s3, workload, configured)
    with contract.examine(s3, workload, configured, stock) as examination:
        address = quality.write(s3, workload, "run", examination.report)
        with pytest.raises(BadInput) as caught:
            examination.accepted(address)
    assert address == "s3://demand/shop/runs/run/quality.json"
    report = json.loads(snapshot()["shop/runs/run/quality.json"])
    assert report["outcome"] == "refused"
    (finding,) = report["findings"]
    assert finding["file"] == "train/a.csv"
    assert finding["column"] == "target_value"
    assert finding["examples"] == [{"row": 42, "value": '"Secret-7"'}]
    assert finding["rule"]
    assert finding["remedy"]
    assert address in messages.failure(workload, "Check-Input", caught.value).body


def test_what_leaves_the_bucket_holds_no_value_of_a_customer(s3, workload, put, make_params):
    """Every kind of finding, each with a marked value."""
    mark = "Zq7marked"
    body = (
        HEADER.replace("item_id", "item_id")
        + "".join(f"2024-01-{d + 1:02} {h:02}:00:00,1,{mark}\n" for d in range(3) for h in range(24))
        + f"2024-01-01 00:00:00,1,{mark}\n2024-01-09 00:00:00,{mark},x\n{mark},1,x\n{mark}\n"
        + f"2024-01-09 00:00:00,1,={mark}\n2024-01-09 00:00:00,1,{mark.upper()}\n"
        + f"2024-01-09 00:00:00,1,{mark} \n2024-01-09 00:00:00,1,{mark * 300}\n"
        + f"2024-01-09 05:30:00+01:00{mark},1,x\n"
    )
    put("train/a.csv", body.encode())
    put("train/b.csv", f"timestamp,target_value,item_id,{mark}\n".encode())
    put("train/c.csv", f"target_value,timestamp,{mark}\n".encode())
    configured = make_params()
    with contract.examine(
        s3, workload, configured, inputs.take_stock(s3, workload, configured)
    ) as examination:
        report = examination.report
        said = [str(report.refusal("address")), *report.sentences(), json.dumps(report.table())]
        assert len(report.findings) > 8
        assert mark.lower() in json.dumps(report.to_dict()).lower()
    assert not [text for text in said if mark.lower() in text.lower()]


def test_an_input_of_any_size_opens_few_files():
    log = rowlog.RowLog(10**15)
    rows = np.zeros(1000, dtype=rowlog.ROW)
    rows["series"] = np.arange(1000) % 300
    log.add(rows)
    parts = list(log.parts(np.array([0])))
    log.close()
    assert len(parts) == rowlog.MOST_PARTS
    assert sorted(np.concatenate([part.rows["series"] for part in parts])) == sorted(rows["series"])
    assert sum(len(part.starts) for part in parts) == 300
