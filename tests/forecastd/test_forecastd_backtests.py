"""Backtest exports: per item and window, with what is missing left undefined."""

import numpy as np
import pandas as pd
import pytest

from forecastd.jobs.backtests import accuracy_values, forecasted_values


@pytest.fixture
def table() -> pd.DataFrame:
    """Two items, two windows of two days; item b has a gap in the newer window."""
    rows = [
        (item, start + pd.Timedelta(days=step), 10.0, start, start + pd.Timedelta(days=2), 9.0, 11.0, 12.0)
        for start in pd.to_datetime(["2024-01-03", "2024-01-01"])
        for item in ("a", "b")
        for step in range(2)
    ]
    names = ["item_id", "timestamp", "target_value", "window_start", "window_end", "p10", "p50", "mean"]
    frame = pd.DataFrame(rows, columns=names)
    frame.loc[3, "target_value"] = np.nan
    return frame


def test_windows_end_at_their_last_step_and_the_mean_is_there_if_wanted(table: pd.DataFrame) -> None:
    values = forecasted_values(table, ["item_id"], [0.1, 0.5], want_mean=True)
    assert list(values.columns)[-3:] == ["mean", "p10", "p50"]
    assert values["backtestwindow_end_time"].iloc[0] == "2024-01-04T00:00:00"
    assert "mean" not in forecasted_values(table, ["item_id"], [0.1], want_mean=False)


def test_an_item_with_a_gap_is_undefined_in_that_window_and_left_out_of_its_summary(
    table: pd.DataFrame,
) -> None:
    rows = accuracy_values(table, ["item_id"], [0.1, 0.5]).set_index(["item_id", "backtest_window"])
    gap, whole = rows.loc[("b", "Computed")].to_dict("records")
    assert np.isnan(gap["RMSE"])
    assert whole["RMSE"] == pytest.approx(2.0)
    assert whole["WAPE"] == pytest.approx(0.2)
    assert whole["wQL[0.1]"] == pytest.approx(2 * 0.1 * 2 / 20)
    assert whole["wQL[0.5]"] == pytest.approx(0.1)
    [total] = rows.loc[("b", "Summary")].to_dict("records")
    assert total["RMSE"] == pytest.approx(2.0)
    assert total["backtestwindow_start_time"] == "2024-01-01T00:00:00"
    assert total["backtestwindow_end_time"] == "2024-01-04T00:00:00"


def test_an_item_that_is_never_whole_has_no_summary_values(table: pd.DataFrame) -> None:
    table["target_value"] = np.nan
    rows = accuracy_values(table, ["item_id"], [0.5])
    assert rows[["wQL[0.5]", "Average wQL", "RMSE", "WAPE", "MAPE", "MASE"]].isna().all(axis=None)
