"""The gate before a forecast is published: whether it is whole, and whether it can be meant.

    always      rows · keys · times · finite values · quantile order
    coverage    the items of the history are there; the first time follows the history's last
    by item     level, depth below zero, width, flatness, against the item's last year; a few may be odd
    together    the total, against the history; the change, against the last forecast

The file is read as it will be published, in a stream. Limits are in `Gate` of params.json; what must always
hold has none.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline import ledger, publish
from pipeline.errors import Missing, translated
from pipeline.forecastfile import Key, Layout, NotWhole, blocks, named
from pipeline.params import Params
from pipeline.plausibility import Evidence, plausible
from pipeline.recent import Recent, steps_ahead
from pipeline.reformat import Reformatted
from pipeline.tally import Common, LastForecast, Tally
from pipeline.verdict import SHOWN_ITEMS, Check, Verdict, count, worst
from pipeline.workload import Workload


def judge(
    run: str,
    source: Any,
    written: Reformatted,
    params: Params,
    history: Recent,
    last: LastForecast | None = None,
) -> Verdict:
    """The verdict on a forecast.

    Args:
        source: the bytes of the file that would be published.
        written: what is said to be in it.
        history: the items' past, counted back from the forecast's first time.
        last: the forecast that readers see, if it can be compared.
    """
    layout = layout_of(params, written)
    common = Common.between(written, params.frequency, last)
    tally = Tally(layout.types, common)
    try:
        for block in blocks(source, layout):
            tally.add(block)
    except NotWhole as error:
        items = (error.item,) if error.item else ()
        return Verdict(run, (Check("rows, keys and times", "failed", error.what, items=items),))
    checks = list(_whole(tally, written, layout))
    if not any(check.is_failed for check in checks):
        before = _levels(last, params, common) if last else {}
        checks += plausible(Evidence(params, tally, history, before, last.run if last else ""))
    return Verdict(run, tuple(checks))


def last_forecast(s3: Any, workload: Workload, params: Params) -> LastForecast | None:
    """The forecast that readers see, opened, if one with these settings can be compared with it."""
    live = publish.current(s3, workload)
    if live is None or live.timestamp_format != params.timestamp_format:
        return None
    if not ledger.is_comparable(s3, workload, params, live):
        return None
    place = {"Bucket": workload.bucket, "Key": workload.key(f"forecast/{live.run}/{publish.FILE}")}
    try:
        with translated(f"reading {live.location}"):
            body = s3.get_object(**place)["Body"]
    except Missing:  # removed by hand: nothing to compare with
        return None
    return LastForecast(live.run, body, live.first, live.horizon, live.types, live.has_header)


def layout_of(params: Params, written: Reformatted) -> Layout:
    """How the file that would be published is laid out."""
    return _layout(params, written.first, params.horizon, tuple(params.type_labels), written.has_header)


def _layout(params: Params, first: Any, horizon: int, types: tuple[str, ...], has_header: bool) -> Layout:
    times = steps_ahead(first, params.frequency, horizon)
    return Layout.of(params, times, types, has_header, params.timestamp_format)


def _levels(last: LastForecast, params: Params, common: Common) -> dict[Key, float]:
    """The items' levels in the last forecast at the common times; empty if it has another form."""
    if common.is_empty:
        return {}
    layout = _layout(params, last.first, last.horizon, last.types, last.has_header)
    levels: dict[Key, float] = {}
    try:
        for block in blocks(last.source, layout):
            levels.update(zip(block.keys, common.of_last(block.values).tolist(), strict=True))
    except NotWhole:  # other columns or dimensions than today's: nothing that can be compared
        return {}
    return levels


def _whole(tally: Tally, written: Reformatted, layout: Layout) -> Iterator[Check]:
    """What always has to hold."""
    yield _rows(tally, written, layout)
    finite = ~tally.of("finite")
    words = f"{count(finite)} have values that are empty or not finite: {worst(tally.keys, finite)}."
    yield _always("finite values", tally, finite, words, "every value is a finite number.")
    crossing = tally.of("crossing")
    words = (
        f"{count(crossing > 0)} have a quantile above the next higher one, by the most: "
        f"{worst(tally.keys, crossing > 0, crossing)}."
    )
    fine = f"{' ≤ '.join(tally.quantiles)} everywhere." if tally.quantiles else "no quantile was asked for."
    yield _always("quantile order", tally, crossing > 0, words, fine)


def _rows(tally: Tally, written: Reformatted, layout: Layout) -> Check:
    rows = len(tally.keys) * layout.rows_of_item
    shape = f"{len(tally.keys)} items × {len(layout.times)} times × {len(layout.types)} types"
    nameless = sum(not key[0] for key in tally.keys)
    if rows != written.rows or not rows:
        words = f"the file has {rows} rows; {written.rows} were written."
    elif nameless:
        words = f"{nameless} items have no key."
    else:
        words = f"{rows} rows: {shape}, each once."
    is_wrong = rows != written.rows or not rows or nameless
    name = "rows, keys and times"
    return Check(name, "failed" if is_wrong else "passed", words, float(rows), float(written.rows))


def _always(name: str, tally: Tally, wrong: np.ndarray, words: str, fine: str) -> Check:
    if not wrong.any():
        return Check(name, "passed", fine, 0.0, 0.0)
    items = tuple(named(tally.keys[n]) for n in np.flatnonzero(wrong)[:SHOWN_ITEMS])
    return Check(name, "failed", words, float(wrong.sum()), 0.0, items=items)
