"""Hyperparameter optimisation, with an algorithm that needs no optional package."""

from dataclasses import replace

import numpy as np
import pandas as pd

from forecastd.models.crew import Crew
from forecastd.models.stretch import Candidate
from forecastd.models.tuning import TRIALS, best, judged, told, trials, tuning_window
from forecastd.series.frequency import Frequency
from forecastd.series.panel import Panel
from forecastd.series.tuning import Range
from forecastd.series.windows import Window, backtest_windows

HORIZON, LENGTH = 7, 100
CANDIDATE = Candidate("NPTS", {"epochs": "100"}, HORIZON, seed=4, threads=1)
RANGES = (
    Range("use_seasonal_model", "categorical", values=("True", "False")),
    Range("context_length", "integer", low=14, high=80),
)


def panel() -> Panel:
    """A strong rhythm of a week, on which a seasonal model is clearly better."""
    start, step = pd.Timestamp("2021-01-04"), Frequency.parse("D")
    values = 10 + 5 * np.sin(2 * np.pi * np.arange(LENGTH) / 7)[None] + np.zeros((2, 1))
    return Panel(
        keys=pd.DataFrame({"item_id": ["a", "b"]}),
        times=pd.DatetimeIndex([start, *step.after(start, LENGTH - 1)]),
        values=values,
        observed=np.ones(values.shape, bool),
        frequency=step,
    )


def test_each_trial_takes_another_part_of_each_range_and_the_same_seed_the_same() -> None:
    drawn = trials(CANDIDATE, RANGES, Window(80, 87), (0.5,), "WAPE")
    contexts = sorted(int(each.candidate.hyperparameters["context_length"]) for each in drawn)
    assert len(drawn) == TRIALS
    eighths = [(context - 14) / 66 * TRIALS for context in contexts]
    assert all(place - 0.1 <= eighth <= place + 1.1 for place, eighth in enumerate(eighths))
    assert {each.candidate.hyperparameters["epochs"] for each in drawn} == {"25"}
    assert drawn == trials(CANDIDATE, RANGES, Window(80, 87), (0.5,), "WAPE")
    assert drawn != trials(replace(CANDIDATE, seed=5), RANGES, Window(80, 87), (0.5,), "WAPE")


def test_the_best_setting_wins_and_is_trained_with_all_epochs() -> None:
    seen: list[float] = []
    drawn = trials(CANDIDATE, RANGES, Window(80, 87), (0.1, 0.5, 0.9), "AverageWeightedQuantileLoss")
    tried = judged(panel(), drawn, Crew(), seen.append, lambda: None)
    won = best(tried, CANDIDATE.hyperparameters)
    assert len(seen) == TRIALS
    assert (won["use_seasonal_model"], won["epochs"]) == ("True", "100")
    losses = [item["loss"] for item in told(tried)]
    assert min(losses) < 0.01 < max(losses)
    assert best([], {"epochs": "3"}) == {"epochs": "3"}


def test_the_window_is_older_than_those_of_the_evaluation_where_there_is_room() -> None:
    evaluated = backtest_windows(LENGTH, HORIZON, 2, HORIZON)
    assert tuning_window(panel(), HORIZON, evaluated) == Window(79, 86)
    crowded = backtest_windows(LENGTH, 45, 1, 45)
    assert tuning_window(panel(), 45, crowded) == crowded[0]
