"""`Drift` in params.json: how far off forecasts may turn out before the workload is marked as drifting."""

from dataclasses import dataclass

from pipeline.policy.section import number, whole


@dataclass(frozen=True)
class Drift:
    """How far off forecasts may turn out; what is beyond asks for a training."""

    # Share of the items whose actual values lie, on average, far outside of the newest forecast.
    most_shifted_items: float | None = number(0.5, least=0, most=1, off=True)
    # How much worse than its backtests promised the mean forecast may have turned out: 0.5 is a half.
    most_accuracy_fall: float | None = number(0.5, least=0, off=True)
    # How much less than it should the mean forecast may have covered: 0.2 of 0.8 leaves 0.6.
    most_coverage_fall: float | None = number(0.2, least=0, most=1, off=True)
    # Forecasts of periods apart from each other that the last two limits want as evidence.
    least_forecasts: int = whole(6, least=3, most=12)
