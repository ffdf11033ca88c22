"""Spread of a forecast from the errors that the same method made in the past."""

from __future__ import annotations

import numpy as np

from forecastd.models.quantiles import GRID

SMALLEST = 1e-9
MOST_SAMPLES = 2000  # past errors per step; more change nothing
NUMBERS_AT_A_TIME = 500_000


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
    errors = errors[:: max(1, len(errors) // MOST_SAMPLES)]
    table = np.empty((horizon, len(GRID)))
    for step in range(horizon):
        near = errors[:, max(0, step - neighbours) : step + neighbours + 1]
        near = near[~np.isnan(near)]
        table[step] = np.quantile(near, GRID) if near.size else 0.0
    return table


FEW = 50  # past errors per step at which half of a series' own shape is trusted


def error_quantiles(errors: np.ndarray) -> np.ndarray:
    """Quantiles [N, H, K] of a forecast's error from the past errors [N, S, H] of the same method.

    Each series has its own width, growing over the horizon as it does over all series; the shape is that
    of all series together, mixed with its own where it has many errors.
    """
    size, samples, horizon = errors.shape
    width = np.maximum(np.abs(errors).mean(axis=(1, 2)), SMALLEST)  # [N]
    scaled = errors / width[:, None, None]
    growth = _smooth_over_steps(np.abs(scaled).mean(axis=(0, 1)))  # [H]
    scaled /= growth
    shape = np.quantile(_thinned(scaled), GRID)
    own = _quantiles_of_rows(scaled.reshape(size, -1)) if samples > 1 else shape[None]
    independent = samples * horizon / max(horizon, 1)
    trust = independent / (independent + FEW) if size > 1 else 1.0
    mixed = trust * own + (1 - trust) * shape[None]
    return width[:, None, None] * growth[None, :, None] * mixed[:, None, :]


def _quantiles_of_rows(values: np.ndarray) -> np.ndarray:
    """The grid's quantiles [N, K] of each row [N, S], a few rows at a time, which needs little memory."""
    step = max(1, NUMBERS_AT_A_TIME // values.shape[1])
    parts = [np.quantile(values[low : low + step], GRID, axis=1).T for low in range(0, len(values), step)]
    return np.concatenate(parts)


def _smooth_over_steps(growth: np.ndarray) -> np.ndarray:
    """Growth [H] over the horizon without its noise: a moving average as wide as a sixth of it."""
    half = max(1, len(growth) // 12)
    padded = np.pad(np.maximum(growth, SMALLEST), half, mode="edge")
    return np.convolve(padded, np.ones(2 * half + 1) / (2 * half + 1), mode="valid")


def _thinned(values: np.ndarray, most: int = 200_000) -> np.ndarray:
    flat = values.ravel()
    return flat[:: max(1, len(flat) // most)]
