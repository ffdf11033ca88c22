"""`Gate` in params.json: what a forecast must be like to be published."""

from dataclasses import dataclass

from pipeline.policy.section import number, switch


@dataclass(frozen=True)
class Gate:
    """Limits of plausibility; what must always hold (rows, keys, finite values, order) has no limit here.

    They are wide: an honest forecast of odd data passes, a broken one does not. A *range* is what lies
    between an item's lowest and highest value of the last year, at the step of the forecast.
    """

    # Items of the history that the forecast must have, as a share; services leave out the shortest.
    least_coverage: float | None = number(0.9, least=0, most=1, off=True)
    # Whether the forecast has to begin with the step after the history's last.
    begins_after_history: bool = switch(True)
    # How far an item's forecast may lie outside of its history, in ranges.
    most_distance: float | None = number(5.0, least=0, off=True)
    # How far the middle of an item's forecast may go below zero if its history never did, in ranges.
    most_depth: float | None = number(0.5, least=0, off=True)
    # How far apart an item's lowest and highest quantile may be, in ranges.
    most_width: float | None = number(10.0, least=0, off=True)
    # Whether an item that varies may be forecast as one number, or as zero.
    refuses_flat: bool = switch(True)
    # Items that may break one of the four rules above, as a share.
    most_odd_items: float = number(0.05, least=0, most=1)
    # How many times larger or smaller than in the history all items together may be.
    most_total_factor: float | None = number(5.0, least=1, off=True)
    # How many times larger or smaller than in the last forecast, for the times in both.
    most_change_factor: float | None = number(5.0, least=1, off=True)
