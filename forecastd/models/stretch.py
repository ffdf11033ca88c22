"""The tasks of a training: pure functions of the panel, each done by one process of a crew.

forecast_stretch    one candidate, some windows after one fit, some series  ──▶ forecasts
learn               one candidate, the whole history                        ──▶ what it learnt
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from forecastd.models import candidates
from forecastd.models.algorithm import Algorithm, State
from forecastd.models.crew import Crew, Task, local_crew
from forecastd.models.fallback import has_enough, with_naive
from forecastd.models.history import History
from forecastd.models.per_series import PerSeries
from forecastd.models.quantiles import GRID, ordered
from forecastd.series.algorithms import NEURAL
from forecastd.series.filling import spans
from forecastd.series.panel import Panel
from forecastd.series.windows import Window

MOST_SERIES_IN_A_TASK = 32  # of a method that looks at each series by itself
TASKS_OF_FEW_SERIES = 16
WORTH_PROCESSES = 100_000  # values of history
SERIES_WORTH_PROCESSES = 4  # where each is estimated by itself


@dataclass(frozen=True)
class Candidate:
    """An algorithm to be tried, and how."""

    name: str
    hyperparameters: Mapping[str, str]
    horizon: int
    seed: int
    threads: int
    limit_s: float | None = None  # of one fit

    def make(self) -> Algorithm:
        """The algorithm, not fitted."""
        algorithm = candidates.make(self.name, self.hyperparameters)
        algorithm.limit_s = self.limit_s
        return algorithm


@dataclass(frozen=True)
class Stretch:
    """Windows that a candidate forecasts after one fit before the first of them, for some series."""

    candidate: Candidate
    windows: tuple[Window, ...]  # in the order of time
    rows: slice  # of the panel's series


def forecast_task(stretch: Stretch) -> Task:
    """The task of forecasting a stretch."""
    return Task(forecast_stretch, (stretch,))


def learning_task(candidate: Candidate) -> Task:
    """The task of learning from the whole history."""
    return Task(learn, (candidate,))


LIBRARIES = {
    "Boosting": "lightgbm",
    "Theta": "statsforecast.models",
    "ETS": "statsforecast.models",
    "ARIMA": "statsforecast.models",
    "Prophet": "prophet",
}


def load_libraries(names: Iterable[str]) -> None:
    """Import what candidates need, so that forked processes start with it: some take seconds."""
    for library in {LIBRARIES[name] for name in names if name in LIBRARIES}:
        import_module(library)


def crew_for(panel: Panel, algorithms: Iterable[Algorithm], processes: int) -> Crew:
    """As many processes as allowed; this one alone where starting others costs more than it saves."""
    one_by_one = any(isinstance(algorithm, PerSeries) for algorithm in algorithms)
    much = panel.values.size >= WORTH_PROCESSES or (one_by_one and panel.size >= SERIES_WORTH_PROCESSES)
    return local_crew(processes if much else 1)


def together(algorithm: Algorithm, size: int) -> Iterator[slice]:
    """The series that are forecast in one task: all, or some where each is forecast by itself."""
    if not isinstance(algorithm, PerSeries):
        yield slice(0, size)
        return
    step = int(np.clip(size // TASKS_OF_FEW_SERIES, 1, MOST_SERIES_IN_A_TASK))
    for low in range(0, size, step):
        yield slice(low, min(low + step, size))


def forecast_stretch(panel: Panel, stretch: Stretch) -> list[np.ndarray]:
    """The forecast of each window [rows, H, K], NaN where the history is too short.

    They are told as distances from each series' ``levels`` there: in float32, which keeps backtests small, a
    distance is precise where a large value is not.
    """
    candidate, panel = stretch.candidate, panel.only(np.arange(panel.size)[stretch.rows])
    algorithm, fitted = candidate.make(), False
    forecasts = []
    for window in stretch.windows:
        enough = has_enough(panel.values[:, : window.start])
        history = History.of(panel.only(enough), candidate.horizon, window.start)
        fitted = fitted or _fit(algorithm, candidate, history)
        forecast = np.full((panel.size, candidate.horizon, len(GRID)), np.nan, np.float32)
        if enough.any():
            answer = ordered(algorithm.forecast(history, candidate.threads))
            forecast[enough] = with_naive(history, answer)[0] - levels(history.values)[:, None, None]
        forecasts.append(forecast)
    return forecasts


def levels(values: np.ndarray) -> np.ndarray:
    """About the newest value of each series [N, T], 0 where there is none: [N].

    It is a number of float32, so that the distance of a forecast of zero is exact.
    """
    last = spans(~np.isnan(values))[1]
    newest = np.take_along_axis(values, np.maximum(last, 0)[:, None], 1)[:, 0]
    return np.where(last >= 0, newest, 0.0).astype(np.float32).astype(np.float64)


def learn(panel: Panel, candidate: Candidate) -> State:
    """What a candidate learns from the whole history."""
    algorithm = candidate.make()
    history = History.of(panel.only(has_enough(panel.values)), candidate.horizon)
    _fit(algorithm, candidate, history)
    return algorithm.state()


def _fit(algorithm: Algorithm, candidate: Candidate, history: History) -> bool:
    """Fit and say so, unless there is no series to learn from: unfitted, an algorithm has no answer.

    The networks are asked all the same, since they refuse too little data with a sentence.
    """
    if history.size == 0 and candidate.name not in NEURAL:
        return False
    algorithm.fit(history, candidate.seed, candidate.threads)
    return True
