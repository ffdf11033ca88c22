"""Settings: from variables, overridden by the command line, and passed on to workers unchanged."""

import os
from pathlib import Path

import pytest

from forecastd import __main__
from forecastd.settings import Settings


def test_variables_are_read_and_the_command_line_wins() -> None:
    environ = {"FORECASTD_PORT": "9000", "FORECASTD_STRICT_DELETES": "yes", "AWS_DEFAULT_REGION": "eu-west-1"}
    settings = Settings.from_environment(environ, port=9001, host=None)
    assert (settings.port, settings.strict_deletes, settings.region) == (9001, True, "eu-west-1")
    assert settings.host == "127.0.0.1"


def test_what_the_command_line_says_is_checked_as_variables_are() -> None:
    with pytest.raises(
        ValueError, match="--workers is '-1', which cannot be read as a whole number from 0 on"
    ):
        Settings.from_environment({}, workers=-1)


def test_workers_get_the_same_settings() -> None:
    settings = Settings(
        data_dir=Path("/tmp/x"),
        workers=3,
        quotas={"Forecast.total": None, "Dataset.total": 5},
        training_limit_s=9.5,
        memory_gib=1.5,
        cluster="tcp://10.0.0.5:8786",
    )
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PORT", "65536"),
        ("WORKERS", "-1"),
        ("LEASE_S", "0"),
        ("POLL_S", "nan"),
        ("TRAINING_LIMIT_S", "-5"),
        ("BAD_ROWS", "keep"),
        ("STRICT_DELETES", "maybe"),
        ("QUOTAS", "{"),
        ("QUOTAS", "[1]"),
        ("QUOTAS", '{"Forecast.total": "many"}'),
        ("MEMORY_GIB", "0"),
        ("MEMORY_GIB", "much"),
        ("CLUSTER", "ray://10.0.0.5:10001"),
        ("CLUSTER", "local:0"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"FORECASTD_{name} is .* cannot be read as"):
        Settings.from_environment({f"FORECASTD_{name}": value})


def test_a_port_beyond_all_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(["serve", "--port", "65536", "--data-dir", str(tmp_path)]) == 1
    assert "--port is '65536', which cannot be read as a whole number" in capsys.readouterr().err


def test_the_cores_are_shared_among_the_workers() -> None:
    assert Settings(workers=1000).threads == 1
    assert Settings(workers=1000).numeric_environment["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("address", ["tcp://10.0.0.5:8786", "tls://dask.example:8786", "local:2"])
def test_a_cluster_is_an_address_or_a_number_of_workers_here(address: str) -> None:
    assert Settings.from_environment({"FORECASTD_CLUSTER": address}).cluster == address


def test_a_job_may_use_what_the_machine_has_unless_told_otherwise() -> None:
    assert Settings().memory_bytes > 2**28
    assert Settings(memory_gib=0.5).memory_bytes == 2**29


def test_a_cluster_without_its_package_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECASTD_CLUSTER", "local:2")
    monkeypatch.setattr(__main__, "find_spec", lambda name: None)
    assert __main__.main(["serve", "--port", "0"]) == 1
    assert "pip install -r requirements-cluster.txt" in capsys.readouterr().err


def test_a_system_on_which_lightgbm_cannot_be_loaded_is_told_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(path: str) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(__main__.ctypes, "CDLL", load)
    assert __main__.main(["serve", "--port", "0", "--data-dir", str(tmp_path)]) == 1
    assert "install libgomp1 (Debian" in capsys.readouterr().err


def test_a_worker_says_how_many_threads_before_a_library_that_asks_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, found = Settings().numeric_environment, {}
    for name in wanted:
        monkeypatch.delenv(name, raising=False)

    def load(path: str) -> None:
        found.update({name: os.environ.get(name) for name in wanted})
        raise OSError("far enough")

    monkeypatch.setattr(__main__.ctypes, "CDLL", load)
    assert __main__.main(["worker", "--data-dir", str(tmp_path)]) == 1
    assert found == wanted
