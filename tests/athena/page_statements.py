"""The statements of the dashboard, each with the same computation in pandas."""

from typing import Any

import pandas as pd

from dashboard import questions
from dashboard.questions import Items, Ledger
from tests.athena.statements import Rows, Statement, rows_of
from tests.athena.tables import CHART, ITEMS, OWN, Frames

SHOP = Items.of("shop", list(ITEMS), list(CHART))
KINDS = ("p10", "p50", "p90")
COMPARED = ("run", "item_id", "timestamp", "step", "actual", "naive", *KINDS)
MEASURES = ("points", "wape", "naive_wape", "wql", "bias", "coverage", "first", "last")
LEDGER = Ledger(OWN.slug, ("item_id",), COMPARED)
ODD = 'a "quoted" word'


def found(given: Frames, wanted: str) -> Rows:
    items = given.items[given.items["item_id"].str.lower().str.contains(wanted, regex=False)]
    return rows_of(items.sort_values(["forecast_mean", "item_id"], ascending=[False, True]))


def outcome(given: Frames, *by: str) -> pd.DataFrame:
    """How the forecasts of the ledger turned out, by run, type and more."""

    def measured(rows: pd.DataFrame) -> "pd.Series[Any]":
        size, over = rows["actual"].abs().sum(), rows["actual"] - rows["forecast"]
        loss = (rows["quantile"] * over).where(over > 0, (rows["quantile"] - 1) * over)
        naive = rows.dropna(subset=["naive"])
        naive_size = naive["actual"].abs().sum()
        values = (
            len(rows),
            over.abs().sum() / size,
            (naive["actual"] - naive["naive"]).abs().sum() / naive_size if naive_size else None,
            2 * loss.sum() / size,
            -over.sum() / size,
            (over <= 0).mean(),
            rows["timestamp"].min(),
            rows["timestamp"].max(),
        )
        return pd.Series(dict(zip(MEASURES, values, strict=True)), dtype=object)

    groups = ["run", "type", *by]
    parts = [(key, measured(rows)) for key, rows in given.ledger.groupby(groups)]
    made = pd.DataFrame([{**dict(zip(groups, key, strict=True)), **row} for key, row in parts])
    return made.sort_values(groups)


def compared(given: Frames, item: str) -> Rows:
    own = given.ledger[given.ledger["item_id"] == item]
    by = ["run", "timestamp", "step", "actual", "naive"]
    wide = own.assign(naive=own["naive"].fillna(-1.0)).pivot(index=by, columns="type", values="forecast")
    wide = wide.reset_index().sort_values(["timestamp", "run"])
    return rows_of(wide.assign(naive=wide["naive"].where(wide["naive"] >= 0))[[*by, *KINDS]])


PAGE_STATEMENTS = [
    Statement("the columns of a table", questions.head("shop_items"), lambda g: []),
    Statement(
        "the page's runs",
        questions.runs("shop"),
        lambda g: rows_of(g.runs.sort_values("finished", ascending=False)),
        True,
    ),
    Statement(
        "the run whose forecast is current",
        questions.current("shop"),
        lambda g: rows_of(
            g.runs[g.runs["state"].isin(["published", "rolled back"])]
            .sort_values("finished", ascending=False)
            .head(1)
        ),
        True,
    ),
    Statement("the page's items", SHOP.found(""), lambda g: found(g, ""), True),
    Statement("a search on the page", SHOP.found("IT"), lambda g: found(g, "it"), True),
    Statement("a search for a quote", SHOP.found("'s"), lambda g: found(g, "'s"), True),
    Statement("the number of items", SHOP.count(), lambda g: [(len(g.items),)]),
    Statement(
        "the page's chart",
        SHOP.chart((ODD,)),
        lambda g: rows_of(g.chart[g.chart["item_id"] == ODD][["time", "type", "value"]]),
        True,
    ),
    Statement("an item without a name", SHOP.chart((None,)), lambda g: []),
    Statement("the page's look back", LEDGER.compared((ODD,)), lambda g: compared(g, ODD), True),
    Statement("how forecasts turned out", LEDGER.outcome(), lambda g: rows_of(outcome(g)), True),
    Statement(
        "by step",
        LEDGER.by_step("run_b", "p50", ("run", "type", "step", *MEASURES)),
        lambda g: rows_of(outcome(g, "step").query("run == 'run_b' and type == 'p50'")),
        True,
    ),
    Statement(
        "the worst items",
        LEDGER.worst("run_b", "p90", ("run", "type", "item_id", *MEASURES)),
        lambda g: rows_of(
            outcome(g, "item_id")
            .query("run == 'run_b' and type == 'p90'")
            .sort_values(["wape", "item_id"], ascending=[False, True])
        ),
        True,
    ),
    Statement(
        "what backtests promised",
        questions.promised(OWN.slug),
        lambda g: rows_of(
            g.accuracy.sort_values(["published", "run", "type"], ascending=[False, True, True])[
                ["run", "type", "published", "algorithm", "wql", "wape", "rmse", "mase"]
            ]
        ),
        True,
    ),
]
