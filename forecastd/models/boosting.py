"""Boosting: gradient-boosted trees that forecast quantiles directly, shared by all series.

One row is one series, one origin and one step ahead; one LightGBM model per quantile. The target and
everything with the series' unit is measured from the recent level in units of the recent spread. What a
row knows:

    lags of each rhythm, and of a year where there is one          calendar phases, nearness of holidays
    recent levels, slope and spread                                related features of the step
    the linear model's forecast of the step                        metadata codes
    of few series, within the day: what followed similar stretches of the past

Where the history holds the year only once, too little for trees, what comes back of its days and weeks is
taken out of the past and put on top of the forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from forecastd.models import analogs, calendar
from forecastd.models.algorithm import FEW_SERIES, Algorithm, State
from forecastd.models.earlier_years import held_once, repeated, without
from forecastd.models.history import History
from forecastd.models.linear import Linear, level_and_spread
from forecastd.models.quantiles import GRID, at

LEARNT = np.array([0.1, 0.5, 0.9])  # quantiles with a model each; the others are read off between and beyond
MOST_ROWS = 100_000
LEAST_ROWS = 200
MOST_ORIGINS = 3000  # distinct ones, of few series
LEAST_ORIGINS = 12  # of however many series
LARGEST_ORIGIN_TABLE = 150_000  # series × origins, between the two
MOST_DISTANCES = 30_000_000  # between stretches, for that
LAGS = 3  # newest known cycles of each rhythm
TREES = 120
LEAF = 50  # rows, at least; fewer where there are few in all
DISTINCT_IN_A_LEAF = 20  # values of the target, however many rows (origins) repeat each
MANY_REPEATS = 4.0  # rows of one value, from which on splits are drawn at random, which fits less closely
SETTINGS: dict[str, Any] = {
    "objective": "quantile",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "max_bin": 127,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}
ROWS_AT_A_TIME = 200_000  # of a forecast
LONGEST = {"min": 20_000, "H": 20_000, "D": 2200, "W": 800, "M": 400, "Y": 100}  # steps that are learnt from


class Boosting(Algorithm):
    """LightGBM quantile regression across all series."""

    name = "Boosting"
    learns = True

    def __init__(self) -> None:
        self.linear = Linear()
        self.models: list[Any] = []
        self.features: list[str] = []
        self.yearly = False
        self.year_once = False
        self.static_columns = 0
        self.holidays = False
        self.stride = 0  # of the stretches among which analogs are looked up; none if 0

    def fit(self, history: History, seed: int, threads: int) -> None:
        """See ``Algorithm.fit``."""
        seen = history.last_steps(LONGEST[history.frequency.unit])
        self.year_once = held_once(seen)
        seen = without(seen) if self.year_once else seen
        self.linear.fit(seen, seed, threads)
        self.features = sorted(seen.features)
        self.static_columns = seen.static.shape[1]
        self.holidays = seen.holiday_country is not None
        self.yearly = calendar.year_steps(seen.frequency) + 2 * seen.horizon < seen.length
        self.stride = _stride(seen)
        rows = _Rows(seen, self)
        series, origins, ahead = rows.sample(np.random.default_rng(seed))
        if len(series) < LEAST_ROWS:
            self.models = []
            return
        inputs, level, spread = rows.inputs(series, origins, ahead)
        targets = np.clip((seen.values[series, origins + ahead] - level) / spread, -20, 20)
        settings = {**_settings(len(targets), _repeats(series, origins + ahead)), "seed": seed}
        with ThreadPoolExecutor(max(1, threads)) as pool:
            self.models = list(pool.map(lambda q: _train(inputs, targets, settings, float(q)), LEARNT))

    def forecast(self, history: History, threads: int) -> np.ndarray:
        """See ``Algorithm.forecast``."""
        shape = (history.size, history.horizon)
        if not self.models:
            return np.full((*shape, len(GRID)), np.nan)
        rows = _Rows(without(history) if self.year_once else history, self)
        series, ahead = (index.ravel() for index in np.indices(shape))
        origins = np.full(len(series), history.length)
        scaled = np.empty((len(series), len(LEARNT)))
        for low in range(0, len(series), ROWS_AT_A_TIME):
            part = slice(low, low + ROWS_AT_A_TIME)
            inputs = rows.inputs(series[part], origins[part], ahead[part])[0]
            for column, model in enumerate(self.models):
                scaled[part, column] = model.predict(inputs, num_threads=1)
        table = np.sort(scaled, axis=1).reshape(*shape, len(LEARNT))
        level, spread = rows.level_at(history.length)
        forecast = level[:, :, None] + spread[:, :, None] * at(table, list(GRID), LEARNT)
        return repeated(history, forecast) if self.year_once else forecast

    def state(self) -> State:
        """See ``Algorithm.state``."""
        return {
            "linear": self.linear.state(),
            "models": [model.model_to_string() for model in self.models],
            "features": self.features,
            "yearly": self.yearly,
            "year_once": self.year_once,
            "static_columns": self.static_columns,
            "holidays": self.holidays,
            "stride": self.stride,
        }

    def restore(self, state: State) -> None:
        """See ``Algorithm.restore``."""
        import lightgbm

        self.linear.restore(state["linear"])
        self.models = [lightgbm.Booster(model_str=text) for text in state["models"]]
        self.features, self.yearly = list(state["features"]), bool(state["yearly"])
        self.year_once = bool(state.get("year_once"))  # older predictors learnt from the past as it was
        self.static_columns, self.holidays = int(state["static_columns"]), bool(state["holidays"])
        self.stride = int(state.get("stride", 0))  # predictors of before there were analogs have none


def _stride(history: History) -> int:
    """The stride of analogs; 0 where they are not worth their time."""
    if history.size > FEW_SERIES or not history.frequency.is_within_day:
        return 0
    distances = history.size * history.length * min(history.length, MOST_ORIGINS)
    return analogs.stride_for(history, MOST_DISTANCES / distances)


def _repeats(series: np.ndarray, targets: np.ndarray) -> float:
    """How many rows share one value of a series, on average: those of several origins before it."""
    distinct = np.unique(series * (int(targets.max()) + 1) + targets)
    return len(targets) / len(distinct)


def _settings(rows: int, repeats: float) -> dict[str, Any]:
    """LightGBM's settings: the more rows tell of the same values, the less closely they may be followed.

    A single series has as many rows of each value as the horizon has steps. Leaves of so many rows hold a
    few values only, and quantiles learnt from those are far too narrow.
    """
    leaf = max(float(np.clip(rows // 100, 5, LEAF)), min(DISTINCT_IN_A_LEAF * repeats, rows / 8))
    return {**SETTINGS, "min_data_in_leaf": int(leaf), "extra_trees": repeats >= MANY_REPEATS}


def _train(inputs: np.ndarray, targets: np.ndarray, settings: Mapping[str, Any], quantile: float) -> Any:
    """One model on one thread: threads that wait for each other inside LightGBM crawl on a busy machine."""
    import lightgbm

    chosen = {**settings, "alpha": quantile, "num_threads": 1}
    return lightgbm.train(chosen, lightgbm.Dataset(inputs, targets), num_boost_round=TREES)


class _Rows:
    """Makes the inputs and targets of any (series, origin, step ahead)."""

    def __init__(self, history: History, model: Boosting) -> None:
        self.history = history
        self.model = model
        season = 2 * max(history.frequency.seasonality, 4)
        self.context = max(model.linear.weights.shape[0] - 1, min(season, history.length // 2), 1)
        self.year = calendar.year_steps(history.frequency) if model.yearly else 0
        self.total = np.cumsum(np.pad(history.filled, ((0, 0), (1, 0))), axis=1)
        self.phases = list(calendar.columns(history.times, history.frequency).values())
        since, until = calendar.days_to_holidays(history.times, history.holiday_country)
        self.phases += [since, until] if model.holidays else []

    def sample(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Series, origins and steps ahead of the training rows: all of them, or an even random draw."""
        history = self.history
        first, last = min(self.context, history.length // 2), history.length - 1
        most = int(np.clip(LARGEST_ORIGIN_TABLE // history.size, LEAST_ORIGINS, MOST_ORIGINS))
        count = min(most, last + 1 - max(first, 1))
        origins = np.linspace(max(first, 1), last, max(count, 1)).astype(int)
        if self.model.stride:
            origins -= (origins - history.length) % self.model.stride
        origins = np.unique(np.maximum(origins, 1))
        everything = history.size * len(origins) * history.horizon
        draw = min(MOST_ROWS, everything)
        flat = np.unique(random.integers(0, everything, draw)) if draw < everything else np.arange(everything)
        series, rest = np.divmod(flat, len(origins) * history.horizon)
        position, ahead = np.divmod(rest, history.horizon)
        origin = origins[position]
        target = origin + ahead
        inside = target < history.length
        inside[inside] = ~np.isnan(history.values[series[inside], target[inside]])
        inside &= origin > history.first[series]
        return series[inside], origin[inside], ahead[inside]

    def level_at(self, origin: int) -> tuple[np.ndarray, np.ndarray]:
        """Level and spread of every series at one origin, both [N, 1]."""
        window = self.history.filled[:, max(0, origin - self.context) : origin]
        return level_and_spread(window, max(1, min(self.model.linear.season, window.shape[1])))

    def _levels(
        self, series: np.ndarray, origins: np.ndarray, ahead: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Level, spread and the linear model's scaled forecast of each row, computed once per origin."""
        level, spread = np.empty(len(series)), np.empty(len(series))
        linear = np.empty(len(series), np.float32)
        order = np.argsort(origins, kind="stable")
        starts = np.flatnonzero(np.diff(origins[order], prepend=-1))
        for rows in np.split(order, starts[1:]):
            origin = int(origins[rows[0]])
            every_level, every_spread = self.level_at(origin)
            level[rows] = every_level[series[rows], 0]
            spread[rows] = every_spread[series[rows], 0]
            linear[rows] = self._linear(origin, every_level, every_spread)[series[rows], ahead[rows]]
        return level, spread, linear

    def _linear(self, origin: int, level: np.ndarray, spread: np.ndarray) -> np.ndarray:
        width = self.model.linear.weights.shape[0] - 1
        if width < 1 or origin < width:
            return np.full((self.history.size, self.history.horizon), np.nan, np.float32)
        window = (self.history.filled[:, origin - width : origin] - level) / spread
        return self.model.linear.centre(np.clip(window, -20, 20)).astype(np.float32)

    def inputs(
        self, series: np.ndarray, origins: np.ndarray, ahead: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the rows know, float32 [rows, columns], and the level and spread of each row."""
        level, spread, linear = self._levels(series, origins, ahead)
        target = origins + ahead
        columns = [ahead, linear, spread / np.maximum(np.abs(level), 1e-9)]
        for raw in (*self._past(series, origins, ahead), *self._analogs(series, origins, ahead)):
            columns.append((raw - level) / spread)
        columns += [phase[target] for phase in self.phases]
        columns += self._yearly(series, origins, target, level, spread)
        columns += [self._feature(name)[series, target] for name in self.model.features]
        columns += [self._static(number)[series] for number in range(self.model.static_columns)]
        return np.stack([np.asarray(column, np.float32) for column in columns], axis=1), level, spread

    def _feature(self, name: str) -> np.ndarray:
        """A related feature [N, T + H]; unknown where newer data comes without it."""
        unknown = np.full((self.history.size, len(self.history.times)), np.nan)
        return self.history.features.get(name, unknown)

    def _static(self, number: int) -> np.ndarray:
        """A column of metadata codes [N]; unknown where newer data comes without it."""
        known = number < self.history.static.shape[1]
        return self.history.static[:, number] if known else np.full(self.history.size, -1)

    def _past(self, series: np.ndarray, origins: np.ndarray, ahead: np.ndarray) -> list[np.ndarray]:
        """Values and means of the past in the series' own unit."""
        past = [self._value(series, origins - 1), self._value(series, origins - 2)]
        for season in self.history.frequency.seasonalities:
            newest = origins + ahead - season * (ahead // season + 1)
            past += [self._value(series, newest - cycle * season) for cycle in range(LAGS)]
            past += [self._mean(series, origins, season), self._mean(series, origins, 4 * season)]
        short = max(2, self.history.frequency.seasonality // 4)
        return [*past, self._mean(series, origins, short)]

    def _analogs(self, series: np.ndarray, origins: np.ndarray, ahead: np.ndarray) -> list[np.ndarray]:
        """What followed similar stretches of the past, in the series' own unit."""
        stride = self.model.stride
        return analogs.centres(self.history, series, origins, ahead, stride) if stride else []

    def _yearly(
        self,
        series: np.ndarray,
        origins: np.ndarray,
        target: np.ndarray,
        level: np.ndarray,
        spread: np.ndarray,
    ) -> list[np.ndarray]:
        """How the step stood a year ago against the level of then, itself and over a fortnight around it."""
        if not self.year:
            return []
        width = max(1, self.history.frequency.seasonality)
        then = self._mean(series, origins - self.year, 4 * width if width < 30 else width // 4)
        share = np.where(np.abs(then) > 0, level / np.where(then == 0, 1, then), 1.0)
        share = np.clip(share, 0.2, 5.0)
        around = self._mean(series, target - self.year + width // 2 + 1, width if width < 30 else 5)
        day = self._value(series, target - self.year)
        return [(day - then) * share / spread, (around - then) * share / spread]

    def _value(self, series: np.ndarray, step: np.ndarray) -> np.ndarray:
        inside = (step >= 0) & (step < self.history.length)
        return np.where(
            inside, self.history.filled[series, np.clip(step, 0, self.history.length - 1)], np.nan
        )

    def _mean(self, series: np.ndarray, end: np.ndarray, width: int) -> np.ndarray:
        """Mean of the ``width`` values before ``end``; NaN where the history does not reach back so far."""
        inside = (end >= width) & (end <= self.history.length)
        high = np.clip(end, width, self.history.length) if width <= self.history.length else end * 0
        low = np.clip(high - width, 0, None)
        return np.where(inside, (self.total[series, high] - self.total[series, low]) / width, np.nan)
