"""What a hyperparameter optimisation may search, and how values are drawn."""

from typing import Any

import pytest

from forecastd.errors import InvalidInput
from forecastd.operations.tuningconfig import ranges_of
from forecastd.series.tuning import Range, default_ranges


def config(kind: str, *ranges: dict[str, Any]) -> dict[str, Any]:
    return {"PerformHPO": True, "HPOConfig": {"ParameterRanges": {f"{kind}ParameterRanges": list(ranges)}}}


def rate(low: float, high: float, scaling: str = "Auto") -> dict[str, Any]:
    return {"Name": "learning_rate", "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def context(low: int, high: int, scaling: str = "Auto") -> dict[str, Any]:
    return {"Name": "context_length", "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def test_without_tuning_nothing_is_searched() -> None:
    assert ranges_of({}, "NPTS", 24) == ()
    assert ranges_of({"PerformHPO": False}, "CNN-QR", 24) == ()


def test_what_is_documented_is_searched_where_nothing_is_given() -> None:
    deepar, rates = ranges_of({"PerformHPO": True}, "Deep_AR_Plus", 24)
    assert (deepar.name, deepar.low, deepar.high) == ("context_length", 3, 200)
    assert (rates.name, rates.at(0), rates.at(1)) == ("learning_rate", "0.0001", "0.1")
    names = [each.name for each in ranges_of({"PerformHPO": True}, "CNN-QR", 24)]
    assert names == ["context_length", "use_related_data", "use_item_metadata"]


@pytest.mark.parametrize("horizon", [1, 24, 500])
@pytest.mark.parametrize("name", ["Deep_AR_Plus", "CNN-QR"])
def test_default_ranges_are_ranges_at_any_horizon(name: str, horizon: int) -> None:
    for each in default_ranges(name, horizon):
        assert each.values or 1e-9 < each.low <= each.high


def test_given_ranges_are_taken() -> None:
    [found] = ranges_of(config("Integer", context(10, 40)), "CNN-QR", 24)
    assert [found.at(share) for share in (0, 0.5, 1)] == ["10", "25", "40"]
    chosen = {"Name": "use_related_data", "Values": ["none", "ALL"]}
    [found] = ranges_of(config("Categorical", chosen), "CNN-QR", 24)
    assert [found.at(share) for share in (0, 0.49, 0.5, 1)] == ["NONE", "NONE", "ALL", "ALL"]


@pytest.mark.parametrize(
    ("scaling", "middle"),
    [("Linear", "0.4505"), ("Logarithmic", "0.03"), ("Auto", "0.03"), ("ReverseLogarithmic", "0.68393")],
)
def test_a_scale_says_where_the_middle_is(scaling: str, middle: str) -> None:
    [found] = ranges_of(config("Continuous", rate(0.001, 0.9, scaling)), "Deep_AR_Plus", 24)
    assert found.at(0.5) == middle
    assert (found.at(0), found.at(1)) == ("0.001", "0.9")


def test_a_range_survives_its_way_through_a_plan() -> None:
    for each in (Range("a", "categorical", values=("x",)), Range("b", "integer", low=1, high=2)):
        assert Range.from_json(each.to_json()) == each


@pytest.mark.parametrize(
    ("request_", "algorithm", "sentence"),
    [
        ({"PerformHPO": True}, "ETS", "not possible with ETS"),
        ({"HPOConfig": {"ParameterRanges": {}}}, "CNN-QR", "with PerformHPO only"),
        (config("Integer", {"Name": "epochs", "MinValue": 1, "MaxValue": 9}), "CNN-QR", "cannot be tuned"),
        (config("Continuous", context(1, 9)), "CNN-QR", "is continuous, but must be integer"),
        (config("Integer", context(9, 1)), "CNN-QR", "goes from 9 to 1"),
        (config("Integer", context(0, 9)), "CNN-QR", "a whole number from 1 on"),
        (config("Integer", context(1, 9, "ReverseLogarithmic")), "CNN-QR", "is not possible for"),
        (config("Integer", context(1, 9, "Cubic")), "CNN-QR", "Cubic is not possible"),
        (config("Continuous", rate(0.1, 1, "ReverseLogarithmic")), "Deep_AR_Plus", "within 0 and 1"),
        (config("Continuous", rate(0.1, 2)), "Deep_AR_Plus", "at most 1"),
        (config("Integer", context(1, 9), context(1, 9)), "CNN-QR", "names context_length twice"),
        (config("Integer", *[context(1, 9)] * 21), "CNN-QR", "has 21 ranges; at most 20"),
        (
            config("Categorical", {"Name": "use_related_data", "Values": ["SOME"]}),
            "CNN-QR",
            "one of ALL, NONE, HISTORICAL, FORWARD_LOOKING",
        ),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(request_: dict[str, Any], algorithm: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ranges_of(request_, algorithm, 24)
