"""Training: measure candidates on the past, choose or mix, learn the chosen ones from everything.

    panel ──▶ backtest of every candidate ──▶ choice or mixture ──▶ final fit ──▶ Predictor
                        └──▶ metrics per window (Evaluation)

``AutoPredictor`` mixes candidates by greedy quantile averaging; ``AutoML`` takes the best single one of
Amazon's classical four by the optimisation metric; any other method is that one algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecastd.errors import JobFailed
from forecastd.models import candidates, quantiles
from forecastd.models.algorithm import Algorithm, State
from forecastd.models.backtest import Backtest, looks, selection_windows, yearly_windows
from forecastd.models.cores import single_threaded_algebra
from forecastd.models.credible import credible
from forecastd.models.crew import Crew, Task, local_crew
from forecastd.models.ensemble import (
    Mixture,
    Sample,
    Shares,
    choose,
    equal_shares,
    own_weights,
    scaled_loss,
    series_loss,
    series_names,
    widened,
)
from forecastd.models.fallback import has_enough
from forecastd.models.history import History
from forecastd.models.predictor import Evaluation, Predictor, WindowMetrics, finished, forecast_table
from forecastd.models.progress import Progress
from forecastd.models.residuals import scales
from forecastd.models.stretch import (
    Candidate,
    Stretch,
    crew_for,
    forecast_task,
    learning_task,
    load_libraries,
)
from forecastd.models.tuning import SHARE_OF_EPOCHS, TRIALS, Trial, best, judged, told, trials, tuning_window
from forecastd.series.algorithms import (
    AUTO_ML,
    AUTO_ML_CANDIDATES,
    AUTO_PREDICTOR,
    METHODS,
    NEURAL,
    effective_hyperparameters,
)
from forecastd.series.metrics import chosen_metric, complete_items, summary, window_metrics
from forecastd.series.panel import Panel
from forecastd.series.tuning import Range
from forecastd.series.windows import Window, backtest_windows

MOST_SERIES_IN_SELECTION = 3000  # more do not change the mixture, only the time
LEAST_ANSWERED = 0.5  # of these: a candidate that has no number for more is not chosen
TUNING = "tuning"  # as a kind of step


@dataclass(frozen=True)
class TrainingRequest:
    """What to train and how to measure it."""

    method: str  # one of METHODS
    horizon_steps: int
    quantiles: tuple[float, ...]  # ascending; empty when only the mean is wanted
    want_mean: bool
    windows: int
    offset_steps: int
    hyperparameters: Mapping[str, str]
    optimization_metric: str
    seed: int
    threads: int
    time_limit_s: float | None
    tuning: tuple[Range, ...] = ()  # hyperparameters to be searched


def train(
    panel: Panel,
    request: TrainingRequest,
    progress: Callable[[float, float | None], None],
    crew: Crew | None = None,
) -> Predictor:
    """A predictor trained on ``panel``, with its accuracy on held-back windows.

    Args:
        panel: All series.
        request: Method, horizon, windows, seed and limits.
        progress: Told the fraction done (0 to 1) and the seconds left, again and again.
        crew: Who does the work; ``request.threads`` processes on this machine if not given. The answer
            is the same.

    Raises:
        JobFailed: The request cannot be served with this data; the sentence says what to change.
    """
    with single_threaded_algebra():
        return _train(panel, request, progress, crew)


def _local_crew(panel: Panel, request: TrainingRequest) -> Crew:
    """Processes on this machine, where they are worth it: networks take long, however little the data."""
    if request.method in NEURAL:
        return local_crew(request.threads)
    return crew_for(panel, map(candidates.make, _candidates(panel, request)), request.threads)


def _train(
    panel: Panel,
    request: TrainingRequest,
    progress: Callable[[float, float | None], None],
    crew: Crew | None,
) -> Predictor:
    chosen = _checked_hyperparameters(request)
    evaluated = _evaluated_windows(panel, request)
    seen = credible(panel, [window.start for window in evaluated])
    crew = crew or _local_crew(panel, request)
    selecting = selection_windows(panel, request.horizon_steps, evaluated) if _is_auto(request) else []
    yearly = yearly_windows(panel, request.horizon_steps, evaluated) if _is_auto(request) else []
    threads = request.threads if crew.size == 1 else 1
    clock = Progress(progress, request.time_limit_s, abreast=crew.size)
    tried = _tried(panel, request, chosen, evaluated, crew, clock) if request.tuning else []
    chosen = best(tried, chosen)
    backtest = Backtest(
        seen,
        panel.values,
        request.horizon_steps,
        evaluated,
        selecting,
        yearly,
        chosen,
        request.seed,
        threads,
        _fit_limit_s(request, len(evaluated) + 1, crew, clock),
    )
    work = _Work(backtest, crew, clock)
    skipped = work.try_out(_candidates(panel, request))
    mixtures = _mixtures(backtest, request)
    ranked = _ranked(backtest, request, mixtures)
    final = mixtures["final"] if _is_auto(request) else Mixture({str(ranked[0].algorithm): 1.0})
    algorithms = work.finish(final)
    return Predictor(
        chosen=AUTO_PREDICTOR if _is_auto(request) else str(ranked[0].algorithm),
        horizon=request.horizon_steps,
        mixture=final,
        algorithms=algorithms,
        hyperparameters=_used(request, chosen, algorithms),
        evaluations=ranked,
        report={**_report(backtest, request, final, skipped, clock), "trials": told(tried)},
        backtests=_backtest_table(backtest, request, ranked[0].algorithm, mixtures),
        threads=request.threads,
    )


def _is_auto(request: TrainingRequest) -> bool:
    return request.method == AUTO_PREDICTOR


def _used(
    request: TrainingRequest, chosen: Mapping[str, str], algorithms: Mapping[str, Algorithm]
) -> dict[str, str]:
    """The hyperparameters that were used, those chosen from the data included."""
    own = {} if _is_auto(request) else effective_hyperparameters(next(iter(algorithms)), chosen)
    learnt = {} if _is_auto(request) else next(iter(algorithms.values())).effective()
    return {**own, **learnt, "prediction_length": str(request.horizon_steps)}


def _tried(
    panel: Panel,
    request: TrainingRequest,
    chosen: Mapping[str, str],
    evaluated: list[Window],
    crew: Crew,
    clock: Progress,
) -> list[tuple[Trial, float]]:
    """The settings that a tuning tried, with their losses; they may take half of the time limit."""
    limit_s = _fit_limit_s(request, 2 * TRIALS, crew, clock)
    candidate = Candidate(request.method, chosen, request.horizon_steps, request.seed, 1, limit_s)
    window = tuning_window(panel, request.horizon_steps, evaluated)
    drawn = trials(candidate, request.tuning, window, request.quantiles, request.optimization_metric)
    clock.plan([(TUNING, candidates.guess_s(request.method, panel) / SHARE_OF_EPOCHS)] * len(drawn))
    return judged(panel, drawn, crew, lambda seconds: clock.done(TUNING, seconds), clock.tell)


def _fit_limit_s(request: TrainingRequest, fits: int, crew: Crew, clock: Progress) -> float | None:
    """Seconds that each of so many fits may take, so that all end within the time limit."""
    if request.time_limit_s is None:
        return None
    rounds = -(-fits // crew.size)
    return max(request.time_limit_s - clock.elapsed_s, 1.0) / rounds


def _checked_hyperparameters(request: TrainingRequest) -> dict[str, str]:
    if request.method not in METHODS:
        raise JobFailed(f"Method {request.method!r} cannot be trained: choose one of {', '.join(METHODS)}.")
    try:
        return effective_hyperparameters(request.method, request.hyperparameters)
    except ValueError as error:
        raise JobFailed(str(error)) from None


def _evaluated_windows(panel: Panel, request: TrainingRequest) -> list[Window]:
    if not np.isfinite(panel.values).any():
        raise JobFailed("The target time series has no values: import data before training.")
    windows = backtest_windows(panel.length, request.horizon_steps, request.windows, request.offset_steps)
    if len(windows) < request.windows:
        raise JobFailed(
            f"The history has {panel.length} steps of {panel.frequency}; {request.windows} backtest windows "
            f"{request.offset_steps} steps apart need more than {request.windows * request.offset_steps}: "
            "shorten the horizon, ask for fewer windows, or import a longer history."
        )
    return windows


def _candidates(panel: Panel, request: TrainingRequest) -> Sequence[str]:
    if _is_auto(request):
        return candidates.for_auto_predictor(panel)
    return AUTO_ML_CANDIDATES if request.method == AUTO_ML else (request.method,)


class _Work:
    """What the crew has to do: backtest the candidates, and let those that learn learn from everything."""

    def __init__(self, backtest: Backtest, crew: Crew, clock: Progress) -> None:
        self._backtest, self._crew, self._clock = backtest, crew, clock
        self._learnt: dict[str, State] = {}

    def try_out(self, names: Sequence[str]) -> list[str]:
        """Backtest the candidates; returns those that the time limit left out."""
        stretches = {name: self._backtest.stretches(name) for name in names}
        for name in names:
            self._plan(name, stretches[name])
        skipped: list[str] = []
        load_libraries(names)
        self._do(self._tasks(stretches, skipped))
        self._backtest.sort(names)
        return skipped

    def _plan(self, name: str, stretches: Sequence[Stretch]) -> None:
        """Expect a step for each window and part of the series, and the final fit."""
        guess = candidates.guess_s(name, self._backtest.panel)
        steps = sum(len(stretch.windows) for stretch in stretches)
        windows = len(self._backtest.windows)
        self._clock.plan([(name, guess * windows / steps)] * steps + [(name, guess)])

    def _tasks(self, stretches: Mapping[str, Sequence[Stretch]], skipped: list[str]) -> Iterator[Task]:
        """Cheap candidates first where a time limit may leave out the costly ones; else the costly ones, so
        that at the end nobody waits for one of them.

        A crew of several learns from everything at the same time as it backtests. One alone waits until
        it is known what is needed.
        """
        begun = False
        names = list(stretches) if self._clock.is_limited else list(stretches)[::-1]
        for name in names:
            own = stretches[name]
            if begun and not self._clock.allows(name):
                skipped.append(name)
                self._clock.drop(name)
                continue
            begun = True
            yield from map(forecast_task, own)
            if self._crew.size > 1 and candidates.make(name).learns:
                yield learning_task(self._backtest.candidate(name))

    def _do(self, tasks: Iterator[Task]) -> None:
        for task, result, seconds in self._crew.each(self._backtest.panel, tasks, self._clock.tell):
            [what] = task.arguments
            if isinstance(what, Candidate):
                self._learnt[what.name] = result
                self._clock.done(what.name, seconds)
            else:
                self._backtest.take(what, result)
                self._clock.done(what.candidate.name, seconds, len(what.windows))

    def finish(self, mixture: Mixture) -> dict[str, Algorithm]:
        """The algorithms of the mixture, with what they learnt from the whole history."""
        missing = [name for name in mixture.weights if name not in self._learnt]
        self._do(learning_task(self._backtest.candidate(name)) for name in missing)
        self._clock.finish()
        return {name: self._restored(name) for name in mixture.weights}

    def _restored(self, name: str) -> Algorithm:
        algorithm = candidates.make(name, self._backtest.hyperparameters)
        algorithm.restore(self._learnt[name])
        return algorithm


def _mixtures(backtest: Backtest, request: TrainingRequest) -> dict[str | int, Mixture]:
    """A mixture for each evaluated window's start, chosen on what was known then, and a ``final`` one chosen
    on all.
    """
    if not _is_auto(request):
        return {}
    everything = backtest.windows
    mixtures: dict[str | int, Mixture] = {"final": _mixture(backtest, everything, backtest.panel.length)}
    for window in backtest.evaluated:
        older = [other for other in everything if other.end <= window.start]
        mixtures[window.start] = _mixture(backtest, older, window.start)
    return mixtures


def _mixture(backtest: Backtest, windows: Sequence[Window], origin: int) -> Mixture:
    """The mixture that does best on some windows; equal shares where there is none to choose on.

    Args:
        backtest: The candidates' forecasts.
        windows: What to choose on, none of which ends after ``origin``.
        origin: The step from which on nothing is known.
    """
    names = sorted({name for name, _ in backtest.forecasts})
    if not windows:
        return equal_shares(names)
    usable, rows = _usable(backtest, windows, names)
    if not rows.size:
        return equal_shares(names)
    samples = [
        Sample(
            backtest.modelled(window)[rows],
            {name: backtest.forecasts[name, window.start][rows] for name in usable},
        )
        for window in windows
    ]
    season = backtest.panel.frequency.seasonality
    scale = scales(backtest.panel.values[rows, :origin], season)
    seen = looks(windows, len(rows), season)
    mixture = choose(samples, scale, series_names(backtest.panel.keys)[rows], seen)
    return _for_all_series(backtest, windows, mixture, origin) if mixture.leaning else mixture


def _for_all_series(backtest: Backtest, windows: Sequence[Window], mixture: Mixture, origin: int) -> Mixture:
    """The mixture with shares of their own also for the series that it was not chosen on."""
    scale = scales(backtest.panel.values[:, :origin], backtest.panel.frequency.seasonality)

    def losses(name: str, window: Window) -> np.ndarray:
        forecast = widened(backtest.forecasts[name, window.start], mixture.widths[name])
        return series_loss(backtest.modelled(window), forecast, scale)

    names = list(mixture.weights)
    table = np.stack(
        [np.stack([losses(name, window) for name in names], axis=1) for window in windows]
    )  # [windows, N, C]
    own = own_weights(mixture.weights, table, mixture.leaning)
    return replace(mixture, own=Shares(series_names(backtest.panel.keys), tuple(names), own))


def _usable(
    backtest: Backtest, windows: Sequence[Window], names: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """The candidates to choose among, and the series that they are judged by.

    Odd series for which a few candidates have no number are left out, rather than the candidates.
    """
    rows = _selection_rows(backtest, windows)
    answered = {
        name: np.all([_is_known(backtest.forecasts[name, window.start][rows]) for window in windows], axis=0)
        for name in names
    }
    usable = [name for name in names if rows.size and answered[name].mean() > LEAST_ANSWERED]
    if not usable:
        return [], rows[:0]
    return usable, rows[np.all([answered[name] for name in usable], axis=0)]


def _is_known(forecast: np.ndarray) -> np.ndarray:
    """Which series have a number in all of a forecast [N, H, K]."""
    return np.asarray(np.isfinite(forecast).all(axis=(1, 2)))


def _selection_rows(backtest: Backtest, windows: Sequence[Window]) -> np.ndarray:
    """Positions of series that could be modelled in all windows, at most ``MOST_SERIES_IN_SELECTION``."""
    oldest = min(window.start for window in windows)
    rows = np.flatnonzero(has_enough(backtest.panel.values[:, :oldest]))
    if len(rows) <= MOST_SERIES_IN_SELECTION:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_SERIES_IN_SELECTION).astype(int)]


def _grid_forecast(
    backtest: Backtest, request: TrainingRequest, window: Window, mixture: Mixture
) -> np.ndarray:
    """The complete forecast of a window [N, H, K]: the mixture, and a fallback where it has no answer."""
    history = History.of(backtest.panel, backtest.horizon, window.start)
    distances = mixture.of(backtest.at(window), series_names(backtest.panel.keys))
    return finished(history, distances + backtest.levels(window)[..., None], request.method)[0]


def _evaluate(
    backtest: Backtest,
    request: TrainingRequest,
    algorithm: str | None,
    mixture_at: Callable[[Window], Mixture],
) -> Evaluation:
    windows = []
    for window in backtest.evaluated:
        grid = _grid_forecast(backtest, request, window, mixture_at(window))
        asked = quantiles.told(grid, request.quantiles)
        actual = backtest.actual(window)
        metrics = window_metrics(actual, asked, quantiles.mean(grid), request.quantiles)
        times = backtest.panel.times
        end = times[window.start] + backtest.panel.frequency.offset * backtest.horizon
        count = int(complete_items(actual).sum())
        windows.append(WindowMetrics(times[window.start], end, count, metrics))
    return Evaluation(algorithm, windows, summary([window.metrics for window in windows]))


def _ranked(
    backtest: Backtest, request: TrainingRequest, mixtures: Mapping[str | int, Mixture]
) -> list[Evaluation]:
    """The evaluation of the mixture, or of every algorithm tried, best first."""
    if _is_auto(request):
        return [_evaluate(backtest, request, None, lambda window: mixtures[window.start])]
    names = dict.fromkeys(name for name, _ in backtest.forecasts)
    evaluations = [_evaluate(backtest, request, name, _always(Mixture({name: 1.0}))) for name in names]
    return sorted(evaluations, key=lambda e: chosen_metric(e.summary, request.optimization_metric))


def _always(mixture: Mixture) -> Callable[[Window], Mixture]:
    return lambda window: mixture


def _report(
    backtest: Backtest,
    request: TrainingRequest,
    mixture: Mixture,
    skipped: Sequence[str],
    clock: Progress,
) -> dict[str, Any]:
    """What was tried, what was chosen and why, in JSON values."""
    names = list(dict.fromkeys(name for name, _ in backtest.forecasts))
    return {
        "method": request.method,
        "candidates": [_candidate_report(backtest, name, mixture, clock) for name in names],
        "skipped": [{"algorithm": name, "reason": _skip_reason(request)} for name in skipped],
        "windows": {
            "evaluated": len(backtest.evaluated),
            "selection": len(backtest.selecting),
            "year earlier": len(backtest.yearly),
        },
        "width": mixture.width,
        "own shares": _own_shares(mixture),
        "series": backtest.panel.size,
        "steps": backtest.panel.length,
        "features": sorted(backtest.panel.features),
        "seed": request.seed,
        "seconds": round(clock.elapsed_s, 1),
    }


def _own_shares(mixture: Mixture) -> str:
    """How far the shares of single series differ from those of all."""
    if mixture.own is None:
        return "none: the same for all series forecast better, or there is one series"
    return f"each series leans by power {mixture.leaning:g} towards what forecast it better"


def _skip_reason(request: TrainingRequest) -> str:
    return f"it would not have ended within the time limit of {request.time_limit_s:g} seconds"


def _candidate_report(backtest: Backtest, name: str, mixture: Mixture, clock: Progress) -> dict[str, Any]:
    scale = scales(backtest.panel.values, backtest.panel.frequency.seasonality)
    losses = [
        scaled_loss(backtest.modelled(window), backtest.forecasts[name, window.start], scale)
        for window in backtest.windows
    ]
    return {
        "algorithm": name,
        "weight": round(mixture.weights.get(name, 0.0), 4),
        "width": mixture.widths.get(name, 1.0),
        "scaled_quantile_loss": float(np.mean(losses)),
        "seconds": round(clock.taken_s(name), 2),
    }


def _backtest_table(
    backtest: Backtest,
    request: TrainingRequest,
    algorithm: str | None,
    mixtures: Mapping[str | int, Mixture],
) -> pd.DataFrame:
    """Forecasts and actuals of the evaluated windows by the chosen method, one row per series and step."""
    parts = []
    for window in backtest.evaluated:
        mixture = Mixture({algorithm: 1.0}) if algorithm else mixtures[window.start]
        grid = _grid_forecast(backtest, request, window, mixture)
        history = History.of(backtest.panel, backtest.horizon, window.start)
        times = history.times[-backtest.horizon :]
        table = forecast_table(backtest.panel.keys, times, grid, request.quantiles, want_mean=True)
        position = list(table.columns).index("timestamp") + 1
        table.insert(position, "target_value", backtest.actual(window).ravel())
        table.insert(position + 1, "window_start", times[0])
        table.insert(position + 2, "window_end", times[-1] + backtest.panel.frequency.offset)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
