"""Forecasting many series with a mixture of algorithms, in parts of bounded size, by a crew.

series with enough values ──▶ parts ──▶ each algorithm's forecast, a task or more ──▶ mixture of the part
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from forecastd.models.algorithm import Algorithm
from forecastd.models.crew import Crew, Task
from forecastd.models.ensemble import Mixture, series_names
from forecastd.models.fallback import has_enough
from forecastd.models.history import History
from forecastd.models.quantiles import GRID, ordered
from forecastd.models.stretch import load_libraries, together
from forecastd.series.panel import Panel

SERIES_AT_A_TIME = 20_000  # bounds the memory of a forecast


@dataclass(frozen=True)
class Forecaster:
    """A panel and what is needed to forecast it."""

    panel: Panel
    algorithms: Mapping[str, Algorithm]
    horizon: int
    threads: int


@dataclass(frozen=True)
class Share:
    """What one task forecasts: some series of a part with one algorithm."""

    name: str
    part: int
    rows: np.ndarray  # positions in the panel, int
    place: slice  # of the rows in their part


def forecast_share(forecaster: Forecaster, share: Share) -> np.ndarray:
    """One algorithm's forecast [rows, H, K] of some series."""
    history = History.of(forecaster.panel.only(share.rows), forecaster.horizon)
    return ordered(forecaster.algorithms[share.name].forecast(history, forecaster.threads))


@dataclass
class _Part:
    """Series whose forecasts are mixed together."""

    rows: np.ndarray  # positions in the panel, int
    missing: int = 0  # tasks that are not done yet
    forecasts: dict[str, np.ndarray] = field(default_factory=dict)  # each [rows, H, K]


def mixed_forecast(
    forecaster: Forecaster, mixture: Mixture, crew: Crew, progress: Callable[[float, float | None], None]
) -> np.ndarray:
    """The mixture's forecast [N, H, K] of every series with enough values; NaN for the others."""
    panel = forecaster.panel
    forecast = np.full((panel.size, forecaster.horizon, len(GRID)), np.nan)
    enough = np.flatnonzero(has_enough(panel.values))
    parts = [_Part(enough[low : low + SERIES_AT_A_TIME]) for low in range(0, len(enough), SERIES_AT_A_TIME)]
    names = series_names(panel.keys)
    load_libraries(mixture.weights)
    shares = list(_shares(forecaster, mixture, parts))
    tasks = (Task(forecast_share, (share,)) for share in shares)
    for number, (task, result, _) in enumerate(crew.each(forecaster, tasks, lambda: progress(0.0, None))):
        [share] = task.arguments
        part = parts[share.part]
        _take(part, share, result)
        if not part.missing:
            forecast[part.rows] = mixture.of(part.forecasts, names[part.rows])
            part.forecasts.clear()
        progress((number + 1) / len(shares), None)
    return forecast


def _shares(forecaster: Forecaster, mixture: Mixture, parts: list[_Part]) -> Iterator[Share]:
    for number, part in enumerate(parts):
        for name in mixture.weights:
            for place in together(forecaster.algorithms[name], len(part.rows)):
                part.missing += 1
                yield Share(name, number, part.rows[place], place)


def _take(part: _Part, share: Share, result: np.ndarray) -> None:
    if share.name not in part.forecasts:
        part.forecasts[share.name] = np.empty((len(part.rows), *result.shape[1:]))
    part.forecasts[share.name][share.place] = result
    part.missing -= 1
