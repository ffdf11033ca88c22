import numpy as np
import pandas as pd
import pytest

from forecastd.models import candidates
from forecastd.models.algorithm import Algorithm
from forecastd.models.history import History
from forecastd.models.quantiles import GRID, MEDIAN
from forecastd.models.usual_days import Effects, OnUsualDays, effects
from forecastd.series import public_holidays
from forecastd.series.frequency import Frequency

LENGTH, AHEAD = 400, 7  # days
EASTER_MONDAY = pd.Timestamp("2024-04-01")
SHAPE = 2 + np.sin(np.arange(24) * np.pi / 12)


def times(
    end: str = "2024-04-03", length: int = LENGTH, every: str = "1h", ahead: int = AHEAD
) -> pd.DatetimeIndex:
    """The steps of some days of history and of the days ahead, of which ``end`` is the last."""
    days = pd.Timedelta(days=length + ahead)
    return pd.date_range(pd.Timestamp(end) + pd.Timedelta(days=1) - days, freq=every, periods=days // every)


def load(
    when: pd.DatetimeIndex,
    country: str = "FR",
    like_sunday: float = 1.0,
    own: dict[str, float] | None = None,
    size: int = 1,
    rest: int = 6,
) -> np.ndarray:
    """Series [size, steps] that are 30 % lower on days of rest and, to a degree, on holidays."""
    names = public_holidays.names_by_date(country, 2019, 2025)
    low = {day: (own or {}).get(name, like_sunday) for day, name in names.items()}
    days = when.normalize()
    part = np.maximum([low.get(day, 0.0) for day in days], days.dayofweek == rest)
    noise = np.random.default_rng(0).normal(1, 0.02, (size, len(when)))
    return 100 * SHAPE[when.hour] * (1 - 0.3 * part) * noise


def history(
    values: np.ndarray, when: pd.DatetimeIndex, country: str | None = "FR", ahead: int = AHEAD
) -> History:
    kind = Frequency.parse(
        {60: "H", 15: "15min", 360: "6H", 1440: "D"}[round((when[1] - when[0]).seconds / 60) or 1440]
    )
    horizon = round(ahead * 1440 / kind.minutes)
    past = values[:, : len(when) - horizon]
    return History(past, when, horizon, kind, {}, np.zeros((len(values), 0)), country)


def shares(found: Effects | None, seen: History, day: pd.Timestamp) -> np.ndarray:
    """What is said of a day, [N, steps of the day]."""
    assert found is not None
    return found.share[:, seen.times.normalize() == day]


class Same(Algorithm):
    """Forecasts the same hour of the day before the newest."""

    name = "Same"

    def forecast(self, history: History, threads: int) -> np.ndarray:
        again = np.tile(history.values[:, -24:], history.horizon // 24)
        return np.repeat(again[..., None], len(GRID), axis=2)


def test_a_holiday_is_a_day_of_rest_where_others_were() -> None:
    when = times()
    seen = history(load(when), when)
    found = effects(seen)
    np.testing.assert_allclose(shares(found, seen, EASTER_MONDAY), -0.3, atol=0.04)
    np.testing.assert_allclose(found.usual[0, when.normalize() == EASTER_MONDAY], 100 * SHAPE, rtol=0.05)
    ahead = when[seen.length :]
    others = ahead.normalize() != EASTER_MONDAY
    assert not found.share[:, seen.length :][:, others].any()


def test_a_holiday_on_a_day_of_rest_changes_nothing() -> None:
    when = times("2023-01-02")  # the first of January 2023 was a Sunday
    seen = history(load(when), when)
    np.testing.assert_allclose(shares(effects(seen), seen, pd.Timestamp("2023-01-01")), 0.0, atol=0.04)


def test_a_holiday_of_its_own_is_known_after_some_years() -> None:
    own = {"Easter Monday": 0.0}  # on which all work
    few, many = times(), times(length=5 * 365)
    told = []
    for when in (few, many):
        seen = history(load(when, own=own), when)
        told.append(float(shares(effects(seen), seen, EASTER_MONDAY).mean()))
    assert told[1] > -0.08
    assert told[0] < told[1] - 0.05


@pytest.mark.parametrize("like_sunday", [0.0, 0.5])
def test_holidays_count_as_far_as_they_did(like_sunday: float) -> None:
    when = times(length=800)
    seen = history(load(when, like_sunday=like_sunday), when)
    found = effects(seen)
    told = 0.0 if found is None else shares(found, seen, EASTER_MONDAY).mean()
    assert told == pytest.approx(-0.3 * like_sunday, abs=0.02)


def test_the_day_of_rest_is_the_country_s() -> None:
    when = times("2024-09-25", length=800)
    day = pd.Timestamp("2024-09-23")  # the national day
    seen = history(load(when, "SA", rest=5), when, "SA")
    np.testing.assert_allclose(shares(effects(seen), seen, day), -0.3, atol=0.05)


@pytest.mark.parametrize("country", [None, "XX"])
def test_nothing_is_known_without_a_country(country: str | None) -> None:
    when = times()
    assert effects(history(load(when), when, country)) is None


def test_nothing_is_known_of_few_holidays_and_of_weeks() -> None:
    short = times(length=21)
    assert effects(history(load(short), short)) is None
    weekly = pd.date_range("2020-01-06", periods=200, freq="7D")
    weeks = History(np.ones((1, 190)), weekly, 10, Frequency.parse("W"), {}, np.zeros((1, 0)), "FR")
    assert effects(weeks) is None


@pytest.mark.parametrize("begin", [0, 6, 18])
def test_whole_days_that_begin_at_any_hour(begin: int) -> None:
    when = times(every="1D") + pd.Timedelta(hours=begin)
    seen = history(load(when), when)
    assert seen.frequency == Frequency.parse("D")
    np.testing.assert_allclose(shares(effects(seen), seen, EASTER_MONDAY), -0.3, atol=0.04)


@pytest.mark.parametrize("every", ["15min", "6h"])
def test_other_steps_within_a_day_and_days_cut_short(every: str) -> None:
    when = times(every=every)
    values = load(when)
    skipped = 5  # steps that are missing at both ends
    seen = history(values[:, skipped:-skipped], when[skipped:-skipped])
    np.testing.assert_allclose(shares(effects(seen), seen, EASTER_MONDAY), -0.3, atol=0.05)


def test_a_history_may_end_within_a_holiday() -> None:
    when = times("2024-04-08")
    values = load(when)
    seen = history(values[:, :-12], when[:-12])  # it ends at noon of Easter Monday
    told = shares(effects(seen), seen, EASTER_MONDAY)
    assert seen.times[seen.length] == EASTER_MONDAY + pd.Timedelta(hours=12)
    np.testing.assert_allclose(told, -0.3, atol=0.05)


def test_gaps_late_series_and_series_of_nothing() -> None:
    when = times()
    values = load(when, size=5)
    random = np.random.default_rng(1)
    values[0, random.random(len(when)) < 0.3] = np.nan
    values[1, : 390 * 24] = np.nan
    values[2] = np.nan
    values[3] = 0.0
    seen = history(values, when)
    found = effects(seen)
    assert found is not None
    assert np.isfinite(found.share).all()
    assert np.isfinite(found.usual).all()
    np.testing.assert_allclose(shares(found, seen, EASTER_MONDAY)[[0, 4]], -0.3, atol=0.06)
    assert not shares(found, seen, EASTER_MONDAY)[3].any()
    forecast = OnUsualDays(Same()).forecast(seen, 1)
    assert np.isfinite(forecast[[3, 4]]).all()


def test_a_holiday_that_has_passed_is_no_news() -> None:
    when = times("2024-04-08")  # the history ends with Easter Monday
    seen = history(load(when), when)
    assert seen.times[seen.length] == EASTER_MONDAY + pd.Timedelta(days=1)
    forecast = OnUsualDays(Same()).forecast(seen, 1)[0, :, MEDIAN]
    np.testing.assert_allclose(forecast[:24], 100 * SHAPE, rtol=0.08)


@pytest.mark.parametrize("lift", [0.0, -1000.0])
def test_a_forecast_holds_the_holiday_that_comes(lift: float) -> None:
    when = times()
    seen = history(load(when) + lift, when)
    forecast = OnUsualDays(Same()).forecast(seen, 1)[0, :, MEDIAN]
    on_holiday = when[seen.length :].normalize() == EASTER_MONDAY
    np.testing.assert_allclose(forecast[on_holiday], 70 * SHAPE + lift, atol=20)
    np.testing.assert_allclose(forecast[-24:], 100 * SHAPE + lift, atol=20)


def test_what_happens_later_changes_nothing() -> None:
    when = times()
    values = load(when)
    origin = 380 * 24
    before = History(
        values[:, :origin], when[: origin + 48], 48, Frequency.parse("H"), {}, np.zeros((1, 0)), "FR"
    )
    changed = np.where(np.arange(len(when)) < origin, values, 7.0)
    after = History(
        changed[:, :origin], when[: origin + 48], 48, Frequency.parse("H"), {}, np.zeros((1, 0)), "FR"
    )
    np.testing.assert_array_equal(effects(before).share, effects(after).share)


@pytest.mark.parametrize("name", ["SeasonalTrend", "Decomposition", "Analogs", "NNAR", "Linear"])
def test_candidates_of_level_and_rhythm_forecast_a_holiday(name: str) -> None:
    when = times(length=200)
    seen = history(load(when), when)
    algorithm = candidates.make(name)
    algorithm.fit(seen, 0, 1)
    again = candidates.make(name)
    again.restore(algorithm.state())
    forecast = again.forecast(seen, 1)[0, :, MEDIAN]
    on_holiday = when[seen.length :].normalize() == EASTER_MONDAY
    np.testing.assert_allclose(forecast[on_holiday], 70 * SHAPE, rtol=0.15)
