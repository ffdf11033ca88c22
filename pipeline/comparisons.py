"""What only several rows together show: duplicates, overlaps, gaps, alignment, outliers, related data.

Each rule looks at whole series at a time, in order, as `rowlog` hands them back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline import daylight
from pipeline.cells import MOST_NUMBER
from pipeline.domains import METADATA, TARGET
from pipeline.fates import MERGED
from pipeline.frequency import WEEKDAYS, Grid
from pipeline.inspection import Inspection
from pipeline.params import Params
from pipeline.quality import CHANGED, ERROR, EXAMPLES, WARNING, Example, Finding, printable
from pipeline.rowlog import Part, hashes
from pipeline.rules.draft import Draft, fillings

FINER, COARSER = 0.75, 1.5  # of a step: a typical distance of rows below or above is another rhythm
FEWEST_FOR_OUTLIERS = 8  # values; fewer say nothing of what is typical
SAMPLE = 200_000  # distances that tell the typical one


@dataclass
class Spans:
    """When each series begins and ends, and where its last gap does: ids [S], and microseconds [S].

    The last gap of a series without one ends where the series begins.
    """

    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    first: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    last: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    gap: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def add(self, part: Part, steps: np.ndarray) -> None:
        """Adds the series of a part, whose rows are at these steps."""
        rows, time = part.rows, part.rows["time"]
        after = np.flatnonzero(np.append(False, ~part.begins[1:] & (np.diff(steps) > 1)))
        newest = np.append(0, after)[np.searchsorted(after, part.ends, side="right")]
        gap = time[np.maximum(newest, part.starts)]
        news = rows["series"][part.starts], time[part.starts], time[part.ends], gap
        own = self.ids, self.first, self.last, self.gap
        self.ids, self.first, self.last, self.gap = map(np.concatenate, zip(own, news, strict=True))


class Comparison:
    """The rules for the rows of one dataset; findings go to the inspection, merged rows to its fates.

    Args:
        upload_order: by file number, the place of the file in the order of uploads.
    """

    def __init__(self, inspection: Inspection, params: Params, upload_order: list[int]) -> None:
        self._inspection, self._params = inspection, params
        self._spec, self._checks = inspection.spec, params.checks
        self._order = np.array(upload_order or [0])
        self._grid = self._make_grid()
        self._found: dict[tuple[int, str], Finding] = {}
        self._typical_us: float | None = None
        self._steps = self._missing = 0
        self._hours: list[np.ndarray] = []
        self._repeated_hours: list[np.ndarray] = []
        self.spans = Spans()

    def run(self) -> None:
        """Looks at all rows."""
        for part in self._inspection.log.parts(self._order):
            self._duplicates(part)
            if self._grid is not None:
                self._part(part, self._grid)
        self._daylight()
        self._inspection.findings += self._found.values()
        self._inspection.findings += self._rhythm()

    @property
    def _is_target(self) -> bool:
        return self._spec.type == TARGET

    def _make_grid(self) -> Grid | None:
        first = self._inspection.census.first
        if first is None:
            return None
        first_us = int(np.datetime64(first, "us").astype(np.int64))
        return Grid(self._params.frequency, first_us, self._params.predictor.get("TimeAlignmentBoundary", {}))

    def _part(self, part: Part, grid: Grid) -> None:
        rows = part.rows
        inside = ~part.begins
        steps = grid.steps(rows["time"])
        self.spans.add(part, steps)
        distances = np.diff(rows["time"])[inside[1:]]
        distances = distances[distances > 0][:SAMPLE]
        if self._typical_us is None and len(distances):
            self._typical_us = float(np.median(distances))
        self._alignment(part, grid, steps, inside)
        if self._params.frequency.unit in ("min", "H"):
            self._hours.append(np.unique(rows["time"] // daylight.HOUR_US))
            self._repeated_hours.append(np.unique(rows["time"][part.repeats] // daylight.HOUR_US))
        if self._is_target:
            self._gaps(part, steps, inside)
            if self._checks.outlier_scale is not None:
                self._outliers(part, self._checks.outlier_scale)

    # -- duplicates and overlaps

    def _duplicates(self, part: Part) -> None:
        repeats = part.repeats
        if not repeats.any():
            return
        policy = self._checks.duplicates
        across = np.zeros(len(repeats), dtype=bool)
        across[1:] = part.rows["file"][1:] != part.rows["file"][:-1]
        if policy == "refuse":
            self._refuse(part, repeats, across)
            return
        replaced = np.append(repeats[1:], False)
        self._tell_of_merging(part, replaced, policy)
        gone = part.rows[["file", "place"]][replaced]
        for number, mine in _by_file(gone["file"]):
            self._inspection.fate_rows(number)[gone["place"][mine]] = MERGED
        if policy == "sum" and self._is_target:
            self._add_up(part, repeats)

    @property
    def _same(self) -> str:
        """What two rows have in common that are duplicates."""
        return "item" if self._spec.type == METADATA else "series and time"

    def _refuse(self, part: Part, repeats: np.ndarray, across: np.ndarray) -> None:
        ways = '"last" or "sum"' if self._is_target else '"last"'
        remedy = f"Remove one of them, or say in params.json what counts: Checks.Duplicates {ways}"
        for broken, rule, more in (
            (repeats & ~across, f"another row of the file has the same {self._same}", "."),
            (
                repeats & across,
                f"another file has a row of the same {self._same}",
                ', or Checks.Files "snapshot".',
            ),
        ):
            places = np.flatnonzero(broken)
            others = [self._where(part.rows[place - 1]) for place in places[:EXAMPLES]]
            self._note(part.rows[places], rule, remedy + more, ERROR, "", [f"as {o}" for o in others])

    def _tell_of_merging(self, part: Part, replaced: np.ndarray, policy: str) -> None:
        added = policy == "sum" and self._is_target
        how = "added to" if added else "replaced by"
        rule = f'the row was {how} a later one of the same {self._same} (Checks.Duplicates is "{policy}")'
        self._note(part.rows[replaced], rule, "Nothing has to be done if that is meant.", CHANGED)

    def _add_up(self, part: Part, repeats: np.ndarray) -> None:
        starts = np.flatnonzero(~repeats)
        ends = np.append(starts[1:], len(repeats)) - 1
        values = part.rows["value"]
        sums = np.add.reduceat(np.nan_to_num(values), starts)
        known = np.add.reduceat((~np.isnan(values)).astype(np.int64), starts)
        sums[known == 0] = np.nan
        several = ends > starts
        last, added = part.rows[ends[several]], sums[several]
        endless = np.abs(added) > self._most_sum  # not of those that are missing
        if endless.any():
            rule = "the rows of this series and time add up to more than a number can be"
            self._note(last[endless], rule, "Correct their values.", ERROR, self._spec.target_field)
        for number, mine in _by_file(last["file"]):
            self._inspection.fates[number].sums.append((last["place"][mine], added[mine]))

    @property
    def _most_sum(self) -> float:
        kind = self._spec.attributes[self._spec.position(self._spec.target_field)].type
        return 2.0**63 if kind == "integer" else MOST_NUMBER

    # -- rhythm

    @property
    def _step_us(self) -> float:
        return self._params.frequency.minutes * 60_000_000

    @property
    def _is_finer(self) -> bool:
        return self._typical_us is not None and self._typical_us < FINER * self._step_us

    def _alignment(self, part: Part, grid: Grid, steps: np.ndarray, inside: np.ndarray) -> None:
        """Rows beside the service's steps: the service moves them, and adds up those that then meet."""
        if self._is_finer and self._is_target:
            return
        off = ~grid.is_on(part.rows["time"])
        if not off.any():
            return
        step = self._params.frequency.span(1)
        rule = f"the time lies beside the steps of {step}; the service moves it to the beginning of its step"
        self._note(part.rows[off], rule, self._alignment_remedy(part.rows["time"]), WARNING, "timestamp")
        meets = np.zeros(len(steps), dtype=bool)
        meets[1:] = (steps[1:] == steps[:-1]) & inside[1:] & ~part.repeats[1:]
        meets[1:] &= part.rows["line"][1:] == part.rows["line"][:-1]
        if meets.any():
            how = "adds them up (aggregation)" if self._is_target else "takes one of them"
            rule = f"two rows of one series fall into one step of {step}; the service {how}"
            remedy = "Write the times on one grid, such as the same weekday in every week."
            self._note(part.rows[meets], rule, remedy, WARNING, "timestamp")

    def _alignment_remedy(self, times_us: np.ndarray) -> str:
        unit = self._params.frequency.unit
        days = times_us // daylight.HOUR_US // 24
        if unit == "W" and self._params.auto and len(weekdays := np.unique((days + 3) % 7)) == 1:
            name = WEEKDAYS[int(weekdays[0])]
            return f'Let the week begin there: Predictor.TimeAlignmentBoundary {{"DayOfWeek": "{name}"}}.'
        hours = np.unique(times_us // daylight.HOUR_US % 24)
        if unit == "D" and self._params.auto and len(hours) == 1 and hours[0]:
            return f'Let the day begin there: Predictor.TimeAlignmentBoundary {{"Hour": {hours[0]}}}.'
        return "Write the times on the grid of the forecast's frequency."

    def _gaps(self, part: Part, steps: np.ndarray, inside: np.ndarray) -> None:
        distances = np.where(inside[1:], np.diff(steps), 0)
        spans = steps[part.ends] - steps[part.starts] + 1
        self._steps += int(spans.sum())
        missing = int(np.maximum(distances - 1, 0).sum())
        self._missing += missing
        if missing:
            widest = np.argsort(-distances, kind="stable")[:EXAMPLES]
            widest = widest[distances[widest] > 1]
            lengths = [f"{distances[place] - 1} steps without a row before it" for place in widest]
            filled = self._filling()
            rule = f"steps before it have no row; the service fills them ({filled})"
            remedy = "Add the rows, or choose the filling: Transformations.middlefill of the target."
            self._note(part.rows[widest + 1], rule, remedy, WARNING, "timestamp", lengths, count=missing)

    def _filling(self) -> str:
        given: dict[str, Mapping[str, Any]] = {
            name: how for _, name, how in fillings(Draft(self._params.document))
        }
        return f"middlefill: {given.get(self._spec.target_field, {}).get('middlefill', 'zero')}"

    def _rhythm(self) -> list[Finding]:
        """What the rows' distances say of the whole."""
        found = []
        role = f"{self._spec.role}/"
        limit = self._checks.most_missing
        if self._is_target and limit is not None and self._missing > limit * self._steps:
            share = self._missing / self._steps
            rule = f"{share:.1%} of the steps have no row; Checks.MostMissing allows {limit:.1%}"
            found.append(Finding(role, rule, "Add the rows, or raise MostMissing.", "timestamp"))
        if self._typical_us is not None and self._typical_us > COARSER * self._step_us:
            typical = self._typical_us / self._step_us
            frequency = self._params.frequency
            rule = f"rows are typically {typical:.3g} steps apart; ForecastFrequency is {frequency}"
            remedy = "Choose the frequency of the data: what lies between is filled, not known."
            found.append(Finding(role, rule, remedy, "timestamp", WARNING))
        return found

    def _daylight(self) -> None:
        if not self._hours:
            return
        hours, repeated = (np.unique(np.concatenate(all_)) for all_ in (self._hours, self._repeated_hours))
        seen = daylight.zone_of(hours, repeated)
        if seen is None:
            return
        zone, how = seen
        which = "is missing whenever" if how == "skipped" else "comes twice whenever"
        season = "begins" if how == "skipped" else "ends"
        rule = f"an hour {which} daylight saving {season} in {zone}: the times are local"
        remedy = "Write them in UTC or in standard time, or live with one odd hour a year."
        self._inspection.findings.append(Finding(f"{self._spec.role}/", rule, remedy, "timestamp", WARNING))

    # -- values

    def _outliers(self, part: Part, limit: float) -> None:
        """Values farther from the median of their series than so many times what is typical there.

        What is typical is the mean distance from the median, the farthest value left out, and a hundredth
        of the median at the least, lest a nearly constant series raises an alarm at its first move.
        """
        known = _suspects(part.rows[~np.isnan(part.rows["value"])], limit)
        if not len(known):
            return
        series = np.cumsum(Part(known).begins) - 1
        starts = Part(known).starts
        counts = np.diff(np.append(starts, len(known)))
        ordered = known["value"][np.lexsort((known["value"], series))]
        medians = (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) / 2
        with np.errstate(over="ignore", invalid="ignore"):  # sums near the end of the number range
            far = np.abs(known["value"] - medians[series])
            typical = (np.add.reduceat(far, starts) - np.maximum.reduceat(far, starts)) / np.maximum(
                counts - 1, 1
            )
            typical = np.maximum(typical, np.abs(medians) / 100)
            alarming = (far > limit * typical[series]) & (typical > 0)[series]
        alarming &= (counts >= FEWEST_FOR_OUTLIERS)[series]
        if alarming.any():
            rule = f"the value is more than {limit:g} typical deviations away from its series' median"
            remedy = "Check it; Checks.MostValue refuses what cannot be, Checks.OutlierScale is the distance."
            values = [f"{value:g}" for value in known["value"][alarming][:EXAMPLES]]
            self._note(known[alarming], rule, remedy, WARNING, self._spec.target_field, values)

    # -- telling

    def _where(self, row: np.ndarray) -> str:
        fate = self._inspection.fates[int(row["file"])]
        return f"row {fate.numbers([int(row['place'])])[0]} of {printable(fate.name)}"

    def _note(
        self,
        rows: np.ndarray,
        rule: str,
        remedy: str,
        severity: str,
        column: str = "",
        values: list[str] | None = None,
        count: int | None = None,
    ) -> None:
        """A finding for each file that has such rows; `values` belong to the first rows."""
        told = dict(enumerate(values or []))
        for number, mine in _by_file(rows["file"]):
            fate = self._inspection.fates[number]
            fresh = Finding(fate.name, rule, remedy, column, severity, 0)
            found = self._found.setdefault((number, rule), fresh)
            is_first = number == rows["file"][0]  # a count of all files is told once
            found.count += len(mine) if count is None else count if is_first else 0
            shown = mine[: EXAMPLES - len(found.examples)]
            numbers = fate.numbers(rows["place"][shown])
            found.examples += [
                Example(n, told.get(int(place), "")) for n, place in zip(numbers, shown, strict=True)
            ]


def _by_file(files: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The different files of some rows, each with the places of its rows: there may be thousands of files."""
    order = np.argsort(files, kind="stable")
    numbers, starts = np.unique(files[order], return_index=True)
    yield from zip(numbers.tolist(), np.split(order, starts[1:]), strict=False)


def _suspects(rows: np.ndarray, limit: float) -> np.ndarray:
    """The rows of the series that can have an outlier at all: most are cleared without being sorted.

    A value x at D = L·T from the median, T being the mean distance of the others, moves the mean of n values
    by T + D/n at the most. So x is D − T − D/n from the mean or more, and the mean distance from it is
    2·(T + D/n) or less: a series whose farthest value is nearer in proportion has no such x.
    """
    if not len(rows):
        return rows
    begins = Part(rows).begins
    starts, series = np.flatnonzero(begins), np.cumsum(begins) - 1
    counts = np.diff(np.append(starts, len(rows)))
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.add.reduceat(rows["value"], starts) / counts
        far = np.abs(rows["value"] - means[series])
        ratio = (limit - 1 - limit / counts) / (2 * (1 + limit / counts))
        clear = np.maximum.reduceat(far, starts) < ratio * np.add.reduceat(far, starts) / counts
    return rows[~clear[series]]


def related_findings(
    params: Params, target: Comparison, related: Comparison, names: list[str], filled: set[str]
) -> list[Finding]:
    """What the service would only say after the import: related data that begin late, end early or have gaps.

    Args:
        names: the target's series, to name them in the report.
        filled: the fillings, such as middlefill, that params.json has for every number of the related data.
    """
    file = "related/"
    own, other = target.spans, related.spans
    grid = target._grid
    if not len(own.ids) or not len(other.ids) or grid is None:
        return []
    found = []
    common, mine, theirs = np.intersect1d(own.ids, other.ids, return_indices=True)
    late = other.first[theirs] > own.first[mine]
    if late.any():
        rule = "the related data of a series begin later than its target, which the service refuses"
        remedy = "Add related rows from the target's first time on."
        examples = [Example(None, name) for name in _named(common[late][:EXAMPLES], names)]
        found.append(Finding(file, rule, remedy, "timestamp", ERROR, int(late.sum()), examples))
    end = grid.steps(np.array([own.last.max()]))[0]
    ends = grid.steps(other.last)
    horizon = params.frequency.span(params.horizon)
    short = ends < end + params.horizon
    lacking = (grid.steps(other.gap) > end + 1) & (other.gap > other.first)
    if lacking.any() and "middlefill" not in filled:
        rule = f"they reach into the horizon of {horizon}, but steps of it have no row"
        remedy = "Add the rows, or add middlefill for each column."
        examples = [Example(None, name) for name in _named(other.ids[lacking][:EXAMPLES], names)]
        found.append(Finding(file, rule, remedy, "timestamp", ERROR, int(lacking.sum()), examples))
    if (ends > end).any() and short.any() and "futurefill" not in filled:
        rule = f"they reach into the horizon of {horizon}, but for some series not to its end"
        remedy = "Extend them, end them with the target, or add futurefill for each column."
        examples = [Example(None, name) for name in _named(other.ids[short][:EXAMPLES], names)]
        found.append(Finding(file, rule, remedy, "timestamp", ERROR, int(short.sum()), examples))
    elif not (ends > end).any() and "futurefill" not in filled:
        rule = f"they end with the target: nothing is known of the horizon of {horizon}"
        remedy = "Extend them over the horizon if their values are known ahead."
        found.append(Finding(file, rule, remedy, "timestamp", WARNING))
    return found


def _named(ids: np.ndarray, names: list[str]) -> list[str]:
    """The names of series by their hashes."""
    wanted = set(ids.tolist())
    return [name for name, own in zip(names, hashes(names).tolist(), strict=True) if own in wanted]
