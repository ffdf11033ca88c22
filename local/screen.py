"""Lines for a person: live on a terminal, plain and sparing elsewhere."""

import os
import shutil
from collections.abc import Sequence
from typing import TextIO

# Without a terminal a status is a line of its own: only when it says something new, or so seldom.
REPEAT_EVERY_S = 30.0
LEAST_APART_S = 5.0


class Screen:
    """Writes to one stream; colour and the live line only where a person looks."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.is_live = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._said = ""
        self._said_at = -REPEAT_EVERY_S

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        print(text, file=self.out, flush=True)

    def title(self, text: str) -> None:
        """A heading, after an empty line."""
        self.say(f"\n\033[1m{text}\033[0m" if self.is_live else f"\n{text}")

    def status(self, text: str, elapsed_s: float) -> None:
        """What is going on now: replaces the status before it on a terminal."""
        if self.is_live:
            width = shutil.get_terminal_size().columns - 1
            print(
                f"\r\033[K\033[2m{f'  … {text}  ({elapsed_s:.0f} s)'[:width]}\033[0m", end="", file=self.out
            )
            self.out.flush()
            return
        wait_s = LEAST_APART_S if text != self._said else REPEAT_EVERY_S
        if elapsed_s >= self._said_at + wait_s:
            print(f"  … {text}  ({elapsed_s:.0f} s)", file=self.out, flush=True)
            self._said, self._said_at = text, elapsed_s

    def clear(self) -> None:
        """Remove the status."""
        if self.is_live:
            print("\r\033[K", end="", file=self.out)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column flush left, figures flush right."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join([cells[0].ljust(widths[0]), *rest])

    return [line(head), line(["-" * width for width in widths]), *[line(row) for row in rows]]
