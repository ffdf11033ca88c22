"""Hyperparameter optimisation: settings spread over the ranges, each tried quickly on one older window.

The window lies before those of the evaluation where the history has room for it, so that the accuracy that
is reported was not tuned on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy.stats import qmc

from forecastd.models import quantiles
from forecastd.models.backtest import selection_windows
from forecastd.models.crew import Crew, Task
from forecastd.models.fallback import completed
from forecastd.models.history import History
from forecastd.models.stretch import Candidate, Stretch, forecast_stretch, levels
from forecastd.series.metrics import chosen_metric, window_metrics
from forecastd.series.panel import Panel
from forecastd.series.tuning import Range
from forecastd.series.windows import Window

TRIALS = 8
SHARE_OF_EPOCHS = 4  # a trial trains a quarter of them


@dataclass(frozen=True)
class Trial:
    """One setting to be tried, and how it is judged."""

    candidate: Candidate
    window: Window
    quantiles: tuple[float, ...]
    metric: str


def trials(
    candidate: Candidate,
    ranges: Sequence[Range],
    window: Window,
    asked: tuple[float, ...],
    metric: str,
) -> list[Trial]:
    """What is tried instead of the candidate's own setting: in each range, a value from each eighth of it."""
    shares = qmc.LatinHypercube(len(ranges), rng=candidate.seed).random(TRIALS)
    drawn = [{each.name: each.at(share) for each, share in zip(ranges, row, strict=True)} for row in shares]
    few = {"epochs": str(max(1, int(float(candidate.hyperparameters["epochs"])) // SHARE_OF_EPOCHS))}
    own = candidate.hyperparameters
    return [
        Trial(replace(candidate, hyperparameters={**own, **few, **setting}), window, asked, metric)
        for setting in drawn
    ]


def best(tried: Sequence[tuple[Trial, float]], chosen: Mapping[str, str]) -> dict[str, str]:
    """The hyperparameters with the smallest loss, and all epochs; those ``chosen`` where none was tried."""
    if not tried:
        return dict(chosen)
    winner = min(tried, key=lambda each: each[1])[0].candidate
    return {**winner.hyperparameters, "epochs": chosen["epochs"]}


def told(tried: Sequence[tuple[Trial, float]]) -> list[dict[str, Any]]:
    """What was tried, for a report; the loss is null where nothing could be judged."""
    return [
        {"hyperparameters": dict(t.candidate.hyperparameters), "loss": loss if math.isfinite(loss) else None}
        for t, loss in tried
    ]


def tuning_window(panel: Panel, horizon: int, evaluated: list[Window]) -> Window:
    """The newest window before those of the evaluation, or their oldest where there is no room."""
    return next(iter(selection_windows(panel, horizon, evaluated)), evaluated[-1])


def judged(
    panel: Panel,
    trials: Sequence[Trial],
    crew: Crew,
    done: Callable[[float], None],
    meanwhile: Callable[[], None],
) -> list[tuple[Trial, float]]:
    """Every trial with its loss, in their order.

    Args:
        panel: All series.
        trials: What is tried.
        crew: Who tries.
        done: Told the seconds of each trial.
        meanwhile: Called now and then; what it raises ends everything.
    """
    losses: dict[int, float] = {}
    tasks = (Task(judge, (trial, number)) for number, trial in enumerate(trials))
    for task, loss, seconds in crew.each(panel, tasks, meanwhile):
        losses[task.arguments[1]] = loss
        done(seconds)
    return [(trial, losses[number]) for number, trial in enumerate(trials)]


def judge(panel: Panel, trial: Trial, number: int) -> float:
    """The metric of one trial on its window; the smaller, the better."""
    candidate, window = trial.candidate, trial.window
    [distances] = forecast_stretch(panel, Stretch(candidate, (window,), slice(0, panel.size)))
    history = History.of(panel, candidate.horizon, window.start)
    grid = completed(history, distances + levels(history.values)[:, None, None])[0]
    asked = quantiles.told(grid, trial.quantiles)
    actual = panel.values[:, window.start : window.end]
    metrics = window_metrics(actual, asked, quantiles.mean(grid), trial.quantiles)
    return chosen_metric(metrics, trial.metric)
