"""The catalogue of algorithms: how each is made, and which of them AutoPredictor and AutoML try."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forecastd.models.algorithm import Algorithm
from forecastd.models.linear import Linear
from forecastd.models.naive import SeasonalNaive
from forecastd.models.npts import Npts
from forecastd.series.algorithms import METHODS, hyperparameters
from forecastd.series.panel import Panel

Hyperparameters = Mapping[str, str]

_MAKERS: dict[str, Callable[[Hyperparameters], Algorithm]] = {
    "SeasonalNaive": lambda _: SeasonalNaive(),
    "Linear": lambda _: Linear(),
    "NPTS": Npts,
}
NAMES = tuple(_MAKERS)

# Cheap ones first: what a time limit cuts off is what costs most.
AUTO_PREDICTOR_CANDIDATES = ("SeasonalNaive", "Linear", "NPTS")


def make(name: str, chosen: Hyperparameters | None = None) -> Algorithm:
    """A new, unfitted algorithm."""
    return _MAKERS[name]({k: v for k, v in (chosen or {}).items() if k in own_names(name)})


def own_names(name: str) -> set[str]:
    """The names of the hyperparameters that an algorithm takes."""
    return {p.name for p in hyperparameters(name)} if name in METHODS else set()


# Seconds of one fit and forecast: a constant, and a part per million values of history.
_COSTS = {"SeasonalNaive": (0.01, 0.05), "Linear": (0.3, 1.0), "NPTS": (0.05, 0.3)}


def guess_s(name: str, panel: Panel) -> float:
    """A first guess of the seconds that one fit and forecast takes."""
    constant, per_million = _COSTS[name]
    return constant + per_million * panel.values.size / 1e6
