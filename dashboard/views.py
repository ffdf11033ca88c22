"""The views: what is forecast, what became of earlier forecasts, how good they were, how runs ended."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, questions
from dashboard.questions import MOST_FOUND, MOST_WORST, Item, Items, Ledger
from dashboard.workloads import Workload, columns, numbers, rows

NO_FORECAST = "Nothing has been forecast yet. The view Runs tells how the runs ended."
NOTHING = ""  # in a cell without a value
NO_LEDGER = (
    "No forecast can be compared yet: that takes a second upload, with values for a time that was forecast "
    "before. From then on each run compares the earlier forecasts with what came."
)
SHARES = {
    "wape": "WAPE",
    "naive_wape": "seasonal naive WAPE",
    "promised": "promised WAPE",
    "wql": "wQL",
    "bias": "bias",
    "coverage": "coverage",
    "average wQL": "average wQL",
    "WAPE": "WAPE",
}
WIDTHS = {"run": 110, "step": 120, "reason": 320, "gate": 240, "decision": 320, "drift": 320}


def _workload() -> Workload:
    """The one that the page has chosen."""
    chosen: Workload = st.session_state["shown"]
    return chosen


def _title(title: str, workload: Workload) -> None:
    """On the page, and in the browser's tab."""
    st.set_page_config(page_title=f"{title} · {workload.slug}")
    st.title(title)
    st.caption(f"Workload {workload.slug}")


# -- what is forecast


def forecast() -> None:
    """The current forecast of one item, after its recent past."""
    workload = _workload()
    _title("Forecast", workload)
    current = _current(workload)
    _drift(workload)
    items = _items(workload)
    if current is None or items is None:
        st.info(NO_FORECAST)
        return
    _headline(current, int(rows(items.count())["items"].iloc[0]))
    item = _choose(items)
    if item is None:
        return
    shown = rows(items.chart(item))
    st.subheader(_label(item))
    st.altair_chart(charts.fan(shown, _unit(workload)), width="stretch")
    if isinstance(current.get("recalibration"), str):
        st.caption(current["recalibration"])
    wide = shown.pivot_table(index="time", columns="type", values="value").reset_index()
    order = ["time", *(["actual"] if "actual" in wide else []), *_types(list(shown["type"].unique()))]
    _numbers(wide[order], f"{workload.slug}-{'-'.join(map(str, item))}")


def _types(kinds: Sequence[str]) -> list[str]:
    return [*(["mean"] if "mean" in kinds else []), *charts.quantiles(kinds)]


def _current(workload: Workload) -> "pd.Series[Any] | None":
    """The run whose forecast readers see."""
    live = rows(questions.current(workload.slug))
    return None if live.empty else live.iloc[0]


def _unit(workload: Workload) -> str | None:
    """What the values are called: the one number among the columns of the forecast."""
    if not workload.has("_forecast"):
        return None
    found = numbers(f"{workload.slug}_forecast")
    return found[0] if len(found) == 1 else None


def _headline(current: "pd.Series[Any]", items: int) -> None:
    first, last = _moments(current["first"], current["last"])
    facts = {
        "items": f"{items:,}",
        "from": first,
        "to": last,
        "published (UTC)": _moment(current["finished"]),
        "run": str(current["run"]),
    }
    with st.container(horizontal=True, gap="medium"):
        for what, value in facts.items():
            st.markdown(f":small[:gray[{what}]]  \n**{value}**", width="content")


def _moment(value: Any) -> str:
    return _moments(value)[0]


def _moments(*values: Any) -> list[str]:
    """Times as people read them: with hours, unless none of them has any."""
    moments = [pd.Timestamp(value) for value in values]
    form = (
        "%Y-%m-%d %H:%M"
        if any(one != one.normalize() for one in moments if one is not pd.NaT)
        else "%Y-%m-%d"
    )
    return ["–" if one is pd.NaT else one.strftime(form) for one in moments]


def _drift(workload: Workload) -> None:
    """Say so where the run whose forecast is current has marked the workload."""
    current = _current(workload)
    if current is not None and isinstance(current["drift"], str):
        st.warning(f"**This workload drifts.** {current['drift']}", icon=":material/warning:")


def _items(workload: Workload) -> Items | None:
    if not (workload.has("_items") and workload.has("_chart")):
        return None
    return Items.of(workload.slug, columns(f"{workload.slug}_items"), columns(f"{workload.slug}_chart"))


