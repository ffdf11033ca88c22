"""The panel: every series of a dataset group on one regular time axis, ready to be modelled.

    rows of files ──▶ bucket of time ──▶ aggregate per item × dimensions × bucket ──▶ fill ──▶ Panel

Everything works on whole columns; nothing loops over series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from forecastd.errors import JobFailed
from forecastd.series import filling as filling_rules
from forecastd.series.frequency import LATEST, Boundary, Frequency

AGGREGATIONS = ("sum", "avg", "first", "min", "max")
LARGEST_PANEL = 200_000_000  # cells; 1.6 GB of float64, and a few times that while models work on it
_LARGEST_NUMBER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Panel:
    """N series over T steps of history, with what is known about them over H further steps."""

    keys: pd.DataFrame  # [N] item key, then forecast dimensions; str
    times: pd.DatetimeIndex  # [T] starts of buckets, global start to global end
    values: np.ndarray  # [N, T] float64; NaN = missing, or before the item's first row
    observed: np.ndarray  # [N, T] bool: a row was really there
    frequency: Frequency
    features: dict[str, np.ndarray] = field(default_factory=dict)  # related, each [N, T+H]; NaN = unknown
    static: pd.DataFrame | None = None  # [N] metadata; str
    holiday_country: str | None = None

    @property
    def size(self) -> int:
        """N, the number of series."""
        return len(self.keys)

    @property
    def length(self) -> int:
        """T, the number of steps of history."""
        return len(self.times)

    def future_times(self, steps: int) -> pd.DatetimeIndex:
        """The starts of the ``steps`` buckets after the history."""
        return self.frequency.after(self.times[-1], steps)

    def only(self, rows: np.ndarray) -> Panel:
        """The panel of some series: a bool mask [N] or their positions."""
        keep = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        return replace(
            self,
            keys=self.keys.iloc[keep].reset_index(drop=True),
            values=self.values[keep],
            observed=self.observed[keep],
            features={name: feature[keep] for name, feature in self.features.items()},
            static=None if self.static is None else self.static.iloc[keep].reset_index(drop=True),
        )


@dataclass(frozen=True)
class _Axis:
    """The common time axis: buckets counted from the first one with data."""

    frequency: Frequency
    boundary: Boundary
    first_unit: int
    steps: int

    def positions(self, times: pd.DatetimeIndex) -> np.ndarray:
        """The step that each time falls into, int [len(times)]; below 0 before the axis."""
        units = self.frequency.unit_numbers(times, self.boundary)
        return np.floor_divide(units - self.first_unit, self.frequency.count)

    def times(self) -> pd.DatetimeIndex:
        """The start of every step."""
        units = self.first_unit + np.arange(self.steps, dtype=np.int64) * self.frequency.count
        return self.frequency.unit_starts(units, self.boundary)


def build_panel(
    target: pd.DataFrame,
    *,
    item_key: str,
    target_name: str,
    timestamp: str = "timestamp",
    dimensions: list[str],
    frequency: Frequency,
    aggregation: str = "sum",
    filling: Mapping[str, str] = filling_rules.TARGET_DEFAULTS,
    boundary: Mapping[str, object] | None = None,
    related: pd.DataFrame | None = None,
    related_filling: Mapping[str, Mapping[str, str]] | None = None,
    metadata: pd.DataFrame | None = None,
    horizon_steps: int,
    holiday_country: str | None = None,
    most_cells: int = LARGEST_PANEL,
) -> Panel:
    """The panel of a dataset group, aligned, aggregated and filled as Amazon Forecast does.

    Args:
        target: Rows of item key, dimensions, time and target; further columns are aggregated over.
        item_key: Name of the item column, in all three frames.
        target_name: Name of the column to forecast.
        timestamp: Name of the time column.
        dimensions: Forecast dimensions: columns of ``target`` that make separate series.
        frequency: Forecast frequency.
        aggregation: How rows that share a series and a bucket are combined: one of ``AGGREGATIONS``.
        filling: ``middlefill`` and ``backfill`` of the target; missing ones are zero, as in Amazon's service.
        boundary: ``TimeAlignmentBoundary``, such as ``{"DayOfWeek": "SUNDAY"}``.
        related: Rows of item key, time, dimensions and numeric features.
        related_filling: Per feature, its ``middlefill``, ``backfill``, ``futurefill``.
        metadata: One row per item; items that only appear here are cold starts.
        horizon_steps: H, how far the related features are kept beyond the history.
        holiday_country: Country code whose holidays the models may use.
        most_cells: Series times steps that memory suffices for.

    Raises:
        JobFailed: The data cannot be modelled as asked; the sentence says why and what to do.
    """
    if target.empty:
        raise JobFailed("The target time series has no rows: import data before training.")
    bounds = _boundary(boundary, frequency)
    stamps = _stamps(target, timestamp)
    axis = _axis(stamps, frequency, bounds)
    _check_end(axis, horizon_steps)
    series, keys = _number_series(target, [item_key, *dimensions])
    _check_size(len(keys), axis.steps, frequency, min(most_cells, LARGEST_PANEL))
    values, observed = _aggregate(series, axis, stamps, target[target_name], len(keys), aggregation)
    filling_rules.fill_series(values, {**filling_rules.TARGET_DEFAULTS, **filling}, axis.steps)
    keys, values, observed = _with_cold_starts(keys, values, observed, metadata, item_key, dimensions)
    features = _features(
        related, keys, axis, observed, item_key, timestamp, horizon_steps, related_filling or {}
    )
    return Panel(
        keys=keys,
        times=axis.times(),
        values=values,
        observed=observed,
        frequency=frequency,
        features=features,
        static=_static(metadata, keys, item_key),
        holiday_country=holiday_country,
    )


def _boundary(boundary: Mapping[str, object] | None, frequency: Frequency) -> Boundary:
    try:
        return Boundary.parse(boundary, frequency.unit)
    except ValueError as error:
        raise JobFailed(str(error)) from None


def _stamps(rows: pd.DataFrame, timestamp: str) -> pd.DatetimeIndex:
    stamps = pd.DatetimeIndex(pd.to_datetime(rows[timestamp]))
    empty = int(np.isnat(stamps.to_numpy()).sum())
    if empty:
        raise JobFailed(f"Column {timestamp} has {empty} empty times: give every row a time.")
    return stamps


def _axis(stamps: pd.DatetimeIndex, frequency: Frequency, boundary: Boundary) -> _Axis:
    units = frequency.unit_numbers(stamps, boundary)
    first, last = int(units.min()), int(units.max())
    return _Axis(frequency, boundary, first, (last - first) // frequency.count + 1)


def _check_end(axis: _Axis, horizon_steps: int) -> None:
    last = axis.times()[-1]
    end = last.as_unit("s") + axis.frequency.offset * horizon_steps  # which nanoseconds might not hold
    if end.year > LATEST.year:
        raise JobFailed(
            f"The target time series ends with the step {last}, from where {horizon_steps} steps of "
            f"{axis.frequency} reach to the year {end.year}; the last possible one is {LATEST.year}: correct "
            "the times, or shorten the ForecastHorizon."
        )


def _check_size(size: int, length: int, frequency: Frequency, most: int) -> None:
    if size * length > most:
        raise JobFailed(
            f"{size} series over {length} steps of {frequency} are {size * length:,} cells; the limit is "
            f"{most:,}: forecast at a coarser frequency, import a shorter history, or give the server more "
            "memory."
        )


def _text(column: pd.Series) -> pd.Series:
    return column.astype("string").fillna("").astype(object)


def _number_series(rows: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """The series that each row belongs to, int [rows], and the key of each series, sorted."""
    combined, width = np.zeros(len(rows), np.int64), 1  # the numbers so far, all below the width
    for name in names:
        codes, levels = pd.factorize(rows[name], sort=False)
        if width > _LARGEST_NUMBER // (len(levels) + 1):  # numbers that overflow would meet
            combined, known = pd.factorize(combined)
            width = len(known)
        combined = combined * (len(levels) + 1) + codes + 1
        width *= len(levels) + 1
    series, unique = pd.factorize(combined)
    first_row = np.zeros(len(unique), np.int64)
    first_row[series[::-1]] = np.arange(len(series) - 1, -1, -1)  # the earliest is written last and stays
    keys = rows[names].iloc[first_row].apply(_text).reset_index(drop=True)
    order = keys.sort_values(names, kind="stable").index.to_numpy()
    rank = np.empty(len(unique), np.int64)
    rank[order] = np.arange(len(unique))
    return rank[series], keys.iloc[order].reset_index(drop=True)


def _aggregate(
    series: np.ndarray, axis: _Axis, stamps: pd.DatetimeIndex, column: pd.Series, size: int, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Values [N, T] of all rows, NaN where there is none, and where a row was."""
    if method not in AGGREGATIONS:
        raise JobFailed(f"Aggregation {method!r} is unknown: give one of {', '.join(AGGREGATIONS)}.")
    cells = series * axis.steps + axis.positions(stamps)
    amounts = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    known = np.isfinite(amounts)
    observed = np.bincount(cells, minlength=size * axis.steps) > 0
    values = _combine(cells[known], amounts[known], stamps[known], size * axis.steps, method)
    return values.reshape(size, axis.steps), observed.reshape(size, axis.steps)


