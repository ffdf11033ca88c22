"""Recalibration: intervals that are too narrow or too wide are put right, and others are left alone."""

import dataclasses
import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest

from pipeline import ledger, publish, recalibration, record, storage
from pipeline.policy.recalibration import Recalibration
from pipeline.quantiles import has_interval
from pipeline.recalibration import EDGES, OWN, Adjustment, judge, measured
from pipeline.record import Record
from pipeline.reformat import Reformatted

TYPES = ("p10", "p50", "p90")
WIDTH = 1.2815515655446004  # standard deviations from the median to p90
NEEDED = Recalibration(when="needed")
PLAIN = Adjustment()


def week(random, items, together, scale):
    """Actual values of a week, and forecasts whose intervals are `scale` times what they should be."""
    common = np.sqrt(together) * random.standard_normal((items, 1))
    noise = common + np.sqrt(1 - together) * random.standard_normal((items, 7))
    middle = random.uniform(20, 200, (items, 1)) * np.ones((1, 7))
    sigma = 0.1 * middle
    spread = scale * WIDTH * sigma
    return (middle + sigma * noise).reshape(-1), np.stack(
        [(middle - spread).reshape(-1), middle.reshape(-1), (middle + spread).reshape(-1)], axis=-1
    )


def published(forecast, adjustment):
    """The forecast as people see it."""
    frame = pd.DataFrame(forecast, columns=list(TYPES))
    return adjustment.applied(frame, TYPES)[list(TYPES)].to_numpy()


def inside(actual, forecast):
    return float(((forecast[:, 0] <= actual) & (actual <= forecast[:, -1])).mean())


@pytest.mark.parametrize(("scale", "factor"), [(0.5, 2.0), (0.7, 1 / 0.7), (1.6, 1 / 1.6)])
def test_intervals_that_hold_too_little_or_too_much_are_put_right(scale, factor):
    random = np.random.default_rng(7)
    told = [measured(iter([week(random, 50, 0.3, scale)]), TYPES, 7, PLAIN) for _ in range(12)]
    found = judge(told, NEEDED)
    assert found.factor == pytest.approx(factor, rel=0.05)
    assert found.holds == pytest.approx(0.8, abs=0.01)
    actual, forecast = week(random, 2000, 0.3, scale)
    assert abs(inside(actual, forecast) - 0.8) > 0.09
    assert inside(actual, published(forecast, found)) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("items", [1, 10, 200])
@pytest.mark.parametrize("together", [0.0, 0.5, 0.95], ids=lambda share: f"{share:.0%} in common")
def test_a_calibrated_workload_is_left_alone(items, together):
    """So is one that has only few forecasts, each of whose values all lie inside."""
    for seed in range(25):
        random = np.random.default_rng(seed)
        told = [measured(iter([week(random, items, together, 1.0)]), TYPES, 7, PLAIN) for _ in range(20)]
        for count in range(3, 21):
            limits = dataclasses.replace(NEEDED, least_forecasts=3, least_points=1)
            assert judge(told[max(0, count - 12) : count], limits).factor == 1.0, (seed, count)


@pytest.mark.parametrize("scale", [0.5, 1.7])
def test_factors_do_not_compound(scale):
    """Forty forecasts in a row, each recalibrated by the twelve before it."""
    random = np.random.default_rng(3)
    told, factors, held = [], [], []
    for _ in range(40):
        found = judge(told[-12:], NEEDED)
        actual, forecast = week(random, 100, 0.3, scale)
        shown = published(forecast, found)
        told.append(measured(iter([(actual, shown)]), TYPES, 7, found))
        factors.append(found.factor)
        held.append(inside(actual, shown))
    assert set(factors[:6]) == {1.0}
    assert factors[12:] == pytest.approx([1 / scale] * 28, rel=0.08)
    assert np.mean(held[12:]) == pytest.approx(0.8, abs=0.02)


def test_when_the_service_gets_better_the_factor_goes():
    random = np.random.default_rng(11)
    told, factors = [], []
    for number in range(36):
        found = judge(told[-12:], NEEDED)
        actual, forecast = week(random, 100, 0.3, 0.5 if number < 15 else 1.0)
        told.append(measured(iter([(actual, published(forecast, found))]), TYPES, 7, found))
        factors.append(found.factor)
    assert factors[14] == pytest.approx(2.0, rel=0.08)
    assert factors[-8:] == [1.0] * 8


def test_a_hand_computes_the_same():
    """Reaches 0.5, 1, 2 and 3 above and 1.5 below; an item without an interval tells nothing."""
    forecast = np.array([[8.0, 10.0, 14.0]] * 5 + [[5.0, 5.0, 5.0]])
    actual = np.array([12.0, 14.0, 18.0, 22.0, 7.0, 9.0])
    told = measured(iter([(actual[:3], forecast[:3]), (actual[3:], forecast[3:])]), TYPES, 1, PLAIN)
    assert told.points == 5
    assert told.wanted == pytest.approx(0.8)
    assert told.lowest == 7.0
    at = {factor: told.within[np.searchsorted(EDGES, factor)] for factor in (0.4, 0.5, 1.0, 1.5, 2.0, 3.0)}
    assert at == pytest.approx({0.4: 0, 0.5: 0.2, 1.0: 0.4, 1.5: 0.6, 2.0: 0.8, 3.0: 1.0})
    doubled = measured(iter([(actual, forecast)]), TYPES, 1, Adjustment(factor=2.0))
    assert doubled.within[np.searchsorted(EDGES, 2.0)] == pytest.approx(0.4)


