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
    with pytest.raises(ValueError, match="has no hyperparameter epochs: allowed are"):
        effective_hyperparameters(algorithm, {"epochs": "5"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("context_length", "0"),
        ("context_length", "1.5"),
        ("kernel_type", "linear"),
        ("exp_kernel_weights", "nan"),
        ("exp_kernel_weights", "-1"),
        ("use_seasonal_model", "yes"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"Hyperparameter {name} is .*: give "):
        effective_hyperparameters("NPTS", {name: text})


def test_values_are_spelled_as_the_documentation_does() -> None:
    assert effective_hyperparameters("NPTS", {"use_seasonal_model": "false"})["use_seasonal_model"] == "False"


def test_an_algorithm_that_is_not_trained_here_is_named() -> None:
    with pytest.raises(ValueError, match="DeepThought"):
        hyperparameters("DeepThought")
