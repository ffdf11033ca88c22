"""Honest forecasts of real data pass the gate at its default limits, whatever the season; broken ones do not.

The forecasts are what really came, with a band around it (no model is better), and the last season with the
errors that it made before (few models are worse).
"""

import datetime as dt
import io
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline import gate, recent
from pipeline.frequency import Frequency
from pipeline.params import load
from pipeline.recent import steps_ahead, steps_back
from pipeline.reformat import Reformatted
from pipeline.tally import LastForecast
from pipeline.workload import Workload

TYPES = ("p10", "p50", "p90")
PLAIN = ["timestamp", "target_value", "item_id"]
# File, columns, frequency, format of times, horizon, season, and how many forecasts are tried.
DATA = {
    "household": ("household/target_time_series.csv", PLAIN, "H", "yyyy-MM-dd HH:mm:ss", 24, 168, 12),
    "stores": (
        "amazon/store_item_demand500/target_time_series.csv",
        ["timestamp", "item_id", "store", "target_value"],
        "D",
        "yyyy-MM-dd",
        31,
        7,
        3,
    ),
    "walmart": (
        "amazon/walmart_weekly45/target_time_series.csv",
        PLAIN,
        "W",
        "yyyy-MM-dd HH:mm:ss",
        13,
        52,
        12,
    ),
    "traffic": (
        "amazon/metro_traffic/target_time_series.csv",
        PLAIN,
        "H",
        "yyyy-MM-dd HH:mm:ss",
        48,
        168,
        12,
    ),
    "pages": ("amazon/manning_daily/manning_ts_2015.csv", PLAIN, "D", "yyyy-MM-dd", 24, 7, 8),
    "electricity": (
        "amazon/elec_3clients/target_time_series.csv",
        PLAIN,
        "H",
        "yyyy-MM-dd HH:mm:ss",
        24,
        168,
        12,
    ),
}


def params_of(columns, frequency, timestamp_format, horizon):
    kinds = {"timestamp": "timestamp", "target_value": "float"}
    dimensions = {"ForecastDimensions": ["store"]} if "store" in columns else {}
    document = {
        "DatasetGroup": {"DatasetGroupName": "real", "Domain": "CUSTOM"},
        "Datasets": [
            {
                "DatasetName": "real",
                "Domain": "CUSTOM",
                "DatasetType": "TARGET_TIME_SERIES",
                "Schema": {
                    "Attributes": [
                        {"AttributeName": name, "AttributeType": kinds.get(name, "string")}
                        for name in columns
                    ]
                },
            }
        ],
        "Predictor": {
            "PredictorName": "real",
            "ForecastHorizon": horizon,
            "ForecastFrequency": frequency,
            **dimensions,
        },
        "Forecast": {"ForecastName": "real", "ForecastTypes": ["0.1", "0.5", "0.9"]},
        "TimestampFormat": timestamp_format,
    }
    return load(json.dumps(document).encode())


