"""The parts of a QuickSight sheet, in the words of its API: line charts, tables and drop-down filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 36  # columns of QuickSight's grid
HEIGHT = 12  # rows of a visual: two of them fill a screen

Part = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a data set; `type` is QuickSight's: STRING, INTEGER, DECIMAL, DATETIME, BOOLEAN."""

    data_set: str
    name: str
    type: str = "STRING"

    @property
    def identifier(self) -> Part:
        return {"DataSetIdentifier": self.data_set, "ColumnName": self.name}

    def field(self, visual: str) -> Part:
        """The column's place in a visual; its name is unique in a definition."""
        return {"FieldId": f"{visual}.{self.name}", "Column": self.identifier}


@dataclass(frozen=True)
class Visual:
    """A chart or a table, with the name that the grid knows it by."""

    id: str
    body: Part


def line_chart(
    id: str,
    title: str,
    x: Column,
    lines: Sequence[Column],
    *,
    aggregate: str = "AVERAGE",
    granularity: str = "DAY",
    by: Column | None = None,
) -> Visual:
    """Lines over `x`: one for each column, or one for each value of `by`.

    Args:
        aggregate: what becomes of several rows at one place: AVERAGE or SUM.
        granularity: the step of `x` where it is a time.
    """
    wells: Part = {
        "Category": [_dimension(x, id, granularity)],
        "Values": [_measure(line, id, aggregate) for line in lines],
    }
    if by is not None:
        wells["Colors"] = [_dimension(by, id, granularity)]
    chart = {
        "FieldWells": {"LineChartAggregatedFieldWells": wells},
        "SortConfiguration": {"CategorySort": [_sorted(x, id, "ASC")]},
        "Type": "LINE",
    }
    return _visual("LineChartVisual", id, title, chart)


def listing(id: str, title: str, columns: Sequence[Column], *, newest_by: Column) -> Visual:
    """Rows as they are, the largest of a column first."""
    wells = {"TableUnaggregatedFieldWells": {"Values": [column.field(id) for column in columns]}}
    return _table(id, title, wells, newest_by)


def ranking(
    id: str, title: str, groups: Sequence[Column], measures: Sequence[Column], *, worst_by: Column
) -> Visual:
    """A row per group with means of the measures, the largest first."""
    wells = {
        "TableAggregatedFieldWells": {
            "GroupBy": [_dimension(column, id) for column in groups],
            "Values": [_measure(column, id, "AVERAGE") for column in measures],
        }
    }
    return _table(id, title, wells, worst_by)


def _table(id: str, title: str, wells: Part, first_by: Column) -> Visual:
    sorting = {"RowSort": [_sorted(first_by, id, "DESC")]}
    return _visual("TableVisual", id, title, {"FieldWells": wells, "SortConfiguration": sorting})


def _visual(kind: str, id: str, title: str, chart: Part) -> Visual:
    label = {"Visibility": "VISIBLE", "FormatText": {"PlainText": title}}
    body = {"VisualId": id, "Title": label, "VisualContentAltText": title, "ChartConfiguration": chart}
    return Visual(id, {kind: body})


def _dimension(column: Column, visual: str, granularity: str = "DAY") -> Part:
    if column.type == "DATETIME":
        return {"DateDimensionField": column.field(visual) | {"DateGranularity": granularity}}
    kind = "CategoricalDimensionField" if column.type == "STRING" else "NumericalDimensionField"
    return {kind: column.field(visual)}


def _measure(column: Column, visual: str, aggregate: str) -> Part:
    how = {"AggregationFunction": {"SimpleNumericalAggregation": aggregate}}
    return {"NumericalMeasureField": column.field(visual) | how}


def _sorted(column: Column, visual: str, direction: str) -> Part:
    return {"FieldSort": {"FieldId": column.field(visual)["FieldId"], "Direction": direction}}


@dataclass(frozen=True)
class Choice:
    """Which values of a column a sheet shows; readers choose among them in a drop-down list.

    `values` are chosen at first; none means all. `visual` is the one that it is about; none means all that
    show the column's data set.
    """

    sheet: str
    column: Column
    values: tuple[str, ...] = ()
    visual: str | None = None

    @property
    def id(self) -> str:
        return f"{self.sheet}-{self.column.data_set}-{self.column.name}"

    def group(self) -> Part:
        """The filter, where it holds."""
        chosen: Part = (
            {"CategoryValues": list(self.values)}
            if self.values
            else {"SelectAllOptions": "FILTER_ALL_VALUES"}
        )
        how = {"FilterListConfiguration": {"MatchOperator": "CONTAINS", **chosen}}
        one = {"FilterId": self.id, "Column": self.column.identifier, "Configuration": how}
        where: Part = (
            {"Scope": "SELECTED_VISUALS", "VisualIds": [self.visual]}
            if self.visual
            else {"Scope": "ALL_VISUALS"}
        )
        scope = {"SheetVisualScopingConfigurations": [{"SheetId": self.sheet, **where}]}
        return {
            "FilterGroupId": f"{self.id}-group",
            "Filters": [{"CategoryFilter": one}],
            "ScopeConfiguration": {"SelectedSheets": scope},
            "Status": "ENABLED",
            "CrossDataset": "SINGLE_DATASET",
        }

    def control(self) -> Part:
        """The drop-down list at the head of the sheet."""
        own = {"FilterControlId": f"{self.id}-control", "SourceFilterId": self.id}
        return {"Dropdown": {**own, "Title": self.column.name, "Type": "MULTI_SELECT"}}


def sheet(id: str, name: str, visuals: Sequence[Visual], choices: Sequence[Choice] = ()) -> Part:
    """A page with visuals one below the other, each as wide as the page."""
    places = [
        {
            "ElementId": visual.id,
            "ElementType": "VISUAL",
            "ColumnIndex": 0,
            "ColumnSpan": WIDTH,
            "RowIndex": row * HEIGHT,
            "RowSpan": HEIGHT,
        }
        for row, visual in enumerate(visuals)
    ]
    page: Part = {
        "SheetId": id,
        "Name": name,
        "ContentType": "INTERACTIVE",
        "Visuals": [visual.body for visual in visuals],
        "Layouts": [{"Configuration": {"GridLayout": {"Elements": places}}}],
    }
    return page | {"FilterControls": [choice.control() for choice in choices]} if choices else page
