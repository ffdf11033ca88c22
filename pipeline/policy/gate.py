"""`Gate` in params.json: what a forecast must be like to be published."""

from dataclasses import dataclass

from pipeline.policy.section import number


@dataclass(frozen=True)
class Gate:
    """Limits of plausibility; what must always hold (rows, keys, finite values, order) has no limit here."""

    # Items of the history that the forecast must have, as a share.
    least_coverage: float | None = number(1.0, least=0, most=1, off=True)
