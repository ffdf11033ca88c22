"""Charts in colours that can be told apart in a light and a dark theme."""

import re
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

ACTUAL, FORECAST, NAIVE, PROMISE = "#8a93a3", "#2f80ed", "#e08a00", "#17a673"
RANGE = "#7fb2f5"
HEIGHT = 340
FEW_STEPS = 2  # a line between so few points, or an area, cannot be seen
FLAT = 1e-4  # of the level: values that differ by less are one number, and the rest is rounding
ROOM = 0.1  # of the level, above and below such values
FIGURES = ",.4~g"
MOMENT = "%Y-%m-%d %H:%M"
BEGINS = "beginning of the forecast"
LETTERS_ABREAST = 66  # of a legend, on a screen of 500 points
# Hours on a clock of 24; days; the first of a month with its year.
TIME_LABELS = (
    "hours(datum.value) || minutes(datum.value) ? timeFormat(datum.value, '%H:%M') : "
    "timeFormat(datum.value, date(datum.value) == 1 ? '%b %Y' : '%b %d')"
)
Chart = alt.LayerChart | alt.FacetChart  # as Altair tells its types
QUANTILE = re.compile(r"p(\d+)$")


def quantile(kind: str) -> float | None:
    """The level of a forecast type: 0.1 of `p10`, None of `mean`."""
    found = QUANTILE.match(kind)
    return int(found[1]) / 100 if found else None


def quantiles(kinds: Sequence[str]) -> list[str]:
    """The quantiles among forecast types, the lowest first."""
    return sorted(
        (kind for kind in kinds if quantile(kind) is not None), key=lambda kind: quantile(kind) or 0
    )


def middle(kinds: Sequence[str]) -> str | None:
    """The type that stands for a forecast in one number: the median, the mean, or the nearest quantile."""
    if "p50" in kinds or "mean" in kinds:
        return "p50" if "p50" in kinds else "mean"
    ordered = sorted(quantiles(kinds), key=lambda kind: round(abs((quantile(kind) or 0) - 0.5), 2))
    return ordered[0] if ordered else None


def fan(rows: pd.DataFrame, unit: str | None = None) -> Chart:
    """The recent past of an item, and its forecast with the range between its outer quantiles.

    The line of the past breaks where steps have no value: what the service filled in is no value that came.

    Args:
        rows: time, type, value; the type `actual` is the past.
        unit: what the values are called.
    """
    kinds = [kind for kind in rows["type"].unique() if kind != "actual"]
    levels, centre = quantiles(kinds), middle(kinds)
    colours = {"actual value": ACTUAL} | ({f"forecast ({centre})": FORECAST} if centre else {})
    names = dict(zip(("actual", centre) if centre else ("actual",), colours, strict=True))
    bands = ranges(rows, levels)
    colours |= dict.fromkeys(bands["range"].unique(), RANGE)
    lines = rows[rows["type"].isin(names)].assign(series=lambda each: each["type"].map(names))
    ahead = rows.loc[rows["type"] != "actual", "time"]
    is_short = ahead.nunique() <= FEW_STEPS
    breaks = gaps(lines.loc[lines["type"] == "actual", "time"], ahead)
    if breaks:
        lines = pd.concat([lines, pd.DataFrame({"time": breaks, "series": "actual value", "value": np.nan})])
    # A value between two gaps has no line.
    points = alt.OverlayMarkDef(size=45 if is_short else 12) if is_short or breaks else False
    drawn = (
        alt.Chart(lines)
        .mark_line(strokeWidth=2, point=points)
        .encode(
            x=_time("time"),
            y=_value("value", unit, rows["value"]),
            color=_colour("series", colours),
            tooltip=[_moment("time"), "series:N", alt.Tooltip("value:Q", format=FIGURES)],
        )
    )
    area = _area(bands, is_short, _value("low", unit, rows["value"]), colours)
    layers = [area, drawn] if len(bands) else [drawn]
    return alt.layer(*layers).properties(height=HEIGHT)


