"""Spread of a forecast from the errors that the same method made in the past."""

from __future__ import annotations

import numpy as np

from forecastd.models.quantiles import GRID

SMALLEST = 1e-9


def scales(values: np.ndarray, season: int) -> np.ndarray:
    """A typical step of each series [N]: mean absolute seasonal difference, else lag-1 difference, else
    |level|.
    """
    steps = [season, 1] if values.shape[1] > season else [1]
    scale = np.zeros(len(values))
    for lag in steps:
        if values.shape[1] > lag:
            scale = np.where(scale > 0, scale, _mean_absolute(values[:, lag:] - values[:, :-lag]))
    level = _mean_absolute(values) if values.shape[1] else scale
    return np.maximum(np.where(scale > 0, scale, 0.05 * level), SMALLEST)


def _mean_absolute(differences: np.ndarray) -> np.ndarray:
    known = ~np.isnan(differences)
    total = np.where(known, np.abs(differences), 0.0).sum(axis=1)
    return total / np.maximum(known.sum(axis=1), 1)


def pooled_quantiles(errors: np.ndarray, neighbours: int) -> np.ndarray:
    """Quantiles [H, K] of scaled errors [S, H], each step pooled with ``neighbours`` on both sides; NaN
    ignored.
    """
    horizon = errors.shape[1]
    table = np.empty((horizon, len(GRID)))
    for step in range(horizon):
        near = errors[:, max(0, step - neighbours) : step + neighbours + 1]
        near = near[~np.isnan(near)]
        table[step] = np.quantile(near, GRID) if near.size else 0.0
    return table
