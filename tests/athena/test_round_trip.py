"""What is uploaded and published is what the tables give back: every domain, file layout and time format."""

import csv
import datetime as dt
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import charttable, contract, inputs, publish, recent, reformat, tables, timestamps
from pipeline.domains import DOMAINS
from pipeline.form import InputForm
from pipeline.params import Params, load
from pipeline.timestamps import DIRECTIVES
from pipeline.workload import Workload
from tests.athena.queries import ask
from tests.athena.tables import DATABASE
from tests.local.conftest import GatewayProcess

BUCKET = "round-trip"
FIRST, STEPS, HORIZON = dt.datetime(2024, 2, 27), 40, 3
TYPES = ("mean", "p10", "p90")
AWKWARD = (
    "plain", "comma, inside", 'a "quoted" word', "it's", "naïve ☃ 漢字", "back\\slash", "0042", "=1+1",
    "@SUM(A1)", "NaN", "null", "NULL", "None", "1e5", "50%_off", "-", "true", "N/A", "a;b|c", '"',
)  # fmt: skip
DIMENSIONS = (("north, west", "0"), ("=cmd|' /C'", "007"))
NUMBERS = (0.1 + 0.2, 1e-7, 1e16, 123456789.125, 0.0, 2.5, 1 / 3)


@dataclass(frozen=True)
class Case:
    """One workload: its domain, and how its files look."""

    domain: str
    timestamp_format: str
    layout: str  # header, no header or parquet
    has_gaps: bool = False  # some target cells are empty

    def __str__(self) -> str:
        gaps = ", gaps" if self.has_gaps else ""
        return f"{self.domain}, {self.timestamp_format}, {self.layout}{gaps}"

    @property
    def own(self) -> Any:
        return DOMAINS[self.domain]

    @property
    def columns(self) -> list[str]:
        """In an order that is none of the usual ones."""
        return ["Shelf", self.own.target, "timestamp", "run", self.own.item_key]

    @property
    def keys(self) -> list[str]:
        return [self.own.item_key, "Shelf", "run"]

    @cached_property
    def params(self) -> Params:
        types = {"timestamp": "timestamp", self.own.target: "float"}
        attributes = [
            {"AttributeName": name, "AttributeType": types.get(name, "string")} for name in self.columns
        ]
        return load(
            json.dumps(
                {
                    "DatasetGroup": {"DatasetGroupName": "trip", "Domain": self.domain},
                    "Datasets": [
                        {
                            "DatasetName": "trip_target",
                            "Domain": self.domain,
                            "DatasetType": "TARGET_TIME_SERIES",
                            "DataFrequency": "D",
                            "Schema": {"Attributes": attributes},
                        }
                    ],
                    "Predictor": {
                        "PredictorName": "trip",
                        "ForecastHorizon": HORIZON,
                        "ForecastFrequency": "D",
                        "ForecastDimensions": ["Shelf", "run"],
                    },
                    "Forecast": {"ForecastName": "trip", "ForecastTypes": ["mean", "0.1", "0.9"]},
                    "TimestampFormat": self.timestamp_format,
                }
            ).encode()
        )

    def written(self, moment: dt.datetime) -> str:
        return timestamps.write(moment, self.timestamp_format)

    @cached_property
    def past(self) -> list[tuple[tuple[str, ...], dt.datetime, float | None]]:
        return [
            (
                (item, *dimensions),
                FIRST + dt.timedelta(days=step),
                None if self.has_gaps and (place + step) % 7 == 0 else NUMBERS[(place + step) % len(NUMBERS)],
            )
            for place, (item, dimensions) in enumerate(itertools.product(AWKWARD, DIMENSIONS))
            for step in range(STEPS)
        ]

    @cached_property
    def ahead(self) -> list[tuple[tuple[str, ...], dt.datetime, dict[str, float]]]:
        begin = FIRST + dt.timedelta(days=STEPS)
        return [
            (
                key,
                begin + dt.timedelta(days=step),
                {"mean": value, "p10": value / 3, "p90": value * 7},
            )
            for place, key in enumerate(sorted({key for key, _, _ in self.past}))
            for step in range(HORIZON)
            for value in [NUMBERS[(place * 5 + step) % len(NUMBERS)]]
        ]

    def uploaded(self, rows: list[Any]) -> bytes:
        """A file with these rows of the past."""
        cells = [
            {**dict(zip(self.keys, key, strict=True)), "timestamp": moment, self.own.target: value}
            for key, moment, value in rows
        ]
        frame = pd.DataFrame(cells)[self.columns]
        out = io.BytesIO()
        if self.layout == "parquet":
            frame.add_prefix("my ").to_parquet(out, index=False)  # columns are taken by position
            return out.getvalue()
        frame["timestamp"] = frame["timestamp"].map(self.written)
        header = self.layout == "header"
        return frame.to_csv(index=False, header=header, quoting=csv.QUOTE_MINIMAL).encode()


LAYOUTS = ("header", "no header", "parquet")
# Every format with every layout, and every domain at least once.
CASES = [
    Case(domain, form, layout)
    for domain, (form, layout) in zip(
        itertools.cycle(DOMAINS), itertools.product(DIRECTIVES, LAYOUTS), strict=False
    )
] + [Case("RETAIL", "yyyy-MM-dd", layout, True) for layout in LAYOUTS]


def test_all_domains_make_the_trip() -> None:
    assert {case.domain for case in CASES} == set(DOMAINS)


