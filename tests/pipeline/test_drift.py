"""Drift: what must be marked, and what must never be."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from pipeline import drift, ledger, publish
from pipeline.drift import judge, judged
from pipeline.ledger import Score, _shifts, _Sums
from pipeline.policy.drift import Drift
from pipeline.reformat import Reformatted

TYPES = ("p10", "p50", "p90")
WIDTH = 1.2815515655446004  # standard deviations from the median to p90
START = dt.datetime(2024, 1, 1)


def score(number: int, **given) -> Score:
    """The score of the forecast of the week of this number."""
    first = START + dt.timedelta(days=7 * number)
    usual = Score(
        run=f"run{number:02}",
        first=first.isoformat(),
        last=(first + dt.timedelta(days=6)).isoformat(),
        steps=7,
        points=70,
        wape=0.1,
        naive_wape=0.2,
        bias=0.0,
        losses={"p10": 0.05, "p50": 0.1, "p90": 0.05},
        coverage={"p10": 0.1, "p50": 0.5, "p90": 0.9},
        history="",
        shift=0.3,
        shifted=0.0,
        inside=0.8,
        horizon=7,
    )
    return replace(usual, **given)


def promised(scores, loss=0.1):
    return {one.run: {"0.1": loss / 2, "0.5": loss, "0.9": loss / 2} for one in scores}


def measured(number: int, actual, middle, sigma) -> Score:
    """The score of a forecast of normal errors; [N, H] each."""
    sums = _Sums(TYPES)
    forecast = np.stack([middle - WIDTH * sigma, middle, middle + WIDTH * sigma], axis=-1)
    sums.add(actual, np.full_like(actual, np.nan), forecast)
    size = sums.size
    return score(
        number,
        losses={label: sums.loss[label] / size for label in TYPES},
        coverage={label: sums.below[label] / sums.points for label in TYPES},
        shift=float(np.median(sums.shifts[0])),
        shifted=float((np.abs(sums.shifts[0]) > 4).mean()),
        inside=sums.inside / sums.points,
    )


def stable(seed: int, items: int, together: float, runs: int = 20) -> tuple[list[Score], dict]:
    """Scores of a stable workload: weekly rhythm, errors of which a share is common to a whole forecast."""
    random = np.random.default_rng(seed)
    level = random.uniform(20, 200, (items, 1))
    middle = level * (1 + 0.3 * np.sin(2 * np.pi * np.arange(7) / 7))
    sigma = 0.1 * middle
    found = []
    for number in range(runs):
        common = np.sqrt(together) * random.standard_normal((items, 1))
        noise = common + np.sqrt(1 - together) * random.standard_normal((items, 7))
        found.append(measured(number, middle + sigma * noise, middle, sigma))
    usual = {label: float(np.mean([one.losses[label] for one in found])) for label in TYPES}
    promise = {"0.1": usual["p10"], "0.5": usual["p50"], "0.9": usual["p90"]}
    return found, {one.run: promise for one in found}


@pytest.mark.parametrize("items", [1, 10, 200])
@pytest.mark.parametrize("together", [0.0, 0.5, 0.95], ids=lambda share: f"{share:.0%} in common")
def test_a_stable_workload_is_never_marked_in_twenty_runs(items, together):
    for seed in range(25):
        scores, promises = stable(seed, items, together)
        for count in range(1, len(scores) + 1):
            found = judge(scores[:count], promises, Drift())
            assert not found.is_drifting, (seed, count, found.reasons)


@pytest.mark.parametrize("items", [1, 10, 200])
@pytest.mark.parametrize(("factor", "side"), [(1.8, "above"), (0.3, "below")])
def test_a_level_shift_is_marked_at_once_with_its_numbers(items, factor, side):
    scores, promises = stable(3, items, 0.5)
    random = np.random.default_rng(9)
    middle = random.uniform(20, 200, (items, 1)) * np.ones((1, 7))
    sigma = 0.1 * middle
    actual = factor * middle + sigma * random.standard_normal((items, 7))
    found = judge([*scores, measured(20, actual, middle, sigma)], promises, Drift())
    assert found.is_drifting
    assert "The forecast of run run20 lies far from what came" in found.words()
    assert (
        f"{found.figures['shift'] if factor > 1 else -found.figures['shift']:.1f} standard" in found.words()
    )
    assert f"deviations {side} it over 7 steps" in found.words()
    assert found.newest == "run20"


def test_forecasts_that_keep_missing_their_promise_are_marked_once_there_are_enough():
    rising = [0.2 + number % 2 / 50 for number in range(6)]
    scores = [score(n, losses={"p10": 0.1, "p50": loss, "p90": 0.1}) for n, loss in enumerate(rising)]
    assert not judge(scores[:5], promised(scores), Drift()).is_drifting
    found = judge(scores, promised(scores), Drift())
    assert found.reasons == (
        "The last 6 forecasts turned out worse than their backtests promised: their weighted quantile loss "
        "was 2.05 times the promise; 1.50 times is allowed.",
    )


def test_losses_that_scatter_more_than_they_rose_prove_nothing():
    rising = [0.05, 0.6, 0.04, 0.7, 0.05, 0.6]
    scores = [
        score(n, losses={"p10": loss / 2, "p50": loss, "p90": loss / 2}) for n, loss in enumerate(rising)
    ]
    found = judge(scores, promised(scores), Drift())
    assert found.figures["loss_over_promise"] > 1.5
    assert not found.is_drifting


def test_intervals_that_hold_too_little_are_marked():
    scores = [score(n, inside=0.45 - n / 100) for n in range(6)]
    found = judge(scores, {}, Drift())
    assert found.reasons == (
        "Of the values of the last 6 forecasts 43% lay inside of the intervals that should hold 80%; "
        "60% is the least allowed.",
    )


def test_items_that_are_mostly_zero_as_forecast_are_not_marked():
    """The lowest quantile is zero, and so are most values: they lie inside, at the edge."""
    random = np.random.default_rng(5)
    scores = []
    for number in range(12):
        actual = random.poisson(0.5, (50, 7)).astype(float)
        forecast = np.broadcast_to(np.array([0.0, 0.0, 1.0]), (50, 7, 3))
        sums = _Sums(TYPES)
        sums.add(actual, np.full_like(actual, np.nan), forecast)
        below = {label: sums.below[label] / sums.points for label in TYPES}
        scores.append(score(number, coverage=below, inside=sums.inside / sums.points))
    assert scores[-1].coverage["p90"] - scores[-1].coverage["p10"] < 0.4
    found = judge(scores, {}, Drift())
    assert found.figures["coverage"] == pytest.approx(0.91, abs=0.02)
    assert not found.is_drifting


def test_forecasts_of_one_step_are_judged_when_there_are_several():
    """They never have three steps; one of them alone proves no shift."""
    short = {"steps": 1, "horizon": 1}
    one = score(0, **short, shifted=1.0, shift=9.0)
    assert judge([one], {}, Drift()) == drift.Finding(False, (), {}, one.run)
    narrow = [score(n, **short, inside=0.45 - n / 100) for n in range(6)]
    assert judge(narrow, {}, Drift()).is_drifting


def test_every_rule_has_a_switch():
    off = Drift(most_shifted_items=None, most_accuracy_fall=None, most_coverage_fall=None)
    bad = {"losses": {"p50": 0.9}, "inside": 0.1, "shift": 9.0, "shifted": 1.0}
    scores = [score(number, **bad) for number in range(8)]
    assert len(judge(scores, promised(scores), Drift()).reasons) == 3
    found = judge(scores, promised(scores), off)
    assert not found.is_drifting
    assert found.figures["shifted_items"] == 1.0


def test_forecasts_of_the_same_time_count_once_and_those_just_begun_not_at_all():
    daily = [
        score(0, run=f"day{day}", first=f"2024-03-{day:02}T00:00:00", last=f"2024-03-{day + 6:02}T00:00:00")
        for day in range(1, 23)
    ]
    daily[-1] = replace(daily[-1], steps=2)
    assert [one.run for one in judged(daily)] == ["day7", "day14", "day21"]
    assert judge(daily[-1:], {}, Drift()).figures == {}


def test_an_item_is_measured_by_the_interval_on_the_side_of_its_error():
    forecast = np.array([[[9.0, 10.0, 14.0]], [[9.0, 10.0, 14.0]], [[5.0, 5.0, 5.0]]])
    actual = np.array([[18.0], [6.0], [7.0]])
    up, down = _shifts(actual, forecast, TYPES, "p50")  # the third has no interval
    assert up == pytest.approx(2 * WIDTH)
    assert down == pytest.approx(-4 * WIDTH)
    assert _shifts(actual, forecast[..., 1:2], ("p50",), "p50").size == 0


def test_a_finding_is_kept_beside_the_run(s3, workload):
    found = drift.Finding(True, ("a reason",), {"shift": 5.0}, "run1")
    drift.keep(s3, workload, "run2", found)
    assert drift.kept(s3, workload, "run2") == found
    assert drift.kept(s3, workload, "run1") is None


def test_from_uploads_to_the_finding_twenty_stable_runs_and_then_a_shift(
    s3, workload, put, make_params, tmp_path
):
    """Each day brings what came and another forecast; on the last the level has doubled."""
    params = make_params(**{"Forecast.ForecastTypes": ["0.1", "0.5", "0.9"], "Predictor.ForecastHorizon": 24})
    random, days, items = np.random.default_rng(4), 22, [f"item {n}" for n in range(8)]
    middle = np.array([10.0 * (n + 1) for n in range(8)])[:, None] * (1.5 + np.sin(np.arange(24) / 4))[None]
    came = [middle * (1 + 0.1 * random.standard_normal(middle.shape)) for _ in range(days)]
    came[-1] = 2 * came[-1]
    promise = {"0.1": 0.035, "0.5": 0.08, "0.9": 0.035}
    marked = []
    for day in range(1, days + 1):
        lines = [
            f"{START + dt.timedelta(days=each, hours=hour)},{came[each][n, hour]},{item}"
            for each in range(day)
            for n, item in enumerate(items)
            for hour in range(24)
        ]
        put("train/a.csv", "\n".join(lines).encode())
        scores = ledger.keep(s3, workload, params, [workload.key("train/a.csv")])
        found = judge(scores, {one.run: promise for one in scores}, Drift())
        marked.append(found.is_drifting)
        _archive(s3, workload, tmp_path, f"run{day:02}", START + dt.timedelta(days=day), items, middle)
    assert marked == [False] * (days - 1) + [True]
    assert found.figures["forecasts_with_promise"] == 12
    assert "The forecast of run run21 lies far from what came for 100% of its items" in found.words()


def _archive(s3, workload, folder, run, first, items, middle):
    rows = [
        f"{first + dt.timedelta(hours=hour)},{middle[n, hour] * (1 + spread)},{item},{label}"
        for n, item in enumerate(items)
        for hour in range(24)
        for label, spread in zip(TYPES, (-0.1 * WIDTH, 0.0, 0.1 * WIDTH), strict=True)
    ]
    clean = folder / "forecast.csv"
    clean.write_text("\n".join(rows) + "\n")
    columns, last = ("timestamp", "target_value", "item_id", "type"), first + dt.timedelta(hours=23)
    written = Reformatted(
        len(rows), len(items), 24, TYPES, columns, False, first, last, "H", "yyyy-MM-dd HH:mm:ss"
    )
    publish.archive(s3, workload, run, clean, written, [])
