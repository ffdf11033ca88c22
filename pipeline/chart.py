"""A picture of a run: the last stretch of history and the fan of the forecast, for a few items."""

import datetime as dt
import io
from typing import Any

import matplotlib

matplotlib.use("Agg")  # draws into memory; there is no screen

import matplotlib.dates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.form import InputForm
from pipeline.inputs import Inputs
from pipeline.observations import forecast_rows, target_rows
from pipeline.params import Params
from pipeline.publish import Manifest
from pipeline.quantiles import middle, type_order
from pipeline.workload import Workload

HORIZONS_OF_HISTORY = 4  # how much of the past stands beside the forecast
LEAST_HISTORY = 48  # steps, so that a short horizon still has a past to be seen against
HISTORY_COLOR = "#33415c"
FORECAST_COLOR = "#d1495b"
WIDTH_IN, HEIGHT_IN, DPI = 8.0, 2.1, 90
LONGEST_NAME = 60
FLAT = 1e-4  # of the level: values that differ by less are one number, and the rest is rounding
ROOM = 0.1  # of the level, above and below such values


def fan_chart(history: pd.DataFrame, forecast: pd.DataFrame, items: int = 4, title: str = "") -> bytes:
    """A PNG with a panel per item: history as a line, the middle of the forecast and its bands.

    Args:
        history: columns item, timestamp, value.
        forecast: columns item, timestamp, type (p10, mean …), value.
        items: how many; those with the largest forecasts.
        title: stands above the panels.
    """
    shown = _largest(forecast, items)
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN * max(1, len(shown)) + 0.4), dpi=DPI, layout="constrained")
    panels = figure.subplots(max(1, len(shown)), 1, squeeze=False)[:, 0]
    for panel, item in zip(panels, shown, strict=False):
        _panel(panel, item, history[history["item"] == item], forecast[forecast["item"] == item])
    if shown:
        panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=7, frameon=False, ncols=4)
    if title:
        figure.suptitle(_plain(title), fontsize=10)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _plain(text: str) -> str:
    """Text that is not read as a formula."""
    return text.replace("$", r"\$")


def _largest(forecast: pd.DataFrame, items: int) -> list[str]:
    totals = forecast.groupby("item")["value"].sum().sort_values(ascending=False, kind="stable")
    return [str(item) for item in totals.index[:items]]


def _panel(panel: Axes, item: str, history: pd.DataFrame, forecast: pd.DataFrame) -> None:
    past = history.groupby("timestamp")["value"].sum(min_count=1).sort_index()
    wide = forecast.pivot_table(index="timestamp", columns="type", values="value").sort_index()
    past = _broken_at_gaps(past, wide.index)
    panel.plot(past.index, past.to_numpy(), color=HISTORY_COLOR, linewidth=0.9, label="history")
    quantiles = sorted((label for label in wide.columns if label != "mean"), key=type_order)
    pairs = list(zip(quantiles[: len(quantiles) // 2], reversed(quantiles), strict=False))
    for low, high in pairs:
        band = f"{low} to {high}"
        panel.fill_between(
            wide.index, wide[low], wide[high], color=FORECAST_COLOR, alpha=0.25, label=band, lw=0
        )
    centre = middle(list(wide.columns))
    panel.plot(wide.index, wide[centre].to_numpy(), color=FORECAST_COLOR, linewidth=1.2, label=centre)
    name = item if len(item) <= LONGEST_NAME else item[: LONGEST_NAME - 1] + "…"
    panel.set_title(_plain(name), fontsize=8, loc="left")
    panel.tick_params(labelsize=7)
    panel.xaxis.get_offset_text().set_fontsize(7)
    panel.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(panel.xaxis.get_major_locator()))
    panel.spines[["top", "right"]].set_visible(False)
    bottom, top = panel.get_ylim()
    level = max(abs(bottom), abs(top))
    if top - bottom < FLAT * level:
        panel.set_ylim(bottom - ROOM * level, top + ROOM * level)
    panel.ticklabel_format(axis="y", useOffset=False)


def _broken_at_gaps(past: "pd.Series[float]", ahead: pd.Index) -> "pd.Series[float]":
    """The values by time, and in each gap none: what the service filled in is no value that came."""
    times = pd.to_datetime(pd.Series(past.index))
    distances, longest = times.diff(), 1.5 * pd.to_datetime(pd.Series(ahead)).diff().max()
    breaks = pd.DatetimeIndex((times - distances / 2)[distances > longest])
    return pd.concat([past, pd.Series(np.nan, index=breaks)]).sort_index()


def chart_data(
    s3: Any,
    workload: Workload,
    params: Params,
    form: InputForm,
    inputs: Inputs,
    manifest: Manifest,
    items: int = 4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """History and forecast of the items with the largest forecasts, as `fan_chart` wants them.

    Both are read in a stream; only the chosen items and the last stretch of their history are kept.
    """
    forecast = _forecast(s3, workload, params, manifest, items)
    wanted = set(forecast["item"])
    since = manifest.first - _reach(params)
    pieces = list(target_rows(s3, workload, params, form, inputs, manifest.run, wanted, since))
    empty = pd.DataFrame({"item": [], "timestamp": [], "value": []})
    return (pd.concat(pieces, ignore_index=True) if pieces else empty), forecast


def _reach(params: Params) -> dt.timedelta:
    steps = max(LEAST_HISTORY, HORIZONS_OF_HISTORY * params.horizon)
    return dt.timedelta(minutes=params.frequency.minutes * steps)


def _forecast(s3: Any, workload: Workload, params: Params, manifest: Manifest, items: int) -> pd.DataFrame:
    """The forecasts of the items with the largest totals."""
    kept: list[pd.DataFrame] = []
    held: list[pd.DataFrame] = []  # the last item of a piece may go on in the next
    for piece in forecast_rows(s3, workload, params, manifest):
        rows = pd.concat([*held, piece], ignore_index=True)
        is_last = rows["item"] == rows["item"].iloc[-1]
        kept = [_of_largest(pd.concat([*kept, rows[~is_last]], ignore_index=True), items)]
        held = [rows[is_last]]
    return _of_largest(pd.concat([*kept, *held], ignore_index=True), items)


def _of_largest(forecast: pd.DataFrame, items: int) -> pd.DataFrame:
    return forecast[forecast["item"].isin(_largest(forecast, items))]
