"""`Retraining` in params.json: when a run trains a predictor and when it uses the last one again."""

from dataclasses import dataclass

from pipeline.policy.section import choice, number


@dataclass(frozen=True)
class Retraining:
    """When to train; the limits count where `when` is `needed`."""

    # For all new data, or only where there is a reason to.
    when: str = choice("always", "needed")
    # Age of the predictor, from the start of its training.
    most_age_days: float | None = number(30, least=0, off=True)
    # How much worse than its backtests promised the last forecast may have turned out: 0.2 is a fifth.
    most_accuracy_fall: float | None = number(0.2, least=0, off=True)
