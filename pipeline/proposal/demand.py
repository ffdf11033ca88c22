"""What the values of a sample of past demand are: whether they add up, and what a step without one means."""

from collections.abc import Iterator
from functools import cached_property

import pandas as pd

from pipeline.frequency import WEEKDAYS
from pipeline.levels import Values, is_named_amount, is_named_level
from pipeline.proposal.columns import Columns
from pipeline.proposal.steps import Steps
from pipeline.proposal.words import by_number, rows

IDLE_WEEKS = 4  # without a row on a weekday: then there is never one
HOUR_MINUTES, DAY_MINUTES = 60, 24 * 60


class Demand:
    """The values of a target, step by step.

    Args:
        columns: of the target.
        steps: that its rows fall into.
        reasons: where each choice is written down with its reason.
    """

    def __init__(self, columns: Columns, steps: Steps, reasons: list[str]) -> None:
        self._columns, self._steps, self._reasons = columns, steps, reasons
        self._sample = columns.sample

    @cached_property
    def treatment(self) -> tuple[dict[str, str], str]:
        """What becomes of steps without a row, and of several in one, if zero or a sum is wrong; and why."""
        label = self._sample.label(self._columns.target)
        not_known = {"middlefill": "nan", "backfill": "nan"}
        if self._is_level:
            return {"aggregation": "avg", **not_known}, (
                f"{label} holds levels, as its name says: steps without a row are not known rather than zero "
                "(middlefill and backfill: nan), and the values of a step are averaged (aggregation: avg)."
            )
        is_log = not self._steps.is_regular  # of what happened: where nothing is written, nothing did
        if is_log or not self._missing or not self._values.stay_off_zero:
            return {}, ""
        if not self._is_amount and self._values.vary_little:
            return not_known, (
                f"The values of {label} vary little and never come near zero, as those of prices: steps "
                "without a row are not known rather than zero (middlefill and backfill: nan)."
            )
        if self._idle or not self._values.stay_far_from_zero:
            return {}, ""
        return {"middlefill": "nan"}, (
            f"The values of {label} never come near zero: steps between them without a row are not known "
            "rather than zero (middlefill: nan)."
        )

    def tell_of_aggregation(self) -> None:
        """Writes down how values of one step become one, where there are several."""
        meeting = self._steps.meeting
        if meeting:
            how = "averaged (aggregation: avg)" if self._is_level else "added up (aggregation: sum)"
            step = self._steps.frequency.span(1)
            self._reasons.append(
                f"{rows(meeting)} {by_number(meeting, 'falls', 'fall')} into a step of {step} in which the "
                f"series has another: the values of a step are {how}."
            )

    def duplicates(self) -> str | None:
        """What becomes of rows that differ in the target alone; the checks take others for no duplicates."""
        repeated = int(self._columns.repeated.sum())
        different = int(self._columns.differing.sum())
        if not repeated:
            return None
        if not different:
            self._reasons.append(
                f"{rows(repeated)} {by_number(repeated, 'repeats', 'repeat')} another, value and all: the "
                "last counts (Checks.Duplicates)."
            )
            return "last"
        both = (
            f"{rows(repeated)} {by_number(repeated, 'has', 'have')} the series and time of another, "
            f"{different} of them with another value"
        )
        if self._is_level:
            self._reasons.append(f"{both}: the last counts, as levels do not add up (Checks.Duplicates).")
            return "last"
        self._reasons.append(
            f"{both}: they are added up, as the service would (Checks.Duplicates). If the later row is a "
            'correction, choose "last".'
        )
        return "sum"

    def unsure_of_missing(self) -> Iterator[str]:
        """What steps without a value mean, if there are any."""
        if not self._missing:
            return
        steps = f"{self._missing} {by_number(self._missing, 'step has', 'steps have')} no value"
        if self._idle:
            steps += f"; there is never a row on {self._idle}"
        if not self.treatment[0]:
            yield (
                f"{steps}. Whether that means zero (the default) or not known (middlefill and backfill: "
                "nan) is not in the data."
            )
            return
        known = (
            f"{steps}. They are taken as not known, and an item with one in the window of a backtest does "
            "not count in its accuracy."
        )
        idle = " If there was nothing, such as in a shop that is closed, remove the target's Transformations."
        yield known if self._is_level else known + idle

    def unsure_of_adding(self) -> Iterator[str]:
        """Whether the values of one step add up, where neither the name nor the values tell."""
        is_added = self._steps.meeting or self._columns.differing.any()
        if is_added and not self._is_level and not self._is_amount and self._values.stay_off_zero:
            yield (
                "Whether values add up: those of one step do (aggregation: sum). If they are levels, such as "
                'prices or temperatures, choose aggregation: avg, and Checks.Duplicates "last".'
            )

    @property
    def _is_level(self) -> bool:
        """Whether the header says that the target is a level, such as a price, which cannot be added up."""
        return bool(self._sample.header) and is_named_level(self._sample.labels[self._columns.target])

    @property
    def _is_amount(self) -> bool:
        return bool(self._sample.header) and is_named_amount(self._sample.labels[self._columns.target])

    @cached_property
    def _values(self) -> Values:
        steps = self._steps.of_rows
        steps = steps.loc[self._columns.moments[steps.index].sort_values(kind="stable").index]
        return Values(self._numbers[steps.index], steps["series"])

    @cached_property
    def _numbers(self) -> pd.Series:
        """The target; NaN where a cell is empty or no number."""
        return pd.to_numeric(self._sample.frame[self._columns.target], errors="coerce").astype(float)

    @cached_property
    def _missing(self) -> int:
        """Steps between the first and the last value of each series that have none."""
        steps = self._steps.of_rows
        grouped = steps[self._numbers[steps.index].notna()].groupby("series")["step"]
        return int((grouped.max() - grouped.min() + 1 - grouped.nunique()).sum())

    @cached_property
    def _idle(self) -> str:
        """The weekdays or hours on which there is never a row, such as when a shop is closed."""
        times = self._columns.moments.dropna()
        is_short = times.max() - times.min() < IDLE_WEEKS * pd.Timedelta(weeks=1)
        if is_short or self._steps.frequency.minutes > DAY_MINUTES:
            return ""
        present = set(times.dt.dayofweek)
        if days := [name.title() for day, name in enumerate(WEEKDAYS) if day not in present]:
            return f"a {' or '.join(days)}"
        hours = 24 - times.dt.hour.nunique()
        return f"{hours} of the 24 hours" if hours and self._steps.frequency.minutes <= HOUR_MINUTES else ""
