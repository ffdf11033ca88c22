"""Numbers that travel as texts in the API."""

import math
import re

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def number_of(text: str) -> float:
    """The finite number that ``text`` writes, NaN where it is none.

    Python's own reading is wider: it takes ``1_0`` and digits of any script.
    """
    number = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    return number if math.isfinite(number) else math.nan
