import datetime as dt

import numpy as np
import pandas as pd
import pytest

from pipeline.accuracy import Accuracy, Window
from pipeline.outcome import compare, paired, sampled, score


def pairs(actual, **forecast):
    return pd.DataFrame({"item": "a", "actual": actual, **forecast})


def promise(**metrics):
    losses = {name.removeprefix("q"): value for name, value in metrics.items() if name.startswith("q")}
    best = {name: value for name, value in metrics.items() if not name.startswith("q")}
    return Accuracy((Window("X", "SUMMARY", None, None, 2, best, {f"0.{q}": v for q, v in losses.items()}),))


def rows(start, hours, items="ab", value=1.0, **more):
    begin = dt.datetime.fromisoformat(start)
    return pd.DataFrame(
        [
            {"item": item, "timestamp": begin + dt.timedelta(hours=h), "value": value, **more}
            for item in items
            for h in range(hours)
        ]
    )


def test_the_scores_are_those_of_the_formulas():
    found = score(pairs([10.0, 20.0], p10=[8.0, 22.0], p50=[10.0, 16.0], p90=[12.0, 30.0], mean=[1.0, 1.0]))
    assert found.wape == pytest.approx(4 / 30), "the median is the middle where there is one"
    assert found.losses["0.5"] == pytest.approx(2 * (0.5 * 4) / 30)
    assert found.losses["0.1"] == pytest.approx(2 * (0.1 * 2 + 0.9 * 2) / 30)
    assert found.losses["0.9"] == pytest.approx(2 * (0.1 * 2 + 0.1 * 10) / 30)
    assert found.coverage == {"p10": 0.5, "p50": 0.5, "p90": 1.0}
    assert (found.points, found.items) == (2, 1)


def test_missing_values_are_left_out():
    found = score(pairs([10.0, np.nan, 5.0], p50=[11.0, 3.0, np.nan]))
    assert found.points == 1
    assert found.wape == pytest.approx(0.1)


def test_where_all_is_zero_no_share_of_it_is_defined():
    found = score(pairs([0.0, 0.0], p50=[1.0, 2.0]))
    assert (found.wape, found.losses) == (None, {})
    assert found.coverage == {"p50": 1.0}


def test_without_a_median_the_mean_is_the_middle_and_without_both_there_is_none():
    assert score(pairs([10.0], mean=[11.0])).wape == pytest.approx(0.1)
    assert score(pairs([10.0], p90=[11.0])).wape is None


def test_nothing_to_compare_is_no_error():
    found = score(pairs([], p50=[]))
    assert (found.points, found.wape, found.coverage) == (0, None, {})
    assert not found.is_telling


def test_the_quantiles_that_both_have_are_compared():
    outcome = score(pairs([10.0, 10.0], p50=[12.0, 12.0], p90=[10.0, 10.0], p10=[10.0, 10.0]))
    found = compare(outcome, promise(WAPE=0.5, q5=0.1, q9=0.06))
    assert found.measure == "mean wQL of 0.5, 0.9"
    assert (found.came, found.promised) == (pytest.approx(0.1), pytest.approx(0.08))
    assert found.fall == pytest.approx(0.25)


def test_without_common_quantiles_wape_is_compared():
    outcome = score(pairs([10.0], p50=[12.0]))
    assert compare(outcome, promise(WAPE=0.4)).fall == pytest.approx(-0.5)
    assert compare(outcome, promise(WAPE=0.0)) is None
    assert compare(outcome, promise()) is None


def test_forecast_and_history_are_paired_by_item_and_time():
    forecast = rows("2024-01-05", 6, value=2.0, type="p50")
    history = rows("2024-01-05", 2, items="ac", value=3.0)
    found = paired(forecast, [history, rows("2024-01-05", 1, items="a", value=4.0)])
    assert found["item"].tolist() == ["a", "a"]
    assert found["actual"].tolist() == [7.0, 3.0], "rows of the same time are added up"
    assert found["p50"].tolist() == [2.0, 2.0]


def test_a_history_that_is_finer_than_the_forecast_is_not_compared():
    forecast = rows("2024-01-05", 6, type="p50")
    assert paired(forecast, [rows("2024-01-05 00:30", 2)]) is None


def test_a_history_without_rows_in_the_period_gives_no_pairs():
    assert paired(rows("2024-01-05", 6, type="p50"), []).empty


def test_a_sample_has_always_the_same_items_and_about_as_many_as_allowed():
    many = pd.DataFrame({"item": [f"item {n}" for n in range(1000)], "value": 1.0})
    kept = sampled([many[:500], many[500:]], 1000, most=100)
    assert 60 < len(kept) < 140
    assert kept.equals(sampled([many], 1000, most=100))
    assert len(sampled([many], 1000, most=1000)) == 1000
