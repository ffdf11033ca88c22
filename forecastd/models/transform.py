"""Additive or multiplicative: the scale on which a model sees the values.

``Log`` is an inverse hyperbolic sine, a logarithm for values well above a fifth of the series' mean and a
straight line around zero. So effects multiply, and zeros and negative values still have a place.
"""

from __future__ import annotations

import numpy as np


class Plain:
    """Values as they are."""

    suffix = ""

    def __init__(self, values: np.ndarray) -> None:
        """Nothing has to be learnt from ``values`` [N, T]."""

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Values [N, ...] on the model's scale."""
        return values

    def backward(self, values: np.ndarray) -> np.ndarray:
        """Values [N, ...] of the model's scale as they were."""
        return values

    def log_slope(self, values: np.ndarray) -> np.ndarray:
        """Log of how much ``forward`` stretches differences at values [N, ...]."""
        return np.zeros(values.shape)


class Log(Plain):
    """Values on a logarithmic scale."""

    suffix = "Log"
    KNEE = 0.2  # of the series' mean: below it the scale is straight

    def __init__(self, values: np.ndarray) -> None:
        known = ~np.isnan(values)
        total = np.where(known, np.abs(values), 0.0).sum(axis=1)
        level = total / np.maximum(known.sum(axis=1), 1)
        self._knee = np.where(level > 0, self.KNEE * level, 1.0)
        top = np.where(known, np.abs(values), 0.0).max(axis=1, initial=0.0)
        self._limit = np.arcsinh(10 * np.maximum(top, 1e-300) / self._knee)

    def _shaped(self, column: np.ndarray, values: np.ndarray) -> np.ndarray:
        return column.reshape(-1, *[1] * (values.ndim - 1))

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Values [N, ...] on the model's scale."""
        return np.arcsinh(values / self._shaped(self._knee, values))

    def backward(self, values: np.ndarray) -> np.ndarray:
        """Values [N, ...] as they were, at most ten times the largest ever seen."""
        limit = self._shaped(self._limit, values)
        return np.sinh(np.clip(values, -limit, limit)) * self._shaped(self._knee, values)

    def log_slope(self, values: np.ndarray) -> np.ndarray:
        """Log of how much ``forward`` stretches differences at values [N, ...]."""
        return -np.log(np.hypot(values, self._shaped(self._knee, values)))
