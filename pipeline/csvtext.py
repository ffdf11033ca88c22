r"""CSV as text with \n at the end of its lines, in which a carriage return within a cell is quoted.

Python's csv writer quotes a cell for the characters of its own line end alone. With \n, a cell
with a carriage return would be left bare, and readers would take its row for two. So rows are written with
\r\n first.
"""

import csv
import io
import re
from collections.abc import Collection, Sequence
from typing import Any

WRITTEN_END = "\r\n"
_QUOTED_OR_END = re.compile(r'("[^"]*")|\r\n')


def written(rows: Collection[Sequence[Any]]) -> str:
    """Rows of cells as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=WRITTEN_END).writerows(rows)
    return with_plain_ends(text.getvalue(), len(rows))


def with_plain_ends(text: str, rows: int) -> str:
    """CSV that was written with `WRITTEN_END`, with plain line ends.

    Args:
        rows: how many the text has; tells quickly that no cell has a carriage return.
    """
    if text.count("\r") == rows:
        return text.replace(WRITTEN_END, "\n")
    return _QUOTED_OR_END.sub(lambda found: found[1] or "\n", text)