def _choose(items: Items) -> Item | None:
    """A search field, and what it finds; the items with the largest forecasts where nothing is typed."""
    search, choice = st.columns([1, 2])
    wanted = search.text_input("Search", placeholder="part of a name", key="search").strip()
    found = rows(items.found(wanted))
    known = [tuple(None if pd.isna(v) else str(v) for v in row) for row in found[list(items.keys)].to_numpy()]
    if not known:
        st.info(f"No item's name contains “{wanted}”." if wanted else NO_FORECAST)
        return None
    more = f" (the {MOST_FOUND} largest{' that match' if wanted else ''})" if len(known) == MOST_FOUND else ""
    place = choice.selectbox(
        f"{' / '.join(items.keys)}{more}", range(len(known)), format_func=lambda n: _label(known[n])
    )
    return known[place]


def _label(item: Item) -> str:
    return " / ".join("–" if value is None else value for value in item)


# -- what became of earlier forecasts


def looking_back() -> None:
    """Earlier forecasts of one item over what really happened."""
    workload = _workload()
    _title("Looking back", workload)
    items, ledger = _items(workload), _ledger(workload)
    if items is None or ledger is None:
        st.info(NO_LEDGER)
        return
    item = _choose(items)
    if item is None:
        return
    compared = rows(ledger.compared(item))
    kind = charts.middle(ledger.types)
    if compared.empty or kind is None:
        st.info(f"No value of {_label(item)} has come yet for a time that was forecast.")
        return
    named = _called(compared, "time")
    chosen = st.multiselect(
        "Forecasts by their beginning, the latest last",
        list(named),
        default=list(named)[-6:],
        format_func=named.__getitem__,
    )
    shown = compared[compared["run"].isin(chosen)]
    if shown.empty:
        st.info("Choose a run.")
        return
    drawn = shown.assign(run=shown["run"].map(named))
    st.altair_chart(charts.look_back(drawn, ledger.types, _unit(workload)), width="stretch")
    levels = charts.quantiles(ledger.types)
    band = f" The shaded ranges are {levels[0]} to {levels[-1]}." if len(levels) > 1 else ""
    st.caption(f"The lines are the forecasts of type {kind}.{band}")
    _numbers(shown, f"{workload.slug}-compared-{'-'.join(map(str, item))}")


def _called(frame: pd.DataFrame, time: str) -> dict[str, str]:
    """What people call each run: when its forecast begins, and the run where several do; oldest first.

    Args:
        frame: rows with a run and, in the column `time`, times of its forecast.
    """
    begins = frame.groupby("run", sort=False)[time].min().sort_values(kind="stable")
    words = dict(zip(begins.index, _moments(*begins), strict=True))
    often = Counter(words.values())
    return {run: told if often[told] == 1 else f"{told} · {run}" for run, told in words.items()}


def _ledger(workload: Workload) -> Ledger | None:
    if not workload.has("_compared"):
        return None
    keys = _keys(workload)
    return Ledger(workload.slug, keys, columns(f"{workload.slug}_compared")) if keys else None


def _keys(workload: Workload) -> tuple[str, ...]:
    items = _items(workload)
    return items.keys if items else ()


# -- how good they were


def accuracy() -> None:
    """How forecasts turned out: over time, by quantile, by step, and the worst items."""
    workload = _workload()
    _title("Accuracy", workload)
    _drift(workload)
    ledger = _ledger(workload)
    outcome = rows(ledger.outcome()) if ledger else pd.DataFrame()
    if ledger is None or outcome.empty:
        st.info(NO_LEDGER)
    else:
        _turned_out(workload, ledger, outcome)
    _promises(workload)


def _turned_out(workload: Workload, ledger: Ledger, outcome: pd.DataFrame) -> None:
    outcome = outcome.set_axis(["run", "type", *outcome.columns[2:]], axis=1)
    kind = charts.middle(list(outcome["type"].unique()))
    if kind is None:
        return
    st.header("How forecasts turned out")
    ours = outcome[outcome["type"] == kind].sort_values("first").reset_index(drop=True)
    ours = ours.merge(_promised(workload), on="run", how="left")
    st.caption(f"WAPE of the forecasts of type {kind}: what they were off by, as a share of the total.")
    st.altair_chart(charts.over_time(ours), width="stretch")
    _numbers(ours, f"{workload.slug}-outcome")
    st.header("How often the actual value was at or below each quantile")
    st.caption("Dashed: how often it should be.")
    st.altair_chart(charts.coverage(outcome), width="stretch")
    _numbers(outcome[["run", "type", "first", "points", "coverage"]], f"{workload.slug}-coverage")
    _of_a_run(workload, ledger, _called(ours, "first"), kind)


def _promises(workload: Workload) -> None:
    """What the backtests of the newest runs promised."""
    if not workload.has("_accuracy"):
        return
    known = rows(questions.promised(workload.slug))
    st.header("What the backtests promised")
    if known.empty:
        st.info(NO_FORECAST)
        return
    headings = {"wql": "average wQL", "wape": "WAPE", "rmse": "RMSE", "mase": "MASE"}
    overall = known[known["type"] == "average"].rename(columns=headings)
    shown = overall.drop(columns="type").dropna(axis=1, how="all")
    _numbers(shown, f"{workload.slug}-promises", is_open=True)


