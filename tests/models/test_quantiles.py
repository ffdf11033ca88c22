import numpy as np
import pytest
from scipy.stats import norm

from forecastd.models import quantiles
from forecastd.models.ensemble import combine, widened
from forecastd.models.quantiles import GRID

NORMAL = quantiles.normal(np.array([[10.0]]), np.array([[2.0]]))


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.33, 0.5, 0.8, 0.99])
def test_quantiles_of_a_normal_forecast_are_exact_between_and_beyond_the_grid(level: float) -> None:
    assert quantiles.at(NORMAL, [level])[0, 0, 0] == pytest.approx(norm.ppf(level, 10, 2))


def test_what_does_not_reach_below_zero_is_not_extended_below_it() -> None:
    sparse = np.array([[[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [-1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]])
    lowest = quantiles.told(sparse, [0.001])[0, :, 0]
    assert lowest[0] == 0
    assert lowest[1] < -1


def test_the_mean_of_a_symmetric_forecast_is_its_median() -> None:
    assert quantiles.mean(NORMAL)[0, 0] == pytest.approx(10)


def test_weighted_quantiles_ignore_missing_values_and_weights() -> None:
    values = np.array([[1.0, 2.0, 3.0, np.nan], [np.nan] * 4])
    table = quantiles.weighted_quantiles(values, np.array([1.0, 1.0, 1.0, 100.0]), np.array([0.5]))
    assert table[0, 0] == 2.0
    assert np.isnan(table[1, 0])


def test_a_candidate_without_an_answer_leaves_its_share_to_the_others() -> None:
    missing = np.full_like(NORMAL, np.nan)
    np.testing.assert_allclose(combine({"a": NORMAL, "b": missing}, {"a": 0.5, "b": 0.5}), NORMAL)
    assert np.isnan(combine({"b": missing}, {"b": 1.0})).all()


def test_widening_keeps_the_median() -> None:
    wide = widened(NORMAL, 2.0)
    assert wide[0, 0, list(GRID).index(0.5)] == 10
    assert wide[0, 0, -1] - 10 == pytest.approx(2 * (NORMAL[0, 0, -1] - 10))
