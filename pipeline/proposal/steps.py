"""The steps of a sample of past demand: how long they are, and how many are forecast."""

from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.frequency import Frequency, Grid
from pipeline.proposal.columns import Columns
from pipeline.proposal.words import share
from pipeline.rhythm import ahead, apart, distance, is_regular, step_name, suiting, typical_s
from pipeline.sample import unusable
from pipeline.timestamps import DAY, SECOND

# By the unit of the frequency: the horizon for a short and for a long history, in steps of one unit.
HORIZONS = {"min": (60, 240), "H": (24, 72), "D": (14, 28), "W": (8, 13), "M": (6, 12), "Y": (2, 3)}
LONG_HISTORY = 40  # horizons; from here on the longer one is proposed
SHORT_LOG = pd.Timedelta(weeks=4)  # of irregular times; too short for a forecast of days


class Steps:
    """The steps that the rows of a target fall into.

    Args:
        columns: of the target.
        reasons: where each choice is written down with its reason.

    Raises:
        BadInput: if the rows are too few, or their times too coarse.
    """

    def __init__(self, columns: Columns, reasons: list[str]) -> None:
        self._columns, self._reasons = columns, reasons
        self._moments = columns.moments
        self.frequency = self._frequency()
        self.count = self.frequency.steps(
            self._moments.min().to_pydatetime(), self._moments.max().to_pydatetime()
        )

    @cached_property
    def is_regular(self) -> bool:
        """Whether the rows of a series have a rhythm."""
        return is_regular(self._moments, self._columns.series)

    @cached_property
    def of_rows(self) -> pd.DataFrame:
        """The series and the step of each row that has a time."""
        times = self._times
        steps = Grid(self.frequency, int(times.min())).steps(times.to_numpy())
        return pd.DataFrame({"series": self._columns.series[times.index], "step": steps}, index=times.index)

    @cached_property
    def meeting(self) -> int:
        """Rows of which the service makes one value with another; of duplicates the checks make one row."""
        rows = self.of_rows
        rows = rows[~self._columns.repeated[rows.index]]
        return int(rows.duplicated().sum())

    def horizon(self) -> int:
        """How many steps to forecast: what is usual, and a quarter of the history at the most."""
        unit, steps = self.frequency, self.count
        short, long = (max(1, n // unit.count) for n in HORIZONS[unit.unit])
        wanted = long if steps >= LONG_HISTORY * long else short
        longest = steps // 4
        if longest < 1:
            raise unusable(
                f"the history has {steps} steps; the shortest forecast needs four", "Give a longer history."
            )
        horizon = min(wanted, longest)
        usual = f"usual for steps of {ahead(unit, 1)} and a history of {steps} steps"
        if horizon < wanted:
            why = f"the history has only {steps} steps, and a quarter is the limit"
        elif steps >= LONG_HISTORY * long or long == short:
            why = usual
        else:
            why = f"{usual}; from {LONG_HISTORY * long} steps on it would be {ahead(unit, long)}"
        self._reasons.append(f"The horizon is {ahead(unit, horizon)}: {why}.")
        return horizon

    def boundary(self) -> dict[str, str]:
        """Where the week begins, if all rows are of one weekday that is not Monday."""
        self._tell_of_moved_times()
        days = self._moments.dropna().dt.day_name().str.upper().unique()
        if self.frequency.unit != "W" or len(days) != 1 or days[0] == "MONDAY":
            return {}
        self._reasons.append(f"All times are a {days[0].title()}: the week begins there.")
        return {"DayOfWeek": str(days[0])}

    def _frequency(self) -> Frequency:
        series = self._columns.series
        typical = typical_s(self._moments, series)
        if typical is None:
            raise unusable("every series has one row only", "Give a longer history.")
        if not self.is_regular:
            return self._suiting(typical, series)
        frequency = Frequency.parse(step_name(typical))
        self._reasons.append(f"Rows of a series are typically {apart(typical, frequency)}.")
        if frequency.needs_time_of_day and self._columns.java_format == DAY:
            raise unusable("the times have no time of day", f"Write them as {SECOND}.")
        return frequency

    def _suiting(self, typical: float, series: pd.Series) -> Frequency:
        """For rows without a rhythm, such as those of orders, whose distances say nothing of a step."""
        moments = self._moments.dropna()
        is_short = self._columns.java_format == SECOND and moments.max() - moments.min() < SHORT_LOG
        steps = ("H", "D", "W", "M") if is_short else ("D", "W", "M")
        frequency, covered = suiting(moments, series, steps)
        self._reasons.append(
            f"Rows of a series come at irregular times, typically {distance(typical)} apart: the step is "
            f"{frequency.span(1)}, and {share(covered)} of the steps have a row."
        )
        return frequency

    def _tell_of_moved_times(self) -> None:
        times = self._times.to_numpy()
        is_coarse = self.frequency.unit in ("D", "M", "Y")
        if is_coarse and not Grid(self.frequency, int(times.min())).is_on(times).all():
            self._reasons.append(
                f"The times are not the beginnings of their steps of {self.frequency.span(1)}: the service "
                "moves them there, and the forecast's times are beginnings, too."
            )

    @cached_property
    def _times(self) -> pd.Series:
        """Microseconds of each row that has a time."""
        return self._moments.dropna().astype("datetime64[us]").astype(np.int64)
