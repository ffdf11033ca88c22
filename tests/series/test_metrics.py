import numpy as np
import pytest

from forecastd.series.metrics import (
    METRIC_NAMES,
    Metrics,
    chosen_metric,
    item_metrics,
    mape,
    mase,
    summary,
    weighted_quantile_loss,
    window_metrics,
)

ACTUAL = np.array([[10.0, 12.0, 8.0], [0.0, 2.0, 4.0]])
LOW, MIDDLE, HIGH = ACTUAL * 0.5 + 1, ACTUAL + 1.0, ACTUAL * 1.5
QUANTILES = (0.1, 0.5, 0.9)


def by_hand(actual: np.ndarray, forecast: np.ndarray, quantile: float) -> float:
    """The quantile loss written as one case distinction per pair."""
    total = 0.0
    for y, q in zip(actual.ravel(), forecast.ravel(), strict=True):
        total += 2 * (quantile * (y - q) if y >= q else (1 - quantile) * (q - y))
    return total / sum(abs(y) for y in actual.ravel())


@pytest.mark.parametrize("quantile", QUANTILES)
def test_the_weighted_quantile_loss_is_the_one_computed_pair_by_pair(quantile: float) -> None:
    assert weighted_quantile_loss(ACTUAL, LOW, quantile) == pytest.approx(by_hand(ACTUAL, LOW, quantile))


def test_the_median_loss_is_the_weighted_absolute_percentage_error() -> None:
    metrics = window_metrics(ACTUAL, MIDDLE[..., None], MIDDLE, (0.5,))
    assert metrics.weighted_quantile_loss[0.5] == pytest.approx(metrics.wape) == pytest.approx(6 / 36)


def test_mase_is_not_defined_for_one_step_and_wape_chooses_in_its_place() -> None:
    actual, mean = np.array([[4.0], [6.0]]), np.array([[5.0], [6.0]])
    found = window_metrics(actual, mean[..., None], mean, (0.5,))
    assert np.isnan(found.mase)
    assert chosen_metric(found, "MASE") == found.wape == pytest.approx(0.1)
    assert np.isnan(item_metrics(actual, mean[..., None], mean, (0.5,))["MASE"]).all()


def test_rmse_mape_and_mase_follow_their_formulas() -> None:
    metrics = window_metrics(ACTUAL, np.stack([LOW, MIDDLE, HIGH], -1), MIDDLE, QUANTILES)
    assert metrics.rmse == pytest.approx(1.0)
    assert metrics.mape == pytest.approx((1 / 10 + 1 / 12 + 1 / 8 + 0 + 1 / 2 + 1 / 4) / 6)
    assert metrics.mase == pytest.approx(1.0 / ((2 + 4 + 2 + 2) / 4))
    assert metrics.average_wql == pytest.approx(np.mean(list(metrics.weighted_quantile_loss.values())))


def test_without_any_amount_the_losses_are_not_normalised() -> None:
    zeros = np.zeros((1, 4))
    metrics = window_metrics(zeros, zeros[..., None] + 2, zeros + 2, (0.9,))
    assert metrics.weighted_quantile_loss[0.9] == pytest.approx(2 * 0.1 * 8)
    assert metrics.wape == pytest.approx(8)
    assert mape(zeros, zeros + 2) == 0
    assert mase(zeros, zeros + 2) == 0


def test_items_with_a_missing_value_in_the_window_are_not_evaluated() -> None:
    actual = np.vstack([ACTUAL, [np.nan, 1, 1]])
    mean = np.vstack([MIDDLE, [900, 900, 900]])
    assert window_metrics(actual, mean[..., None], mean, (0.5,)) == window_metrics(
        ACTUAL, MIDDLE[..., None], MIDDLE, (0.5,)
    )


def test_the_summary_is_the_plain_mean_of_the_windows() -> None:
    one = Metrics({0.5: 0.1}, 0.1, 0.2, 3.0, 1.0, 0.5)
    two = Metrics({0.5: 0.3}, 0.3, 0.4, 5.0, 2.0, 0.7)
    assert summary([one, two]) == Metrics({0.5: 0.2}, 0.2, pytest.approx(0.3), 4.0, 1.5, pytest.approx(0.6))
    with pytest.raises(ValueError, match="no backtest window"):
        summary([])


def of_window(actual: np.ndarray) -> Metrics:
    return window_metrics(actual, np.stack([LOW, MIDDLE, HIGH], -1), MIDDLE, QUANTILES)


def test_a_window_without_any_complete_item_is_no_perfect_one() -> None:
    empty = of_window(np.where(ACTUAL == 8, np.nan, np.where(ACTUAL == 4, np.nan, ACTUAL)))
    assert list(empty.weighted_quantile_loss) == list(QUANTILES)
    values = [empty.wape, empty.rmse, empty.mase, empty.mape, empty.average_wql]
    assert np.isnan([*values, *empty.weighted_quantile_loss.values()]).all()


def test_the_summary_leaves_out_windows_without_any_complete_item() -> None:
    full, empty = of_window(ACTUAL), of_window(np.full(ACTUAL.shape, np.nan))
    assert summary([empty, full]) == summary([full])
    assert np.isnan(summary([empty, empty]).rmse)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_what_is_not_defined_is_never_preferred(name: str) -> None:
    full, empty = of_window(ACTUAL), of_window(np.full(ACTUAL.shape, np.nan))
    assert chosen_metric(full, name) < chosen_metric(empty, name)


def test_a_metric_is_found_by_amazons_name() -> None:
    metrics = Metrics({}, None, 0.2, 3.0, 1.0, 0.5)
    assert chosen_metric(metrics, "RMSE") == 3.0
    assert chosen_metric(metrics, "AverageWeightedQuantileLoss") == 0.2


@pytest.mark.parametrize("quantiles", [(0.1, 0.5), ()])
def test_the_metrics_of_each_item_are_those_of_a_window_with_this_item_alone(
    quantiles: tuple[float, ...],
) -> None:
    random = np.random.default_rng(8)
    actual = random.poisson(2, (6, 3)).astype(float)
    actual[1], actual[2, 0] = 0.0, np.nan
    forecasts, mean = random.random((6, 3, len(quantiles))), random.random((6, 3))
    together = item_metrics(actual, forecasts, mean, quantiles)
    assert all(np.isnan(values[2]) for values in together.values())
    for row in (0, 1, 3, 4, 5):
        alone = window_metrics(actual[[row]], forecasts[[row]], mean[[row]], quantiles)
        losses = {f"wQL[{q:g}]": loss for q, loss in alone.weighted_quantile_loss.items()}
        average = {"Average wQL": alone.average_wql} if quantiles else {}
        rest = {"RMSE": alone.rmse, "WAPE": alone.wape, "MAPE": alone.mape, "MASE": alone.mase}
        assert {name: values[row] for name, values in together.items()} == pytest.approx(
            losses | average | rest
        )