def test_items_that_are_mostly_zero_are_left_alone():
    """Their median is their p10; what is at or below their p90 counts, and a whole number is often on it."""
    random = np.random.default_rng(5)
    told = []
    for _ in range(12):
        actual = random.poisson(0.5, 400).astype(float)
        forecast = np.broadcast_to(np.array([0.0, 0.0, 1.0]), (400, 3))
        told.append(measured(iter([(actual, forecast)]), TYPES, 7, PLAIN))
    found = judge(told, NEEDED)
    assert found.wanted == pytest.approx(0.9)
    assert found.factor == 1.0


def test_what_is_never_negative_is_widened_to_zero_and_no_further():
    forecast = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [-1.0, 2.0, 3.0]])
    floored = published(forecast, Adjustment(factor=3.0, is_floored=True))
    assert floored.tolist() == [[0.0, 2.0, 5.0], [2.0, 5.0, 8.0], [-1.0, 2.0, 5.0]]
    free = published(forecast, Adjustment(factor=3.0))
    assert free.tolist() == [[-1.0, 2.0, 5.0], [2.0, 5.0, 8.0], [-7.0, 2.0, 5.0]]
    cut = Adjustment(factor=3.0, is_floored=True)
    told = measured(iter([(np.array([0.5, 6.5]), floored[:2])]), TYPES, 1, cut)
    assert told.wanted == pytest.approx((0.9 + 0.8) / 2), "nothing is known of the interval that was cut"


def test_the_limits_hold_and_are_told():
    random = np.random.default_rng(2)
    narrow = [measured(iter([week(random, 50, 0.3, 0.1)]), TYPES, 7, PLAIN) for _ in range(12)]
    found = judge(narrow, NEEDED)
    assert (found.factor, found.limit) == (3.0, "MostFactor")
    assert "Recalibration.MostFactor allows no more" in found.words()
    wide = [measured(iter([week(random, 50, 0.3, 4.0)]), TYPES, 7, PLAIN) for _ in range(12)]
    found = judge(wide, NEEDED)
    assert (found.factor, found.limit) == (0.5, "LeastFactor")
    few = judge(narrow[:5], NEEDED)
    assert few.factor == 1.0
    assert "only 5 forecasts can be judged, and Recalibration.LeastForecasts wants more." in few.words()
    few = judge(narrow, dataclasses.replace(NEEDED, least_points=5000))
    assert few.factor == 1.0
    assert (
        "only 4,200 values of the last 12 forecasts can be judged, and Recalibration.LeastPoints"
        in few.words()
    )
    assert judge([], NEEDED).factor == 1.0


def test_quantiles_stay_in_order_and_the_median_and_the_mean_where_they_are():
    random = np.random.default_rng(1)
    labels = ["p5", "p30", "p50", "p70", "p95"]
    values = np.sort(random.standard_normal((1000, 5)) * 10.0 ** random.integers(-8, 8, (1000, 1)), axis=1)
    frame = pd.DataFrame(values, columns=labels).assign(mean=1.0, item_id="a", date="2024-01-01")
    for factor, floored in itertools.product((0.5, 0.99, 1.37, 3.0), (False, True)):
        moved = Adjustment(factor=factor, is_floored=floored).applied(frame, labels)
        assert (np.diff(moved[labels].to_numpy(), axis=1) >= 0).all()
        pd.testing.assert_frame_equal(
            moved[["p50", "mean", "item_id", "date"]], frame[["p50", "mean", "item_id", "date"]]
        )
        assert list(moved.columns) == list(frame.columns)
    assert Adjustment().applied(frame, labels) is frame
    assert Adjustment(factor=2.0).applied(frame, [*labels, "p99"]) is frame, "refused later, with the reason"


@pytest.mark.parametrize(
    ("types", "has"),
    [(TYPES, True), (("mean", "p5", "p50", "p95"), True), (("p50",), False), (("p10", "p90"), False),
     (("mean",), False), (("p50", "p90"), False), ((), False)],
)  # fmt: skip
def test_which_types_have_an_interval_about_the_median(types, has):
    assert has_interval(types) == has


def test_the_middle_edge_is_the_services_own_width():
    assert EDGES[OWN] == 1.0
    assert (np.diff(EDGES) > 0).all()


# -- from the ledger of a workload


def hour(step):
    return dt.datetime(2024, 1, 1) + dt.timedelta(hours=step)