def _promised(workload: Workload) -> pd.DataFrame:
    """A row per run: run, promised (WAPE)."""
    if not workload.has("_accuracy"):
        return pd.DataFrame({"run": [], "promised": []}, dtype=object)
    known = rows(questions.promised(workload.slug))
    known = known[known["type"] == "average"]
    return known[["run", "wape"]].rename(columns={"wape": "promised"})


def _of_a_run(workload: Workload, ledger: Ledger, named: dict[str, str], kind: str) -> None:
    """The steps of one run's horizon, and the items that it forecast worst."""
    st.header("One forecast in detail")
    run = st.selectbox(
        "Forecast by its beginning, the latest first", list(named)[::-1], format_func=named.__getitem__
    )
    steps = rows(ledger.by_step(run, kind, columns(f"{workload.slug}_outcome_by_step")))
    steps = steps.set_axis(["run", "type", "step", *steps.columns[3:]], axis=1)
    st.subheader("By step of the horizon")
    st.altair_chart(charts.by_step(steps), width="stretch")
    _numbers(steps, f"{workload.slug}-{run}-steps")
    worst = rows(ledger.worst(run, kind, columns(f"{workload.slug}_outcome_by_item")))
    is_cut = len(worst) == MOST_WORST
    st.subheader(f"The {MOST_WORST} items that were furthest off" if is_cut else "The items, the worst first")
    _numbers(worst.iloc[:, 2:], f"{workload.slug}-{run}-worst", is_open=True)


# -- how runs ended


def runs() -> None:
    """Every end of a run, the latest first, with gate, decision, drift and reason."""
    workload = _workload()
    _title("Runs", workload)
    _drift(workload)
    known = rows(questions.runs(workload.slug))
    if known.empty:
        st.info("No run has ended yet.")
        return
    states = st.multiselect("State", sorted(known["state"].unique()), placeholder="all")
    shown = known[known["state"].isin(states)] if states else known
    shown = shown.assign(page=shown["flow_run"].map(_page_of))
    order = ["finished", "state", "run", "page", "step", "reason", "gate", "decision", "recalibration"]
    order += ["drift", "items", "rows", "first", "last"]
    listed = shown[[name for name in order if name in shown]].dropna(axis=1, how="all")
    _numbers(listed, f"{workload.slug}-runs", is_open=True)
    st.header("One run in detail")
    ends = [f"{_moment(row['finished'])}  {row['state']}  {row['run'] or ''}" for _, row in shown.iterrows()]
    place = st.selectbox("Run, the latest first", range(len(ends)), format_func=ends.__getitem__)
    _details(shown.iloc[place])


def _details(run: "pd.Series[Any]") -> None:
    """All that is known of how a run ended, in full."""
    words = ("step", "reason", "gate", "decision", "recalibration", "drift")
    told = {what: run[what] for what in words if isinstance(run.get(what), str)}
    for what, value in told.items():
        st.markdown(f"**{what.capitalize()}**")
        st.text(value)
    if run["page"]:
        st.link_button("The run in Prefect", run["page"])


def _page_of(flow_run: object) -> str | None:
    """The page of a flow run in Prefect, where it is known where that is."""
    api = os.environ.get("PREFECT_UI_URL") or os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    return f"{api}/runs/flow-run/{flow_run}" if api and flow_run else None


# -- tables


def _numbers(frame: pd.DataFrame, file: str, is_open: bool = False) -> None:
    """A table, folded away beside a chart, and the same as a file."""
    place = st.container() if is_open else st.expander("The numbers")
    place.dataframe(
        frame, hide_index=True, width="stretch", column_config=_columns(frame), placeholder=NOTHING
    )
    place.download_button(
        "Download as CSV",
        frame.to_csv(index=False).encode(),
        f"{file}.csv",
        "text/csv",
        key=f"download {file}",
    )


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    """How columns are shown; the file has them as they are."""
    config = st.column_config
    shown: dict[str, Any] = {}
    for name in frame.columns:
        if name in SHARES:
            shown[name] = config.NumberColumn(SHARES[name], format="percent")
        elif name == "page":
            shown[name] = config.LinkColumn("page", display_text="Prefect")
        elif pd.api.types.is_datetime64_any_dtype(frame[name]):
            label = f"{name} (UTC)" if name in ("finished", "published") else name
            shown[name] = config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm")
        elif name in WIDTHS:
            shown[name] = config.TextColumn(width=WIDTHS[name])
    return shown
