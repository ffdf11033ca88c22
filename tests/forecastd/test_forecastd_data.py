"""Data that would not fit into memory is refused with its size, before it is tried."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from forecastd.errors import JobFailed
from forecastd.jobs.data import load_panel
from forecastd.jobs.job import Job
from forecastd.series.panel import Panel
from forecastd.settings import Settings

PLAN: dict[str, Any] = {
    "item_key": "item_id",
    "target": "y",
    "dimensions": [],
    "frequency": "D",
    "aggregation": "sum",
    "filling": {},
    "boundary": None,
    "related_filling": {},
    "horizon": 3,
    "holiday": None,
}


@dataclass
class OneImport:
    """A job that builds on one import."""

    folder: Path
    settings: Settings

    def parent_folder(self, arn: str) -> Path:
        return self.folder


@pytest.fixture
def load(tmp_path: Path) -> Any:
    days = pd.date_range("2024-01-01", periods=500).repeat(20)
    items = [f"i{number}" for number in range(20)] * 500
    frame = pd.DataFrame({"item_id": items, "timestamp": days, "y": 1.0})
    frame.to_parquet(tmp_path / "data.parquet")

    def loaded(memory_gib: float | None) -> Panel:
        job = cast(Job, OneImport(tmp_path, Settings(memory_gib=memory_gib)))
        return load_panel(job, PLAN, {"TARGET_TIME_SERIES": "arn"})

    return loaded


def test_data_that_fits_is_loaded(load: Any) -> None:
    assert (load(None).size, load(1.0).length) == (20, 500)


def test_too_many_rows_are_refused_before_they_are_read(load: Any) -> None:
    with pytest.raises(JobFailed, match=r"10,000 rows need about 0\.5 GiB of memory.*FORECASTD_MEMORY_GIB"):
        load(0.3)


def test_too_large_a_panel_is_refused_before_it_is_built(load: Any) -> None:
    with pytest.raises(JobFailed, match=r"20 series over 500 steps of D are 10,000 cells; the limit is"):
        load(0.5 + 1.3e6 / 2**30)
