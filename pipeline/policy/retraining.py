"""`Retraining` in params.json: when a run trains a predictor and when it uses the last one again."""

from dataclasses import dataclass

from pipeline.policy.section import choice


@dataclass(frozen=True)
class Retraining:
    """When to train."""

    when: str = choice("always", "needed")
