import pytest

from pipeline.accuracy import Accuracy, Window
from pipeline.ledger import Score
from pipeline.outcome import compare, of_losses


def outcome(wape=0.2, **losses):
    return Score("run", "2024-01-05", "2024-01-06", 2, 40, wape, None, 0.0, losses, {}, "")


def promise(**metrics):
    losses = {name.removeprefix("q"): value for name, value in metrics.items() if name.startswith("q")}
    best = {name: value for name, value in metrics.items() if not name.startswith("q")}
    return Accuracy((Window("X", "SUMMARY", None, None, 2, best, {f"0.{q}": v for q, v in losses.items()}),))


def test_the_quantiles_that_both_have_are_compared():
    found = compare(outcome(p10=0.0, p50=0.2, p90=0.0), promise(WAPE=0.5, q50=0.1, q9=0.06))
    assert found.measure == "mean wQL of 0.5, 0.9"
    assert (found.came, found.promised) == (pytest.approx(0.1), pytest.approx(0.08))
    assert found.fall == pytest.approx(0.25)


def test_without_common_quantiles_wape_is_compared_where_it_is_that_of_a_middle():
    assert compare(outcome(p50=0.2), promise(WAPE=0.4)).fall == pytest.approx(-0.5)
    assert compare(outcome(), promise(WAPE=0.4, q5=0.1)).measure == "WAPE", "the mean alone"
    assert compare(outcome(p90=0.2), promise(WAPE=0.4, q5=0.1)) is None
    assert compare(outcome(p50=0.2), promise(WAPE=0.0)) is None
    assert compare(outcome(p50=0.2), promise()) is None
    assert compare(outcome(wape=None), promise(WAPE=0.4)) is None


def test_a_promise_of_no_loss_at_all_is_none():
    assert of_losses(outcome(p50=0.2), {"0.5": 0.0}) is None
    assert of_losses(outcome(p50=0.2), {}) is None
