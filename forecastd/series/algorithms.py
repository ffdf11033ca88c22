"""The algorithms by Amazon's names, and the hyperparameters that each accepts: names, defaults and ranges.

Pure data and its validation, light enough for code that answers requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from forecastd.series.numbers import number_of

AUTO_PREDICTOR = "AutoPredictor"
AUTO_ML = "AutoML"
AUTO_ML_CANDIDATES = ("ARIMA", "ETS", "NPTS", "Prophet")
NEURAL = ("Deep_AR_Plus", "CNN-QR")  # need the optional packages of requirements-neural.txt
USING_RELATED = (AUTO_PREDICTOR, "Prophet", *NEURAL)  # the others pass over related time series
LEAST_OBSERVATIONS = 300  # over all series, that a network is trained on
TRAINABLE = (*AUTO_ML_CANDIDATES, *NEURAL)
METHODS = (AUTO_PREDICTOR, AUTO_ML, *TRAINABLE)


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter; values travel as strings in the API."""

    name: str
    default: str | None  # None: chosen from the data
    kind: str  # "integer" | "number" | "choice"
    low: float = 0.0  # integers from low on, numbers above low
    high: float | None = None  # the largest allowed
    choices: tuple[str, ...] = ()
    tunable: bool = False  # whether PerformHPO may search it

    @property
    def rule(self) -> str:
        """What is allowed, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "integer":
            end = "on" if self.high is None else f"to {self.high:g}"
            return f"a whole number from {self.low:g} {end}"
        return f"a number above {self.low:g}" + ("" if self.high is None else f", at most {self.high:g}")

    def check(self, text: str) -> str:
        """The value in its canonical spelling.

        Raises:
            ValueError: The value is not allowed; the sentence says what is.
        """
        for choice in self.choices:
            if text.strip().lower() == choice.lower():
                return choice
        if self.kind != "choice" and self._is_number_in_range(text):
            return text.strip()
        raise ValueError(f"Hyperparameter {self.name} is {text!r}: give {self.rule}.")

    def _is_number_in_range(self, text: str) -> bool:
        value = number_of(text)
        if math.isnan(value) or (self.high is not None and value > self.high):
            return False
        return value.is_integer() and value >= self.low if self.kind == "integer" else value > self.low


LIKELIHOODS = (
    "beta",
    "deterministic-L1",
    "gaussian",
    "negative-binomial",
    "piecewise-linear",
    "student-t",
)
RELATED_KINDS = ("ALL", "NONE", "HISTORICAL", "FORWARD_LOOKING")
_TRUE_FALSE = ("True", "False")
_HYPERPARAMETERS: dict[str, tuple[Hyperparameter, ...]] = {
    "NPTS": (
        Hyperparameter("context_length", None, "integer", low=1),
        Hyperparameter("kernel_type", "exponential", "choice", choices=("exponential", "uniform")),
        Hyperparameter("exp_kernel_weights", "0.01", "number"),
        Hyperparameter("use_seasonal_model", "True", "choice", choices=_TRUE_FALSE),
        Hyperparameter("use_default_time_features", "True", "choice", choices=_TRUE_FALSE),
    ),
    "Deep_AR_Plus": (
        Hyperparameter("context_length", None, "integer", low=1, high=5000, tunable=True),
        Hyperparameter("epochs", "500", "integer", low=1, high=10_000),
        Hyperparameter("learning_rate", "0.005", "number", high=1, tunable=True),
        Hyperparameter("learning_rate_decay", "0.5", "number", high=1),
        Hyperparameter("likelihood", "student-t", "choice", choices=LIKELIHOODS),
        Hyperparameter("max_learning_rate_decays", "0", "integer", high=10),
        Hyperparameter("num_averaged_models", "1", "integer", low=1, high=5),
        Hyperparameter("num_cells", "40", "integer", low=1, high=500),
        Hyperparameter("num_layers", "2", "integer", low=1, high=8),
    ),
    "CNN-QR": (
        Hyperparameter("context_length", None, "integer", low=1, tunable=True),
        Hyperparameter("use_related_data", "ALL", "choice", choices=RELATED_KINDS, tunable=True),
        Hyperparameter("use_item_metadata", "ALL", "choice", choices=("ALL", "NONE"), tunable=True),
        Hyperparameter("epochs", "100", "integer", low=1, high=10_000),
    ),
    "ARIMA": (),
    "ETS": (),
    "Prophet": (),
    AUTO_PREDICTOR: (),
    AUTO_ML: (),
}


def hyperparameters(algorithm: str) -> tuple[Hyperparameter, ...]:
    """The hyperparameters of ``algorithm``, in the order of the documentation.

    Raises:
        ValueError: This installation does not train such an algorithm.
    """
    if algorithm not in _HYPERPARAMETERS:
        raise ValueError(
            f"Algorithm {algorithm!r} cannot be trained here: choose one of {', '.join(METHODS)}."
        )
    return _HYPERPARAMETERS[algorithm]


def effective_hyperparameters(algorithm: str, given: Mapping[str, str]) -> dict[str, str]:
    """Defaults overlaid with what was ``given``, checked; those chosen from the data are absent until then.

    Raises:
        ValueError: An unknown name or a value that is not allowed; the sentence lists what is.
    """
    allowed = {parameter.name: parameter for parameter in hyperparameters(algorithm)}
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        names = ", ".join(allowed) if allowed else "none"
        raise ValueError(f"{algorithm} has no hyperparameter {', '.join(unknown)}: allowed are {names}.")
    effective = {name: p.default for name, p in allowed.items() if p.default is not None}
    return effective | {name: allowed[name].check(str(text)) for name, text in given.items()}
