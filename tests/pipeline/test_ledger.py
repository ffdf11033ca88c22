"""The ledger: published forecasts against what came, checked by hand."""

import copy
import datetime as dt
import io
import json

import pandas as pd
import pytest

from pipeline import ledger, publish, record, recount
from pipeline.recent import shifted
from pipeline.record import Record
from pipeline.reformat import Reformatted
from tests.pipeline.conftest import HOURLY

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
    def score():
        params = make_params(**{"Forecast.ForecastTypes": ["0.1", "0.5", "0.9"]})
        return ledger.keep(s3, workload, params, [workload.key("train/a.csv")])

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
    assert keep() == keep()
    assert snapshot() == before
    assert {run: _written(s3, workload, run) for run in ("one",)} == stamps
    for name in ("ledger/one/scores.parquet", "runs/one/outcome.json"):
        s3.delete_object(Bucket=workload.bucket, Key=workload.key(name))
    keep()
    assert snapshot() == before


def test_a_score_of_an_older_version_is_made_again(upload, published, keep, snapshot, s3, workload):
    upload(48)
    published("one", 48)
    upload(60)
    keep()
    before = snapshot()
    stored = publish.storage.read_json(s3, workload, "runs/one/outcome.json")
    older = {name: value for name, value in stored.items() if name not in ("inside", "horizon")}
    publish.storage.write_json(s3, workload, "runs/one/outcome.json", older)
    assert ledger.scored(s3, workload, "one").inside is None
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


@pytest.fixture
def made_with(s3, workload, make_params):
    """The record of a forecast's run, whose configuration was this; its file has these columns."""

    def write(run, columns, **changes):
        params = make_params(**changes).normalised()
        record.write(s3, workload, Record(run, params=params))
        stored = publish.storage.read_json(s3, workload, f"runs/{run}/forecast.json")
        stored["columns"] = [*columns, "type"]
        publish.storage.write_json(s3, workload, f"runs/{run}/forecast.json", stored)

    return write


ATTRIBUTES = "Datasets.0.Schema.Attributes"
NAMED = ("Date", "Units Sold", "Product")
TEXT = {"AttributeName": "shop", "AttributeType": "string"}


def in_order(*places):
    return [HOURLY["Datasets"][0]["Schema"]["Attributes"][place] for place in places]


def test_the_names_in_the_files_header_do_not_matter(
    upload, published, keep, made_with, put, s3, workload, snapshot
):
    published("one", 48)
    made_with("one", ("timestamp", "target_value", "item_id"))
    upload(60)
    (plain,) = keep()
    rows = snapshot()["shop/ledger/one/scores.parquet"]
    for name in ("ledger/one/scores.parquet", "runs/one/outcome.json"):
        s3.delete_object(Bucket=workload.bucket, Key=workload.key(name))
    made_with("one", NAMED)
    text = snapshot()["shop/train/a.csv"].decode().replace("timestamp,target_value,item_id", ",".join(NAMED))
    put("train/a.csv", text.encode())
    assert keep() == [plain]
    assert snapshot()["shop/ledger/one/scores.parquet"] == rows


@pytest.mark.parametrize(
    "changes",
    [
        {ATTRIBUTES: in_order(0, 2, 1)},
        {ATTRIBUTES: [*in_order(0, 1, 2), TEXT]},
        {ATTRIBUTES: [*in_order(0, 1, 2), TEXT], "Predictor.ForecastDimensions": ["shop"]},
    ],
    ids=["in another order", "with one more column", "by another dimension"],
)
def test_a_forecast_of_another_schema_is_left_out(upload, published, keep, made_with, changes):
    published("one", 48)
    upload(60)
    made_with("one", ("timestamp", "target_value", "item_id"), **changes)
    assert keep() == []


@pytest.mark.parametrize(
    "columns", [("timestamp", "item_id", "target_value"), NAMED], ids=["in another order", "unknown"]
)
def test_a_forecast_without_a_record_is_known_by_its_columns(upload, published, keep, s3, workload, columns):
    published("one", 48)
    upload(60)
    stored = publish.storage.read_json(s3, workload, "runs/one/forecast.json")
    stored["columns"] = [*columns, "type"]
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


# -- computed again by command


@pytest.fixture
def recounted(s3, workload, put, capsys):
    """The command on the workload, as a person calls it: its status and what it prints."""
    document = copy.deepcopy(HOURLY)
    document["Forecast"]["ForecastTypes"] = ["0.1", "0.5", "0.9"]
    put("params.json", json.dumps(document).encode())

    def run(*arguments):
        status = recount.main(["--bucket", workload.bucket, "--folder", workload.folder, *arguments])
        return status, capsys.readouterr()

    return run


@pytest.fixture
def kept(upload, published, keep):
    """Two forecasts, scored."""
    upload(48)
    published("one", 48)
    published("two", 51)
    upload(57)
    return [one.run for one in keep()]


def test_the_ledger_computed_again_is_the_same_to_the_byte(kept, recounted, snapshot):
    before = snapshot()
    for arguments in (("--check",), ()):
        status, said = recounted(*arguments)
        assert status == 0, said.err
        assert [line.split()[0] for line in said.out.splitlines()] == kept[::-1]
        assert said.out.count("6 values  same") == 2
    assert snapshot() == before


