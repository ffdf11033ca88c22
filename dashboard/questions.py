"""Every statement of the page, inside the part of the dialect that docs/sql.md lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RUNS = "_runs"
MOST_FOUND = 50
MOST_WORST = 20
MOST_RUNS = 200

# What the tables hold beside the names of items and dimensions, which differ from workload to workload. A
# column of ours has another name where a dimension is called like it, so they are known by their place.
OF_CHART = 3  # time, type, value: the last ones
OF_ITEMS = 6  # observations, first, last, recent_mean, forecast_mean, method: the last ones
OF_COMPARED = 4  # timestamp, step, actual, naive: after the run and the keys

Item = tuple[str | None, ...]  # the item and its dimensions


def name(identifier: str) -> str:
    """An identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text."""
    return "'" + value.replace("'", "''") + "'"


def names(identifiers: Sequence[str]) -> str:
    """Identifiers, with commas."""
    return ", ".join(map(name, identifiers))


def workloads() -> str:
    """All tables of the database."""
    return "SHOW TABLES"


def head(table: str) -> str:
    """No row, but the columns of a table or a view."""
    return f"SELECT * FROM {name(table)} LIMIT 0"


def described(table: str) -> str:
    """The columns of a table with their types, without a look at its files."""
    return f"DESCRIBE `{table}`"


def runs(slug: str) -> str:
    """How the runs ended, the latest first."""
    return f"SELECT * FROM {name(slug + RUNS)} ORDER BY finished DESC LIMIT {MOST_RUNS}"


def current(slug: str) -> str:
    """The end of the run whose forecast readers see: the last that published or came back."""
    where = "state IN ('published', 'rolled back')"
    return f"SELECT * FROM {name(slug + RUNS)} WHERE {where} ORDER BY finished DESC LIMIT 1"


@dataclass(frozen=True)
class Items:
    """The list of a workload's items, and the chart of each."""

    slug: str
    keys: tuple[str, ...]
    own: Mapping[str, str]  # what a column of ours is called here

    @classmethod
    def of(cls, slug: str, items: Sequence[str], chart: Sequence[str]) -> "Items":
        """From the columns of the two tables."""
        keys = tuple(items[:-OF_ITEMS])
        usual = ("observations", "first", "last", "recent_mean", "forecast_mean", "method")
        own = dict(zip(usual, items[-OF_ITEMS:], strict=True))
        return cls(slug, keys, own | dict(zip(("time", "type", "value"), chart[-OF_CHART:], strict=True)))

    def found(self, wanted: str) -> str:
        """Items with a text in their name or dimensions, those with the largest forecasts first."""
        label = " || ' ' || ".join(f"coalesce({name(key)}, '')" for key in self.keys)
        where = f" WHERE strpos(lower({label}), {text(wanted.lower())}) > 0" if wanted else ""
        mean = name(self.own["forecast_mean"])
        return (
            f"SELECT * FROM {name(self.slug + '_items')}{where} "
            f"ORDER BY {mean} DESC, {names(self.keys)} LIMIT {MOST_FOUND}"
        )

    def count(self) -> str:
        """How many items there are."""
        return f"SELECT count(*) AS items FROM {name(self.slug + '_items')}"

    def chart(self, item: Item) -> str:
        """The recent past of an item and its forecast: time, type, value."""
        own = self.own
        return (
            f"SELECT {name(own['time'])} AS time, {name(own['type'])} AS type, {name(own['value'])} AS value "
            f"FROM {name(self.slug + '_chart')} WHERE {of_item(self.keys, item)} ORDER BY 1, 2"
        )


@dataclass(frozen=True)
class Ledger:
    """How earlier forecasts turned out."""

    slug: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]  # of `_compared`

    @property
    def run(self) -> str:
        return self.columns[0]

    @property
    def types(self) -> tuple[str, ...]:
        """The forecast types of `_compared`."""
        return self.columns[1 + len(self.keys) + OF_COMPARED :]

    def compared(self, item: Item) -> str:
        """The forecasts of an item beside what came: run, time, actual, naive, a column per type."""
        time, step, actual, naive = self.columns[1 + len(self.keys) :][:OF_COMPARED]
        own = ((self.run, "run"), (time, "time"), (step, "step"), (actual, "actual"), (naive, "naive"))
        shown = ", ".join(f"{name(column)} AS {name(usual)}" for column, usual in own)
        types = f", {names(self.types)}" if self.types else ""
        return (
            f"SELECT {shown}{types} FROM {name(self.slug + '_compared')} "
            f"WHERE {of_item(self.keys, item)} ORDER BY {name(time)}, {name(self.run)}"
        )

    def outcome(self) -> str:
        """Each run and type beside what the backtests of the run had promised."""
        return f"SELECT * FROM {name(self.slug + '_outcome')} ORDER BY 1, 2"

    def by_step(self, run: str, kind: str, columns: Sequence[str]) -> str:
        """The steps of a run's horizon; `columns` are those of `_outcome_by_step`."""
        return (
            f"SELECT * FROM {name(self.slug + '_outcome_by_step')} WHERE {name(columns[0])} = {text(run)} "
            f"AND {name(columns[1])} = {text(kind)} ORDER BY {name(columns[2])}"
        )

    def worst(self, run: str, kind: str, columns: Sequence[str]) -> str:
        """The items that were furthest off, against their own size; `columns` are of `_outcome_by_item`."""
        wape = columns[2 + len(self.keys) + 1]
        return (
            f"SELECT * FROM {name(self.slug + '_outcome_by_item')} WHERE {name(columns[0])} = {text(run)} "
            f"AND {name(columns[1])} = {text(kind)} ORDER BY {name(wape)} DESC, {names(self.keys)} "
            f"LIMIT {MOST_WORST}"
        )


def promised(slug: str) -> str:
    """What the backtests of each run promised: the latest first."""
    return (
        "SELECT run, type, published, algorithm, wql, wape, rmse, mase "
        f"FROM {name(slug + '_accuracy')} ORDER BY published DESC, run, type"
    )


def of_item(keys: Sequence[str], item: Item) -> str:
    """A condition for one item."""
    return " AND ".join(
        f"{name(key)} IS NULL" if value is None else f"{name(key)} = {text(value)}"
        for key, value in zip(keys, item, strict=True)
    )
