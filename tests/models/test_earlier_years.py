from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates, earlier_years
from forecastd.models.earlier_years import doubted, repeated, without
from forecastd.models.ensemble import Mixture
from forecastd.models.history import History
from forecastd.models.predictor import Predictor
from forecastd.models.quantiles import GRID, MEDIAN, normal
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel

YEAR, LENGTH, HORIZON = 52, 96, 8
CHRISTMAS = 100  # in the horizon; the history holds the one before, at step 48
HOLIDAYS = {8: 0.8, 20: 1.25, 35: 0.85, 48: 0.6}  # of a year, and what they multiply

DAYS, AHEAD = 700, 28
DATES = {"01-01": 0.4, "02-14": 1.5, "05-01": 0.5, "08-15": 0.6, "11-01": 0.6, "12-24": 1.8, "12-25": 0.1}
WEEKDAY = np.array([1.0, 0.9, 0.9, 1.0, 1.2, 1.6, 0.7])


def weeks(size: int, comes_back: bool = True, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Series [N, LENGTH + HORIZON] of different levels with holidays, which come back or are of one year."""
    random = np.random.default_rng(seed)
    step = np.arange(LENGTH + HORIZON)
    holidays = np.ones(len(step))
    for week, factor in HOLIDAYS.items():
        holidays[week] = factor
        if comes_back:
            holidays[week + YEAR] = factor
    level = np.exp(random.normal(3, 1, (size, 1))) * (1 + 0.001 * step)
    return level * holidays * (1 + random.normal(0, noise, (size, len(step))))


def dates(length: int = DAYS) -> pd.DatetimeIndex:
    """Days that end with 2023, the horizon holding Christmas."""
    return pd.date_range(end="2023-12-31", periods=length + AHEAD)


def days(size: int, length: int = DAYS, comes_back: bool = True, seed: int = 0) -> np.ndarray:
    """Series [N, length + AHEAD] with weekdays and holidays, in the last year only if they come back."""
    random, times = np.random.default_rng(seed), dates(length)
    holidays = times.strftime("%m-%d").map(DATES).fillna(1.0).to_numpy().copy()
    if not comes_back:
        holidays[times >= times[-1] - pd.Timedelta(days=365)] = 1.0
    level = np.exp(random.normal(3, 1, (size, 1)))
    return level * WEEKDAY[times.dayofweek] * holidays * (1 + random.normal(0, 0.05, (size, len(times))))


def history(values: np.ndarray, horizon: int = HORIZON, frequency: str = "W") -> History:
    size, length = values.shape
    kind = Frequency.parse(frequency)
    times = (
        dates(length)
        if horizon == AHEAD
        else pd.date_range("2024-01-01", periods=length + horizon, freq=kind.offset)
    )
    return History(values, times, horizon, kind, {}, np.zeros((size, 0)))


def factor(values: np.ndarray, horizon: int = HORIZON, frequency: str = "W") -> np.ndarray:
    """By how much a forecast is multiplied at each step, [H]."""
    ones = np.ones((len(values), horizon, len(GRID)))
    return repeated(history(values, horizon, frequency), ones)[0, :, 0]


daily = partial(factor, horizon=AHEAD, frequency="D")


def test_a_holiday_comes_back_where_others_did() -> None:
    found = factor(weeks(30)[:, :LENGTH])
    assert 0.55 < found[CHRISTMAS - LENGTH] < 0.7
    np.testing.assert_allclose(np.delete(found, CHRISTMAS - LENGTH), 1.0, atol=0.03)


def test_easter_comes_back_on_its_own_days_and_on_no_others() -> None:
    times = pd.date_range(end="2024-04-14", periods=DAYS + AHEAD)
    random, easters = np.random.default_rng(0), {"2023-04-07": 0.2, "2023-04-06": 1.6, "2023-04-10": 0.4}
    special = times.strftime("%m-%d").map(DATES).fillna(1.0) * times.strftime("%F").map(easters).fillna(1.0)
    level = np.exp(random.normal(3, 1, (30, 1)))
    values = (
        level * WEEKDAY[times.dayofweek] * special.to_numpy() * (1 + random.normal(0, 0.05, (30, len(times))))
    )
    seen = History(values[:, :DAYS], times, AHEAD, Frequency.parse("D"), {}, np.zeros((30, 0)))
    found = pd.Series(repeated(seen, np.ones((30, AHEAD, len(GRID))))[0, :, 0], times[DAYS:])
    friday, thursday, monday = found["2024-03-29"], found["2024-03-28"], found["2024-04-01"]
    assert friday < 0.45 < monday < 0.8 < 1.2 < thursday
    assert found["2024-04-06":"2024-04-10"].between(0.9, 1.1).all(), "the days of the Easter before"  # type: ignore[misc]


def test_the_week_of_easter_comes_back_when_it_comes() -> None:
    values = weeks(30)
    times = pd.date_range("2022-06-13", periods=LENGTH + HORIZON, freq="W-MON")
    before, now = times.get_loc("2023-04-03"), times.get_loc("2024-03-25")
    values[:, [before, now]] *= 0.6
    kind = Frequency.parse("W")
    until = now - 2
    seen = History(values[:, :until], times[: until + HORIZON], HORIZON, kind, {}, np.zeros((30, 0)))
    found = repeated(seen, np.ones((30, HORIZON, len(GRID))))[0, :, 0]
    assert found[2] < 0.85
    np.testing.assert_allclose(np.delete(found, 2), 1.0, atol=0.08)


def test_what_happened_once_does_not_come_back() -> None:
    np.testing.assert_allclose(factor(weeks(30, comes_back=False)[:, :LENGTH]), 1.0, atol=0.02)
    np.testing.assert_allclose(daily(days(30, comes_back=False)[:, :DAYS]), 1.0, atol=0.02)


def test_steps_with_nothing_in_common_change_nothing() -> None:
    random = np.random.default_rng(3)
    np.testing.assert_allclose(factor(random.gamma(2.0, 1.0, (500, LENGTH))), 1.0, atol=0.03)
    np.testing.assert_allclose(daily(random.gamma(2.0, 1.0, (500, DAYS))), 1.0, atol=0.03)


def test_weather_that_all_series_share_does_not_come_back() -> None:
    random = np.random.default_rng(4)
    weather = np.zeros(DAYS)
    for step in range(1, DAYS):
        weather[step] = 0.8 * weather[step - 1] + random.normal(0, 0.1)
    np.testing.assert_allclose(daily(np.exp(weather) * np.ones((20, 1))), 1.0, atol=0.05)


def test_a_series_alone_is_believed_less() -> None:
    one, many = (factor(weeks(size, noise=0.08, seed=5)[:, :LENGTH]) for size in (1, 200))
    assert many[CHRISTMAS - LENGTH] < 0.7
    assert many[CHRISTMAS - LENGTH] <= one[CHRISTMAS - LENGTH] <= 1.0


@pytest.mark.parametrize(
    ("length", "frequency"),
    [(2 * YEAR, "W"), (YEAR + 15, "W"), (LENGTH, "D"), (419, "D"), (90, "H"), (96, "2D")],
)
def test_nothing_is_touched_where_no_year_is_held_or_rhythms_are_known(length: int, frequency: str) -> None:
    values = np.tile(weeks(5), 5)[:, :length]
    assert (factor(values, frequency=frequency) == 1).all()


def test_a_horizon_beyond_a_year_goes_round_again() -> None:
    found = factor(weeks(30)[:, :LENGTH], horizon=60)
    np.testing.assert_allclose(found[YEAR:], found[: 60 - YEAR])


def test_late_starts_zeros_and_many_series_are_no_trouble() -> None:
    values = weeks(earlier_years.MOST_SERIES["W"] + 500)[:, :LENGTH]
    values[::2, :60] = np.nan
    values[1] = 0.0
    assert 0.55 < factor(values)[CHRISTMAS - LENGTH] < 0.75
    assert (factor(np.zeros((3, LENGTH))) == 1).all()


@pytest.mark.parametrize("length", [500, DAYS, 1200])
def test_days_come_back_on_their_date(length: int) -> None:
    found = pd.Series(daily(days(40, length)[:, :length]), dates(length)[length:].strftime("%m-%d"))
    assert found["12-24"] > 1.4
    assert found["12-25"] < 0.45
    np.testing.assert_allclose(found.drop(["12-24", "12-25"]), 1.0, atol=0.15)  # the week has its mean


def test_a_day_on_which_nothing_was_recorded_does_not_come_back_and_a_closed_one_does() -> None:
    values, times = days(40), dates()
    lost = times == "2022-12-12"
    once = daily(np.where(lost, 0.0, values)[:, :DAYS])
    np.testing.assert_allclose(once, daily(values[:, :DAYS]), atol=0.05)
    always = days(40, 1200) * ~dates(1200).strftime("%m-%d").isin(["12-25", "12-26"])
    found = pd.Series(daily(always[:, :1200]), dates(1200)[1200:].strftime("%m-%d"))
    assert (found[["12-25", "12-26"]] < 0.2).all()


def test_days_come_back_on_their_weekday() -> None:
    times = dates()
    fourth_friday = (times.dayofweek == 4) & (times.day > 21) & (times.day < 29)
    values = days(40) * np.where(fourth_friday, 2.0, 1.0)
    found = pd.Series(daily(values[:, :DAYS]), times[DAYS:])
    assert found[pd.Timestamp("2023-12-22")] > 1.6


def test_series_below_zero_are_shifted_and_not_multiplied() -> None:
    values = days(30)[:, :DAYS]
    usual = np.abs(values).mean(axis=1)
    below = values - 2 * values.mean(axis=1, keepdims=True)
    zeros = np.zeros((30, AHEAD, len(GRID)))
    moved = repeated(history(np.concatenate([values, below]), AHEAD, "D"), np.concatenate([zeros, zeros]))
    christmas = 21
    assert (moved[:30] == 0).all()
    assert (moved[30:, christmas] < -0.4 * usual[:, None]).all()


def spread_of_christmas(off: float) -> tuple[float, float]:
    """How many times as wide a forecast becomes on 24 December, and two weeks before, where the holidays of
    the last year were ``off`` those of the year before, every other of them more and less.
    """
    values, times = days(100), dates()
    again = times.strftime("%m-%d").isin(DATES) & (times >= times[-AHEAD] - pd.Timedelta(days=365))
    values[:, again] *= 1 + off * (-1.0) ** np.arange(again.sum())
    forecast = normal(np.full((100, AHEAD), 50.0), np.ones((100, AHEAD)))
    wider = doubted(history(values[:, :DAYS], AHEAD, "D"), forecast)
    assert np.array_equal(wider[..., MEDIAN], forecast[..., MEDIAN])
    assert (np.diff(wider, axis=-1) > 0).all()
    spread = np.ptp(wider, axis=-1)[0] / np.ptp(forecast, axis=-1)[0]
    christmas = list(times[-AHEAD:].strftime("%m-%d")).index("12-24")
    return spread[christmas], spread[christmas - 14]


def test_the_less_alike_holidays_came_back_the_wider_is_the_forecast_of_the_next() -> None:
    alike, usual = spread_of_christmas(off=0.0)
    other, _ = spread_of_christmas(off=0.15)
    another, other_usual = spread_of_christmas(off=0.3)
    assert alike == pytest.approx(1, abs=0.2)
    assert 5 * alike < other < another / 1.5
    assert (usual, other_usual) == pytest.approx((1, 1), abs=0.05)


def test_auto_predictor_doubts_and_an_algorithm_chosen_by_name_speaks_for_itself() -> None:
    values, times = days(20)[:, :DAYS], dates()[:DAYS]
    values[:, times.strftime("%m-%d") == "05-01"] *= np.array([0.6, 1.4])  # of the first year, and the last
    keys = pd.DataFrame({"item_id": [f"{number:02}" for number in range(20)]})
    panel = Panel(keys, times, values, np.isfinite(values), Frequency.parse("D"))
    naive = {"SeasonalNaive": candidates.make("SeasonalNaive")}

    def spread(chosen: str) -> np.ndarray:
        mixture = Mixture({"SeasonalNaive": 1.0})
        predictor = Predictor(chosen, AHEAD, mixture, naive, {}, [], {}, pd.DataFrame())
        return np.ptp(predictor.grid_forecast(panel)[0], axis=-1)

    ahead = naive["SeasonalNaive"].forecast(History.of(panel, AHEAD), 1)
    assert np.allclose(spread("SeasonalNaive"), np.ptp(np.maximum(ahead, 0), axis=-1))
    wider = spread("AutoPredictor") / spread("SeasonalNaive")
    assert wider.min() > 0.99
    assert (wider.max(axis=1) > 1.1).mean() > 0.8


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_what_never_came_back_leaves_the_width_alone(scale: float) -> None:
    values = scale * days(100, comes_back=False)[:, :DAYS]
    forecast = normal(np.full((100, AHEAD), scale * 50.0), np.ones((100, AHEAD)))
    assert np.array_equal(doubted(history(values, AHEAD, "D"), forecast), forecast)


def test_a_history_without_its_holidays_is_smoother_and_keeps_gaps_and_signs() -> None:
    values = days(30)[:, :DAYS]
    values[:, 100] = np.nan
    cleaned = without(history(values, AHEAD, "D")).values
    holiday = np.isin(dates()[:DAYS].strftime("%m-%d"), list(DATES))
    usual = np.nanmean(values, axis=1, keepdims=True) * WEEKDAY[dates()[:DAYS].dayofweek]
    rough, smooth = (np.nanmean(np.abs(one - usual)[:, holiday]) for one in (values, cleaned))
    assert smooth < 0.7 * rough
    assert np.isnan(cleaned[:, 100]).all()
    assert (cleaned[~np.isnan(cleaned)] >= 0).all()


@pytest.mark.parametrize(
    "name", ["StateSpace", "Decomposition", "SeasonalTrend", "SeasonalTrendLog", "Linear", "Boosting"]
)
def test_models_forecast_christmas_from_one_christmas_of_weeks(name: str) -> None:
    values = weeks(60)
    past = history(values[:, :LENGTH])
    algorithm = candidates.make(name)
    algorithm.fit(past, 0, 1)
    found = algorithm.forecast(past, 1)[..., MEDIAN] / values[:, LENGTH:]
    assert 0.8 < np.median(found[:, CHRISTMAS - LENGTH]) < 1.2
    assert 0.9 < np.median(found) < 1.1


@pytest.mark.parametrize("name", ["NPTSYears", "Decomposition", "SeasonalTrend", "Linear", "Boosting"])
def test_models_forecast_christmas_from_one_christmas_of_days(name: str) -> None:
    values = days(60, 500)
    past = history(values[:, :500], AHEAD, "D")
    algorithm = candidates.make(name)
    algorithm.fit(past, 0, 1)
    found = algorithm.forecast(past, 1)[..., MEDIAN] / values[:, 500:]
    off = np.abs(np.log(np.median(found, axis=0)))
    assert off[20] < 0.6 * np.log(1.8)  # the day before
    assert off[21] < -np.log(0.1) / 2
    assert np.median(off) < 0.1