def test_what_is_wrong_in_the_ledger_is_found_and_put_right(kept, recounted, snapshot, put, s3, workload):
    before = snapshot()
    put("ledger/one/scores.parquet", b"somebody has been here")
    s3.delete_object(Bucket=workload.bucket, Key=workload.key("runs/two/outcome.json"))
    wrong = snapshot()
    status, said = recounted("--check")
    assert status == 1
    assert [line.split("  ")[-1] for line in said.out.splitlines()] == ["missing", "different"]
    assert snapshot() == wrong, "it only looks"
    status, said = recounted()
    assert status == 0
    assert "two" in said.out.splitlines()[0]
    assert said.out.count("put right") == 2
    assert snapshot() == before
    assert recounted("--check")[0] == 0


def test_a_history_that_is_refused_leaves_the_ledger_alone(kept, recounted, snapshot, put):
    put("train/b.csv", b"timestamp,target_value,item_id\nnever,many,a\n")
    before = snapshot()
    status, said = recounted()
    assert status == 1
    assert "The input has 2 problems" in said.err
    assert snapshot() == before


# -- with nothing but numbers on paper

# Two items, three days ahead, three uploads. The first forecast begins on the 8th, the second on the 11th.
#             1   2   3   4   5   6   7 |  8   9  10 | 11  12  13
ON_PAPER = {
    "x": (10, 10, 10, 10, 10, 10, 10, 12, 10, 14, 11, 9, 10),
    "y": (20, 20, 20, 20, 20, 20, 20, 20, 24, 16, 30, 10, 20),
}
# run → item → type → three days
SAID = {
    "first": {
        "x": {"p10": (8, 8, 8), "p90": (12, 12, 12), "mean": (10, 10, 10)},
        "y": {"p10": (18, 18, 18), "p90": (22, 22, 22), "mean": (20, 20, 20)},
    },
    "second": {
        "x": {"p10": (9, 9, 9), "p90": (13, 13, 13), "mean": (11, 11, 11)},
        "y": {"p10": (15, 15, 15), "p90": (25, 25, 25), "mean": (20, 20, 20)},
    },
}


def on_paper(put, days):
    rows = [f"2024-01-{day + 1:02},{ON_PAPER[item][day]},{item}\n" for item in "xy" for day in range(days)]
    put("train/a.csv", ("timestamp,target_value,item_id\n" + "".join(rows)).encode())


def said(s3, workload, folder, run, begin):
    rows = [
        f"2024-01-{begin + n:02},{SAID[run][item][label][n]},{item},{label}\n"
        for item in "xy"
        for n in range(3)
        for label in ("mean", "p10", "p90")
    ]
    clean = folder / "said.csv"
    clean.write_text("timestamp,target_value,item_id,type\n" + "".join(rows))
    written = Reformatted(
        rows=18,
        items=2,
        horizon=3,
        types=("mean", "p10", "p90"),
        columns=("timestamp", "target_value", "item_id", "type"),
        has_header=True,
        first=dt.datetime(2024, 1, begin),
        last=dt.datetime(2024, 1, begin + 2),
        frequency="D",
        timestamp_format="yyyy-MM-dd",
    )
    publish.archive(s3, workload, run, clean, written, [])


def test_three_uploads_on_paper(put, s3, workload, tmp_path, make_params, snapshot):
    params = make_params(
        **{
            "Datasets.0.DataFrequency": "D",
            "Predictor.ForecastFrequency": "D",
            "Forecast.ForecastTypes": ["0.1", "0.9", "mean"],
            "TimestampFormat": "yyyy-MM-dd",
        }
    )

    def keep():
        return ledger.keep(s3, workload, params, [workload.key("train/a.csv")])

    on_paper(put, 7)
    said(s3, workload, tmp_path, "first", 8)
    assert keep() == [], "nothing has come yet"

    on_paper(put, 10)
    said(s3, workload, tmp_path, "second", 11)
    (first,) = keep()
    # Came: x 12 10 14, y 20 24 16: 96 in all. The mean said 10 and 20, and so did the week before:
    # |2| + 0 + |4| + 0 + |4| + |4| = 14 off, and −2 + 0 − 4 + 0 − 4 + 4 = −6 in sum.
    assert (first.points, first.wape, first.naive_wape, first.bias) == (6, 14 / 96, 14 / 96, -6 / 96)
    # p10, twice a tenth of what came above it or nine tenths of what came below:
    # x 12−8, 10−8, 14−8 = 12; y 20−18, 24−18 = 8, and 18−16 = 2 below: 2 × (0.1 × 20 + 0.9 × 2) = 7.6
    # p90: x 14−12 = 2 above, 0 and 2 below; y 24−22 = 2 above, 2 and 6 below: 2 × (0.9 × 4 + 0.1 × 10) = 9.2
    assert first.losses == {"p10": pytest.approx(7.6 / 96), "p90": pytest.approx(9.2 / 96)}
    # At or below p10: y's 16. At or below p90: all but x's 14 and y's 24.
    assert first.coverage == {"p10": 1 / 6, "p90": 4 / 6}
    assert first.words() == (
        "Run first's forecast was off by 14.6% of the total; a seasonal naive forecast of the same time by "
        "14.6%: it was worse. Between its p10 and p90 lay 50% of what came, of 80% that should."
    )

    on_paper(put, 13)
    again, second = keep()
    assert again == first
    # Came: x 11 9 10, y 30 10 20: 90 in all. The mean said 11 and 20: 0 + 2 + 1 + 10 + 10 + 0 = 23 off,
    # 0 + 2 + 1 − 10 + 10 + 0 = 3 in sum. A week before there were 10s and 20s: 1 + 1 + 0 + 10 + 10 + 0 = 22.
    assert (second.points, second.bias) == (6, 3 / 90)
    assert (second.wape, second.naive_wape) == (pytest.approx(23 / 90), pytest.approx(22 / 90))
    # p10: x 2 + 0 + 1, y 15 + 5 above, 5 below: 2 × (0.1 × 23 + 0.9 × 5) = 13.6
    # p90: x 2 + 4 + 3, y 15 + 5 below, 5 above: 2 × (0.1 × 29 + 0.9 × 5) = 14.8
    assert second.losses == {"p10": pytest.approx(13.6 / 90), "p90": pytest.approx(14.8 / 90)}
    # At or below p10: x's 9, y's 10. At or below p90: all but y's 30.
    assert second.coverage == {"p10": 2 / 6, "p90": 5 / 6}

    rows = rows_of(snapshot, "second").query("item_id == 'y' and type == 'mean'")
    assert rows[["step", "forecast", "actual", "naive"]].to_numpy().tolist() == [
        [1, 20, 30, 20],
        [2, 20, 10, 20],
        [3, 20, 20, 20],
    ]


