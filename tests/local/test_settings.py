"""Ports, the environment of the parts, and the file to source."""

import subprocess
from pathlib import Path

import pytest

from local.settings import FOREIGN, Settings, SettingsError, require_loopback


def test_ports_and_folder_come_from_the_environment(tmp_path: Path) -> None:
    given = {"FORECAST_AWS_PORT": "1111", "FORECASTD_PORT": "2222", "FORECAST_PREFECT_PORT": "3333"}
    given["FORECAST_DASHBOARD_PORT"] = "4444"
    settings = Settings.from_environment({**given, "FORECAST_LOCAL_DIR": str(tmp_path)})
    assert settings == Settings(tmp_path, 1111, 2222, 3333, 4444)


@pytest.mark.parametrize("text", ["eighty", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match=f"FORECASTD_PORT is '{text}'"):
        Settings.from_environment({"FORECASTD_PORT": text})


def test_two_parts_cannot_share_a_port() -> None:
    with pytest.raises(SettingsError, match="FORECASTD_PORT=8500"):
        Settings.from_environment({"FORECASTD_PORT": "8500"})


def test_nobodys_real_account_reaches_the_stack(tmp_path: Path) -> None:
    real = dict.fromkeys(FOREIGN, "real") | {"AWS_ENDPOINT_URL_LOGS": "https://logs.amazonaws.com"}
    environment = Settings(tmp_path).environment({**real, "PATH": "/bin", "HOME": "/home/x"})
    assert "real" not in environment.values()
    assert "AWS_ENDPOINT_URL_LOGS" not in environment
    assert environment["HOME"] == "/home/x"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8500"


def test_an_address_on_another_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"X_URL is https://s3\.amazonaws\.com"):
        require_loopback({"X_URL": "https://s3.amazonaws.com"})
    with pytest.raises(SettingsError):
        require_loopback({"X_URL": "http://127.0.0.1.example.com"})
    require_loopback({"X_URL": "http://127.0.0.1:8500", "Y_URL": "sqlite:///x"})


def test_sourcing_the_file_sets_every_variable_and_removes_foreign_ones(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    settings = Settings(folder)
    path = settings.write_env()
    script = f'export AWS_PROFILE=real; . "{path}"; env -0'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    variables = dict(line.split("=", 1) for line in shown.split("\0") if "=" in line)
    assert settings.exports().items() <= variables.items()
    assert "AWS_PROFILE" not in variables
