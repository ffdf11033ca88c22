"""Training: measure candidates on the past, choose or mix, learn the chosen ones from everything.

    panel ──▶ backtest of every candidate ──▶ choice or mixture ──▶ final fit ──▶ Predictor
                        └──▶ metrics per window (Evaluation)

``AutoPredictor`` mixes candidates by greedy quantile averaging; ``AutoML`` takes the best single one of
Amazon's classical four by the optimisation metric; any other method is that one algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecastd.errors import JobFailed
from forecastd.models import candidates, quantiles
from forecastd.models.backtest import Backtest, selection_windows, yearly_windows
from forecastd.models.cores import single_threaded_algebra
from forecastd.models.ensemble import Mixture, choose, equal_shares, scaled_loss
from forecastd.models.fallback import completed, has_enough
from forecastd.models.history import History
from forecastd.models.predictor import Evaluation, Predictor, WindowMetrics, forecast_table
from forecastd.models.progress import Progress
from forecastd.models.residuals import scales
from forecastd.series.algorithms import (
    AUTO_ML,
    AUTO_ML_CANDIDATES,
    AUTO_PREDICTOR,
    METHODS,
    effective_hyperparameters,
)
from forecastd.series.metrics import chosen_metric, complete_items, summary, window_metrics
from forecastd.series.panel import Panel
from forecastd.series.windows import Window, backtest_windows

MOST_SERIES_IN_SELECTION = 3000  # more do not change the mixture, only the time


@dataclass(frozen=True)
class TrainingRequest:
    """What to train and how to measure it."""

    method: str  # "AutoPredictor" | "AutoML" | "ARIMA" | "ETS" | "NPTS" | "Prophet"
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


def train(
    panel: Panel, request: TrainingRequest, progress: Callable[[float, float | None], None]
) -> Predictor:
    """A predictor trained on ``panel``, with its accuracy on held-back windows.

    Args:
        panel: All series.
        request: Method, horizon, windows, seed and limits.
        progress: Told the fraction done (0 to 1) and the seconds left, again and again.

    Raises:
        JobFailed: The request cannot be served with this data; the sentence says what to change.
    """
    with single_threaded_algebra():
        return _train(panel, request, progress)


def _train(
    panel: Panel, request: TrainingRequest, progress: Callable[[float, float | None], None]
) -> Predictor:
    chosen = _checked_hyperparameters(request)
    evaluated = _evaluated_windows(panel, request)
    selecting = selection_windows(panel, request.horizon_steps, evaluated) if _is_auto(request) else []
    yearly = yearly_windows(panel, request.horizon_steps, evaluated) if _is_auto(request) else []
    backtest = Backtest(
        panel, request.horizon_steps, evaluated, selecting, yearly, chosen, request.seed, request.threads
    )
    clock = Progress(progress, request.time_limit_s)
    skipped = _run(backtest, request, clock)
    mixtures = _mixtures(backtest, request)
    ranked = _ranked(backtest, request, mixtures)
    final = mixtures["final"] if _is_auto(request) else Mixture({str(ranked[0].algorithm): 1.0})
    algorithms = _final_fit(panel, request, chosen, final, clock)
    return Predictor(
        chosen=AUTO_PREDICTOR if _is_auto(request) else str(ranked[0].algorithm),
        horizon=request.horizon_steps,
        mixture=final,
        algorithms=algorithms,
        hyperparameters={**chosen, "prediction_length": str(request.horizon_steps)},
        evaluations=ranked,
        report=_report(backtest, request, final, skipped, clock),
        backtests=_backtest_table(backtest, request, ranked[0].algorithm, mixtures),
        threads=request.threads,
    )


def _is_auto(request: TrainingRequest) -> bool:
    return request.method == AUTO_PREDICTOR


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


def _run(backtest: Backtest, request: TrainingRequest, clock: Progress) -> list[str]:
    """Backtest the candidates, cheap ones first; returns those that the time limit left out."""
    names = list(_candidates(backtest.panel, request))
    windows = len(backtest.windows)
    for name in names:
        clock.plan([(name, candidates.guess_s(name, backtest.panel))] * (windows + 1))
    skipped: list[str] = []
    for name in names:
        guess = candidates.guess_s(name, backtest.panel)
        if backtest.forecasts and not clock.allows(name, guess, windows + 1):
            skipped.append(name)
            clock.drop(name)
            continue
        backtest.run(name, clock)
    return skipped


def _mixtures(backtest: Backtest, request: TrainingRequest) -> dict[str | int, Mixture]:
    """A mixture for each evaluated window's start, chosen on older windows, and ``final`` ones chosen on
    all.
    """
    if not _is_auto(request):
        return {}
    everything = backtest.windows
    mixtures: dict[str | int, Mixture] = {"final": _mixture(backtest, everything)}
    for window in backtest.evaluated:
        older = [other for other in everything if other.end <= window.start]
        mixtures[window.start] = _mixture(backtest, older)
    return mixtures


def _mixture(backtest: Backtest, windows: Sequence[Window]) -> Mixture:
    """The mixture that does best on some windows; equal shares where there is none to choose on."""
    names = sorted({name for name, _ in backtest.forecasts})
    if not windows:
        return equal_shares(names)
    rows = _selection_rows(backtest, windows)
    if not rows.size:
        return equal_shares(names)
    actual = np.concatenate([backtest.actual(window)[rows] for window in windows], axis=1)
    forecasts = {
        name: np.concatenate([backtest.forecasts[name, w.start][rows] for w in windows], axis=1)
        for name in names
    }
    usable = {name: forecast for name, forecast in forecasts.items() if np.isfinite(forecast).all()}
    scale = scales(backtest.panel.values[rows], backtest.panel.frequency.seasonality)
    return choose(actual, usable, scale)


def _selection_rows(backtest: Backtest, windows: Sequence[Window]) -> np.ndarray:
    """Positions of series that could be modelled in all windows, at most ``MOST_SERIES_IN_SELECTION``."""
    oldest = min(window.start for window in windows)
    rows = np.flatnonzero(has_enough(backtest.panel.values[:, :oldest]))
    if len(rows) <= MOST_SERIES_IN_SELECTION:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_SERIES_IN_SELECTION).astype(int)]


def _grid_forecast(backtest: Backtest, window: Window, mixture: Mixture) -> np.ndarray:
    """The complete forecast of a window [N, H, K]: the mixture, and a fallback where it has no answer."""
    history = History.of(backtest.panel, backtest.horizon, window.start)
    return completed(history, mixture.of(backtest.at(window)))[0]


def _evaluate(
    backtest: Backtest,
    request: TrainingRequest,
    algorithm: str | None,
    mixture_at: Callable[[Window], Mixture],
) -> Evaluation:
    windows = []
    for window in backtest.evaluated:
        grid = _grid_forecast(backtest, window, mixture_at(window))
        asked = (
            quantiles.ordered(quantiles.at(grid, request.quantiles)) if request.quantiles else grid[..., :0]
        )
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


def _final_fit(
    panel: Panel,
    request: TrainingRequest,
    hyperparameters: Mapping[str, str],
    mixture: Mixture,
    clock: Progress,
) -> dict[str, Any]:
    """The chosen algorithms, fitted on the whole history."""
    rows = has_enough(panel.values)
    history = History.of(panel.only(rows), request.horizon_steps)
    fitted = {}
    for name in mixture.weights:
        algorithm = candidates.make(name, hyperparameters)
        with clock.step(name):
            algorithm.fit(history, request.seed, request.threads)
        fitted[name] = algorithm
    clock.finish()
    return fitted


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
        "candidates": [
            _candidate_report(backtest, name, mixture.weights.get(name, 0.0), clock) for name in names
        ],
        "skipped": [{"algorithm": name, "reason": _skip_reason(request)} for name in skipped],
        "windows": {
            "evaluated": len(backtest.evaluated),
            "selection": len(backtest.selecting),
            "year earlier": len(backtest.yearly),
        },
        "width": mixture.width,
        "series": backtest.panel.size,
        "steps": backtest.panel.length,
        "features": sorted(backtest.panel.features),
        "seed": request.seed,
        "seconds": round(clock.elapsed_s, 1),
    }


def _skip_reason(request: TrainingRequest) -> str:
    return f"it would not have ended within the time limit of {request.time_limit_s:g} seconds"


def _candidate_report(backtest: Backtest, name: str, weight: float, clock: Progress) -> dict[str, Any]:
    scale = scales(backtest.panel.values, backtest.panel.frequency.seasonality)
    losses = [
        scaled_loss(backtest.actual(window), backtest.forecasts[name, window.start], scale)
        for window in backtest.windows
    ]
    return {
        "algorithm": name,
        "weight": round(weight, 4),
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
        grid = _grid_forecast(backtest, window, mixture)
        history = History.of(backtest.panel, backtest.horizon, window.start)
        times = history.times[-backtest.horizon :]
        table = forecast_table(backtest.panel.keys, times, grid, request.quantiles, want_mean=True)
        position = list(table.columns).index("timestamp") + 1
        table.insert(position, "target_value", backtest.actual(window).ravel())
        table.insert(position + 1, "window_start", times[0])
        table.insert(position + 2, "window_end", times[-1] + backtest.panel.frequency.offset)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
