"""Charts of awkward workloads: what is drawn, and what its legend says."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from dashboard import charts
from dashboard.views import _called, _moments


def rows(kinds: Mapping[str, float], steps: int = 3) -> pd.DataFrame:
    """Ten hours of the past, and a forecast of these types and values."""
    past = [(pd.Timestamp("2026-01-01") + pd.Timedelta(hours=n), "actual", -1.0) for n in range(10)]
    ahead = [
        (pd.Timestamp("2026-01-01 10:00") + pd.Timedelta(hours=n), kind, value)
        for n in range(steps)
        for kind, value in kinds.items()
    ]
    return pd.DataFrame([*past, *ahead], columns=["time", "type", "value"])


def legend(chart: charts.Chart) -> list[str]:
    """What is named in the legend; the same in every layer."""
    layers = chart.to_dict()["layer"]
    (domain,) = {tuple(layer["encoding"]["color"]["scale"]["domain"]) for layer in layers}
    return list(domain)


def marks(chart: charts.Chart) -> list[dict[str, Any]]:
    return [layer["mark"] for layer in chart.to_dict()["layer"]]


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        ({"p10": 1, "p50": 2, "p90": 3}, ["actual value", "forecast (p50)", "p10 to p90"]),
        ({"p5": 1, "p95": 3}, ["actual value", "forecast (p5)", "p5 to p95"]),
        (
            {"p1": 0, "p25": 1, "p50": 2, "p75": 3, "p99": 4},
            ["actual value", "forecast (p50)", "p1 to p99", "p25 to p75"],
        ),
        ({"p50": 2}, ["actual value", "forecast (p50)"]),
        ({"mean": 2}, ["actual value", "forecast (mean)"]),
        ({"p90": 2}, ["actual value", "forecast (p90)"]),
        ({}, ["actual value"]),
    ],
)  # fmt: skip
def test_the_legend_of_a_fan_names_every_line_and_every_range(
    kinds: dict[str, float], names: list[str]
) -> None:
    assert legend(charts.fan(rows(kinds))) == names


def test_the_line_of_the_past_breaks_where_nothing_came() -> None:
    whole = rows({"p50": 2})
    closed = whole[~whole["time"].isin(pd.to_datetime(["2026-01-01 04:00", "2026-01-01 05:00"]))]
    assert charts.gaps(*(whole.loc[whole["type"] == kind, "time"] for kind in ("actual", "p50"))) == []
    chart = charts.fan(closed).to_dict()
    (drawn,) = chart["datasets"].values()
    missing = [row for row in drawn if row["value"] is None]
    assert [(row["time"], row["series"]) for row in missing] == [("2026-01-01T04:30:00", "actual value")]
    assert chart["layer"][0]["mark"]["point"], "a value between two gaps has no line"


def test_a_forecast_of_one_step_can_be_seen() -> None:
    band, line = marks(charts.fan(rows({"p10": 1, "p50": 2, "p90": 3}, steps=1)))
    assert band["type"] == "rule"
    assert line["point"], "a line of one point is none"
    band, line = marks(charts.fan(rows({"p10": 1, "p50": 2, "p90": 3}, steps=24)))
    assert band["type"] == "area"
    assert not line["point"]


def test_an_item_without_a_past_has_a_chart() -> None:
    ahead = rows({"p10": 1, "p50": 2, "p90": 3}).query("type != 'actual'")
    assert charts.fan(ahead, "demand").to_dict()["layer"][1]["encoding"]["y"]["title"] == "demand"


@pytest.mark.parametrize(("types", "layers"), [(("p10", "p50", "p90"), 2), (("mean",), 1), (("p50",), 1)])
def test_a_look_back_shades_the_outermost_quantiles_where_there_are_two(
    types: tuple[str, ...], layers: int
) -> None:
    compared = pd.DataFrame(
        {"run": "2026-01-01", "time": ["2026-01-01", "2026-01-02"], "actual": 1.0, "naive": 1.0}
        | dict.fromkeys(types, 1.0)
    )
    assert len(marks(charts.look_back(compared, types))) == layers


def domains(chart: charts.Chart) -> list[Any]:
    """Of the vertical axis in every layer."""
    return [layer["encoding"]["y"]["scale"].get("domain") for layer in chart.to_dict()["layer"]]


def test_a_constant_has_an_axis_on_which_rounding_cannot_be_seen() -> None:
    around = pytest.approx([-1.1, -0.9], rel=0.001)
    assert domains(charts.fan(rows({"p10": -1.000004, "p50": -1, "p90": -0.999996}))) == [around, around]
    assert domains(charts.fan(rows({"p10": -1.1, "p50": -1, "p90": -0.9}))) == [None, None]
    compared = pd.DataFrame(
        {"run": "r", "time": ["2026-01-01", "2026-01-02"], "actual": -1.0, "p50": -1.000004}
    )
    assert domains(charts.look_back(compared, ["p50"])) == [around]


def test_a_run_is_called_by_the_beginning_of_its_forecast_and_by_its_name_where_that_is_not_enough() -> None:
    frame = pd.DataFrame(
        {
            "run": ["b", "b", "a", "a", "c"],
            "time": [f"2026-01-{at}:00:00" for at in ("02 00", "02 06", "01 06", "01 12", "02 00")],
        }
    )
    assert _called(frame, "time") == {
        "a": "2026-01-01 06:00",
        "b": "2026-01-02 00:00 · b",
        "c": "2026-01-02 00:00 · c",
    }


def test_times_beside_each_other_have_one_form() -> None:
    assert _moments("2026-01-01", "2026-01-02") == ["2026-01-01", "2026-01-02"]
    assert _moments("2026-01-01", "2026-01-01 23:00") == ["2026-01-01 00:00", "2026-01-01 23:00"]
    assert _moments(None, "2026-01-02") == ["–", "2026-01-02"]
