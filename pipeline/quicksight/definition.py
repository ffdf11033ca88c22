"""What the dashboard of a workload shows: sheets about the tables that there are by now.

Forecast          …_fan               each item's recent past, and the forecast in all its types
How it turned out …_compared          earlier forecasts beside what came
Accuracy          …_outcome           WAPE beside the seasonal naive forecast, and coverage, by run
                  …_accuracy          what the backtests promised
Worst items       …_outcome_by_item   where the forecasts missed most
Runs              …_runs              how every run ended, and why
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.catalogue import own_name
from pipeline.params import Params
from pipeline.quantiles import middle
from pipeline.quicksight.visuals import Choice, Column, Part, Visual, line_chart, listing, ranking, sheet

FAN, COMPARED, OUTCOME, ACCURACY, BY_ITEM, RUNS = PARTS = (
    "fan",
    "compared",
    "outcome",
    "accuracy",
    "outcome_by_item",
    "runs",
)
GRANULARITY = {"min": "MINUTE", "H": "HOUR", "D": "DAY", "W": "DAY", "M": "MONTH", "Y": "YEAR"}


@dataclass(frozen=True)
class Table:
    """A table or view of the catalogue: its name there, and its columns with QuickSight's types."""

    name: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """A sheet before it is put into QuickSight's words."""

    id: str
    name: str
    visuals: Sequence[Visual]
    choices: Sequence[Choice] = ()


def definition(params: Params, tables: Mapping[str, Table], data_sets: Mapping[str, str]) -> Part:
    """The definition of analysis and dashboard.

    Args:
        tables: the tables that there are, by part: `fan`, `outcome` … A sheet without a table is left out.
        data_sets: the ARN of the data set over each of them.
    """
    pages = list(_Pages(params, tables))
    return {
        "DataSetIdentifierDeclarations": [
            {"Identifier": part, "DataSetArn": data_sets[part]} for part in tables
        ],
        "Sheets": [sheet(page.id, page.name, page.visuals, page.choices) for page in pages],
        "FilterGroups": [choice.group() for page in pages for choice in page.choices],
    }


class _Pages:
    """The sheets, in the order in which they are shown."""

    def __init__(self, params: Params, tables: Mapping[str, Table]) -> None:
        self._params, self._tables = params, tables
        self._keys = [name.lower() for name in (params.target.item_key, *params.dimensions)]

    def __iter__(self) -> Iterator[Page]:
        for parts, page in (
            ((FAN,), self._forecast),
            ((COMPARED,), self._compared),
            ((OUTCOME, ACCURACY), self._accuracy),
            ((BY_ITEM,), self._worst),
            ((RUNS,), self._runs),
        ):
            if any(part in self._tables for part in parts):
                yield page()

    def _column(self, part: str, name: str) -> Column:
        return Column(part, name, self._tables[part].columns[name])

    def _columns(self, part: str, names: Sequence[str]) -> list[Column]:
        return [self._column(part, name) for name in names]

    def _own(self, part: str, name: str) -> Column:
        """A column of ours, in a table that has the upload's keys beside it."""
        return self._column(part, own_name(name, self._keys))

    def _numbers(self, part: str) -> list[Column]:
        """The columns with values: actual, naive, and each type of the forecast."""
        listed = self._tables[part].columns
        return [Column(part, name, kind) for name, kind in listed.items() if kind == "DECIMAL"]

    def _choices(self, page: str, part: str, *more: Column) -> list[Choice]:
        return [Choice(page, column) for column in (*self._columns(part, self._keys), *more)]

    def _forecast(self) -> Page:
        chart = line_chart(
            "fan",
            "Actual values and forecast (choose one item: over several, lines are sums, "
            "and a sum of quantiles is no quantile)",
            self._own(FAN, "time"),
            self._numbers(FAN),
            aggregate="SUM",
            granularity=GRANULARITY[self._params.frequency.unit],
        )
        return Page("forecast", "Forecast", [chart], self._choices("forecast", FAN))

    def _compared(self) -> Page:
        chart = line_chart(
            "compared",
            "Earlier forecasts and what came (means over the chosen runs and items)",
            self._own(COMPARED, "timestamp"),
            self._numbers(COMPARED),
        )
        choices = self._choices("turned-out", COMPARED, self._own(COMPARED, "run"))
        return Page("turned-out", "How it turned out", [chart], choices)

    def _accuracy(self) -> Page:
        visuals: list[Visual] = []
        choices: list[Choice] = []
        if OUTCOME in self._tables:
            visuals, choices = self._outcome()
        if ACCURACY in self._tables:
            visuals.append(
                line_chart(
                    "promise",
                    "Quantile loss that the backtests promised, by type and day of publication",
                    self._column(ACCURACY, "published"),
                    [self._column(ACCURACY, "wql")],
                    by=self._column(ACCURACY, "type"),
                )
            )
        return Page("accuracy", "Accuracy", visuals, choices)

    def _outcome(self) -> tuple[list[Visual], list[Choice]]:
        first, kind = self._column(OUTCOME, "first"), self._own(OUTCOME, "type")
        wape = line_chart(
            "wape",
            "WAPE of each forecast by its first time, beside the seasonal naive forecast (lower is better)",
            first,
            self._columns(OUTCOME, ("wape", "naive_wape")),
        )
        coverage = line_chart(
            "coverage",
            "Share of actual values at or below each type (p90: 0.9 is right)",
            first,
            [self._column(OUTCOME, "coverage")],
            by=kind,
        )
        return [wape, coverage], [Choice("accuracy", kind, (self._middle,), wape.id)]

    @property
    def _middle(self) -> str:
        """The type that stands for the forecast where one number is compared."""
        return middle(self._params.type_labels)

    def _worst(self) -> Page:
        wape = self._own(BY_ITEM, "wape")
        table = ranking(
            "worst",
            "Items by WAPE, the worst first (means over the chosen runs)",
            self._columns(BY_ITEM, self._keys),
            [wape, *(self._own(BY_ITEM, name) for name in ("naive_wape", "bias", "coverage", "points"))],
            worst_by=wape,
        )
        kind = Choice("worst-items", self._own(BY_ITEM, "type"), (self._middle,))
        choices = [kind, *self._choices("worst-items", BY_ITEM, self._own(BY_ITEM, "run"))]
        return Page("worst-items", "Worst items", [table], choices)

    def _runs(self) -> Page:
        names = ("finished", "state", "run", "step", "reason", "decision", "gate", "items", "rows", "drift")
        there = [name for name in (*names, "recalibration") if name in self._tables[RUNS].columns]
        columns = self._columns(RUNS, there)
        table = listing("runs", "Runs, the newest first", columns, newest_by=columns[0])
        return Page("runs", "Runs", [table], [Choice("runs", columns[1])])
