"""Calendar regression: level, slow trend, day, week, month, year, holidays and related features, per series.

One ridge regression per series on a common design; all series without gaps are solved together. What the
regression leaves over is followed for as long as it has lasted in the past: the residual h steps ahead is
the smoothed residual of now times a factor per step, pooled over all series.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecastd.models import calendar
from forecastd.models.ages import classes
from forecastd.models.algorithm import Algorithm
from forecastd.models.fallback import has_enough
from forecastd.models.history import History, interpolated, moved
from forecastd.models.quantiles import GRID
from forecastd.models.residuals import error_quantiles
from forecastd.models.smoothing import Smoothed, level, past_origins
from forecastd.models.transform import Plain

LONGEST_YEARS = 4.0
LONGEST_STEPS = 20_000
HALF_LIFE_YEARS = 1.5  # after which a value weighs half
YEAR_NEEDS = 1.3  # years of history from which on a yearly rhythm can be told from a trend
KNOTS = 4  # bends of the trend
PENALTY = {
    "constant": 1e-6,
    "trend": 0.3,
    "phase": 1.0,
    "fine": 6.0,
    "year": 1.0,
    "holiday": 0.5,
    "related": 2.0,
}
SMOOTHING = (0.03, 0.15, 0.5)  # of the residual
SERIES_AT_A_TIME = 200  # those with features need a matrix each


class Regression(Algorithm):
    """Ridge regression on the calendar, then the residual followed while it lasts."""

    name = "Regression"

    def __init__(self, transform: type[Plain] = Plain) -> None:
        self.name = "Regression" + transform.suffix
        self.transform = transform

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        per_year = history.frequency.steps_per_year
        seen = history.last_steps(int(min(LONGEST_STEPS, max(LONGEST_YEARS * per_year, 50))))
        forecast = np.empty((seen.size, seen.horizon, len(GRID)))
        for rows, start in classes(seen, seen.first):
            forecast[rows] = self._of_class(seen.only(rows).last_steps(seen.length - start))
        forecast[has_enough(history.values) & ~has_enough(seen.values)] = np.nan  # it ended long ago
        return forecast

    def _of_class(self, seen: History) -> np.ndarray:
        """Quantiles [N, H, K] of series of about the same age."""
        scale = self.transform(seen.values)
        series = scale.forward(seen.values)
        explained = _fitted(seen, series)  # [N, T + H]
        residual = interpolated(series - explained[:, : seen.length])
        if seen.gap.any():  # the last known residual is the newest, also where a series ended earlier
            residual = moved(residual, seen.gap, np.ones_like(seen.gap))
        followed = follow(residual, seen.horizon)
        centre = explained[:, seen.length :] + followed.centre
        forecast = centre[..., None] + error_quantiles(followed.errors)
        return scale.backward(forecast.reshape(seen.size, -1)).reshape(-1, seen.horizon, len(GRID))


def design(history: History) -> tuple[np.ndarray, np.ndarray]:
    """The common columns [T + H, F] and the penalty of each [F]."""
    times, unit = history.times, history.frequency.unit
    years = history.length / history.frequency.steps_per_year
    blocks = [("constant", np.ones((len(times), 1))), ("trend", _trend(len(times), history.length, years))]
    phases = calendar.columns(times, history.frequency)
    if history.frequency.is_within_day:
        hours = phases["day_phase"] // 4 if unit == "H" else phases["day_phase"]
        blocks += [("phase", _dummies(hours)), ("fine", _dummies(phases["weekday"] * 96 + hours))]
    if "weekday" in phases:
        blocks.append(("phase", _dummies(phases["weekday"])))
    if unit == "D":
        blocks.append(("fine", _dummies(phases["day_of_month"])))
    if years >= YEAR_NEEDS:
        blocks.append(("year", _year(times, unit)))
    blocks.append(("holiday", _holiday_dummies(history)))
    penalty = np.concatenate([np.full(block.shape[1], PENALTY[name]) for name, block in blocks])
    return np.concatenate([block for _, block in blocks], axis=1), penalty


def _trend(steps: int, length: int, years: float) -> np.ndarray:
    """A straight line with some bends, flat beyond the end of the history's last bend's reach."""
    time = np.arange(steps) / max(length, 1)
    knots = np.linspace(0, 1, KNOTS + 2)[1:-1] if years > 0.2 else np.zeros(0)
    lines = [time - 0.5, *[np.maximum(time - knot, 0) for knot in knots]]
    return np.stack(lines, axis=1)


def _year(times: pd.DatetimeIndex, unit: str) -> np.ndarray:
    if unit == "M":
        return _dummies(np.asarray(times.month, int))
    turn = 2 * np.pi * (times.dayofyear.to_numpy() - 1 + times.hour.to_numpy() / 24) / 365.25
    smooth = calendar.waves(turn, 8 if unit != "Y" else 0)
    weeks = _dummies(calendar.week_of_year(times)) * 0.7 if unit in ("W", "D") else np.zeros((len(times), 0))
    return np.concatenate([smooth, weeks], axis=1)


def _dummies(phase: np.ndarray) -> np.ndarray:
    return (phase[:, None] == np.unique(phase)[None, :]).astype(np.float64)


def _holiday_dummies(history: History) -> np.ndarray:
    """A column for each holiday that the history has seen; where days are told apart, for the days beside it
    as well, for holidays of each weekday, as one on a Sunday changes little, and for each hour of holidays.
    """
    names = calendar.holiday_names(history.times, history.frequency, history.holiday_country)
    seen = sorted(set(names[: history.length]) - {""})
    columns = [names == name for name in seen]
    if history.frequency.minutes <= 1440:
        day = round(1440 / history.frequency.minutes)
        columns = [_shifted(column, shift) for column in columns for shift in (-day, 0, day)]
        past, is_holiday = slice(history.length), names != ""
        phases = [history.times.dayofweek, *([history.times.hour] if history.frequency.is_within_day else [])]
        for phase in phases:
            known = np.unique(phase[past][is_holiday[past]])
            columns += [is_holiday & (phase == value) for value in known]
    return np.stack(columns, axis=1).astype(float) if columns else np.zeros((len(names), 0))


def _shifted(column: np.ndarray, steps: int) -> np.ndarray:
    moved = np.roll(column, steps)
    if steps > 0:
        moved[:steps] = 0
    elif steps < 0:
        moved[steps:] = 0
    return moved


def _fitted(history: History, series: np.ndarray) -> np.ndarray:
    """The regression's value at every step of history and horizon, [N, T + H]."""
    columns, penalty = design(history)
    age = history.length - np.arange(history.length)
    weight = 0.5 ** (age / (HALF_LIFE_YEARS * history.frequency.steps_per_year))
    weight = weight if history.frequency.steps_per_year > 3 else np.ones(history.length)
    own = _own_columns(history)
    if own.shape[2] == 0:
        return _solve_by_gaps(columns, penalty, weight, series)
    explained = np.empty((history.size, len(columns)))
    for low in range(0, history.size, SERIES_AT_A_TIME):
        rows = slice(low, low + SERIES_AT_A_TIME)
        explained[rows] = _solve_each(columns, penalty, weight, series[rows], own[rows])
    return explained


