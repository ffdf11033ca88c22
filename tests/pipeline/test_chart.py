import datetime as dt
import io

import matplotlib.image
import pandas as pd
import pytest

from pipeline import chart, contract, inputs, observations, publish, reformat


def frame(values, **columns):
    return pd.DataFrame({"value": values, **columns})


@pytest.fixture
def published(s3, workload, put, make_params, hourly_csv, tmp_path):
    """A workload with history and a published forecast of items a and b."""
    params = make_params()
    put("train/a.csv", ("timestamp,target_value,item_id\n" + hourly_csv(100)).encode())
    stock = inputs.take_stock(s3, workload, params)
    form = contract.check(s3, workload, params, stock)
    moments = [form.last + dt.timedelta(hours=n) for n in (1, 2, 3)]
    rows = [
        {"item_id": item, "date": f"{moment:%Y-%m-%dT%H:%M:%S}Z", "mean": 1.0, "p10": size, "p50": size + 1}
        for item, size in (("a", 1.0), ("b", 5.0))
        for moment in moments
    ]
    clean = tmp_path / "forecast.csv"
    with clean.open("wb") as out:
        written = reformat.reformat([pd.DataFrame(rows)], params, form, out)
    publish.archive(s3, workload, "one", clean, written, [])
    return params, form, stock, publish.publish(s3, workload, "one")


def test_the_chart_shows_the_end_of_history_and_the_forecast_of_the_largest_items(s3, workload, published):
    params, form, stock, manifest = published
    history, forecast = chart.chart_data(s3, workload, params, form, stock, manifest, items=1)
    assert history["item"].unique().tolist() == ["b"]
    assert len(history) == 48
    assert history["timestamp"].max() == pd.Timestamp(form.last)
    assert sorted(forecast["type"].unique()) == ["mean", "p10", "p50"]
    assert len(forecast) == 9
    assert forecast["value"].max() == 6.0


def test_the_chart_survives_an_input_that_has_been_replaced(s3, workload, published, put):
    params, form, stock, manifest = published
    put("train/a.csv", b"newer")
    history, forecast = chart.chart_data(s3, workload, params, form, stock, manifest)
    assert history.empty
    assert len(forecast) == 18
    assert chart.fan_chart(history, forecast)


def test_the_chart_reads_the_runs_own_copy_of_the_input_first(s3, workload, published, put):
    params, form, stock, manifest = published
    with contract.examine(s3, workload, params, stock) as examination:
        examination.stage("one")
    put("train/a.csv", b"newer")
    history, _ = chart.chart_data(s3, workload, params, form, stock, manifest)
    assert len(history) == 96


@pytest.mark.parametrize(
    "types", [["p10", "p50", "p90"], ["mean"], ["p90"], ["p05", "p10", "mean", "p90", "p95"]]
)
@pytest.mark.parametrize("items", [1, 6])
def test_the_chart_is_a_picture_whatever_the_types(types, items):
    hours = pd.date_range("2024-01-01", periods=48, freq="h")
    names = [f"item $ {n}" * 10 for n in range(items)]
    history = pd.concat([frame(1.0, item=name, timestamp=hours) for name in names])
    forecast = pd.concat(
        [
            frame(2.0, item=name, timestamp=hours + pd.Timedelta(days=2), type=kind)
            for name in names
            for kind in types
        ]
    )
    picture = chart.fan_chart(history, forecast, items=4, title="demand/shop")
    height, width = matplotlib.image.imread(io.BytesIO(picture)).shape[:2]
    assert width == 720
    assert height > 100 * min(items, 4)
    assert len(picture) < 200_000


def test_the_chart_of_nothing_is_still_a_picture():
    empty = pd.DataFrame({"item": [], "timestamp": [], "value": [], "type": []})
    assert chart.fan_chart(empty, empty).startswith(b"\x89PNG")


def test_the_line_of_history_breaks_where_nothing_came(monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.axes.Axes.plot", lambda _, *given, **__: drawn.append(given))
    days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"])
    ahead = frame([1.0, 1.0], item="a", type="p50", timestamp=pd.to_datetime(["2024-01-07", "2024-01-08"]))
    chart.fan_chart(frame([3.0] * 4, item="a", timestamp=days), ahead)
    _, values = drawn[0]
    assert pd.isna(values).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("values", "around"),
    [
        ([7.000003, 6.999998], (6.3, 7.7)),
        ([-1e6, -1e6 - 1], (-1.1e6, -9e5)),
        ([1000.0, 1001.0], (1000, 1001)),
    ],
)
def test_a_constant_has_an_axis_on_which_rounding_cannot_be_seen(monkeypatch, values, around):
    panels = []
    monkeypatch.setattr(chart.Figure, "savefig", lambda figure, *_, **__: panels.extend(figure.axes))
    days = pd.to_datetime(["2024-01-01", "2024-01-02"])
    ahead = frame(values, item="a", type="p50", timestamp=days + pd.Timedelta(days=2))
    chart.fan_chart(frame(values, item="a", timestamp=days), ahead)
    (panel,) = panels
    assert panel.get_ylim() == pytest.approx(around, rel=0.001)
    assert not panel.yaxis.get_major_formatter().get_useOffset()


def test_dollars_in_names_are_no_formula():
    rows = frame([1.0], item="US$_{x$", timestamp=pd.Timestamp("2024-01-01"))
    assert chart.fan_chart(rows, rows.assign(type="p50"), title="US$_{CA$").startswith(b"\x89PNG")


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_the_chart_reads_times_of_a_parquet_file_as_the_check_does(
    s3, workload, published, put, make_params, zone
):
    _, _, _, manifest = published
    s3.delete_object(Bucket=workload.bucket, Key=workload.key("train/a.csv"))
    hours = pd.date_range("2024-01-01", periods=100, freq="h", tz="UTC" if zone else None)
    if zone:
        hours = hours.tz_convert(zone)
    rows = pd.DataFrame({"timestamp": hours, "target_value": 1.0, "item_id": "b"})
    body = io.BytesIO()
    rows.to_parquet(body, index=False)
    put("train/a.parquet", body.getvalue())
    params = make_params()
    stock = inputs.take_stock(s3, workload, params)
    form = contract.check(s3, workload, params, stock)
    history, _ = chart.chart_data(s3, workload, params, form, stock, manifest)
    assert history["timestamp"].max() == pd.Timestamp(form.last)


def test_an_item_that_goes_on_in_the_next_piece_of_the_forecast_is_drawn_whole(
    s3, workload, published, monkeypatch
):
    params, form, stock, manifest = published
    monkeypatch.setattr(observations, "PIECE_ROWS", 12)
    _, forecast = chart.chart_data(s3, workload, params, form, stock, manifest, items=1)
    assert forecast["item"].unique().tolist() == ["b"]
    assert len(forecast) == 9
