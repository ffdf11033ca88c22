from dataclasses import replace

import numpy as np
import pandas as pd

from forecastd.models import quantiles
from forecastd.models.ensemble import Mixture, Sample, choose, independent, series_names, side_by_side
from forecastd.models.quantiles import GRID, MEDIAN

SERIES, STEPS = 50, 20
KEYS = np.array([f"i{n:02}" for n in range(SERIES)])
ONES = np.ones(SERIES)
LOOKS = 100.0


def forecast(centre: np.ndarray, spread: float) -> np.ndarray:
    """Normal quantiles [N, H, K] around a centre [N, H]."""
    return quantiles.normal(centre, np.full_like(centre, spread))


def noise(seed: int, spread: float = 3.0) -> np.ndarray:
    """Actuals [N, H] around nothing."""
    return np.random.default_rng(seed).normal(0, spread, (SERIES, STEPS))


def split_samples() -> list[Sample]:
    """Two windows in which one candidate is right on the first half of the series, one on the second."""
    high = np.repeat((np.arange(SERIES) < SERIES // 2)[:, None] * 20.0, STEPS, axis=1)
    candidates = {"high": forecast(high * 0 + 20, 3.0), "low": forecast(high * 0, 3.0)}
    return [Sample(high + noise(seed), candidates) for seed in (0, 1)]


def test_what_was_right_is_preferred_and_what_was_too_sure_is_widened() -> None:
    centre = np.zeros((SERIES, STEPS))
    candidates = {"sure": forecast(centre, 1.5), "wrong": forecast(centre + 30, 1.0)}
    mixture = choose([Sample(noise(0), candidates), Sample(noise(1), candidates)], ONES, KEYS, LOOKS)
    assert mixture.weights["sure"] > 0.95
    assert 1.5 < mixture.widths["sure"] * mixture.width < 2.5


def test_few_looks_prove_little() -> None:
    centre = np.zeros((SERIES, STEPS))
    candidates = {"near": forecast(centre + 0.5, 1.5), "off": forecast(centre + 2.5, 1.5)}
    samples = [Sample(noise(0), candidates)]
    few, many = (choose(samples, ONES, KEYS, looks) for looks in (4.0, 1000.0))
    assert few.weights["near"] > few.weights["off"] > many.weights.get("off", 0.0)
    assert 1 <= few.widths["near"] < many.widths["near"]


def test_series_that_are_wrong_together_count_as_few() -> None:
    centre = np.zeros((SERIES, STEPS))
    candidates = {"a": forecast(centre, 1.0), "b": forecast(centre + 0.1, 1.0)}
    alone = [Sample(noise(seed), candidates) for seed in range(3)]
    weather = [Sample(np.repeat(one.actual[:1], SERIES, axis=0), candidates) for one in alone]
    both = [Sample(one.actual + same.actual, candidates) for one, same in zip(alone, weather, strict=True)]
    assert independent(side_by_side(alone)) > 0.6 * SERIES
    assert independent(side_by_side(weather)) < 1.1
    assert independent(side_by_side(both)) < 4


def test_series_without_values_or_errors_do_not_count_against_others() -> None:
    centre = np.zeros((SERIES, STEPS))
    exact = Sample(centre, {"a": forecast(centre, 1.0)})
    assert independent(exact) == SERIES
    actual = noise(0)
    actual[5:] = np.nan
    assert 1 <= independent(Sample(actual, {"a": forecast(centre, 1.0)})) <= SERIES


def test_a_candidate_is_not_left_out_for_its_width_alone() -> None:
    centre = np.zeros((SERIES, STEPS))
    candidates = {"narrow": forecast(centre, 0.8), "biased": forecast(centre + 2, 3.0)}
    mixture = choose([Sample(noise(0), candidates), Sample(noise(1), candidates)], ONES, KEYS, LOOKS)
    assert mixture.weights["narrow"] > mixture.weights["biased"]


def test_each_series_leans_to_what_is_right_for_it_where_that_proved_itself() -> None:
    samples = split_samples()
    mixture = choose(samples, ONES, KEYS, LOOKS)
    assert mixture.leaning > 0
    mixed = mixture.of(samples[0].forecasts, KEYS)
    assert mixed[0, :, MEDIAN].mean() > 15
    assert mixed[-1, :, MEDIAN].mean() < 5


def test_series_do_not_lean_where_that_is_luck() -> None:
    centre = np.zeros((SERIES, STEPS))
    candidates = {"a": forecast(centre + 0.3, 3.0), "b": forecast(centre - 0.3, 3.0)}
    mixture = choose([Sample(noise(seed), candidates) for seed in range(4)], ONES, KEYS, LOOKS)
    assert mixture.leaning == 0
    mixed = mixture.of(candidates, KEYS)
    assert np.abs(mixed[..., MEDIAN]).max() < 0.3


def test_a_series_that_came_later_gets_the_shares_of_all_in_any_order() -> None:
    samples = split_samples()
    mixture = choose(samples, ONES, KEYS, LOOKS)
    some = np.array(["i49", "new", "i00"])
    rows = {name: one[[49, 0, 0]] for name, one in samples[0].forecasts.items()}
    mixed = mixture.of(rows, some)
    usual = replace(mixture, own=None).of(rows, some)
    np.testing.assert_allclose(mixed[1], usual[1])
    np.testing.assert_allclose(mixed[[0, 2]], mixture.of(samples[0].forecasts, KEYS)[[49, 0]])


def test_quantiles_of_any_mixture_stay_in_order() -> None:
    samples = split_samples()
    mixed = choose(samples, ONES, KEYS, LOOKS).of(samples[1].forecasts, KEYS)
    assert mixed.shape[-1] == len(GRID)
    assert (np.diff(mixed, axis=-1) >= 0).all()


def test_a_mixture_comes_back_from_its_state() -> None:
    mixture = choose(split_samples(), ONES, KEYS, LOOKS)
    assert Mixture.restored(mixture.state()) == mixture
    plain = Mixture({"a": 1.0})
    assert Mixture.restored(plain.state()) == plain


def test_a_series_is_named_by_its_item_and_its_dimensions() -> None:
    keys = pd.DataFrame({"item_id": ["a", "a", "b"], "store": ["1", "2", "1"]})
    assert len(set(series_names(keys))) == 3
    assert list(series_names(keys[["item_id"]])) == ["a", "a", "b"]
