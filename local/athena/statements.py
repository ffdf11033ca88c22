"""The statements that ask about the catalogue: SHOW … and DESCRIBE …"""

import re
from dataclasses import dataclass

from local.athena.catalogue import Catalogue, Column
from local.athena.errors import Unsupported
from local.athena.values import Answer, OutputColumn

_NAME = r"""[`"]?(?P<{0}>[^\s`".;]+)[`"]?"""
_TABLE = rf"(?:{_NAME.format('database')}\.)?{_NAME.format('table')}"
_PATTERN = r"(?:\s+(?:LIKE\s+)?'(?P<pattern>[^']*)')?"
_FORMS = (
    ("databases", rf"SHOW\s+(?:DATABASES|SCHEMAS){_PATTERN}"),
    ("tables", rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{_NAME.format('database')})?{_PATTERN}"),
    ("views", rf"SHOW\s+VIEWS(?:\s+(?:IN|FROM)\s+{_NAME.format('database')})?{_PATTERN}"),
    ("columns", rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}"),
    ("partitions", rf"SHOW\s+PARTITIONS\s+{_TABLE}"),
    ("describe", rf"(?:DESCRIBE|DESC)\s+{_TABLE}"),
)


@dataclass(frozen=True)
class Show:
    """A question about the catalogue."""

    what: str
    database: str | None
    table: str | None
    pattern: str | None

    @classmethod
    def parse(cls, sql: str) -> "Show | None":
        """The question in a statement; None if it is another kind of statement.

        Raises:
            Unsupported: it begins like one and is none that is known here.
        """
        text = sql.strip().rstrip(";").strip()
        for what, form in _FORMS:
            found = re.fullmatch(form, text, re.IGNORECASE)
            if found:
                named = found.groupdict()
                return cls(what, named.get("database"), named.get("table"), named.get("pattern"))
        if re.match(r"(SHOW|DESC(RIBE)?|MSCK|EXPLAIN|ALTER)\b", text, re.IGNORECASE):
            raise Unsupported(f"the local engine does not do {' '.join(text.split()[:2]).upper()}")
        return None

    def answer(self, catalogue: Catalogue, database: str) -> Answer:
        """The rows, one text each."""
        where = (self.database or database).lower()
        rows = {
            "databases": self._databases,
            "tables": self._tables,
            "views": self._views,
            "columns": self._columns,
            "partitions": self._partitions,
            "describe": self._description,
        }[self.what](catalogue, where)
        name = {"databases": "database_name", "tables": "tab_name", "views": "views", "columns": "field"}
        column = OutputColumn(name.get(self.what, "col_name"), "string")
        return Answer([column], [(row,) for row in rows], is_query=False)

    def _databases(self, catalogue: Catalogue, where: str) -> list[str]:
        return self._matching(catalogue.databases())

    def _tables(self, catalogue: Catalogue, where: str) -> list[str]:
        return self._matching([each["Name"] for each in catalogue.tables(where)])

    def _views(self, catalogue: Catalogue, where: str) -> list[str]:
        views = [each["Name"] for each in catalogue.tables(where) if each.get("TableType") == "VIRTUAL_VIEW"]
        return self._matching(views)

    def _columns(self, catalogue: Catalogue, where: str) -> list[str]:
        return [each.name for each in catalogue.table(where, str(self.table).lower()).all_columns]

    def _partitions(self, catalogue: Catalogue, where: str) -> list[str]:
        table = catalogue.table(where, str(self.table).lower())
        names = [key.name for key in table.partition_keys]
        return ["/".join(map("=".join, zip(names, place.partition, strict=True))) for place in table.places]

    def _description(self, catalogue: Catalogue, where: str) -> list[str]:
        table = catalogue.table(where, str(self.table).lower())
        rows = [_described(each) for each in table.all_columns]
        if not table.partition_keys:
            return rows
        head = ["\t \t ", "# Partition Information\t \t ", _described(Column("# col_name", "data_type"))]
        return [*rows, *head, "\t \t ", *[_described(each) for each in table.partition_keys]]

    def _matching(self, names: list[str]) -> list[str]:
        if not self.pattern:
            return names
        form = re.compile(re.escape(self.pattern).replace(r"\*", ".*").replace("%", ".*").replace(r"\|", "|"))
        return [name for name in names if form.fullmatch(name)]


def _described(column: Column) -> str:
    return f"{column.name:<20}\t{column.type:<20}\t{'':<20}"
