"""`Checks` in params.json: what the data of a workload may be like."""

from dataclasses import dataclass

from pipeline.policy.section import choice, number


@dataclass(frozen=True)
class Checks:
    """The data contract beside the schema."""

    # Several rows for one series and time in one file.
    duplicates: str = choice("refuse", "last", "sum")
    # Several files: together they are the data, or the newest alone is.
    files: str = choice("append", "snapshot")
    # Bad rows that are set aside, as a share of all rows; above it nothing is created.
    most_bad_rows: float = number(0.0, least=0, most=1)
