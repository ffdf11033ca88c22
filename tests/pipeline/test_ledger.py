"""The ledger: published forecasts against what came, checked by hand."""

import datetime as dt
import io

import pandas as pd
import pytest

from pipeline import ledger, publish
from pipeline.recent import shifted
from pipeline.reformat import Reformatted

FIRST = dt.datetime(2024, 1, 1)


def hour(step):
    return FIRST + dt.timedelta(hours=step)


def value(item, step):
    """A daily rhythm, a level, and something that is new every day."""
    return {"a": 10.0, "b": 100.0}[item] + step % 24 + step // 24 % 3


@pytest.fixture
def upload(put):
    """Uploads the history up to a step; corrections replace single values."""

    def write(steps, corrections=None):
        rows = [
            f"{hour(step)},{(corrections or {}).get((item, step), value(item, step))},{item}\n"
            for item in "ab"
            for step in range(steps)
        ]
        put("train/a.csv", ("timestamp,target_value,item_id\n" + "".join(rows)).encode())

    return write


@pytest.fixture
def published(s3, workload, tmp_path):
    """Archives a forecast of three hours from a step on: p10 two below, p50 one above, p90 five above."""

    def write(run, begin):
        rows = [
            f"{hour(begin + n)},{value(item, begin + n) + spread},{item},{label}\n"
            for item in "ab"
            for n in range(3)
            for label, spread in (("p10", -2), ("p50", 1), ("p90", 5))
        ]
        clean = tmp_path / "forecast.csv"
        clean.write_text("timestamp,target_value,item_id,type\n" + "".join(rows))
        written = Reformatted(
            rows=18,
            items=2,
            horizon=3,
            types=("p10", "p50", "p90"),
            columns=("timestamp", "target_value", "item_id", "type"),
            has_header=True,
            first=hour(begin),
            last=hour(begin + 2),
            frequency="H",
            timestamp_format="yyyy-MM-dd HH:mm:ss",
        )
        publish.archive(s3, workload, run, clean, written, [])

    return write


@pytest.fixture
def keep(s3, workload, make_params):
    def score(**given):
        params = make_params(**{"Forecast.ForecastTypes": ["0.1", "0.5", "0.9"]})
        return ledger.keep(s3, workload, params, [workload.key("train/a.csv")], **given)

    return score


def rows_of(snapshot, run):
    body = snapshot()[f"shop/ledger/{run}/scores.parquet"]
    return pd.read_parquet(io.BytesIO(body))


def test_three_uploads_with_later_actuals_give_what_a_hand_computes(
    upload, published, keep, snapshot, s3, workload
):
    upload(48)
    published("one", 48)
    assert keep() == []
    upload(50)  # two of three hours have come
    published("two", 50)
    (one,) = keep()
    size = sum(value(item, step) for item in "ab" for step in (48, 49))
    assert (one.run, one.steps, one.points) == ("one", 2, 4)
    assert one.wape == pytest.approx(4 * 1 / size)
    assert one.bias == pytest.approx(4 * 1 / size)
    assert one.losses["p10"] == pytest.approx(2 * 4 * 0.1 * 2 / size)
    assert one.losses["p50"] == pytest.approx(2 * 4 * 0.5 * 1 / size)
    assert one.losses["p90"] == pytest.approx(2 * 4 * 0.1 * 5 / size)
    assert one.coverage == {"p10": 0.0, "p50": 1.0, "p90": 1.0}
    naive = sum(abs(value(i, s) - value(i, s - 24)) for i in "ab" for s in (48, 49))
    assert one.naive_wape == pytest.approx(naive / size)

    upload(53)
    published("three", 53)
    scores = keep()
    assert [(each.run, each.steps, each.points) for each in scores] == [("one", 3, 6), ("two", 3, 6)]
    assert ledger.kept(s3, workload) == scores
    rows = rows_of(snapshot, "two")
    assert len(rows) == 18
    assert set(rows["step"]) == {1, 2, 3}
    b = rows.query("item_id == 'b' and step == 2 and type == 'p90'").iloc[0]
    assert (b["timestamp"], b["quantile"], b["forecast"]) == ("2024-01-03 03:00:00", 0.9, value("b", 51) + 5)
    assert (b["actual"], b["naive"]) == (value("b", 51), value("b", 27))


