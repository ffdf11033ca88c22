"""The catalogue of algorithms: how each is made, and which of them AutoPredictor and AutoML try."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forecastd.models.algorithm import FEW_SERIES, Algorithm
from forecastd.models.analogs import Analogs
from forecastd.models.boosting import Boosting
from forecastd.models.decomposition import Decomposition
from forecastd.models.linear import Linear
from forecastd.models.naive import SeasonalNaive
from forecastd.models.nnar import Nnar
from forecastd.models.npts import Npts, NptsYears
from forecastd.models.per_series import PerSeries
from forecastd.models.prophet import Prophet
from forecastd.models.regression import Regression
from forecastd.models.seasonal_trend import SeasonalTrend
from forecastd.models.state_space import StateSpace
from forecastd.models.statistical import Arima, Ets, Theta
from forecastd.models.transform import Log, Plain
from forecastd.models.usual_days import OnUsualDays
from forecastd.series.algorithms import METHODS, hyperparameters
from forecastd.series.panel import Panel

Hyperparameters = Mapping[str, str]


def _deepar(chosen: Hyperparameters) -> Algorithm:
    from forecastd.models.deepar import DeepAr  # loads torch, which is optional and slow to load

    return DeepAr(chosen)


def _cnnqr(chosen: Hyperparameters) -> Algorithm:
    from forecastd.models.cnnqr import CnnQr

    return CnnQr(chosen)


_MAKERS: dict[str, Callable[[Hyperparameters], Algorithm]] = {
    "SeasonalNaive": lambda _: SeasonalNaive(),
    "Analogs": lambda _: OnUsualDays(Analogs()),
    "NNAR": lambda _: OnUsualDays(Nnar()),
    "Linear": lambda _: OnUsualDays(Linear()),
    "NPTS": Npts,
    "NPTSLevel": lambda _: Npts({"use_seasonal_model": "False"}),
    "NPTSYears": lambda _: OnUsualDays(NptsYears()),
    "Decomposition": lambda _: OnUsualDays(Decomposition(Plain)),
    "DecompositionLog": lambda _: OnUsualDays(Decomposition(Log)),
    "SeasonalTrend": lambda _: OnUsualDays(SeasonalTrend(Plain)),
    "SeasonalTrendLog": lambda _: OnUsualDays(SeasonalTrend(Log)),
    "StateSpace": lambda _: OnUsualDays(StateSpace()),
    "Regression": lambda _: Regression(Plain),
    "RegressionLog": lambda _: Regression(Log),
    "Boosting": lambda _: Boosting(),
    "Theta": lambda _: Theta(),
    "ETS": lambda _: Ets(),
    "ARIMA": lambda _: Arima(),
    "Prophet": lambda _: Prophet(),
}
NAMES = tuple(_MAKERS)  # of those that are always installed
_NEURAL_MAKERS: dict[str, Callable[[Hyperparameters], Algorithm]] = {
    "Deep_AR_Plus": _deepar,
    "CNN-QR": _cnnqr,
}

# What AutoPredictor tries, cheap ones first: what a time limit cuts off is what costs most.
AUTO_PREDICTOR_CANDIDATES = (
    "SeasonalNaive",
    "NPTS",
    "NPTSLevel",
    "NPTSYears",
    "Decomposition",
    "DecompositionLog",
    "SeasonalTrend",
    "SeasonalTrendLog",
    "StateSpace",
    "Regression",
    "RegressionLog",
    "Analogs",
    "NNAR",
    "Linear",
    "Boosting",
    "Theta",
    "ETS",
)


def make(name: str, chosen: Hyperparameters | None = None) -> Algorithm:
    """A new, unfitted algorithm."""
    return {**_MAKERS, **_NEURAL_MAKERS}[name](
        {k: v for k, v in (chosen or {}).items() if k in own_names(name)}
    )


def for_auto_predictor(panel: Panel) -> tuple[str, ...]:
    """What AutoPredictor tries on a panel: everything, but not what gains nothing there for its time."""
    few, unit = panel.size <= FEW_SERIES, panel.frequency.unit
    is_worth = {
        "NPTS": unit not in ("D", "W"),
        "NPTSLevel": unit in ("W", "M"),
        "NPTSYears": unit in ("D", "W"),
        "Analogs": panel.frequency.is_within_day,
        "NNAR": few and panel.frequency.is_within_day,
        "StateSpace": few if unit == "D" else not panel.frequency.is_within_day,
        "Theta": few and unit in ("D", "M", "Y"),
        "ETS": few and unit in ("D", "M", "Y"),
    }
    return tuple(name for name in AUTO_PREDICTOR_CANDIDATES if is_worth.get(name, True))


def own_names(name: str) -> set[str]:
    """The names of the hyperparameters that an algorithm takes."""
    return {p.name for p in hyperparameters(name)} if name in METHODS else set()


# Seconds of one fit and forecast: a constant, and a part per million values of history that are used.
_COSTS = {
    "SeasonalNaive": (0.01, 0.05),
    "NPTS": (0.05, 0.3),
    "NPTSLevel": (0.05, 0.3),
    "NPTSYears": (0.1, 0.5),
    "Decomposition": (0.1, 1.0),
    "DecompositionLog": (0.1, 1.0),
    "SeasonalTrend": (0.1, 2.0),
    "SeasonalTrendLog": (0.1, 2.0),
    "StateSpace": (1.0, 3.0),
    "Regression": (0.1, 1.0),
    "RegressionLog": (0.1, 1.0),
    "Analogs": (0.05, 3.0),
    "NNAR": (1.5, 3.0),
    "Linear": (0.3, 1.0),
    "Boosting": (3.0, 2.0),
    "Theta": (1.0, 60.0),
    "ETS": (1.0, 200.0),
    "ARIMA": (1.0, 500.0),
    "Prophet": (1.0, 400.0),
    "Deep_AR_Plus": (60.0, 10.0),
    "CNN-QR": (30.0, 5.0),
}


def guess_s(name: str, panel: Panel) -> float:
    """A first guess of the seconds that one fit and forecast takes."""
    constant, per_million = _COSTS[name]
    algorithm, steps = make(name), panel.length
    if isinstance(algorithm, PerSeries):
        steps = min(steps, algorithm.longest[panel.frequency.unit])
    return constant + per_million * panel.size * steps / 1e6