def gaps(past: pd.Series, ahead: pd.Series) -> list[pd.Timestamp]:
    """A moment within each stretch of the past that has no value.

    Steps are as long as those of the forecast; where it has one alone, as the usual distance in the past.
    """
    times, steps = past.sort_values(), ahead.drop_duplicates().sort_values()
    distances = times.diff()
    longest = 1.5 * (steps.diff().max() if len(steps) > 1 else distances.median())
    return list((times - distances / 2)[distances > longest])


def ranges(rows: pd.DataFrame, levels: Sequence[str]) -> pd.DataFrame:
    """time, low, high and range: from each quantile to its counterpart, the outer ones first."""
    pairs = [(levels[n], levels[-1 - n]) for n in range(len(levels) // 2)]
    wide = rows.pivot_table(index="time", columns="type", values="value")
    parts = [
        pd.DataFrame({"low": wide[low], "high": wide[high], "range": f"{low} to {high}"}).dropna()
        for low, high in pairs
    ]
    none = pd.DataFrame({"time": [], "low": [], "high": [], "range": []})
    return pd.concat(parts).rename_axis("time").reset_index() if parts else none


def _area(bands: pd.DataFrame, is_short: bool, up: alt.Y, colours: dict[str, str]) -> alt.Chart:
    """The ranges as areas; as thick bars where there are too few times for an area to be seen."""
    base = alt.Chart(bands)
    mark = base.mark_rule(opacity=0.35, strokeWidth=12) if is_short else base.mark_area(opacity=0.35)
    return mark.encode(
        x=_time("time"),
        y=up,
        y2="high:Q",
        color=_colour("range", colours),
        tooltip=[
            _moment("time"),
            "range:N",
            alt.Tooltip("low:Q", format=FIGURES),
            alt.Tooltip("high:Q", format=FIGURES),
        ],
    )


def look_back(compared: pd.DataFrame, types: Sequence[str], unit: str | None = None) -> Chart:
    """Earlier forecasts of an item over what really happened; a colour for each run.

    Args:
        compared: run (as it is to be called), time, actual and a column per type.
        types: of the forecasts; the middle one is drawn as a line, the outermost quantiles as its range.
        unit: what the values are called.
    """
    at = compared.assign(moment=pd.to_datetime(compared["time"]))
    kind, levels = middle(types), quantiles(types)
    forecasts = at[["run", "moment", kind]].rename(columns={kind: "value"})
    came = at.drop_duplicates("moment")[["moment", "actual"]].rename(columns={"actual": "value"})
    came = came.assign(run="actual value")
    runs = list(forecasts["run"].unique())
    colours = {run: _RUN_COLOURS[place % len(_RUN_COLOURS)] for place, run in enumerate(runs)}
    colour = _colour("run", {"actual value": ACTUAL, **colours})
    shown = compared[["actual", *types]].melt()["value"]
    base = alt.Chart(pd.concat([came, forecasts], ignore_index=True))
    drawn = base.mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18)).encode(
        x=_time("moment"),
        y=_value("value", unit, shown),
        color=colour,
        tooltip=[_moment("moment", "time"), "run:N", alt.Tooltip("value:Q", format=FIGURES)],
    )
    if len(levels) < 2:
        return alt.layer(drawn).properties(height=HEIGHT)
    low, high = levels[0], levels[-1]
    band = (
        alt.Chart(at[["run", "moment", low, high]].dropna())
        .mark_area(opacity=0.2)
        .encode(x=_time("moment"), y=_value(low, unit, shown), y2=f"{high}:Q", color=colour)
    )
    return alt.layer(band, drawn).properties(height=HEIGHT)


_RUN_COLOURS = (FORECAST, NAIVE, PROMISE, "#b44ac0", "#d64545", "#00a3b4")


def over_time(outcome: pd.DataFrame) -> Chart:
    """How far off forecasts were, beside a seasonal naive forecast and the promise of the backtests.

    Args:
        outcome: first (text or time), wape, naive_wape, promised; shares of the total.
    """
    named = {"wape": "forecast", "naive_wape": "seasonal naive", "promised": "promised by backtests"}
    colours = {"forecast": FORECAST, "seasonal naive": NAIVE, "promised by backtests": PROMISE}
    frame = outcome.assign(first=pd.to_datetime(outcome["first"]))
    return _shares(frame, named, colours, _time("first", BEGINS), _moment("first", BEGINS))