def _own_columns(history: History) -> np.ndarray:
    """Related features, each with mean 0 and spread 1 over the history, [N, T + H, features]."""
    columns = []
    for name in sorted(history.features):
        feature = interpolated(history.features[name])
        past = feature[:, : history.length]
        spread = past.std(axis=1, keepdims=True)
        scaled = (feature - past.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        columns.append(np.clip(scaled, -5, 5))
    shape = (history.size, len(history.times), 0)
    return np.stack(columns, axis=2) if columns else np.zeros(shape)


def _solve_by_gaps(
    columns: np.ndarray, penalty: np.ndarray, weight: np.ndarray, series: np.ndarray
) -> np.ndarray:
    """The regression's values [N, T + H] of series [N, T]; those with the same gaps are solved together."""
    explained = np.empty((len(series), len(columns)))
    gaps, group = np.unique(np.packbits(np.isnan(series), axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(group.ravel(), minlength=len(gaps)))[:-1]):
        known = ~np.isnan(series[rows[0]])
        past = columns[: len(weight)][known]
        weighted = past * weight[known, None]
        values = series[np.ix_(rows, known)]
        coefficients = np.linalg.solve(past.T @ weighted + np.diag(penalty), weighted.T @ values.T)
        explained[rows] = (columns @ coefficients).T
    return explained


def _solve_each(
    columns: np.ndarray, penalty: np.ndarray, weight: np.ndarray, series: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """As ``_solve_by_gaps``, but each series with its own further columns."""
    explained = np.empty((len(series), len(columns)))
    penalty = np.concatenate([penalty, np.full(own.shape[2], PENALTY["related"])])
    for row, values in enumerate(series):
        known = ~np.isnan(values)
        full = np.concatenate([columns, own[row]], axis=1)
        past = full[: len(weight)][known]
        weighted = past * weight[known, None]
        coefficients = np.linalg.solve(past.T @ weighted + np.diag(penalty), weighted.T @ values[known])
        explained[row] = full @ coefficients
    return explained


def follow(residual: np.ndarray, horizon: int) -> Smoothed:
    """The residual over the horizon: its present smoothed value, times how much of it has lasted in the
    past.
    """
    origins = past_origins(len(residual), residual.shape[1], horizon, first=max(2, residual.shape[1] // 4))
    if not origins.size:
        spread = np.repeat(residual[:, :, None], horizon, axis=2)
        return Smoothed(np.zeros((len(residual), horizon)), spread)
    actual = residual[:, origins[:, None] + np.arange(horizon)]  # [N, S, H]
    best: tuple[float, Smoothed] | None = None
    for smoothing in SMOOTHING:
        levels = level(residual, smoothing)
        now = levels[:, origins - 1]
        lasting = _lasting(actual, now)
        errors = actual - now[:, :, None] * lasting
        loss = float(np.abs(errors).mean())
        if best is None or loss < best[0]:
            best = (loss, Smoothed(levels[:, -1:] * lasting, errors))
    assert best is not None  # there are always weights to try
    return best[1]


def _lasting(actual: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The share of the present residual that was left h steps later, 0 to 1, [H]; series weigh alike."""
    size = np.maximum(np.abs(now).mean(axis=1), 1e-12)
    scaled = now / size[:, None]
    together = np.einsum("nsh,ns->h", actual / size[:, None, None], scaled)
    return np.clip(together / np.maximum((scaled**2).sum(), 1e-12), 0.0, 1.0)
