"""Charts in colours that can be told apart in a light and a dark theme."""

import re
from collections.abc import Sequence

import altair as alt
import pandas as pd

ACTUAL, FORECAST, NAIVE, PROMISE = "#8a93a3", "#2f80ed", "#e08a00", "#17a673"
HEIGHT = 340
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
    ordered = sorted(quantiles(kinds), key=lambda kind: abs((quantile(kind) or 0) - 0.5))
    return ordered[0] if ordered else None


def fan(rows: pd.DataFrame) -> Chart:
    """The recent past of an item, and its forecast with the range between its outer quantiles.

    Args:
        rows: time, type, value; the type `actual` is the past.
    """
    kinds = [kind for kind in rows["type"].unique() if kind != "actual"]
    levels, centre = quantiles(kinds), middle(kinds)
    names = {"actual": "actual value"} | ({centre: f"forecast ({centre})"} if centre else {})
    lines = rows[rows["type"].isin(names)].assign(series=lambda each: each["type"].map(names))
    colours = {"actual value": ACTUAL, f"forecast ({centre})": FORECAST}
    layers = [_bands(rows, levels)] if len(levels) > 1 else []
    layers.append(
        alt.Chart(lines)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("time:T", title=None),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=_colour("series", {name: colours[name] for name in names.values()}),
            tooltip=[alt.Tooltip("time:T"), "series:N", alt.Tooltip("value:Q", format=",.4~g")],
        )
    )
    return alt.layer(*layers).properties(height=HEIGHT)


def _bands(rows: pd.DataFrame, levels: Sequence[str]) -> alt.Chart:
    """The ranges between each quantile and its counterpart, the outer ones paler by lying below."""
    pairs = [(levels[n], levels[-1 - n]) for n in range(len(levels) // 2)]
    wide = rows.pivot_table(index="time", columns="type", values="value")
    parts = [
        pd.DataFrame({"low": wide[low], "high": wide[high], "range": f"{low} to {high}"}).dropna()
        for low, high in pairs
    ]
    ranges = pd.concat(parts).reset_index()
    return (
        alt.Chart(ranges)
        .mark_area(opacity=0.22, color=FORECAST)
        .encode(
            x=alt.X("time:T", title=None),
            y=alt.Y("low:Q", title=None, scale=alt.Scale(zero=False)),
            y2="high:Q",
            detail="range:N",
            tooltip=[
                alt.Tooltip("time:T"),
                "range:N",
                alt.Tooltip("low:Q", format=",.4~g"),
                alt.Tooltip("high:Q", format=",.4~g"),
            ],
        )
    )


def look_back(compared: pd.DataFrame, kind: str) -> Chart:
    """Earlier forecasts of an item over what really happened; a colour for each run.

    Args:
        compared: run, time, actual, naive and a column per type.
        kind: the type that is drawn.
    """
    at = compared.assign(moment=pd.to_datetime(compared["time"]))
    forecasts = at[["run", "moment", kind]].rename(columns={kind: "value"}).assign(of="forecast")
    came = at.drop_duplicates("moment")[["moment", "actual"]].rename(columns={"actual": "value"})
    came = came.assign(run="actual value", of="actual")
    runs = list(forecasts["run"].unique())
    order = ["actual value", *runs]
    colours = [ACTUAL, *(_RUN_COLOURS[place % len(_RUN_COLOURS)] for place in range(len(runs)))]
    base = alt.Chart(pd.concat([came, forecasts], ignore_index=True))
    drawn = base.mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18)).encode(
        x=alt.X("moment:T", title=None),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        color=_colour("run", dict(zip(order, colours, strict=True))),
        tooltip=[alt.Tooltip("moment:T", title="time"), "run:N", alt.Tooltip("value:Q", format=",.4~g")],
    )
    return alt.layer(drawn).properties(height=HEIGHT)


_RUN_COLOURS = (FORECAST, NAIVE, PROMISE, "#b44ac0", "#d64545", "#00a3b4")


def over_time(outcome: pd.DataFrame) -> Chart:
    """How far off forecasts were, beside a seasonal naive forecast and the promise of the backtests.

    Args:
        outcome: first (text or time), wape, naive_wape, promised; shares of the total.
    """
    named = {"wape": "forecast", "naive_wape": "seasonal naive", "promised": "promised by backtests"}
    colours = {"forecast": FORECAST, "seasonal naive": NAIVE, "promised by backtests": PROMISE}
    return _shares(outcome.assign(first=pd.to_datetime(outcome["first"])), named, colours, "first:T")


def by_step(steps: pd.DataFrame) -> Chart:
    """The same by step of the horizon: step, wape, naive_wape."""
    named = {"wape": "forecast", "naive_wape": "seasonal naive"}
    return _shares(
        steps, named, {"forecast": FORECAST, "seasonal naive": NAIVE}, "step:Q", "step of the horizon"
    )


def _shares(
    frame: pd.DataFrame, named: dict[str, str], colours: dict[str, str], along: str, title: str | None = None
) -> Chart:
    field = along.split(":")[0]
    long = frame[[field, *named]].rename(columns=named).melt(field, var_name="what", value_name="off by")
    drawn = (
        alt.Chart(long.dropna())
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=alt.X(along, title=title, axis=alt.Axis(tickMinStep=1)) if title else alt.X(along, title=None),
            y=alt.Y("off by:Q", title=None, axis=alt.Axis(format="%")),
            color=_colour("what", colours),
            tooltip=[along, "what:N", alt.Tooltip("off by:Q", format=".1%")],
        )
    )
    return alt.layer(drawn).properties(height=HEIGHT)


def coverage(outcome: pd.DataFrame) -> Chart:
    """How often the actual value stayed below each quantile, beside how often it should have.

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
            x=alt.X("first:T", title=None),
            y=alt.Y("coverage:Q", title=None, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=_colour("type", colours),
            tooltip=["first:T", "type:N", alt.Tooltip("coverage:Q", format=".1%")],
        )
    )
    wanted = (
        alt.Chart(shown.drop_duplicates("type"))
        .mark_rule(strokeDash=[4, 4], opacity=0.7)
        .encode(y="wanted:Q", color=_colour("type", colours))
    )
    return alt.layer(lines, wanted).properties(height=HEIGHT)


def _colour(field: str, colours: dict[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", title=None, scale=scale, legend=alt.Legend(orient="top"))