def by_step(steps: pd.DataFrame) -> Chart:
    """The same by step of the horizon: step, wape, naive_wape."""
    named = {"wape": "forecast", "naive_wape": "seasonal naive"}
    axis = alt.Axis(tickMinStep=1, grid=False, format="d")
    along = alt.X("step:Q", title="step of the horizon", axis=axis, scale=alt.Scale(zero=False, nice=False))
    colours = {"forecast": FORECAST, "seasonal naive": NAIVE}
    return _shares(steps, named, colours, along, alt.Tooltip("step:Q"))


def _shares(
    frame: pd.DataFrame, named: dict[str, str], colours: dict[str, str], along: alt.X, told: alt.Tooltip
) -> Chart:
    field = str(along.shorthand).split(":")[0]
    long = frame[[field, *named]].rename(columns=named).melt(field, var_name="what", value_name="off by")
    drawn = (
        alt.Chart(long.dropna())
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=along,
            y=alt.Y("off by:Q", title="off by, of the total", axis=alt.Axis(format="%")),
            color=_colour("what", colours),
            tooltip=[told, "what:N", alt.Tooltip("off by:Q", format=".1%")],
        )
    )
    return alt.layer(drawn).properties(height=HEIGHT)


def coverage(outcome: pd.DataFrame) -> Chart:
    """How often the actual value was at or below each quantile, beside how often it should have been.

    Args:
        outcome: first, type, coverage.
    """
    shown = outcome.assign(
        first=pd.to_datetime(outcome["first"]), wanted=outcome["type"].map(quantile).astype(float)
    ).dropna(subset=["wanted"])
    colours = dict(zip(quantiles(list(shown["type"].unique())), _RUN_COLOURS * 20, strict=False))
    lines = (
        alt.Chart(shown)
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=_time("first", BEGINS),
            y=alt.Y(
                "coverage:Q",
                title="of the actual values",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            color=_colour("type", colours),
            tooltip=[
                _moment("first", BEGINS),
                "type:N",
                alt.Tooltip("coverage:Q", format=".1%"),
                alt.Tooltip("wanted:Q", title="should be", format=".0%"),
            ],
        )
    )
    wanted = (
        alt.Chart(shown.drop_duplicates("type"))
        .mark_rule(strokeDash=[6, 4], strokeWidth=1.5)
        .encode(y="wanted:Q", color=_colour("type", colours))
    )
    return alt.layer(lines, wanted).properties(height=HEIGHT)


def _time(field: str, title: str | None = None) -> alt.X:
    return alt.X(f"{field}:T", title=title, axis=alt.Axis(labelExpr=TIME_LABELS, labelOverlap=True))


def _moment(field: str, title: str | None = None) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:T", title=title or field, format=MOMENT)


def _value(field: str, unit: str | None, shown: pd.Series) -> alt.Y:
    """An axis for all values that are shown, on which the rounding errors of a constant cannot be seen."""
    low, high = float(shown.min()), float(shown.max())
    level = max(abs(low), abs(high))
    scale = alt.Scale(zero=False)
    if high - low < FLAT * level:
        scale = alt.Scale(zero=False, domain=[low - ROOM * level, high + ROOM * level])
    return alt.Y(f"{field}:Q", title=unit, scale=scale)


def _colour(field: str, colours: dict[str, str]) -> alt.Color:
    """A legend on top, in as many lines as it takes to be read on a narrow screen, too."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    longest = max(map(len, colours), default=1)
    columns = max(1, min(len(colours), LETTERS_ABREAST // (longest + 4)))
    legend = alt.Legend(orient="top", columns=columns, labelLimit=400, symbolOpacity=1)
    return alt.Color(f"{field}:N", title=None, scale=scale, legend=legend)