@pytest.fixture
def past(s3, workload, put, tmp_path, make_params):
    """A workload of two items with so many forecasts of three hours, and all that came.

    Values are 100; of the hours of a forecast they are 101, 96 and 103. Forecasts are 99, 100, 101.
    """
    params = make_params(
        **{
            "Forecast.ForecastTypes": ["0.1", "0.5", "0.9"],
            "Recalibration": {"When": "needed", "LeastForecasts": 3, "LeastPoints": 36, "MostFactor": 5},
        }
    )

    def made(forecasts, adjustments=()):
        begins = [48 + 12 * number for number in range(forecasts)]
        special = {begin + n: value for begin in begins for n, value in enumerate((101, 96, 103))}
        rows = [f"{hour(s)},{special.get(s, 100)},{item}\n" for item in "ab" for s in range(begins[-1] + 12)]
        put("train/a.csv", ("timestamp,target_value,item_id\n" + "".join(rows)).encode())
        for number, begin in enumerate(begins):
            before = dict(adjustments).get(number, PLAIN)
            s3.delete_object(Bucket=workload.bucket, Key=workload.key(f"runs/run{number}/outcome.json"))
            _archive(s3, workload, tmp_path, f"run{number}", begin, before.factor)
            if before != PLAIN:
                record.write(s3, workload, Record(f"run{number}", recalibration=before.to_dict()))
        ledger.keep(s3, workload, params, [workload.key("train/a.csv")])
        return params

    return made


def _archive(s3, workload, folder, run, begin, factor):
    rows = [
        f"{hour(begin + n)},{100 + factor * spread},{item},{label}\n"
        for item in "ab"
        for n in range(3)
        for label, spread in (("p10", -1), ("p50", 0), ("p90", 1))
    ]
    clean = folder / "forecast.csv"
    clean.write_text("timestamp,target_value,item_id,type\n" + "".join(rows))
    columns = ("timestamp", "target_value", "item_id", "type")
    written = Reformatted(
        18, 2, 3, TYPES, columns, True, hour(begin), hour(begin + 2), "H", "yyyy-MM-dd HH:mm:ss"
    )
    publish.archive(s3, workload, run, clean, written, [])


def test_the_ledger_tells_how_wide_the_next_intervals_have_to_be(s3, workload, past):
    """Reaches are 1, 4 and 3: four fifths want 4."""
    params = past(8)
    found = recalibration.decide(s3, workload, params)
    assert found.factor == pytest.approx(4.0, rel=0.01)
    assert found.factor >= 4
    assert (found.forecasts, found.points) == (8, 48)
    assert found.held == pytest.approx(1 / 3)
    assert found.is_floored
    assert found.words() == (
        f"The intervals were made wider, {found.factor:.2f} times what the service made them: of 48 "
        "values of the last 8 forecasts the service's intervals held 33% and should hold 80%; with this "
        "factor it would have been 100%."
    )
    assert recalibration.decide(s3, workload, params) == found


def test_forecasts_whose_header_has_other_names_tell_the_same(s3, workload, past):
    params = past(8)
    plain = recalibration.decide(s3, workload, params)
    for number in range(8):
        stored = storage.read_json(s3, workload, f"runs/run{number}/forecast.json")
        stored["columns"] = ["Date", "Units Sold", "Product", "type"]
        storage.write_json(s3, workload, f"runs/run{number}/forecast.json", stored)
        record.write(s3, workload, Record(f"run{number}", params=params.normalised()))
    assert recalibration.decide(s3, workload, params) == plain


def test_forecasts_that_were_recalibrated_tell_the_same(s3, workload, past):
    plain = recalibration.decide(s3, workload, past(8))
    wide = Adjustment(factor=2.5, is_floored=True)
    narrow = Adjustment(factor=0.8)
    mixed = recalibration.decide(s3, workload, past(8, {1: wide, 2: narrow, 3: wide}))
    assert mixed == plain


def test_evidence_that_is_gone_or_broken_does_not_count_and_fails_nothing(s3, workload, past, put):
    params = past(8)
    s3.delete_object(Bucket=workload.bucket, Key=workload.key("ledger/run0/scores.parquet"))
    put("ledger/run1/scores.parquet", b"somebody has been here")
    found = recalibration.decide(s3, workload, params)
    assert (found.forecasts, found.points) == (6, 36)


def test_a_forecast_whose_level_has_moved_is_no_evidence(s3, workload, past):
    params = past(8)
    stored = storage.read_json(s3, workload, "runs/run3/outcome.json")
    for shift, count in ((4.5, 7), (-4.5, 7), (3.9, 8)):
        storage.write_json(s3, workload, "runs/run3/outcome.json", {**stored, "shift": shift})
        assert recalibration.decide(s3, workload, params).forecasts == count


def test_pieces_of_any_size_give_the_same(s3, workload, past, monkeypatch):
    params = past(8)
    whole = recalibration.decide(s3, workload, params)
    monkeypatch.setattr("pipeline.ledger.ROWS_READ", 2)
    assert recalibration.decide(s3, workload, params) == whole
