"""The algorithms by Amazon's names, and the hyperparameters that each accepts: names, defaults and ranges.

Pure data and its validation, light enough for code that answers requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AUTO_PREDICTOR = "AutoPredictor"
AUTO_ML = "AutoML"
AUTO_ML_CANDIDATES = ("ARIMA", "ETS", "NPTS", "Prophet")
TRAINABLE = (*AUTO_ML_CANDIDATES,)
METHODS = (AUTO_PREDICTOR, AUTO_ML, *TRAINABLE)


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter; values travel as strings in the API."""

    name: str
    default: str | None  # None: chosen from the data
    kind: str  # "integer" | "number" | "choice"
    low: float = 0.0  # integers from low on, numbers above low
    choices: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """What is allowed, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        return (
            f"a whole number from {self.low:g} on"
            if self.kind == "integer"
            else f"a number above {self.low:g}"
        )

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
        try:
            value = float(text)
        except ValueError:
            return False
        if self.kind == "integer":
            return value == int(value) and value >= self.low if abs(value) < 1e15 else False
        return self.low < value < float("inf")


_TRUE_FALSE = ("True", "False")
_HYPERPARAMETERS: dict[str, tuple[Hyperparameter, ...]] = {
    "NPTS": (
        Hyperparameter("context_length", None, "integer", low=1),
        Hyperparameter("kernel_type", "exponential", "choice", choices=("exponential", "uniform")),
        Hyperparameter("exp_kernel_weights", "0.01", "number"),
        Hyperparameter("use_seasonal_model", "True", "choice", choices=_TRUE_FALSE),
        Hyperparameter("use_default_time_features", "True", "choice", choices=_TRUE_FALSE),
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
