"""What days do to series, as shares of the usual: measured, taken out of a history, put into a forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecastd.models.history import History

LEAST_LEVEL = 0.25  # of the usual size of a series, as what it is near zero tells little
WITHIN = 0.97  # of the level, that a forecast may be lowered


def usual_size(history: History) -> np.ndarray:
    """The usual size of each series, [N, 1]."""
    return np.abs(history.filled).mean(axis=1, keepdims=True)


def base(level: np.ndarray, size: np.ndarray) -> np.ndarray:
    """What shares of a level are shares of, its shape: never zero. Where the level is not known (NaN) or
    near zero, a part of the usual ``size`` of the series, which has to broadcast.
    """
    least = np.fmax(np.abs(level), LEAST_LEVEL * size)
    return np.where(least > 0, least, 1.0)


def lifted(history: History, forecast: np.ndarray, share: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """A forecast [N, H, K] that stands higher by a share of the usual, both broadcasting to it.

    Series with values below zero are moved, others multiplied, so that those stay what they are.
    """
    lowest = history.filled.min(axis=1)[:, None, None]
    return np.where(lowest < 0, forecast + usual * share, forecast * (1 + share))


def lowered(history: History, by: np.ndarray) -> History:
    """The history with so much less [N, T]; what was not below zero does not fall below it."""
    values = history.values - by
    return replace(history, values=np.where(history.values >= 0, np.maximum(values, 0), values))
