"""Backtest windows: which steps of the history are held back to measure a model.

    |------------ history, T steps ------------|
window 0                            |--- h ----|   newest
window 1                |--- h ----|               (offset = h)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Steps ``start`` to ``end - 1`` of the history; whatever lies before ``start`` is for training."""

    start: int
    end: int


def backtest_windows(length: int, horizon_steps: int, count: int, offset_steps: int) -> list[Window]:
    """Up to ``count`` windows, newest first; window *i* starts ``(i + 1) * offset_steps`` before the end.

    Windows that would leave nothing to train on are left out, so the list may be shorter than ``count``.

    Args:
        length: Steps of the history.
        horizon_steps: Steps in each window.
        count: Windows wanted.
        offset_steps: Distance of two starts, at least ``horizon_steps``.
    """
    starts = [length - (number + 1) * offset_steps for number in range(count)]
    return [Window(start, start + horizon_steps) for start in starts if start >= 1]


def parts(length: int, origins: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The steps of a history from one origin to the next: begin and end of each part, oldest first."""
    ends = [*sorted(set(origins)), length]
    yield from zip([0, *ends], ends, strict=False)
