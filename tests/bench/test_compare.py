"""The comparison on one's own data: what is kept from the methods, and how they are judged."""

import numpy as np
import pandas as pd
import pytest

from bench.compare import split
from forecastd.series.frequency import Frequency

HORIZON = 3


def table(lengths: dict[str, int], frequency: str = "W", missing_at_the_end: int = 0) -> pd.DataFrame:
    """Items with so many steps that end together, the value being the step's number."""
    longest = max(lengths.values())
    times = pd.date_range("2024-01-02", periods=longest, freq=Frequency.parse(frequency).offset)
    parts = [
        pd.DataFrame({"item_id": name, "timestamp": times[-length:], "target_value": np.arange(length) + 1.0})
        for name, length in lengths.items()
    ]
    if missing_at_the_end:
        parts[-1] = parts[-1].iloc[:-missing_at_the_end]
    return pd.concat(parts).astype({"timestamp": str}).sample(frac=1, random_state=0)


@pytest.mark.parametrize(("frequency", "alias"), [("W", "W-TUE"), ("D", "D"), ("H", "h"), ("15min", "15min")])
def test_the_newest_steps_are_kept_from_all(frequency: str, alias: str) -> None:
    problem, left_out = split(table({"b": 20, "a": 10}, frequency), Frequency.parse(frequency), HORIZON)
    assert left_out == 0
    assert problem.alias == alias
    np.testing.assert_array_equal(problem.actual, [[8, 9, 10], [18, 19, 20]])  # in the order of the names
    assert len(problem.rows) == 7 + 17
    assert problem.rows.groupby("item_id")["target"].max().to_dict() == {"a": 7, "b": 17}


def test_months_and_quarters_begin_where_the_data_does() -> None:
    months = table({"a": 24}, "M").assign(timestamp=pd.date_range("2022-01-01", periods=24, freq="MS")[::-1])
    assert split(months, Frequency.parse("M"), HORIZON)[0].alias == "MS"


def test_items_that_end_early_or_are_too_short_are_left_out_and_counted() -> None:
    short = table({"a": 20, "short": 2 * HORIZON})
    assert split(short, Frequency.parse("W"), HORIZON)[1] == 1
    early = table({"a": 20, "early": 20}, missing_at_the_end=1)
    problem, left_out = split(early, Frequency.parse("W"), HORIZON)
    assert (problem.actual.shape, left_out) == ((1, HORIZON), 1)


def test_gaps_are_no_rows_and_duplicates_are_added() -> None:
    rows = table({"a": 20}).sort_values("timestamp")
    rows.loc[rows.index[5], "target_value"] = np.nan
    problem, _ = split(pd.concat([rows, rows.tail(1)]), Frequency.parse("W"), HORIZON)
    assert len(problem.rows) == 16
    assert problem.actual[0, -1] == 40


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            table({"a": 20}).assign(timestamp=lambda t: t["timestamp"].where(t.index > 3, "2024-01-04")),
            "grid of W",
        ),
        (table({"a": 5}), "No item has values"),
    ],
)
def test_data_that_cannot_be_compared_is_refused_with_the_reason(rows: pd.DataFrame, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split(rows, Frequency.parse("W"), HORIZON)
