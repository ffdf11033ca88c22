"""How good a predictor is: the metrics of its backtests, for people, tables and CloudWatch."""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeGuard

from pipeline.errors import translated
from pipeline.resources import name_of
from pipeline.workload import Workload

SUMMARY = "SUMMARY"
AUTO = "AutoPredictor"
MOST_DATA = 1000  # data points of one PutMetricData request …
MOST_BYTES = 900_000  # … which may have 1 MB; the rest is for the envelope
LONGEST_VALUE = 1024  # of a dimension

Metrics = dict[str, float]  # WAPE, RMSE, MASE, MAPE, AverageWeightedQuantileLoss as far as they are defined


@dataclass(frozen=True)
class Window:
    """The metrics of one algorithm in one backtest window, or their mean over the windows (SUMMARY)."""

    algorithm: str
    window: str  # SUMMARY, or the first instant of the window
    start: str | None
    end: str | None  # exclusive
    items: int | None
    metrics: Metrics
    quantile_losses: dict[str, float] = field(default_factory=dict)  # by quantile: "0.5"

    @property
    def is_summary(self) -> bool:
        return self.window == SUMMARY


@dataclass(frozen=True)
class Accuracy:
    """All backtest windows of all algorithms that were tried, best algorithm first."""

    windows: tuple[Window, ...]

    @property
    def algorithm(self) -> str:
        """The algorithm that was chosen."""
        return self.windows[0].algorithm if self.windows else AUTO

    @property
    def best(self) -> Metrics:
        """The summary metrics of the chosen algorithm; empty when nothing could be measured."""
        return next((w.metrics for w in self.windows if w.is_summary), {})

    @property
    def quantile_losses(self) -> dict[str, float]:
        """The summary's weighted quantile losses of the chosen algorithm, by quantile: "0.5"."""
        return next((w.quantile_losses for w in self.windows if w.is_summary), {})

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per algorithm and window, for tables."""
        return [_row(window) for window in self.windows]

    def words(self) -> str:
        """One sentence on how good the predictor is."""
        share, loss = self.best.get("WAPE"), self.best.get("AverageWeightedQuantileLoss")
        if share is None or math.isnan(share):
            return f"The accuracy of {self.algorithm} could not be measured."
        numbers = f"WAPE {share:.3f}" + (f", average weighted quantile loss {loss:.3f}" if loss else "")
        return (
            f"In backtests the forecasts of {self.algorithm} were off by {share:.1%} of the total "
            f"on average: {_grade(share)} ({numbers})."
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; undefined metrics are left out already."""
        return {"windows": [asdict(window) for window in self.windows]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Accuracy":
        """What `to_dict` wrote."""
        return cls(tuple(Window(**window) for window in stored["windows"]))


def _grade(share: float) -> str:
    grades = ((0.1, "very good"), (0.2, "good"), (0.4, "fair"))
    return next((word for limit, word in grades if share < limit), "rough")


def collect(forecast: Any, predictor_arn: str) -> Accuracy:
    """The metrics of a predictor that is ACTIVE, NaN and absent ones left out."""
    with translated(f"reading the accuracy of predictor {name_of(predictor_arn)}"):
        answer = forecast.get_accuracy_metrics(PredictorArn=predictor_arn)
    results = answer.get("PredictorEvaluationResults", [])
    return Accuracy(tuple(window for result in results for window in _windows(result)))


def _windows(result: Mapping[str, Any]) -> Iterator[Window]:
    algorithm = name_of(result["AlgorithmArn"]) if result.get("AlgorithmArn") else AUTO
    for window in result.get("TestWindows", []):
        metrics = window.get("Metrics", {})
        start, end = (_moment(window.get(name)) for name in ("TestWindowStart", "TestWindowEnd"))
        yield Window(
            algorithm=algorithm,
            window=SUMMARY if window.get("EvaluationType") == SUMMARY else start or "COMPUTED",
            start=start,
            end=end,
            items=window.get("ItemCount"),
            metrics=_metrics(metrics),
            quantile_losses={
                str(loss["Quantile"]): loss["LossValue"]
                for loss in metrics.get("WeightedQuantileLosses", [])
                if _is_defined(loss.get("LossValue"))
            },
        )


def _metrics(given: Mapping[str, Any]) -> Metrics:
    errors: dict[str, Any] = next(iter(given.get("ErrorMetrics", [])), {})
    found = {name: errors.get(name) for name in ("WAPE", "RMSE", "MASE", "MAPE")}
    found["RMSE"] = found["RMSE"] if found["RMSE"] is not None else given.get("RMSE")
    found["AverageWeightedQuantileLoss"] = given.get("AverageWeightedQuantileLoss")
    return {name: float(value) for name, value in found.items() if _is_defined(value)}


def _is_defined(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _moment(given: dt.datetime | None) -> str | None:
    """The instant as the service means it: local time of the data, written as if it were UTC."""
    return given.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S") if given else None


def _row(window: Window) -> dict[str, Any]:
    losses = {f"wQL[{quantile}]": loss for quantile, loss in window.quantile_losses.items()}
    own = {"algorithm": window.algorithm, "window": window.window, "start": window.start, "end": window.end}
    return {**own, "items": window.items, **window.metrics, **losses}


def put_metrics(cloudwatch: Any, namespace: str, workload: Workload, accuracy: Accuracy) -> int:
    """Sends every defined metric of every window to CloudWatch.

    Dimensions are Workload, Algorithm, Window (SUMMARY, or its number counted from the newest) and, for
    quantile losses, Quantile.

    Returns:
        The number of data points.
    """
    data = [one for window, number in _numbered(accuracy) for one in _data(workload, window, number)]
    put_data(cloudwatch, namespace, data)
    return len(data)


def put_data(cloudwatch: Any, namespace: str, data: list[dict[str, Any]]) -> None:
    """Sends data points, as `datum` makes them, in requests of the size that CloudWatch takes."""
    for batch in _batches(data):
        with translated(f"writing metrics to CloudWatch namespace {namespace}"):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=batch)


def _numbered(accuracy: Accuracy) -> Iterator[tuple[Window, str]]:
    """Windows with a dimension value that means the same from run to run: their place, not their date."""
    seen: dict[str, int] = {}
    for window in sorted(accuracy.windows, key=lambda w: w.start or "", reverse=True):
        if window.is_summary:
            yield window, SUMMARY
        else:
            seen[window.algorithm] = seen.get(window.algorithm, 0) + 1
            yield window, str(seen[window.algorithm])


def _data(workload: Workload, window: Window, number: str) -> Iterator[dict[str, Any]]:
    own = {"Workload": workload.label, "Algorithm": window.algorithm, "Window": number}
    for name, value in window.metrics.items():
        yield datum(name, value, own)
    for quantile, loss in window.quantile_losses.items():
        yield datum("WeightedQuantileLoss", loss, {**own, "Quantile": quantile})


def datum(name: str, value: float, dimensions: Mapping[str, str]) -> dict[str, Any]:
    """A data point of CloudWatch, which takes ASCII alone: other letters are written as `\\xfc`.

    What is too long for it then ends in a digest of the whole.
    """
    pairs = [{"Name": key, "Value": _plain(text)} for key, text in dimensions.items()]
    return {"MetricName": name, "Dimensions": pairs, "Value": value, "Unit": "None"}


def _plain(text: str) -> str:
    plain = text.encode("ascii", "backslashreplace").decode()
    if len(plain) <= LONGEST_VALUE:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return f"{plain[: LONGEST_VALUE - len(digest) - 1]} {digest}"


def _batches(data: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for datum in data:
        own = len(json.dumps(datum))
        if batch and (len(batch) == MOST_DATA or size + own > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(datum)
        size += own
    if batch:
        yield batch
