"""`Checks` in params.json: what the data of a workload may be like."""

import math
from dataclasses import dataclass

from pipeline.policy.section import choice, number, whole


@dataclass(frozen=True)
class Checks:
    """The data contract beside the schema."""

    # Several rows for one series and time. Refused unless somebody decides: added up in silence they
    # would double the demand.
    duplicates: str = choice("refuse", "last", "sum")
    # Several files: together they are the data, or the newest alone is.
    files: str = choice("append", "snapshot")
    # Bad rows that are set aside, as a share of all rows; above it nothing is created.
    most_bad_rows: float = number(0.0, least=0, most=1)
    # Steps between a series' first and last row that have none, as a share.
    most_missing: float | None = number(None, least=0, most=1, off=True)
    # What the target may be at the least and at the most; a row beyond is a bad row.
    least_value: float | None = number(None, least=-math.inf, off=True)
    most_value: float | None = number(None, least=-math.inf, off=True)
    # Typical deviations from the median of its series from which on a value is reported.
    outlier_scale: float | None = number(100.0, least=1, off=True)
    # Keys that differ only in letter case, in blanks or in how a letter is encoded.
    alike_keys: str = choice("warn", "refuse")
    # Letters of a text cell; more is a file with a broken quote rather than a name.
    longest_text: int = whole(1000, least=1)
