"""Statements that analysts type, each with the same computation in pandas."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tests.athena.tables import AWKWARD, Frames

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Statement:
    """A query and the rows that it has to give, in any order unless it sorts."""

    name: str
    sql: str
    expected: Callable[[Frames], Rows]
    is_sorted: bool = False


def rows_of(frame: pd.DataFrame) -> Rows:
    plain = frame.astype(object).where(frame.notna(), None)
    return [tuple(row) for row in plain.itertuples(index=False, name=None)]


def joined(given: Frames) -> pd.DataFrame:
    future = given.history.merge(
        given.forecast, on=["timestamp", "item_id", "type"], suffixes=("_then", "_now")
    )
    return future[future["run"] == "run_a"]


def daily(given: Frames) -> pd.DataFrame:
    return given.train.assign(day=pd.to_datetime(given.train["timestamp"]))


def wide(given: Frames) -> pd.DataFrame:
    return given.forecast.pivot(
        index=["item_id", "timestamp"], columns="type", values="target_value"
    ).reset_index()


def fan(given: Frames) -> pd.DataFrame:
    wide = given.chart.pivot(index=["item_id", "time"], columns="type", values="value").reset_index()
    return wide.sort_values(["item_id", "time"])


STATEMENTS = [
    Statement("all of a table", "SELECT * FROM shop_train", lambda g: rows_of(g.train)),
    Statement("a file without a header", "SELECT * FROM shop_forecast", lambda g: rows_of(g.forecast)),
    Statement("partitions", "SELECT * FROM shop_history", lambda g: rows_of(g.history)),
    Statement(
        "one partition",
        "SELECT item_id, type, target_value FROM shop_history WHERE run = 'run_a' AND timestamp >= "
        "'2026-02-12'",
        lambda g: rows_of(
            g.history.query("run == 'run_a' and timestamp >= '2026-02-12'")[
                ["item_id", "type", "target_value"]
            ]
        ),
    ),
    Statement("a count", "SELECT count(*) FROM shop_train", lambda g: [(len(g.train),)]),
    Statement("nothing there", "SELECT count(*), sum(units) FROM shop_empty", lambda g: [(0, None)]),
    Statement("no rows", "SELECT item_id FROM shop_empty", lambda g: []),
    Statement(
        "items in order",
        "SELECT DISTINCT item_id FROM shop_train ORDER BY item_id",
        lambda g: [(item,) for item in sorted(AWKWARD)],
        True,
    ),
    Statement(
        "awkward text in a condition",
        "SELECT max(target_value) FROM shop_train WHERE item_id IN ('a \"quoted\" word', 'it''s', "
        "'comma, inside')",
        lambda g: [(g.train[g.train.item_id.isin([AWKWARD[1], AWKWARD[2], AWKWARD[3]])].target_value.max(),)],
    ),
    Statement(
        "a pattern with an escape",
        "SELECT count(*) FROM shop_train WHERE item_id LIKE '%!% off' ESCAPE '!'",
        lambda g: [(40,)],
    ),
    Statement(
        "sums by item",
        "SELECT item_id, sum(target_value) AS total, avg(units) FROM shop_train GROUP BY item_id",
        lambda g: rows_of(
            g.train.groupby("item_id", as_index=False).agg(total=("target_value", "sum"), m=("units", "mean"))
        ),
    ),
    Statement(
        "groups by place and alias",
        "SELECT substr(timestamp, 1, 7) AS month, count(*) AS n FROM shop_train GROUP BY 1 ORDER BY "
        "month DESC",
        lambda g: rows_of(
            g.train.assign(month=g.train.timestamp.str[:7])
            .groupby("month", as_index=False)
            .size()
            .sort_values("month", ascending=False)
        ),
        True,
    ),
    Statement(
        "groups above a limit",
        "SELECT item_id FROM shop_train GROUP BY item_id HAVING sum(units) > 1000",
        lambda g: [(item,) for item, units in g.train.groupby("item_id").units.sum().items() if units > 1000],
    ),
    Statement(
        "whole numbers divide to whole numbers, towards zero",
        "SELECT units, units / 7, units % 7 FROM shop_train",
        lambda g: [(u, int(np.trunc(u / 7)), int(np.fmod(u, 7))) for u in g.train.units],
    ),
    Statement(
        "a share",
        "SELECT item_id, 100 * sum(target_value) / (SELECT sum(target_value) FROM shop_train) "
        "FROM shop_train GROUP BY item_id",
        lambda g: rows_of(
            (100 * g.train.groupby("item_id").target_value.sum() / g.train.target_value.sum()).reset_index()
        ),
    ),
    Statement(
        "fan chart: types side by side",
        "SELECT item_id, timestamp, max(CASE WHEN type = 'p10' THEN target_value END) AS p10, "
        "max(CASE WHEN type = 'p50' THEN target_value END) AS p50, "
        "max(CASE WHEN type = 'p90' THEN target_value END) AS p90 FROM shop_forecast GROUP BY "
        "item_id, timestamp",
        lambda g: rows_of(wide(g)),
    ),
    Statement(
        "history and forecast in one",
        "SELECT timestamp, target_value, 'actual' AS type FROM shop_train WHERE item_id = 'plain' "
        "UNION ALL SELECT timestamp, target_value, type FROM shop_forecast WHERE item_id = 'plain'",
        lambda g: rows_of(
            pd.concat(
                [
                    g.train.query("item_id == 'plain'")[["timestamp", "target_value"]].assign(type="actual"),
                    g.forecast.query("item_id == 'plain'")[["timestamp", "target_value", "type"]],
                ]
            )
        ),
    ),
    Statement(
        "earlier forecasts beside the current one",
        "SELECT h.item_id, h.timestamp, f.target_value - h.target_value AS change FROM shop_history h "
        "JOIN shop_forecast f ON h.item_id = f.item_id AND h.timestamp = f.timestamp AND h.type = f.type "
        "WHERE h.run = 'run_a'",
        lambda g: [
            (row.item_id, row.timestamp, row.target_value_now - row.target_value_then)
            for row in joined(g).itertuples()
        ],
    ),
    Statement(
        "what has no partner",
        "SELECT count(*) FROM shop_train t LEFT JOIN shop_forecast f ON t.timestamp = f.timestamp "
        "AND t.item_id = f.item_id WHERE f.item_id IS NULL",
        lambda g: [(len(g.train),)],
    ),
    Statement(
        "WITH",
        "WITH totals AS (SELECT item_id, sum(target_value) AS total FROM shop_train GROUP BY item_id) "
        "SELECT item_id FROM totals WHERE total > (SELECT avg(total) FROM totals)",
        lambda g: [
            (item,)
            for item, total in g.train.groupby("item_id").target_value.sum().items()
            if total > g.train.groupby("item_id").target_value.sum().mean()
        ],
    ),
    Statement(
        "the worst items",
        "SELECT item_id, sum(target_value) AS total FROM shop_train GROUP BY item_id ORDER BY total "
        "DESC LIMIT 3",
        lambda g: rows_of(
            g.train.groupby("item_id", as_index=False).target_value.sum().nlargest(3, "target_value")
        ),
        True,
    ),
    Statement(
        "the row before",
        "SELECT item_id, timestamp, target_value - lag(target_value) OVER (PARTITION BY item_id "
        "ORDER BY timestamp) "
        "FROM shop_train",
        lambda g: rows_of(
            g.train.assign(change=g.train.groupby("item_id").target_value.diff())[
                ["item_id", "timestamp", "change"]
            ]
        ),
    ),
    Statement(
        "a moving average",
        "SELECT item_id, timestamp, avg(target_value) OVER (PARTITION BY item_id ORDER BY timestamp "
        "ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) FROM shop_train",
        lambda g: rows_of(
            g.train.assign(
                mean=g.train.groupby("item_id").target_value.transform(
                    lambda v: v.rolling(7, min_periods=1).mean()
                )
            )[["item_id", "timestamp", "mean"]]
        ),
    ),
    Statement(
        "the newest row of each item",
        "SELECT item_id, timestamp, target_value FROM (SELECT *, row_number() OVER "
        "(PARTITION BY item_id ORDER BY timestamp DESC) AS place FROM shop_train) WHERE place = 1",
        lambda g: rows_of(
            g.train.query("timestamp == '2026-02-09'")[["item_id", "timestamp", "target_value"]]
        ),
    ),
    Statement(
        "ranks",
        "SELECT item_id, rank() OVER (ORDER BY sum(units) DESC) FROM shop_train GROUP BY item_id",
        lambda g: [
            (item, int(rank))
            for item, rank in g.train.groupby("item_id")
            .units.sum()
            .rank(ascending=False, method="min")
            .items()
        ],
    ),
    Statement(
        "dates from text",
        "SELECT CAST(timestamp AS date), date_add('day', 7, CAST(timestamp AS date)) FROM shop_train",
        lambda g: [
            (day.date(), (day + pd.Timedelta("7D")).date()) for day in pd.to_datetime(g.train.timestamp)
        ],
    ),
    Statement(
        "the length of a time",
        "SELECT max(date_diff('day', CAST(timestamp AS date), date '2026-03-01')), "
        "date_diff('week', date '2026-01-01', date '2026-01-14') FROM shop_train",
        lambda g: [(59, 1)],
    ),
    Statement(
        "weeks begin on Monday",
        "SELECT date_trunc('week', CAST(timestamp AS date)) AS week, sum(target_value) FROM "
        "shop_train GROUP BY 1",
        lambda g: [
            (week.date(), total)
            for week, total in daily(g)
            .assign(week=lambda f: f.day - pd.to_timedelta(f.day.dt.dayofweek, "D"))
            .groupby("week")
            .target_value.sum()
            .items()
        ],
    ),
    Statement(
        "parts of a time",
        "SELECT day, year(day), month(day), extract(day FROM day), day_of_week(day), quarter(day) "
        "FROM shop_sales",
        lambda g: [(d, d.year, d.month, d.day, d.isoweekday(), (d.month + 2) // 3) for d in g.sales.day],
    ),
    Statement(
        "time stamps",
        "SELECT at, date_trunc('hour', at), at + interval '2' hour, hour(at) FROM shop_sales",
        lambda g: [
            (
                t.to_pydatetime(),
                t.floor("h").to_pydatetime(),
                (t + pd.Timedelta("2h")).to_pydatetime(),
                t.hour,
            )
            for t in g.sales["at"]
        ],
    ),
    Statement(
        "time stamps as text",
        "SELECT date_format(at, '%Y-%m-%d %H:%i:%s'), CAST(at AS varchar) FROM shop_sales",
        lambda g: [(f"{t:%Y-%m-%d %H:%M:%S}", f"{t:%Y-%m-%d %H:%M:%S}.000") for t in g.sales["at"]],
    ),
    Statement(
        "text as time stamps",
        "SELECT DISTINCT date_parse(timestamp, '%Y-%m-%d') FROM shop_train WHERE item_id = 'plain'",
        lambda g: [(day.to_pydatetime(),) for day in pd.to_datetime(g.train.timestamp.unique())],
    ),
    Statement(
        "missing cells",
        "SELECT item_id, price, sold, open FROM shop_sales",
        lambda g: rows_of(g.sales[["item_id", "price", "sold", "open"]]),
    ),
    Statement(
        "NULL last, either way",
        "SELECT price FROM shop_sales ORDER BY price DESC",
        lambda g: [*[(p,) for p in sorted(g.sales.price.dropna(), reverse=True)], *[(None,)] * 10],
        True,
    ),
    Statement(
        "counts leave NULL out",
        "SELECT count(*), count(price), count(DISTINCT item_id), count_if(open), sum(sold) FROM shop_sales",
        lambda g: [(40, 30, 7, 20, int(g.sales.sold.sum()))],
    ),
    Statement(
        "spread",
        "SELECT stddev(price), min(price), max(price), var_pop(price) FROM shop_sales",
        lambda g: [
            (g.sales.price.std(), g.sales.price.min(), g.sales.price.max(), g.sales.price.var(ddof=0))
        ],
    ),
    Statement(
        "rounding, half away from zero",
        "SELECT round(2.5e0), round(-2.5e0), CAST(2.5e0 AS bigint), CAST(-0.5e0 AS integer), "
        "round(12.345e0, 1)",
        lambda g: [(3.0, -3.0, 3, -1, 12.3)],
    ),
    Statement(
        "NULL makes text and comparisons NULL",
        "SELECT concat('a', item_id), item_id || 'b', greatest(sold, 1), coalesce(item_id, 'none') "
        "FROM shop_sales",
        lambda g: [
            (
                None if i is None else f"a{i}",
                None if i is None else f"{i}b",
                None if s is pd.NA else max(int(s), 1),
                i or "none",
            )
            for i, s in zip(g.sales.item_id, g.sales.sold, strict=True)
        ],
    ),
    Statement(
        "text functions",
        "SELECT DISTINCT upper(item_id), length(item_id), replace(item_id, ' ', '_'), strpos(item_id, 'a') "
        "FROM shop_train",
        lambda g: [(i.upper(), len(i), i.replace(" ", "_"), i.find("a") + 1) for i in AWKWARD],
    ),
    Statement(
        "conversions that may fail",
        "SELECT try_cast(item_id AS double), try_cast('12' AS bigint), try_cast('1.5' AS bigint), "
        "CAST(12 AS varchar) FROM shop_train WHERE timestamp = '2026-01-01'",
        lambda g: [(None, 12, None, "12")] * 7,
    ),
    Statement(
        "large and small numbers",
        "SELECT 1e10, 1.5e-5, 12345678.9e0, -0.001e0, CAST(2 AS double)",
        lambda g: [(1e10, 1.5e-5, 12345678.9, -0.001, 2.0)],
    ),
    Statement(
        "the item with the largest value",
        "SELECT max_by(item_id, target_value), min_by(timestamp, target_value) FROM shop_forecast",
        lambda g: [
            (
                g.forecast.loc[g.forecast.target_value.idxmax(), "item_id"],
                g.forecast.loc[g.forecast.target_value.idxmin(), "timestamp"],
            )
        ],
    ),
    Statement(
        "a median",
        "SELECT approx_percentile(target_value, 0.5) FROM shop_train WHERE item_id = 'plain' AND units > -78",
        lambda g: [(g.train.query("item_id == 'plain' and units > -78").target_value.median(),)],
    ),
    Statement(
        "weighted error of a forecast",
        "SELECT f.type, sum(abs(a.target_value - f.target_value)) / sum(abs(a.target_value)) AS wape "
        "FROM shop_forecast f JOIN shop_history a ON a.item_id = f.item_id AND a.timestamp = f.timestamp "
        "AND a.type = f.type WHERE a.run = 'run_a' GROUP BY f.type",
        lambda g: rows_of(
            joined(g)
            .groupby("type")
            .apply(
                lambda f: (
                    (f.target_value_then - f.target_value_now).abs().sum() / f.target_value_then.abs().sum()
                ),
                include_groups=False,
            )
            .reset_index()
        ),
    ),
    Statement(
        "a table made of values",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (n, s)",
        lambda g: [(1, "a"), (2, "b")],
    ),
    Statement(
        "part of an order",
        "SELECT item_id, timestamp FROM shop_train ORDER BY timestamp DESC, item_id OFFSET 3 LIMIT 4",
        lambda g: rows_of(
            g.train.sort_values(["timestamp", "item_id"], ascending=[False, True])[["item_id", "timestamp"]][
                3:7
            ]
        ),
        True,
    ),
    Statement(
        "sets of rows",
        "SELECT item_id FROM shop_train EXCEPT SELECT item_id FROM shop_train WHERE units < 0",
        lambda g: [(item,) for item in AWKWARD[2:]],
    ),
    Statement(
        "there is one",
        "SELECT DISTINCT t.item_id FROM shop_train t WHERE EXISTS "
        "(SELECT 1 FROM shop_forecast f WHERE f.item_id = t.item_id AND f.target_value > 30)",
        lambda g: [(item,) for item in g.forecast[g.forecast.target_value > 30].item_id.unique()],
    ),
    Statement(
        "names are found in any case",
        'SELECT Item_ID AS "Item", COUNT(*) AS N FROM "forecast"."SHOP_TRAIN" GROUP BY ITEM_ID',
        lambda g: [(item, 40) for item in AWKWARD],
    ),
    Statement(
        "the chart of an item",
        'SELECT "time", type, value FROM shop_chart WHERE item_id = \'comma, inside\' ORDER BY "time", type',
        lambda g: rows_of(g.chart[g.chart.item_id == AWKWARD[1]][["time", "type", "value"]]),
        True,
    ),
    Statement(
        "the fan of an item",
        "SELECT * FROM shop_fan WHERE item_id = 'it''s' ORDER BY \"time\"",
        lambda g: rows_of(fan(g).query('item_id == "it\'s"')),
        True,
    ),
    Statement(
        "items whose name has a word",
        "SELECT item_id, observations, \"last\" FROM shop_items WHERE lower(item_id) LIKE '%i%' "
        "ORDER BY item_id",
        lambda g: rows_of(
            g.items[g.items.item_id.str.lower().str.contains("i")].sort_values("item_id")[
                ["item_id", "observations", "last"]
            ]
        ),
        True,
    ),
    Statement(
        "items whose name has a sign",
        "SELECT count(*) FROM shop_items WHERE strpos(item_id, '%') > 0",
        lambda g: [(int(g.items.item_id.str.contains("%", regex=False).sum()),)],
    ),
    Statement(
        "items that are about to change most",
        "SELECT item_id, forecast_mean - recent_mean AS change, method FROM shop_items "
        "ORDER BY abs(forecast_mean - recent_mean) DESC, item_id LIMIT 3",
        lambda g: rows_of(
            g.items.assign(change=g.items.forecast_mean - g.items.recent_mean, size=lambda f: f.change.abs())
            .sort_values(["size", "item_id"], ascending=[False, True])
            .head(3)[["item_id", "change", "method"]]
        ),
        True,
    ),
    Statement(
        "how runs ended",
        "SELECT finished, run, state, step, reason, items FROM shop_runs ORDER BY finished DESC",
        lambda g: rows_of(
            g.runs.sort_values("finished", ascending=False)[
                ["finished", "run", "state", "step", "reason", "items"]
            ]
        ),
        True,
    ),
    Statement(
        "the run that readers see",
        "SELECT run FROM shop_runs WHERE state IN ('published', 'rolled back') "
        "ORDER BY finished DESC LIMIT 1",
        lambda g: [("run_a",)],
    ),
    Statement(
        "ends by state",
        "SELECT state, count(*) AS runs, max(finished) FROM shop_runs GROUP BY state",
        lambda g: rows_of(g.runs.groupby("state").finished.agg(["size", "max"]).reset_index()),
    ),
    Statement(
        "an item's forecast beside its earlier ones",
        'SELECT h.run, c."time", c.value, h.target_value FROM shop_chart c JOIN shop_history h '
        "ON h.item_id = c.item_id AND date_parse(h.timestamp, '%Y-%m-%d') = c.\"time\" AND h.type = c.type "
        "WHERE c.item_id = 'plain' AND c.type = 'p50'",
        lambda g: rows_of(
            g.history.assign(time=pd.to_datetime(g.history.timestamp))
            .merge(g.chart, on=["item_id", "time", "type"])
            .query("item_id == 'plain' and type == 'p50'")[["run", "time", "value", "target_value"]]
        ),
    ),
]
