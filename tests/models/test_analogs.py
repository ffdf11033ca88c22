import numpy as np
import pandas as pd
import pytest

from forecastd.models import analogs, candidates
from forecastd.models.analogs import Analogs
from forecastd.models.history import History
from forecastd.models.quantiles import MEDIAN
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

DAY, HORIZON = 24, 24


def history(values: np.ndarray, horizon: int = HORIZON, frequency: str = "H") -> History:
    size, length = values.shape
    kind = Frequency.parse(frequency)
    times = pd.date_range("2024-01-01", periods=length + horizon, freq=kind.offset)
    return History(values, times, horizon, kind, {}, np.zeros((size, 0)))


def days(types: np.ndarray) -> np.ndarray:
    """Hours of days of two types: one has its peak in the morning, the other late and twice as high."""
    hour = np.arange(DAY)
    shapes = np.stack([np.exp(-(((hour - 7) / 3) ** 2)), 2 * np.exp(-(((hour - 19) / 2) ** 2))])
    return shapes[types].ravel()


def test_what_followed_similar_days_is_forecast() -> None:
    # Day types follow a rule that no average of the past and no rhythm of the week knows.
    rule = [0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0]
    types = np.resize(rule, 120)
    known, coming = days(types[:-1]), days(types[-1:])
    forecast = Analogs().forecast(history(known[None]), 1)
    np.testing.assert_allclose(forecast[0, :, MEDIAN], coming, atol=0.05)


def test_a_level_never_seen_before_is_kept() -> None:
    types = np.resize([0, 1], 100)
    values = days(types[:-1])
    values[-20 * DAY :] += 50
    forecast = Analogs().forecast(history(values[None]), 1)
    np.testing.assert_allclose(forecast[0, :, MEDIAN], 50 + days(types[-1:]), atol=1.0)


def test_each_series_is_forecast_from_its_own_past_alone() -> None:
    random = np.random.default_rng(0)
    values = random.normal(10, 1, (3, 60 * DAY)) + 5 * np.sin(2 * np.pi * np.arange(60 * DAY) / DAY)
    together = Analogs().forecast(history(values), 1)
    for row in range(3):
        np.testing.assert_allclose(Analogs().forecast(history(values[row : row + 1]), 1)[0], together[row])
    assert (np.diff(together, axis=2) >= -1e-9).all()


def test_the_unit_of_the_series_does_not_matter() -> None:
    values = np.random.default_rng(1).gamma(2.0, 1.0, (1, 40 * DAY))
    plain = Analogs().forecast(history(values), 1)
    np.testing.assert_allclose(Analogs().forecast(history(1e6 * values - 7), 1), 1e6 * plain - 7, rtol=1e-3)


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (414, 4), (100_000, 24)])
def test_many_series_are_searched_at_fewer_phases_of_the_day(size: int, stride: int) -> None:
    many = history(np.broadcast_to(0.0, (size, 960)))
    assert analogs.stride_for(many, analogs.MOST_STRETCHES / (size * 960)) == stride


@pytest.mark.parametrize("stride", [1, 4, 24])
def test_ways_are_judged_with_what_was_known_at_the_time(stride: int) -> None:
    values = np.arange(40.0 * DAY)[None]
    stretches = analogs._Stretches(values, np.zeros(1, int), 168, HORIZON, stride)
    assert stretches.start[-1] + 168 == values.shape[1]
    tried = stretches.trials(16)
    for moment, usable in zip(stretches.start[tried], stretches.usable(tried)[0], strict=True):
        assert usable.any()
        assert (stretches.start[: stretches.count][usable] + 168 + HORIZON <= moment + 168).all()


@pytest.mark.parametrize("stride", [1, 4])
def test_what_was_to_be_expected_knows_nothing_newer(stride: int) -> None:
    values = days(np.resize([0, 1, 1], 60))[None]
    origin, ahead = 40 * DAY, np.arange(HORIZON)
    before, changed = np.zeros(HORIZON, int), values.copy()
    changed[:, origin:] = values[:, origin:][:, ::-1]
    expected = [
        analogs.centres(history(either), before, before + origin, ahead, stride)
        for either in (values, changed)
    ]
    np.testing.assert_allclose(expected[0], expected[1], atol=1e-3)
    np.testing.assert_allclose(expected[0][0], values[0, origin : origin + HORIZON], atol=0.05)


def test_rows_that_no_past_tells_anything_of_are_unknown() -> None:
    many = history(days(np.resize([0, 1], 60))[None])
    rows, ahead = np.zeros(4, int), np.array([0, 5, 5, 5])
    origins = np.array([10, 100, 30 * DAY + 1, 30 * DAY])  # too early, too early, off the stride, known
    for expected in analogs.centres(many, rows, origins, ahead, DAY):
        assert list(np.isnan(expected)) == [True, True, True, False]


def test_stretches_before_the_first_value_are_not_heard() -> None:
    values = np.random.default_rng(2).normal(100, 1, (1, 60 * DAY))
    late = np.where(np.arange(60 * DAY) < 20 * DAY, np.nan, values)
    forecast = Analogs().forecast(history(late), 1)
    alone = Analogs().forecast(history(values[:, 20 * DAY :]), 1)
    np.testing.assert_allclose(forecast[..., MEDIAN], alone[..., MEDIAN], atol=1.0)
    assert (np.ptp(forecast, axis=2) > 0.5).all()  # a flat past would have said that nothing ever happens


@pytest.mark.parametrize("length", [3, 10, 25])
def test_a_short_history_has_no_answer(length: int) -> None:
    assert np.isnan(Analogs().forecast(history(np.ones((2, length))), 1)).all()


def test_a_constant_series_stays_constant() -> None:
    np.testing.assert_allclose(Analogs().forecast(history(np.full((1, 1000), 3.0)), 1), 3.0)


@pytest.mark.parametrize(("frequency", "tried"), [("15min", True), ("H", True), ("D", False), ("M", False)])
def test_auto_predictor_tries_analogs_on_parts_of_days(frequency: str, tried: bool) -> None:
    kind = Frequency.parse(frequency)
    times = pd.date_range("2024-01-01", periods=10, freq=kind.offset)
    panel = Panel(pd.DataFrame({"item_id": ["a"]}), times, np.ones((1, 10)), np.ones((1, 10), bool), kind)
    assert ("Analogs" in candidates.for_auto_predictor(panel)) == tried
