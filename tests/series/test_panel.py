from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecastd.errors import JobFailed
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel


def rows(*lines: tuple[Any, ...], names: str = "timestamp item_id y") -> pd.DataFrame:
    return pd.DataFrame(lines, columns=names.split())


def panel(target: pd.DataFrame, frequency: str = "D", **options: Any) -> Panel:
    settings: dict[str, Any] = {"dimensions": [], "horizon_steps": 2, **options}
    return build_panel(
        target, item_key="item_id", target_name="y", frequency=Frequency.parse(frequency), **settings
    )


GAPPY = rows(
    ("2020-01-01", "a", 4.0), ("2020-01-04", "a", 8.0), ("2020-01-02", "b", 1.0), ("2020-01-06", "b", 3.0)
)
NAN = np.nan


def test_series_share_one_axis_from_the_global_start_to_the_global_end() -> None:
    built = panel(GAPPY)
    assert list(built.times) == list(pd.date_range("2020-01-01", "2020-01-06"))
    assert built.keys.item_id.tolist() == ["a", "b"]


@pytest.mark.parametrize(("frequency", "steps", "year"), [("D", 2, 2262), ("Y", 500, 2761)])
def test_nothing_is_forecast_beyond_the_last_year_that_times_can_have(
    frequency: str, steps: int, year: int
) -> None:
    target = rows(("2261-12-29", "a", 4.0), ("2261-12-30", "a", 8.0))
    with pytest.raises(JobFailed, match=f"{steps} steps of {frequency} reach to the year {year}; the last"):
        panel(target, frequency, horizon_steps=steps)
    assert panel(target, horizon_steps=1).future_times(1)[0] == pd.Timestamp("2261-12-31")


def test_gaps_and_ends_are_zero_by_default_and_the_time_before_an_item_stays_missing() -> None:
    np.testing.assert_array_equal(panel(GAPPY).values, [[4, 0, 0, 8, 0, 0], [NAN, 1, 0, 0, 0, 3]])


def test_observed_says_where_rows_really_were() -> None:
    assert panel(GAPPY).observed.sum(axis=1).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("filling", "expected"),
    [
        ({"middlefill": "nan", "backfill": "nan"}, [4, NAN, NAN, 8, NAN, NAN]),
        ({"middlefill": "mean", "backfill": "mean"}, [4, 4, 4, 8, 6, 6]),
        ({"middlefill": "min", "backfill": "max"}, [4, 4, 4, 8, 8, 8]),
        ({"middlefill": "median", "backfill": "min"}, [4, 4, 4, 8, 4, 4]),
        ({"middlefill": "value", "middlefill_value": "-1", "backfill": "zero"}, [4, -1, -1, 8, 0, 0]),
    ],
)
def test_fillings_follow_their_rule(filling: dict[str, str], expected: list[float]) -> None:
    np.testing.assert_array_equal(panel(GAPPY, filling=filling).values[0], expected)


def test_rolling_fillings_look_at_the_64_newest_values_only() -> None:
    days = pd.date_range("2020-01-01", periods=101)
    target = pd.DataFrame({"timestamp": days, "item_id": "a", "y": np.arange(101.0)})
    built = panel(target.drop(index=99), filling={"middlefill": "mean"})
    assert built.values[0, 99] == np.arange(35, 99).mean()


@pytest.mark.parametrize("filling", [{"middlefill": "average"}, {"middlefill": "value"}])
def test_a_filling_that_makes_no_sense_fails_with_a_sentence(filling: dict[str, str]) -> None:
    with pytest.raises(JobFailed, match="Filling method"):
        panel(GAPPY, filling=filling)


@pytest.mark.parametrize(
    ("method", "expected"), [("sum", 9.0), ("avg", 3.0), ("first", 5.0), ("min", 1.0), ("max", 5.0)]
)
def test_rows_of_one_bucket_are_aggregated(method: str, expected: float) -> None:
    target = rows(
        ("2020-01-01 03:00", "a", 3.0), ("2020-01-01 01:00", "a", 5.0), ("2020-01-01 09:00", "a", 1.0)
    )
    assert panel(target, aggregation=method).values.tolist() == [[expected]]


def test_an_unknown_aggregation_fails() -> None:
    with pytest.raises(JobFailed, match="median"):
        panel(GAPPY, aggregation="median")


