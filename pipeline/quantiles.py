"""Forecast types: quantiles and the mean, as the API and as exports write them."""

from collections.abc import Iterable, Sequence

DEFAULT_TYPES = ["0.1", "0.5", "0.9"]  # the API's own default
MEDIAN, MEAN = "p50", "mean"


def type_label(forecast_type: str) -> str:
    """The name of a forecast type in exports: 0.5, .5 and 0.50 are p50; mean is mean."""
    return MEAN if forecast_type == MEAN else f"p{round(float(forecast_type) * 100)}"


def type_order(label: str) -> int:
    """Sorts labels: mean, then quantiles ascending."""
    return -1 if label == MEAN else int(label[1:])


def quantile(label: str) -> float | None:
    """The quantile that a label names; None for the mean."""
    return None if label == MEAN else level(label)


def level(label: str) -> float:
    """The level of a quantile, given its label: 0.1 of p10."""
    return int(label[1:]) / 100


def outermost(labels: Iterable[str]) -> tuple[str, str] | None:
    """The lowest and the highest quantile; None unless one is below the median and one above."""
    found = sorted((label for label in labels if label != MEAN), key=type_order)
    is_interval = bool(found) and type_order(found[0]) < type_order(MEDIAN) < type_order(found[-1])
    return (found[0], found[-1]) if is_interval else None


def has_interval(labels: Sequence[str]) -> bool:
    """Whether forecasts of these types have a median and a quantile on either side of it."""
    return MEDIAN in labels and outermost(labels) is not None


def middle(labels: Sequence[str]) -> str:
    """The type that stands for a forecast in one number: the median, the mean, or the nearest quantile."""
    usual = [label for label in (MEDIAN, MEAN) if label in labels]
    return usual[0] if usual else min(labels, key=lambda label: abs(int(label[1:]) - 50))