@dataclass
class Trip:
    """A workload whose forecast was published by the code of a run."""

    case: Case
    workload: Workload
    form: InputForm

    def table(self, name: str) -> str:
        return f"{self.workload.slug}_{name}"


@pytest.fixture(scope="module", params=CASES, ids=str)
def trip(
    request: pytest.FixtureRequest, stand_in: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Trip:
    case, s3, glue = request.param, stand_in.client("s3"), stand_in.client("glue")
    workload = Workload(BUCKET, f"{CASES.index(case)}/")
    s3.create_bucket(Bucket=BUCKET)
    half = len(case.past) // 2
    ending = "parquet" if case.layout == "parquet" else "csv"
    for part, rows in enumerate((case.past[half:], case.past[:half])):
        key = workload.key(f"train/part {part}.{ending}")
        s3.put_object(Bucket=BUCKET, Key=key, Body=case.uploaded(rows))
    found = inputs.take_stock(s3, workload, case.params)
    with contract.examine(s3, workload, case.params, found) as examination:
        form = examination.accepted()
        examination.stage("one")
    clean = tmp_path_factory.mktemp("trip") / "forecast.csv"
    with clean.open("wb") as out:
        written = reformat.reformat(iter(exported(case)), case.params, form, out)
    publish_it(s3, glue, case, workload, form, clean, written)
    return Trip(case, workload, form)


def exported(case: Case) -> Iterator[pd.DataFrame]:
    rows = [
        {**dict(zip(case.keys, key, strict=True)), "date": f"{moment:%Y-%m-%dT%H:%M:%SZ}", **values}
        for key, moment, values in case.ahead
    ]
    shuffled = np.random.default_rng(7).permutation(len(rows))
    yield pd.DataFrame([rows[place] for place in shuffled])


def publish_it(
    s3: Any, glue: Any, case: Case, workload: Workload, form: InputForm, clean: Path, written: Any
) -> None:
    publish.archive(s3, workload, "one", clean, written, [])
    charttable.keep(s3, workload, case.params, "one", recent.staged(s3, workload, "one"))
    manifest = publish.publish(s3, workload, "one")
    tables.register(glue, DATABASE, workload, case.params, form, manifest)
    publish.tidy(s3, workload, manifest)


def test_the_forecast_and_its_history_read_back(trip: Trip, athena: Any) -> None:
    case = trip.case
    listed = ", ".join(f'"{name.lower()}"' for name in (*case.keys, "timestamp", "type"))
    expected = sorted(
        (*key, case.written(moment), kind, values[kind])
        for key, moment, values in case.ahead
        for kind in TYPES
    )
    for name, more in (("forecast", ""), ("history", " WHERE forecast_run = 'one'")):
        sql = f'SELECT {listed}, "{case.own.target}" FROM {trip.table(name)}{more}'
        assert sorted(ask(athena, sql).rows) == expected


def test_the_uploads_read_back(trip: Trip, athena: Any) -> None:
    case = trip.case
    listed = ", ".join(f'"{name.lower()}"' for name in (*case.keys, "timestamp"))
    found = ask(athena, f'SELECT {listed}, "{case.own.target}" FROM {trip.table("train")}')
    is_text = case.has_gaps and case.layout != "parquet"
    assert found.types[-1] == ("varchar" if is_text else "double")
    rows = [(*row[:-1], float(row[-1]) if row[-1] not in (None, "") else None) for row in found.rows]
    times = (lambda moment: moment) if case.layout == "parquet" else case.written
    expected = [(*key, times(moment), value) for key, moment, value in case.past]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_the_chart_has_the_uploads_and_the_forecast(trip: Trip, athena: Any) -> None:
    case = trip.case
    listed = ", ".join(f'"{name.lower()}"' for name in (*case.keys, "time", "type", "value"))
    past = [(*key, moment, "actual", value) for key, moment, value in case.past if value is not None]
    ahead = [(*key, moment, kind, values[kind]) for key, moment, values in case.ahead for kind in TYPES]
    assert sorted(ask(athena, f"SELECT {listed} FROM {trip.table('chart')}").rows) == sorted(past + ahead)
    item = AWKWARD[2].replace("'", "''")
    sql = (
        f'SELECT "time", actual, mean, p90 FROM {trip.table("fan")} '
        f'WHERE "{case.own.item_key}" = \'{item}\' AND "run" = \'007\' ORDER BY "time"'
    )
    wanted = (AWKWARD[2], "007")
    wide: list[tuple[Any, ...]] = [
        (moment, value, None, None)
        for (name, _, number), moment, value in case.past
        if (name, number) == wanted and value is not None
    ]
    wide += [
        (moment, None, values["mean"], values["p90"])
        for (name, _, number), moment, values in case.ahead
        if (name, number) == wanted
    ]
    assert ask(athena, sql).rows == wide


def test_the_list_of_items_has_each_once(trip: Trip, athena: Any) -> None:
    case = trip.case
    listed = ", ".join(f'"{name.lower()}"' for name in case.keys)
    found = ask(athena, f'SELECT {listed}, observations, "first", "last" FROM {trip.table("items")}').rows
    known: dict[Any, list[dt.datetime]] = {}
    for key, moment, value in case.past:
        if value is not None:
            known.setdefault(key, []).append(moment)
    assert sorted(found) == sorted((*key, len(own), min(own), max(own)) for key, own in known.items())
