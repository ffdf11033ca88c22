"""The ledger's views give in SQL what the ledger computed."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import ledger, ledgertables, publish
from pipeline.ledger import Score
from pipeline.params import Params, load
from pipeline.reformat import Reformatted
from pipeline.workload import Workload
from tests.athena.queries import ask
from tests.athena.tables import DATABASE
from tests.local.conftest import GatewayProcess

WORKLOAD = Workload("ledger-data", "shop/")
FIRST = dt.datetime(2026, 1, 1)
HORIZON = 4
COLUMNS = [("timestamp", "timestamp"), ("target_value", "float"), ("item_id", "string"), ("step", "string")]


def day(step: int) -> str:
    return f"{FIRST + dt.timedelta(days=step):%Y-%m-%d}"


def actual(item: int, step: int) -> float:
    return 5.0 * item + step % 7 + (step * 13 % 5) / 4


@pytest.fixture(scope="module")
def params() -> Params:
    document = {
        "DatasetGroup": {"DatasetGroupName": "shop", "Domain": "CUSTOM"},
        "Datasets": [
            {
                "DatasetName": "shop_target",
                "Domain": "CUSTOM",
                "DatasetType": "TARGET_TIME_SERIES",
                "DataFrequency": "D",
                "Schema": {
                    "Attributes": [{"AttributeName": n, "AttributeType": kind} for n, kind in COLUMNS]
                },
            }
        ],
        "Predictor": {
            "PredictorName": "shop",
            "ForecastHorizon": HORIZON,
            "ForecastFrequency": "D",
            "ForecastDimensions": ["step"],
        },
        "Forecast": {"ForecastName": "shop", "ForecastTypes": ["0.1", "0.9", "mean"]},
        "TimestampFormat": "yyyy-MM-dd",
    }
    return load(json.dumps(document).encode())


@pytest.fixture(scope="module")
def scores(stand_in: GatewayProcess, params: Params, tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    s3 = stand_in.client("s3")
    s3.create_bucket(Bucket=WORKLOAD.bucket)
    rows = [f"{day(step)},{actual(item, step)},item {item},x" for item in range(3) for step in range(30)]
    s3.put_object(Bucket=WORKLOAD.bucket, Key="shop/train/a.csv", Body="\n".join(rows).encode())
    for run, begin in (("one", 20), ("two", 24), ("three", 29)):
        _archive(s3, run, begin, tmp_path_factory.mktemp(run))
    found = ledger.keep(s3, WORKLOAD, params, ["shop/train/a.csv"])
    glue = stand_in.client("glue")
    assert ledgertables.there(glue, DATABASE, WORKLOAD) == []
    for _ in range(2):  # again changes nothing
        names = ledgertables.register(glue, DATABASE, WORKLOAD, params, [one.run for one in found])
        assert ledgertables.there(glue, DATABASE, WORKLOAD) == names
    assert len(names) == 5
    return found


def _archive(s3: Any, run: str, begin: int, folder: Path) -> None:
    rows = [
        f"{day(begin + n)},{actual(item, begin + n) + spread * (n + 1)},item {item},x,{label}"
        for item in range(3)
        for n in range(HORIZON)
        for label, spread in (("mean", 0.5), ("p10", -1.0), ("p90", 0.75 - item))
    ]
    clean = folder / "forecast.csv"
    clean.write_text("\n".join(rows) + "\n")
    written = Reformatted(
        rows=len(rows),
        items=3,
        horizon=HORIZON,
        types=("mean", "p10", "p90"),
        columns=("timestamp", "target_value", "item_id", "step", "type"),
        has_header=False,
        first=FIRST + dt.timedelta(days=begin),
        last=FIRST + dt.timedelta(days=begin + HORIZON - 1),
        frequency="D",
        timestamp_format="yyyy-MM-dd",
    )
    publish.archive(s3, WORKLOAD, run, clean, written, [])


def test_the_outcome_of_each_forecast(athena: Any, scores: list[Score]) -> None:
    rows = ask(athena, f"SELECT * FROM {WORKLOAD.slug}_outcome").rows
    found = {(run, kind): measures for run, kind, *measures in rows}
    assert {run for run, _ in found} == {"one", "two", "three"}
    for score in scores:
        points, wape, naive, wql, bias, _, first, last = found[score.run, "mean"]
        assert (points, wql) == (score.points, None)
        assert (first, last) == (score.first[:10], day((dt.date.fromisoformat(last) - FIRST.date()).days))
        assert [wape, naive, bias] == pytest.approx([score.wape, score.naive_wape, score.bias])
        for label, loss in score.losses.items():
            assert found[score.run, label][3] == pytest.approx(loss)
            assert found[score.run, label][5] == pytest.approx(score.coverage[label])


def test_the_outcome_by_item_and_by_step(athena: Any, scores: list[Score]) -> None:
    items = ask(
        athena,
        f"SELECT item_id, step, bias FROM {WORKLOAD.slug}_outcome_by_item "
        "WHERE run = 'one' AND type = 'mean' ORDER BY item_id",
    ).rows
    sizes = [sum(actual(item, 20 + n) for n in range(HORIZON)) for item in range(3)]
    assert [(name, order) for name, order, _ in items] == [(f"item {item}", "x") for item in range(3)]
    assert [bias for *_, bias in items] == pytest.approx([0.5 * 10 / size for size in sizes])
    steps = ask(
        athena,
        f"SELECT forecast_step, points, coverage FROM {WORKLOAD.slug}_outcome_by_step "
        "WHERE run = 'one' AND type = 'p90' ORDER BY forecast_step",
    ).rows
    assert steps == [(step, 3, pytest.approx(1 / 3)) for step in range(1, HORIZON + 1)]


def test_forecasts_stand_beside_what_came(athena: Any, scores: list[Score]) -> None:
    rows = ask(
        athena,
        "SELECT item_id, step, timestamp, forecast_step, actual, naive, p10, p90, mean "
        f"FROM {WORKLOAD.slug}_compared "
        "WHERE run = 'two' ORDER BY item_id, forecast_step",
    ).rows
    assert rows == [
        (f"item {item}", "x", day(24 + n), n + 1, own, actual(item, 24 + n - 7), *types)
        for item in range(3)
        for n in range(HORIZON)
        for own in [actual(item, 24 + n)]
        for types in [[own - (n + 1), own + (0.75 - item) * (n + 1), own + 0.5 * (n + 1)]]
    ]
