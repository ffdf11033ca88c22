"""The data that a predictor stands on: how long it is."""

from typing import Any

import pytest

from forecastd.domains import TARGET
from forecastd.operations.ground import Ground
from forecastd.series.frequency import Boundary, Frequency
from forecastd.store.records import KEPT_TIMES, Record

COUNTED = {"Min": "2024-01-01T00:00:00Z", "Max": "2030-01-01T00:00:00Z"}
KEPT = {"Min": "2024-01-01T00:00:00Z", "Max": "2024-01-20T00:00:00Z"}


def record(kind: str, facts: dict[str, Any]) -> Record:
    return Record("arn", kind, "name", "ACTIVE", 0.0, 0.0, facts=facts)


@pytest.mark.parametrize(
    ("facts", "length"),
    [({KEPT_TIMES: KEPT}, 20), ({}, 6 * 365 + 2 + 1)],
    ids=["kept rows", "an import of an earlier version"],
)
def test_the_length_is_that_of_the_kept_rows_where_it_is_known(facts: dict[str, Any], length: int) -> None:
    done = record("DatasetImportJob", {"FieldStatistics": {"timestamp": COUNTED}, **facts})
    ground = Ground(record("DatasetGroup", {}), {TARGET: record("Dataset", {})}, {TARGET: done})
    assert ground.length(Frequency.parse("D"), Boundary()) == length
