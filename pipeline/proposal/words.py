"""Words that agree with a number."""


def rows(count: int) -> str:
    """So many rows, in words."""
    return f"{count} {by_number(count, 'row', 'rows')}"


def share(part: float) -> str:
    """A share in percent; the whole is said of the whole only."""
    return f"{part if part == 1 else min(part, 0.99):.0%}"


def by_number(count: int, one: str, several: str) -> str:
    """The word for so many."""
    return one if count == 1 else several
