"""`Recalibration` in params.json: whether intervals follow how earlier ones turned out."""

from dataclasses import dataclass

from pipeline.policy.section import choice, number, whole


@dataclass(frozen=True)
class Recalibration:
    """When the intervals of a new forecast are recalibrated, and how far that may go."""

    when: str = choice("never", "needed")
    # How far the share of values inside of the intervals may lie from what it should be: 0.05 of 0.8 is 0.75.
    tolerance: float = number(0.05, least=0, most=0.5)
    # Forecasts of periods apart from each other that are wanted as evidence …
    least_forecasts: int = whole(6, least=3, most=12)
    # … and values of theirs that have come.
    least_points: int = whole(200, least=1)
    # The narrowest and the widest that intervals may become, in widths of the service's own.
    least_factor: float = number(0.5, least=0.1, most=1)
    most_factor: float = number(3.0, least=1, most=10)

    @property
    def is_on(self) -> bool:
        return self.when != "never"