def test_scoring_again_gives_the_same_bytes_and_writes_nothing(
    upload, published, keep, snapshot, s3, workload
):
    upload(48)
    published("one", 48)
    upload(60)
    keep()
    before = snapshot()
    stamps = {run: _written(s3, workload, run) for run in ("one",)}
    assert keep() == keep(runs=["one"])
    assert snapshot() == before
    assert {run: _written(s3, workload, run) for run in ("one",)} == stamps
    for name in ("ledger/one/scores.parquet", "runs/one/outcome.json"):
        s3.delete_object(Bucket=workload.bucket, Key=workload.key(name))
    keep()
    assert snapshot() == before


def test_a_late_correction_changes_the_forecasts_of_that_time_and_no_other(upload, published, keep, snapshot):
    upload(48)
    published("one", 48)
    published("two", 51)
    published("three", 54)
    upload(57)
    keep()
    before = snapshot()
    upload(57, {("a", 52): 99.0})
    keep()
    after = snapshot()
    changed = {key for key in after if after[key] != before.get(key) and "train" not in key}
    assert changed == {"shop/ledger/two/scores.parquet", "shop/runs/two/outcome.json"}
    assert rows_of(snapshot, "two").query("item_id == 'a' and step == 2")["actual"].tolist() == [99.0] * 3


def test_an_item_without_actual_values_has_no_rows(upload, published, keep, put, snapshot):
    upload(48)
    published("one", 48)
    rows = [f"{hour(step)},{value('a', step)},a\n" for step in range(51)]
    put("train/a.csv", ("timestamp,target_value,item_id\n" + "".join(rows)).encode())
    (one,) = keep()
    assert one.points == 3
    assert set(rows_of(snapshot, "one")["item_id"]) == {"a"}


def test_the_naive_forecast_is_missing_where_the_season_before_is(upload, published, keep, put, snapshot):
    published("one", 10)
    upload(13)
    (one,) = keep()
    assert one.naive_wape is None
    assert rows_of(snapshot, "one")["naive"].isna().all()


def test_a_forecast_of_another_schema_is_left_out(upload, published, keep, s3, workload):
    published("one", 48)
    upload(60)
    stored = publish.storage.read_json(s3, workload, "runs/one/forecast.json")
    stored["columns"] = ["timestamp", "item_id", "target_value", "type"]
    publish.storage.write_json(s3, workload, "runs/one/forecast.json", stored)
    assert keep() == []


def test_windows_that_do_not_hold_all_forecasts_give_the_same_scores(upload, published, keep, monkeypatch):
    upload(100)
    for number, begin in enumerate((30, 50, 70, 90)):
        published(f"run{number}", begin)
    whole = keep()
    monkeypatch.setattr("pipeline.recent.MOST_CELLS", 60)
    assert keep() == whole
    assert len(whole) == 4


@pytest.mark.parametrize(
    ("frequency", "season"),
    [("15min", 96), ("H", 24), ("6H", 4), ("D", 7), ("W", 52), ("M", 12), ("3M", 4), ("Y", 1)],
)
def test_the_naive_rhythm_of_each_frequency(frequency, season):
    assert ledger.season(ledger.Frequency.parse(frequency)) == season


def test_times_shift_by_months_without_drifting():
    monthly = ledger.Frequency.parse("M")
    assert shifted(dt.datetime(2024, 1, 31), monthly, 1) == dt.datetime(2024, 2, 29)
    assert shifted(dt.datetime(2024, 3, 1), monthly, -12) == dt.datetime(2023, 3, 1)


def _written(s3, workload, run):
    place = {"Bucket": workload.bucket, "Key": workload.key(f"ledger/{run}/scores.parquet")}
    return s3.head_object(**place)["LastModified"]
