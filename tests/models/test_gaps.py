import numpy as np
import pandas as pd

from forecastd.models.gaps import reopened
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel, build_panel

DAYS = pd.date_range("2021-01-01", periods=120)


def panel(values: np.ndarray, missing: list[int], country: str | None = None) -> Panel:
    """A daily series without the rows of some days, whose gaps are filled with zero."""
    table = pd.DataFrame({"timestamp": DAYS, "item_id": "a", "y": values}).drop(index=missing)
    return build_panel(
        table,
        item_key="item_id",
        target_name="y",
        dimensions=[],
        frequency=Frequency.parse("D"),
        horizon_steps=7,
        holiday_country=country,
    )


def visits(seed: int = 0) -> np.ndarray:
    """Values that are never near to zero."""
    return 8 + np.random.default_rng(seed).normal(0, 0.5, len(DAYS))


def test_a_rare_gap_is_no_zero_where_zero_is_impossible() -> None:
    seen = reopened(panel(visits(), [40, 90]))
    assert np.flatnonzero(np.isnan(seen.values[0])).tolist() == [40, 90]


def test_the_panel_itself_keeps_what_counts_for_accuracy() -> None:
    filled = panel(visits(), [40])
    reopened(filled)
    assert filled.values[0, 40] == 0


def test_days_without_sales_of_a_slow_item_stay_zero() -> None:
    sales = np.random.default_rng(1).poisson(3, len(DAYS)) + 1.0
    slow = panel(sales, [40, 90])
    assert reopened(slow) is slow or np.isfinite(reopened(slow).values).all()


def test_gaps_that_are_common_are_a_rhythm_and_stay_zero() -> None:
    closed = [day for day in range(120) if day % 7 == 6]
    assert np.isfinite(reopened(panel(visits(), closed)).values).all()


def test_a_gap_on_a_holiday_is_what_the_holiday_does() -> None:
    holiday = int(DAYS.get_indexer([pd.Timestamp("2021-01-18")])[0])
    seen = reopened(panel(visits(), [holiday, 90], country="US"))
    assert np.flatnonzero(np.isnan(seen.values[0])).tolist() == [90]


def test_a_gap_before_a_backtest_is_judged_without_what_came_later() -> None:
    later = visits()
    later[100:] = -20  # so that zero is possible after all
    assert np.isfinite(reopened(panel(later, [40])).values).all()
    assert np.flatnonzero(np.isnan(reopened(panel(later, [40]), [100, 110]).values[0])).tolist() == [40]


def test_how_rare_gaps_were_is_judged_without_what_came_later() -> None:
    seen = reopened(panel(visits(), [40, *range(101, 117, 2)]), [100])
    assert np.flatnonzero(np.isnan(seen.values[0])).tolist() == [40]
