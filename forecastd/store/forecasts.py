"""A forecast on disk: sorted Parquet in which every series lies within one row group.

    keys.parquet     one row per series, in the order of the values
    methods.parquet  one row per series: keys, and the method that forecast it
    values.parquet   keys + timestamp + one column per forecast type; `horizon` rows per series
    layout.json      names of the key columns, horizon, series per row group

So one series is found through the keys and read with one row group, however many series there are.
"""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TIMESTAMP = "timestamp"
_ROWS_PER_GROUP = 20_000
_OPEN_FORECASTS = 16  # how many stay ready for queries

Key = tuple[str, ...]  # the item, then its dimensions


def write_forecast(
    folder: Path, table: pa.Table, methods: pa.Table, key_columns: Sequence[str], horizon: int
) -> None:
    """Store a forecast.

    Args:
        table: key columns, `timestamp`, then one column per type; sorted by key and time,
            `horizon` rows per series.
        methods: key columns and `method`.
    """
    pq.write_table(methods, folder / "methods.parquet")
    series_per_group = max(1, _ROWS_PER_GROUP // horizon)
    pq.write_table(table, folder / "values.parquet", row_group_size=series_per_group * horizon)
    first_rows = pa.array(range(0, table.num_rows, horizon), pa.int64())
    pq.write_table(table.select(list(key_columns)).take(first_rows), folder / "keys.parquet")
    layout = {"key_columns": list(key_columns), "horizon": horizon, "series_per_group": series_per_group}
    (folder / "layout.json").write_text(json.dumps(layout))


@lru_cache(maxsize=_OPEN_FORECASTS)
def open_forecast(folder: Path) -> "StoredForecast":
    """Open a stored forecast; its folder never changes, so it stays open for the next query."""
    return StoredForecast(folder, **json.loads((folder / "layout.json").read_text()))


@dataclass(frozen=True)
class StoredForecast:
    """A forecast that `write_forecast` stored."""

    folder: Path
    key_columns: list[str]
    horizon: int
    series_per_group: int

    @cached_property
    def types(self) -> list[str]:
        """Give the columns of values, such as p10, p50, mean."""
        names = pq.read_schema(self.folder / "values.parquet").names
        return [name for name in names if name not in (*self.key_columns, TIMESTAMP)]

    @property
    def methods(self) -> pa.Table | None:
        """Give the method that forecast each series; None for a forecast older than this table."""
        path = self.folder / "methods.parquet"
        return pq.read_table(path) if path.exists() else None

    def find(self, key: Key) -> dict[Key, int]:
        """Find the series of a key: the one as written, or else all that differ from it in their case."""
        keys = [key] if key in self._places else self._keys_any_case.get(_any_case(key), [])
        return {each: self._places[each] for each in keys}

    def predictions(
        self, series: int, first: dt.datetime | None, last: dt.datetime | None
    ) -> dict[str, list[dict[str, Any]]]:
        """Give the values of a series by type, between two times (both included)."""
        table = self._series(series)
        times = table.column(TIMESTAMP).to_pylist()
        kept = [
            place
            for place, time in enumerate(times)
            if (first is None or time >= first) and (last is None or time <= last)
        ]
        return {
            name: [{"Timestamp": times[place].isoformat(), "Value": values[place]} for place in kept]
            for name, values in ((name, table.column(name).to_pylist()) for name in self.types)
        }

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """Walk through all values in pieces of a bounded size."""
        for batch in pq.ParquetFile(self.folder / "values.parquet").iter_batches(batch_size=rows):
            yield pa.Table.from_batches([batch])

    def _series(self, series: int) -> pa.Table:
        group, place = divmod(series, self.series_per_group)
        file = pq.ParquetFile(self.folder / "values.parquet")
        table = file.read_row_group(group, columns=[TIMESTAMP, *self.types])
        return table.slice(place * self.horizon, self.horizon)

    @cached_property
    def _places(self) -> dict[Key, int]:
        keys = pq.read_table(self.folder / "keys.parquet")
        columns = [pc.cast(keys.column(name), pa.string()).to_pylist() for name in self.key_columns]
        return {key: place for place, key in enumerate(zip(*columns, strict=True))}

    @cached_property
    def _keys_any_case(self) -> dict[Key, list[Key]]:
        keys: dict[Key, list[Key]] = {}
        for key in self._places:
            keys.setdefault(_any_case(key), []).append(key)
        return keys


def _any_case(key: Key) -> Key:
    return tuple(part.casefold() for part in key)
