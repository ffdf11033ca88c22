import pytest

from forecastd.series.algorithms import METHODS, effective_hyperparameters, hyperparameters


def test_npts_has_its_documented_defaults() -> None:
    assert effective_hyperparameters("NPTS", {}) == {
        "kernel_type": "exponential",
        "exp_kernel_weights": "0.01",
        "use_seasonal_model": "True",
        "use_default_time_features": "True",
    }


@pytest.mark.parametrize("algorithm", METHODS)
def test_an_unknown_hyperparameter_is_refused_with_those_allowed(algorithm: str) -> None:
    with pytest.raises(ValueError, match="has no hyperparameter patience: allowed are"):
        effective_hyperparameters(algorithm, {"patience": "5"})


# What the documentation of Amazon's service lists: name, default (None: from the data), allowed, not allowed.
DOCUMENTED = {
    "NPTS": [
        ("context_length", None, ["1", "5000"], ["0", "1.5", "-3", "x", "", "1_0", "٣"]),
        ("kernel_type", "exponential", ["exponential", "uniform"], ["linear"]),
        ("exp_kernel_weights", "0.01", ["0.001", "1", "3"], ["0", "-1", "nan", "inf"]),
        ("use_seasonal_model", "True", ["True", "False"], ["yes"]),
        ("use_default_time_features", "True", ["True", "False"], ["1"]),
    ],
    "Deep_AR_Plus": [
        ("context_length", None, ["1", "63", "5000"], ["0", "5001"]),
        ("epochs", "500", ["1", "1000"], ["0", "10001", "many"]),
        ("learning_rate", "0.005", ["0.0001", "0.1", "0.014138165570842774"], ["0", "1.1", "nan"]),
        ("learning_rate_decay", "0.5", ["0.5", "0.8"], ["0", "2"]),
        (
            "likelihood",
            "student-t",
            ["beta", "deterministic-L1", "gaussian", "negative-binomial", "piecewise-linear", "student-t"],
            ["poisson"],
        ),
        ("max_learning_rate_decays", "0", ["0", "10"], ["-1", "11"]),
        ("num_averaged_models", "1", ["1", "5"], ["0", "6"]),
        ("num_cells", "40", ["30", "100"], ["0", "501"]),
        ("num_layers", "2", ["1", "4"], ["0", "9"]),
    ],
    "CNN-QR": [
        ("context_length", None, ["10", "500", "9", "501"], ["0"]),
        ("use_related_data", "ALL", ["ALL", "NONE", "HISTORICAL", "FORWARD_LOOKING"], ["SOME"]),
        ("use_item_metadata", "ALL", ["ALL", "NONE"], ["HISTORICAL"]),
        ("epochs", "100", ["10", "1000"], ["0"]),
    ],
    "ARIMA": [],
    "ETS": [],
    "Prophet": [],
}
ROWS = [(algorithm, *row) for algorithm, rows in DOCUMENTED.items() for row in rows]


@pytest.mark.parametrize("algorithm", DOCUMENTED)
def test_an_algorithm_has_the_documented_hyperparameters_and_no_other(algorithm: str) -> None:
    assert [each.name for each in hyperparameters(algorithm)] == [row[0] for row in DOCUMENTED[algorithm]]


@pytest.mark.parametrize(("algorithm", "name", "default", "allowed", "refused"), ROWS)
def test_a_hyperparameter_has_its_default_and_its_range(
    algorithm: str, name: str, default: str | None, allowed: list[str], refused: list[str]
) -> None:
    assert effective_hyperparameters(algorithm, {}).get(name) == default
    for text in allowed:
        assert effective_hyperparameters(algorithm, {name: text})[name] == text
    for text in refused:
        with pytest.raises(ValueError, match=f"Hyperparameter {name} is '{text}': give "):
            effective_hyperparameters(algorithm, {name: text})


def test_only_what_is_documented_as_tunable_is() -> None:
    tunable = {name: [p.name for p in hyperparameters(name) if p.tunable] for name in DOCUMENTED}
    assert {name: found for name, found in tunable.items() if found} == {
        "Deep_AR_Plus": ["context_length", "learning_rate"],
        "CNN-QR": ["context_length", "use_related_data", "use_item_metadata"],
    }


def test_amazons_capital_letter_is_understood() -> None:
    assert effective_hyperparameters("Deep_AR_Plus", {"likelihood": "student-T"})["likelihood"] == "student-t"


def test_values_are_spelled_as_the_documentation_does() -> None:
    assert effective_hyperparameters("NPTS", {"use_seasonal_model": "false"})["use_seasonal_model"] == "False"


def test_an_algorithm_that_is_not_trained_here_is_named() -> None:
    with pytest.raises(ValueError, match="DeepThought"):
        hyperparameters("DeepThought")
