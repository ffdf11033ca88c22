"""Stored forecasts: one series is found among many, and read by type and time."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecastd.store import forecasts
from forecastd.store.forecasts import StoredForecast, open_forecast, write_forecast

HORIZON = 3


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredForecast:
    monkeypatch.setattr(forecasts, "_ROWS_PER_GROUP", 2 * HORIZON)  # several row groups
    keys = [(f"Item_{item}", shop) for item in range(5) for shop in ("north", "south")]
    times = pd.date_range("2024-01-01", periods=HORIZON, freq="D")
    frame = pd.DataFrame(
        [(*key, time) for key in keys for time in times], columns=["item_id", "shop", "timestamp"]
    )
    frame["p10"] = np.arange(len(frame), dtype=float)
    frame["mean"] = frame["p10"] + 0.5
    methods = pa.table({"item_id": [item for item, _ in keys], "shop": [shop for _, shop in keys]})
    methods = methods.append_column("method", pa.array(["ETS"] * len(keys)))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_forecast(tmp_path, table, methods, ["item_id", "shop"], HORIZON)
    return open_forecast(tmp_path)


@pytest.mark.parametrize(
    ("series", "key"), [(0, ("Item_0", "north")), (7, ("Item_3", "south")), (9, ("Item_4", "south"))]
)
def test_every_series_has_its_own_values(stored: StoredForecast, series: int, key: tuple[str, str]) -> None:
    assert stored.find(key) == {key: series}
    predictions = stored.predictions(series, None, None)
    assert [point["Value"] for point in predictions["p10"]] == [
        series * HORIZON + step for step in range(HORIZON)
    ]
    assert list(predictions) == ["p10", "mean"]


def test_the_method_of_each_series_is_kept_and_an_older_forecast_has_none(stored: StoredForecast) -> None:
    assert stored.methods is not None
    assert stored.methods.column("method").to_pylist() == ["ETS"] * 10
    (stored.folder / "methods.parquet").unlink()
    assert stored.methods is None


def test_a_key_is_found_whatever_its_case_if_it_is_not_there_as_written(stored: StoredForecast) -> None:
    assert stored.find(("ITEM_3", "South")) == {("Item_3", "south"): 7}
    assert stored.find(("Item_9", "north")) == {}


def test_both_ends_of_a_time_range_are_included(stored: StoredForecast) -> None:
    first, last = dt.datetime(2023, 1, 1), dt.datetime(2024, 1, 2)
    points = stored.predictions(0, first, last)["mean"]
    assert [point["Timestamp"] for point in points] == ["2024-01-01T00:00:00", "2024-01-02T00:00:00"]


def test_batches_cover_every_row(stored: StoredForecast) -> None:
    assert sum(len(batch) for batch in stored.batches(4)) == 10 * HORIZON
