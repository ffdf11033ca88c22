"""What there is to show: workloads by their tables, and their rows, which are asked for once in a while."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import questions
from dashboard.athena import Source

# A forecast that has just been published shows after so long.
FRESH_S = 15


@dataclass(frozen=True)
class Workload:
    """A workload by the beginning of its tables' names."""

    slug: str
    tables: frozenset[str]

    def has(self, ending: str) -> bool:
        """Whether it has a table or view with this ending."""
        return self.slug + ending in self.tables


@st.cache_resource(show_spinner=False)
def source() -> Source:
    """The one client of all visitors."""
    return Source.of_environment()


@st.cache_data(ttl=FRESH_S, max_entries=500, show_spinner=False)
def rows(sql: str) -> pd.DataFrame:
    """The answer to a statement.

    Raises:
        dashboard.athena.Unanswered: there is none.
    """
    return source().rows(sql)


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table or view."""
    return tuple(rows(questions.head(table)).columns)


def numbers(table: str) -> list[str]:
    """The columns of a table that are numbers with a fraction."""
    lines = rows(questions.described(table)).astype(str).agg("\t".join, axis=1)
    pairs = [line.split()[:2] for line in lines]
    return [pair[0] for pair in pairs if pair[1:] == ["double"]]


def workloads() -> list[Workload]:
    """Every workload that has run, by name; each has a table of its runs."""
    listed = frozenset(rows(questions.workloads()).iloc[:, 0].astype(str).str.strip())
    slugs = sorted(name.removesuffix(questions.RUNS) for name in listed if name.endswith(questions.RUNS))
    return [Workload(slug, listed) for slug in slugs]