class Real:
    """A data set as a table of steps × series, and what a run at any of its times would see."""

    def __init__(self, folder, name):
        path, columns, frequency, form, self.horizon, self.season, self.origins = DATA[name]
        self.params = params_of(columns, frequency, form, self.horizon)
        rows = pd.read_csv(folder / path, names=columns, header=None, dtype=str)
        rows = rows[rows["timestamp"] != "timestamp"]
        rows["time"] = pd.to_datetime(rows["timestamp"])
        rows["value"] = pd.to_numeric(rows["target_value"])
        self.rows = rows[rows["time"] >= rows["time"].max() - pd.Timedelta(days=3 * 366)]
        keys = ["item_id", "store"] if "store" in columns else ["item_id"]
        rule = {"H": "h", "D": "D", "W": "W-MON"}[frequency]
        grid = self.rows.pivot_table(index="time", columns=keys, values="value", aggfunc="sum")
        self.grid = grid.resample(rule, label="left", closed="left").sum(min_count=1)

    def begins(self):
        """The places in the grid at which forecasts begin."""
        last = len(self.grid) - self.horizon
        reported = self.grid.notna().any(axis=1).to_numpy()
        wanted = np.linspace(last // 2, last, self.origins).astype(int)
        # A forecast follows a row, and what came can be told only where something did.
        return [begin for begin in wanted if reported[begin - 1 : begin + self.horizon].all()]

    def perfect(self, begin):
        """[N, H, K] what came, and a fifth less and more."""
        came = self.grid.ffill().bfill().to_numpy()[begin : begin + self.horizon].T
        return came[:, :, None] + np.abs(came[:, :, None]) * np.array([-0.2, 0, 0.2])

    def naive(self, begin):
        """[N, H, K] the last season again, with the tenth and the ninetieth of a hundred of its errors."""
        known = self.grid.ffill().bfill().to_numpy()[:begin].T
        season = min(self.season, begin // 2)
        again = np.take(known[:, -season:], np.arange(self.horizon) % season, axis=1)
        errors = known[:, season:] - known[:, :-season]
        low, high = (
            np.minimum(0, np.quantile(errors, 0.1, axis=1)),
            np.maximum(0, np.quantile(errors, 0.9, axis=1)),
        )
        return np.stack([again + low[:, None], again, again + high[:, None]], axis=2)

    def judge(self, begin, numbers, last=None):
        """The verdict on a forecast, and on the change from the one that began a few steps earlier."""
        first = self.grid.index[begin].to_pydatetime()
        s3 = SimpleNamespace(get_object=lambda **_: {"Body": io.BytesIO(self._history(first))})
        past = recent.read(s3, Workload("b"), self.params, ["a.csv"], first, self.grid.shape[1])
        earlier = None
        if last is not None:
            before = self.grid.index[begin - 2].to_pydatetime()
            earlier = LastForecast("old", self._file(last, before), before, self.horizon, TYPES, False)
        items = self.grid.shape[1]
        rows = items * self.horizon * 3
        end = first  # not looked at
        form, frequency = self.params.timestamp_format, str(self.params.frequency)
        said = Reformatted(rows, items, self.horizon, TYPES, (), False, first, end, frequency, form)
        return gate.judge("one", self._file(numbers, first), said, self.params, past, earlier)

    def _history(self, first):
        rows = self.rows[self.rows["time"] < first]
        return rows[list(self.params.target.columns)].to_csv(index=False, header=False).encode()

    def _file(self, numbers, first):
        written = "%Y-%m-%d" if self.params.timestamp_format == "yyyy-MM-dd" else "%Y-%m-%d %H:%M:%S"
        times = [f"{t:{written}}" for t in steps_ahead(first, self.params.frequency, self.horizon)]
        keys = [key if isinstance(key, tuple) else (key,) for key in self.grid.columns]
        width = self.horizon * len(TYPES)
        columns = {
            "timestamp": np.tile(np.repeat(times, len(TYPES)), len(keys)),
            "target_value": numbers.reshape(-1),
            "item_id": np.repeat([key[0] for key in keys], width),
            "store": np.repeat([key[-1] for key in keys], width),
        }
        frame = pd.DataFrame({name: columns[name] for name in self.params.target.columns})
        frame["type"] = np.tile(TYPES, len(frame) // len(TYPES))
        return io.BytesIO(frame.to_csv(index=False, header=False).encode())


@pytest.mark.parametrize("name", DATA)
def test_honest_forecasts_pass_in_every_season(data_folder, name):
    real = Real(data_folder, name)
    for begin in real.begins():
        before = real.naive(begin - 2)
        for numbers in (real.perfect(begin), real.naive(begin)):
            found = real.judge(begin, numbers, before)
            assert not found.failed, (real.grid.index[begin], found.failed)


@pytest.mark.parametrize("name", DATA)
def test_forecasts_in_another_unit_are_refused(data_folder, name):
    real = Real(data_folder, name)
    begin = int(real.begins()[-1])
    honest = real.naive(begin)
    for factor in (1000, 0.001):
        assert real.judge(begin, honest * factor, honest).failed, factor


def test_the_grids_steps_are_the_gates():
    times = np.array(["2024-03-03T23:00", "2024-02-26"], dtype="datetime64[s]")
    assert steps_back(times, dt.datetime(2024, 3, 4), Frequency.parse("W")).tolist() == [1, 1]