def _combine(
    cells: np.ndarray, amounts: np.ndarray, stamps: pd.DatetimeIndex, size: int, method: str
) -> np.ndarray:
    counts = np.bincount(cells, minlength=size)
    values = np.full(size, np.nan)
    filled = counts > 0
    if method in ("sum", "avg"):
        totals = np.bincount(cells, weights=amounts, minlength=size)
        values[filled] = totals[filled] / (counts[filled] if method == "avg" else 1)
    elif method == "first":
        order = np.lexsort((np.arange(len(cells)), stamps.to_numpy()))[::-1]
        values[cells[order]] = amounts[order]  # the earliest row is written last and stays
    else:
        values[filled] = np.inf if method == "min" else -np.inf
        (np.minimum if method == "min" else np.maximum).at(values, cells, amounts)
    return values


def _with_cold_starts(
    keys: pd.DataFrame,
    values: np.ndarray,
    observed: np.ndarray,
    metadata: pd.DataFrame | None,
    item_key: str,
    dimensions: list[str],
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Append items that only the metadata knows, one series per combination of dimensions."""
    if metadata is None or metadata.empty:
        return keys, values, observed
    items = pd.Index(_text(metadata[item_key]).unique())
    new = pd.DataFrame({item_key: sorted(items.difference(pd.Index(keys[item_key])))}, dtype=object)
    if new.empty:
        return keys, values, observed
    if dimensions:
        new = new.merge(keys[dimensions].drop_duplicates(), how="cross")
    both = pd.concat([keys, new[list(keys.columns)]], ignore_index=True)
    order = both.sort_values(list(keys.columns), kind="stable").index.to_numpy()
    blank = np.full((len(new), values.shape[1]), np.nan)
    values = np.concatenate([values, blank])[order]
    observed = np.concatenate([observed, np.zeros(blank.shape, bool)])[order]
    return both.iloc[order].reset_index(drop=True), values, observed


def _static(metadata: pd.DataFrame | None, keys: pd.DataFrame, item_key: str) -> pd.DataFrame | None:
    if metadata is None or metadata.empty:
        return None
    columns = [name for name in metadata.columns if name != item_key]
    last = metadata.assign(**{item_key: _text(metadata[item_key])}).drop_duplicates(item_key, keep="last")
    joined = keys[[item_key]].merge(last, how="left", on=item_key)
    return joined[columns].apply(_text)


def _features(
    related: pd.DataFrame | None,
    keys: pd.DataFrame,
    axis: _Axis,
    observed: np.ndarray,
    item_key: str,
    timestamp: str,
    horizon_steps: int,
    rules: Mapping[str, Mapping[str, str]],
) -> dict[str, np.ndarray]:
    """Each related feature as [N, T+H]."""
    if related is None or related.empty:
        return {}
    names = [name for name in related.columns if name not in (timestamp, *keys.columns)]
    _check_numeric(related, names)
    key_names = [name for name in keys.columns if name in related.columns]
    row_of, owner = _owners(related, keys, key_names)
    steps = axis.positions(_stamps(related, timestamp))
    length = axis.steps + horizon_steps
    inside = (row_of >= 0) & (steps >= 0) & (steps < length)
    _check_starts(row_of, steps, owner, observed, keys, item_key)
    features = {}
    for name in names:
        amounts = pd.to_numeric(related[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        keep = inside & np.isfinite(amounts)
        table = _place(row_of[keep], steps[keep], amounts[keep], int(owner.max(initial=-1)) + 1, length)
        feature = np.full((len(keys), length), np.nan)
        feature[owner >= 0] = table[owner[owner >= 0]]
        filling_rules.fill_series(feature, rules.get(name, {}), axis.steps)
        _check_reach(feature, name, axis.steps, owner, keys, item_key)
        features[name] = feature
    return features


def _check_numeric(related: pd.DataFrame, names: list[str]) -> None:
    texts = [name for name in names if not _is_numeric(related[name])]
    if texts:
        raise JobFailed(
            f"The attribute(s) [{', '.join(texts)}] present in the RELATED_TIME_SERIES schema should be of "
            "numeric type such as `integer` or `float`, or be added as a forecast dimension"
        )


def _is_numeric(column: pd.Series) -> bool:
    return bool(pd.to_numeric(column, errors="coerce").notna().sum() == column.notna().sum())


def _owners(related: pd.DataFrame, keys: pd.DataFrame, key_names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The block of each related row (-1: no series has its key) and of each series (-1: it has no rows)."""
    blocks = keys[key_names].drop_duplicates().reset_index(drop=True)
    index = pd.MultiIndex.from_frame(blocks)
    row_of = index.get_indexer(pd.MultiIndex.from_frame(related[key_names].apply(_text)))
    owner = index.get_indexer(pd.MultiIndex.from_frame(keys[key_names]))
    present = np.zeros(len(blocks), bool)
    present[row_of[row_of >= 0]] = True
    return row_of, np.where(present[owner], owner, -1)


def _place(rows: np.ndarray, steps: np.ndarray, amounts: np.ndarray, size: int, length: int) -> np.ndarray:
    """[size, length]; of several rows of one step the last one counts."""
    table = np.full(size * length, np.nan)
    table[rows * length + steps] = amounts
    return table.reshape(size, length)


def _check_starts(
    row_of: np.ndarray,
    steps: np.ndarray,
    owner: np.ndarray,
    observed: np.ndarray,
    keys: pd.DataFrame,
    item_key: str,
) -> None:
    """Every series that has related rows must have them from its own start on."""
    earliest = np.full(int(owner.max(initial=-1)) + 2, np.iinfo(np.int64).max)
    np.minimum.at(
        earliest, np.where(row_of >= 0, np.minimum(row_of, len(earliest) - 1), len(earliest) - 1), steps
    )
    first, _ = filling_rules.spans(observed)
    late = (owner >= 0) & observed.any(axis=1) & (earliest[np.maximum(owner, 0)] > first)
    if late.any():
        raise JobFailed(
            "There are item/dimension combinations' where the related time series start date is later than "
            f"target time series. {_examples(late, keys, item_key)}"
        )


def _check_reach(
    feature: np.ndarray, name: str, length: int, owner: np.ndarray, keys: pd.DataFrame, item_key: str
) -> None:
    """A feature known anywhere in the horizon must be known in all of it for every series that has it.

    In the history, models bridge its gaps.
    """
    ahead = feature[:, length:]
    if not np.isfinite(ahead).any():
        return
    short = (owner >= 0) & np.isnan(ahead).any(axis=1)
    if short.any():
        raise JobFailed(
            f"The related time series {name} reaches into the forecast horizon but lacks steps of it: add "
            "rows for all of the horizon, configure middlefill and futurefill, or end it with the target. "
            f"{_examples(short, keys, item_key)}"
        )


def _examples(rows: np.ndarray, keys: pd.DataFrame, item_key: str) -> str:
    names = keys[item_key][rows].unique()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Items: {', '.join(names[:3])}{more}."
