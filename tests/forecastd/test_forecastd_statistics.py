"""Field statistics against numpy and pandas, and against numbers known from the real service."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastd.jobs import statistics
from forecastd.jobs.statistics import (
    DistinctNumbers,
    NumberStatistics,
    TextStatistics,
    TimeStatistics,
    written_float,
    written_integer,
)

NOT_NULL = np.zeros(1000, bool)


def test_numbers_agree_with_pandas_over_batches(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(1e6, 0.1, 5000).round(2)
    counted = NumberStatistics(tmp_path, "x", written_float)
    for batch in np.split(values, 5):
        counted.add(batch, NOT_NULL)
    result, series = counted.result(), pd.Series(values)
    assert result["Count"] == result["CountLong"] == 5000
    assert result["CountDistinct"] == series.nunique()
    assert result["Avg"] == pytest.approx(series.mean(), rel=1e-14)
    assert result["Stddev"] == pytest.approx(series.std(ddof=1), rel=1e-9)
    assert (result["Min"], result["Max"]) == (str(series.min()), str(series.max()))


def test_null_and_nan_are_counted_apart(tmp_path: Path) -> None:
    counted = NumberStatistics(tmp_path, "x", written_integer)
    counted.add(np.array([1.0, np.nan, np.nan, 3.0]), np.array([False, True, False, False]))
    result = counted.result()
    assert (result["CountNull"], result["CountNan"], result["Count"]) == (1, 1, 4)
    assert (result["Min"], result["Max"], result["Avg"]) == ("1", "3", 2.0)


def test_a_column_without_numbers_has_counts_only(tmp_path: Path) -> None:
    counted = NumberStatistics(tmp_path, "x", written_float)
    counted.add(np.array([np.nan]), np.array([True]))
    assert "Min" not in counted.result()


def test_distinct_numbers_are_exact_beyond_what_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_IN_MEMORY", 100)
    values = np.random.default_rng(2).integers(0, 3000, 20_000).astype(np.float64)
    distinct = DistinctNumbers(tmp_path, "x")
    for batch in np.split(values, 40):
        distinct.add(batch)
    assert distinct.count() == len(np.unique(values))
    assert list(tmp_path.iterdir())


def test_zero_and_minus_zero_are_one_value(tmp_path: Path) -> None:
    counted = NumberStatistics(tmp_path, "x", written_float)
    counted.add(np.array([0.0, -0.0]), np.zeros(2, bool))
    assert counted.result()["CountDistinct"] == 1


def test_times_have_a_range_in_iso(tmp_path: Path) -> None:
    counted = TimeStatistics(tmp_path, "t")
    counted.add(pd.Series(pd.to_datetime(["2014-11-29 23:00", "2014-01-01 01:00", None, "2014-01-01 01:00"])))
    result = counted.result()
    assert (result["Min"], result["Max"]) == ("2014-01-01T01:00:00Z", "2014-11-29T23:00:00Z")
    assert (result["Count"], result["CountDistinct"], result["CountNull"]) == (4, 2, 1)


def test_texts_are_counted(tmp_path: Path) -> None:
    counted = TextStatistics(tmp_path, "s")
    counted.add(pd.Series(["a", "b", None, "a"], dtype=object))
    assert counted.result() == {
        "Count": 4,
        "CountDistinct": 2,
        "CountNull": 1,
        "CountLong": 4,
        "CountDistinctLong": 2,
        "CountNullLong": 1,
    }


def test_distinct_texts_are_counted_beyond_what_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_IN_MEMORY", 100)
    counted = TextStatistics(tmp_path, "s")
    for batch in range(40):
        counted.add(pd.Series([f"order {batch * 300 + row}" for row in range(500)] + [None], dtype=object))
    result = counted.result()
    assert (result["Count"], result["CountDistinct"], result["CountNull"]) == (20_040, 12_200, 40)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) >= 8 * 12_200


def test_a_count_beyond_32_bits_is_in_the_long_member_only() -> None:
    assert statistics._counts(Count=2**31) == {"Count": -1, "CountLong": 2**31}


def test_of_numbers_whose_squares_are_none_the_mean_and_the_deviation_are_left_out(tmp_path: Path) -> None:
    counted = NumberStatistics(tmp_path, "x", written_float)
    for batch in ([1e308, 1e308, 9e307], [1.0, -1e308]):
        counted.add(np.array(batch), np.zeros(len(batch), bool))
    found = counted.result()
    assert (found["Count"], found["Min"], found["Max"]) == (5, "-1e+308", "1e+308")
    assert not {"Avg", "Stddev"} & set(found)
