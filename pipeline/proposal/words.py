"""Words that agree with a number."""


def rows(count: int) -> str:
    """So many rows, in words."""
    return f"{count} {by_number(count, 'row', 'rows')}"


def by_number(count: int, one: str, several: str) -> str:
    """The word for so many."""
    return one if count == 1 else several