# -- awkward workloads


@pytest.fixture
def awkward(s3, workload, make_params, put, tmp_path):
    """Scores one forecast of one item: its types and values, and what came."""

    def score(forecast, came, types):
        params = make_params(**{"Forecast.ForecastTypes": types, "Predictor.ForecastHorizon": len(came)})
        past = [5.0] * 48
        rows = [f"{hour(step)},{number},a\n" for step, number in enumerate([*past, *came])]
        put("train/a.csv", ("timestamp,target_value,item_id\n" + "".join(rows)).encode())
        lines = [
            f"{hour(48 + n)},{numbers[n]},a,{label}\n"
            for n in range(len(came))
            for label, numbers in forecast.items()
        ]
        clean = tmp_path / "forecast.csv"
        clean.write_text("timestamp,target_value,item_id,type\n" + "".join(lines))
        written = Reformatted(
            len(lines), 1, len(came), tuple(forecast), ("timestamp", "target_value", "item_id", "type"), True,
            hour(48), hour(48 + len(came) - 1), "H", "yyyy-MM-dd HH:mm:ss",
        )  # fmt: skip
        publish.archive(s3, workload, "one", clean, written, [])
        (found,) = ledger.keep(s3, workload, params, [workload.key("train/a.csv")])
        assert found.words()
        assert found.row()
        return found

    return score


def test_the_mean_alone_has_no_quantiles_to_score(awkward):
    found = awkward({"mean": [4.0, 6.0]}, [5.0, 5.0], ["mean"])
    assert (found.wape, found.bias) == (pytest.approx(0.2), pytest.approx(0.0))
    assert (found.losses, found.coverage, found.inside, found.shift) == ({}, {}, None, None)


def test_a_single_quantile_has_no_interval(awkward):
    found = awkward({"p50": [4.0, 6.0]}, [5.0, 5.0], ["0.5"])
    assert found.coverage == {"p50": 0.5}
    assert found.inside is None
    assert "Between" not in found.words()


def test_outer_quantiles_without_a_median_have_an_interval_and_the_lower_one_for_a_middle(awkward):
    found = awkward({"p5": [4.0, 6.0], "p95": [5.0, 9.0]}, [5.0, 5.0], ["0.05", "0.95"])
    assert found.inside == 0.5, "on the edge is inside"
    assert found.wape == pytest.approx(0.2)
    assert "Between its p5 and p95 lay 50% of what came, of 90% that should." in found.words()


def test_values_that_are_all_zero_have_no_shares(awkward):
    found = awkward(
        {"p10": [0.0, 0.0], "p50": [0.0, 1.0], "p90": [1.0, 2.0]}, [0.0, 0.0], ["0.1", "0.5", "0.9"]
    )
    assert (found.wape, found.naive_wape, found.bias, found.losses) == (None, None, None, {})
    assert found.inside == 1.0
    assert "they are all zero" in found.words()


def test_negative_values_count_by_their_size(awkward):
    found = awkward({"p10": [-12.0], "p50": [-8.0], "p90": [-4.0]}, [-10.0], ["0.1", "0.5", "0.9"])
    assert found.wape == pytest.approx(0.2)
    assert found.bias == pytest.approx(0.2), "above what came"
    assert found.losses["p50"] == pytest.approx(0.2)
    assert (found.steps, found.horizon, found.inside) == (1, 1, 1.0)
