"""Forecast types: quantiles and the mean, as the API and as exports write them."""

DEFAULT_TYPES = ["0.1", "0.5", "0.9"]  # the API's own default


def type_label(forecast_type: str) -> str:
    """The name of a forecast type in exports: 0.5, .5 and 0.50 are p50; mean is mean."""
    return "mean" if forecast_type == "mean" else f"p{round(float(forecast_type) * 100)}"


def type_order(label: str) -> int:
    """Sorts labels: mean, then quantiles ascending."""
    return -1 if label == "mean" else int(label[1:])


def quantile(label: str) -> float | None:
    """The quantile that a label names; None for the mean."""
    return None if label == "mean" else int(label[1:]) / 100