def test_dimensions_that_are_not_forecast_are_rolled_up() -> None:
    target = rows(
        ("2020-01-01", "a", "x", 1.0), ("2020-01-01", "a", "z", 2.0), names="timestamp item_id store y"
    )
    assert panel(target).values.tolist() == [[3.0]]
    split = panel(target, dimensions=["store"])
    assert split.keys.to_numpy().tolist() == [["a", "x"], ["a", "z"]]
    assert split.values.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("frequency", "boundary", "first"),
    [("3D", None, "2019-02-03"), ("3M", None, "2019-03-01"), ("W", {"DayOfWeek": "SUNDAY"}, "2019-02-03")],
)
def test_the_first_forecast_follows_the_last_bucket_counted_from_the_start_of_the_data(
    frequency: str, boundary: dict[str, object] | None, first: str
) -> None:
    days = pd.date_range("2017-12-01", "2019-01-31")
    built = panel(pd.DataFrame({"timestamp": days, "item_id": "a", "y": 1.0}), frequency, boundary=boundary)
    assert built.future_times(1)[0] == pd.Timestamp(first)


def test_items_that_only_the_metadata_knows_are_cold_starts() -> None:
    metadata = pd.DataFrame({"item_id": ["c", "a"], "kind": ["new", "old"]})
    built = panel(GAPPY, metadata=metadata)
    assert built.keys.item_id.tolist() == ["a", "b", "c"]
    assert np.isnan(built.values[2]).all()
    assert built.static is not None
    assert built.static.kind.tolist() == ["old", "", "new"]


def related(last: str, start: str = "2020-01-01", item: str = "a") -> pd.DataFrame:
    days = pd.date_range(start, last)
    return pd.DataFrame({"timestamp": days, "item_id": item, "price": np.arange(len(days), dtype=float)})


def test_related_features_reach_through_the_horizon() -> None:
    built = panel(GAPPY, related=related("2020-01-08"))
    assert built.features["price"][0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert np.isnan(built.features["price"][1]).all()  # an item without related rows keeps its forecast


def test_related_rows_must_not_start_after_the_target() -> None:
    with pytest.raises(JobFailed, match=r"start date is later than target time series.*Items: a"):
        panel(GAPPY, related=related("2020-01-08", start="2020-01-02"))


def test_of_several_related_rows_of_one_step_the_last_one_counts() -> None:
    twice = pd.concat([related("2020-01-08"), related("2020-01-08").assign(price=9.0)])
    assert panel(GAPPY, related=twice).features["price"][0].tolist() == [9.0] * 8
    assert panel(GAPPY, related=twice.iloc[::-1]).features["price"][0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_forward_feature_must_be_known_in_all_of_the_horizon() -> None:
    without_a_step = related("2020-01-08").query("timestamp.dt.day != 7")
    for short in (related("2020-01-07"), without_a_step):
        with pytest.raises(JobFailed, match=r"price reaches into the forecast horizon but lacks steps of it"):
            panel(GAPPY, related=short)
    middle = panel(GAPPY, related=without_a_step, related_filling={"price": {"middlefill": "zero"}})
    assert middle.features["price"][0, -2:].tolist() == [0, 7]
    filled = panel(GAPPY, related=related("2020-01-07"), related_filling={"price": {"futurefill": "max"}})
    assert filled.features["price"][0, -1] == 6


def test_gaps_of_a_feature_in_the_history_are_left_to_the_models() -> None:
    gappy = panel(GAPPY, related=related("2020-01-08").query("timestamp.dt.day != 3"))
    assert np.isnan(gappy.features["price"][0]).tolist() == [step == 2 for step in range(8)]


def test_a_text_feature_fails_with_its_name() -> None:
    texts = related("2020-01-08").assign(weather="rainy")
    with pytest.raises(
        JobFailed, match=r"The attribute\(s\) \[weather\] present in the RELATED_TIME_SERIES schema"
    ):
        panel(GAPPY, related=texts)


def test_a_target_without_rows_fails() -> None:
    with pytest.raises(JobFailed, match="no rows"):
        panel(GAPPY.head(0))


def test_a_panel_beyond_memory_is_refused_before_it_is_built() -> None:
    wide = rows(("1900-01-01", "a", 1.0), ("2199-01-01", "b", 1.0))
    with pytest.raises(JobFailed, match="coarser frequency"):
        panel(wide, "min")


def test_series_of_many_dimensions_with_many_values_do_not_meet() -> None:
    """128 to the tenth power is 2 to the seventieth: numbers of 64 bits would forget the item."""
    levels = np.arange(127)
    dimensions = {f"d{number}": (levels * (number + 1) % 127).astype(str) for number in range(10)}
    day = pd.Timestamp("2024-01-01")
    rows = pd.concat(
        [pd.DataFrame({"item_id": item, "timestamp": day, "y": 1.0, **dimensions}) for item in "ab"]
    )
    panel = build_panel(
        rows,
        item_key="item_id",
        target_name="y",
        dimensions=list(dimensions),
        frequency=Frequency.parse("D"),
        horizon_steps=1,
    )
    assert panel.size == 2 * 127
    assert (panel.values == 1.0).all()
