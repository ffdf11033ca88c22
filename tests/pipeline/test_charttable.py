import datetime as dt
import io

import pyarrow.parquet
import pytest

from pipeline import charttable, publish
from pipeline.charttable import CHART, ITEMS
from pipeline.reformat import Reformatted

FIRST = dt.datetime(2024, 1, 5)
COLUMNS = ("timestamp", "target_value", "item_id", "type")


@pytest.fixture
def archived(s3, workload, tmp_path):
    """Archives a forecast of three hours, two types, for these items."""

    def archive(run="one", items=("a", "b"), plus=0.0):
        clean = tmp_path / "forecast.csv"
        lines = [
            f"{FIRST + dt.timedelta(hours=hour)},{n * 10 + hour + spread + plus},{item},{kind}"
            for n, item in enumerate(items)
            for hour in range(3)
            for kind, spread in (("mean", 0.5), ("p50", 0.0))
        ]
        clean.write_text("\n".join(lines) + "\n")
        last, form = FIRST + dt.timedelta(hours=2), "yyyy-MM-dd HH:mm:ss"
        of = Reformatted(len(lines), len(items), 3, ("mean", "p50"), COLUMNS, False, FIRST, last, "H", form)
        publish.archive(s3, workload, run, clean, of, [])

    return archive


@pytest.fixture
def keep(s3, workload, make_params):
    def call(run="one", files=("train/a.csv",), **changes):
        keys = [workload.key(name) for name in files]
        charttable.keep(s3, workload, make_params(**changes), run, keys)

    return call


@pytest.fixture
def rows(s3, workload):
    def read(folder=CHART, run="one"):
        name = "chart.parquet" if folder == CHART else "items.parquet"
        body = s3.get_object(Bucket=workload.bucket, Key=workload.key(f"{folder}{run}/{name}"))["Body"].read()
        return pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()

    return read


def past(item, *hours):
    """CSV lines: (hours before the forecast, value)."""
    return "".join(f"{FIRST - dt.timedelta(hours=back)},{value},{item}\n" for back, value in hours)


def test_a_chart_has_the_recent_past_and_the_forecast_of_each_item_in_order(put, archived, keep, rows):
    put("train/a.csv", (past("b", (1, 7)) + past("a", (2, 3), (1, 4)) + past("c", (1, 9))).encode())
    archived()
    keep()
    found = [
        (r["item_id"], (r["time"] - FIRST) / dt.timedelta(hours=1), r["type"], r["value"]) for r in rows()
    ]
    ahead = [(0.0, "mean", 0.5), (0.0, "p50", 0.0), (1.0, "mean", 1.5), (1.0, "p50", 1.0)]
    ahead += [(2.0, "mean", 2.5), (2.0, "p50", 2.0)]
    assert found == [
        ("a", -2.0, "actual", 3.0), ("a", -1.0, "actual", 4.0), *[("a", *each) for each in ahead],
        ("b", -1.0, "actual", 7.0), *[("b", hour, kind, value + 10) for hour, kind, value in ahead],
    ]  # fmt: skip


def test_the_list_of_items_tells_what_is_known_of_each(put, archived, keep, rows):
    put("train/a.csv", past("a", (200, 50), (4, 8), (2, 3), (1, 4), (1, "")).encode())
    archived()
    keep()
    known, new = rows(ITEMS)
    assert known == {
        "item_id": "a", "observations": 4, "first": FIRST - dt.timedelta(hours=200),
        "last": FIRST - dt.timedelta(hours=1), "recent_mean": 3.5, "forecast_mean": 1.0, "method": None,
    }  # fmt: skip
    assert new == {
        "item_id": "b", "observations": 0, "first": None, "last": None, "recent_mean": None,
        "forecast_mean": 11.0, "method": None,
    }  # fmt: skip


@pytest.mark.parametrize(("aggregation", "value"), [("sum", 9.0), ("avg", 4.5)])
def test_rows_of_one_step_are_one_value(put, archived, keep, rows, aggregation, value):
    put("train/a.csv", past("a", (0.75, 4), (0.5, 5)).encode())
    archived()
    keep(
        **{
            "Predictor.DataConfig": {
                "AttributeConfigs": [
                    {"AttributeName": "target_value", "Transformations": {"aggregation": aggregation}}
                ]
            }
        }
    )
    assert (rows()[0]["time"], rows()[0]["value"]) == (FIRST - dt.timedelta(hours=1), value)


def test_only_the_end_of_a_long_past_is_kept(put, archived, keep, rows, make_params):
    put("train/a.csv", past("a", *[(back, back) for back in range(1, 300)]).encode())
    archived(items=("a",))
    keep()
    actual = [row["value"] for row in rows() if row["type"] == "actual"]
    assert actual == [float(back) for back in range(charttable.reach(make_params()), 0, -1)]


def test_many_items_a_few_at_a_time_give_the_same_rows(monkeypatch, put, archived, keep, rows, snapshot):
    names = [f"item {n:03}" for n in range(40)]
    lines = [past(name, *[(back, n + back) for back in range(1, 6)]) for n, name in enumerate(names)]
    put("train/a.csv", "".join(lines[::-1]).encode())
    archived(items=names)
    archived("two", items=names)
    keep()
    monkeypatch.setattr(charttable, "MOST_CELLS", 7 * 100)
    keep("two")
    assert rows() == rows(run="two")
    assert rows(ITEMS) == rows(ITEMS, run="two")


def test_what_is_there_is_not_made_again_even_when_the_uploads_are_gone(put, archived, keep, snapshot):
    put("train/a.csv", past("a", (1, 4)).encode())
    archived()
    keep()
    before = snapshot()
    keep(files=())
    assert snapshot() == before


def test_killed_between_the_two_files_it_makes_the_same_bytes(s3, workload, put, archived, keep, snapshot):
    put("train/a.csv", past("a", (1, 4)).encode())
    archived()
    keep()
    before = snapshot()
    s3.delete_object(Bucket=workload.bucket, Key=workload.key(f"{CHART}one/chart.parquet"))
    keep()
    assert snapshot() == before


def test_another_forecast_of_the_same_run_gets_a_chart_of_its_own(put, archived, keep, rows):
    put("train/a.csv", past("a", (1, 4)).encode())
    archived()
    keep()
    archived(plus=100.0)
    keep()
    assert rows()[1]["value"] == 100.5
