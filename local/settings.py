"""Where the local stack keeps its state and listens, and the environment that points any tool at it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]

BUCKET = "forecast-local"
RESULTS_BUCKET = "forecast-local-athena"
WORKGROUP = "forecast"
QUEUE = "forecast-uploads"
DEAD_QUEUE = "forecast-uploads-dead"
MAIL_QUEUE = "forecast-mail"
TOPIC = "forecast-notices"
ROLE = "forecast"
DATABASE = "forecast"
NAMESPACE = "Forecast"
POOL = "forecast"
ACCOUNT = "000000000000"
REGION = "us-east-1"

# The variable that carries each port, and its default.
PORTS = {
    "FORECAST_AWS_PORT": 8500,
    "FORECASTD_PORT": 8600,
    "FORECAST_PREFECT_PORT": 4200,
    "FORECAST_DASHBOARD_PORT": 8700,
}

# Variables of somebody's real account or Prefect Cloud workspace that must not reach the local stack.
FOREIGN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CA_BUNDLE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_SNS",
    "AWS_ENDPOINT_URL_GLUE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_ENDPOINT_URL_ATHENA",
    "AWS_ENDPOINT_URL_FORECAST",
    "AWS_ENDPOINT_URL_FORECASTQUERY",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_PROFILE",
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "FORECAST_ENDPOINT_URL",
)


class SettingsError(Exception):
    """A setting of the local stack cannot be used; the text says which, why, and what to do."""


@dataclass(frozen=True)
class Settings:
    """One local stack: its state folder and its ports on 127.0.0.1."""

    folder: Path
    aws_port: int = PORTS["FORECAST_AWS_PORT"]
    forecastd_port: int = PORTS["FORECASTD_PORT"]
    prefect_port: int = PORTS["FORECAST_PREFECT_PORT"]
    dashboard_port: int = PORTS["FORECAST_DASHBOARD_PORT"]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Raises:
            SettingsError: a port is no number between 1 and 65535, or two ports are the same.
        """
        ports = {name: _port(name, environment.get(name) or str(usual)) for name, usual in PORTS.items()}
        if len(set(ports.values())) < len(ports):
            listed = ", ".join(f"{name}={port}" for name, port in ports.items())
            raise SettingsError(f"Two parts cannot share a port: {listed}.")
        folder = Path(environment.get("FORECAST_LOCAL_DIR") or ROOT / ".local").absolute()
        return cls(folder, *ports.values())

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def prefect_url(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def dashboard_url(self) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def ports(self) -> tuple[int, ...]:
        """In the order of `PORTS`."""
        return self.aws_port, self.forecastd_port, self.prefect_port, self.dashboard_port

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def topic_arn(self) -> str:
        return f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"

    def exports(self) -> dict[str, str]:
        """The variables that point the aws CLI, boto3, prefect and the project's own code at the stack."""
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PREFECT_API_URL": f"{self.prefect_url}/api",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_PROFILES_PATH": str(self.folder / "prefect" / "profiles.toml"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "FORECAST_BUCKET": BUCKET,
            "FORECAST_ROLE_ARN": self.role_arn,
            "FORECAST_TOPIC_ARN": self.topic_arn,
            "FORECAST_QUEUE": QUEUE,
            "FORECAST_DATABASE": DATABASE,
            "FORECAST_WORKGROUP": WORKGROUP,
            "FORECAST_NAMESPACE": NAMESPACE,
            "FORECAST_LOCAL_DIR": str(self.folder),
            **{name: str(port) for name, port in zip(PORTS, self.ports, strict=True)},
        }

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment of every part: `base` without anybody's real account, with the stack's own.

        Raises:
            SettingsError: an address is not on this machine.
        """
        kept = {name: value for name, value in base.items() if not _foreign(name)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        result = {**kept, **self.exports(), "PATH": path}
        require_loopback({name: value for name, value in result.items() if name.endswith("_URL")})
        return result

    def write_env(self) -> Path:
        """Write `env`, the file to `source`; the path of the virtual environment comes first in PATH."""
        lines = ["# Points this shell at the local stack:  source .local/env", f"unset {' '.join(FOREIGN)}"]
        lines += [f"export {name}={_quoted(value)}" for name, value in self.exports().items()]
        lines.append(f'export PATH={_quoted(str(Path(sys.executable).parent))}:"$PATH"')
        path = self.folder / "env"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text("\n".join(lines) + "\n")
        partial.replace(path)
        return path


def require_loopback(addresses: Mapping[str, str]) -> None:
    """Make sure that nothing local can reach a real account.

    Raises:
        SettingsError: an http(s) address in the mapping (name → address) names another machine.
    """
    for name, address in addresses.items():
        if not address.startswith(("http://", "https://")):
            continue
        host = urlsplit(address).hostname or ""
        if host not in ("127.0.0.1", "localhost", "::1"):
            raise SettingsError(
                f"{name} is {address}; the local stack only talks to this machine (127.0.0.1): unset it."
            )


def _foreign(name: str) -> bool:
    if name in FOREIGN or name.startswith(("AWS_ENDPOINT_URL", "PREFECT_")):
        return name not in ("PREFECT_LOGGING_LEVEL",)
    return False


def _port(name: str, text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingsError(f"{name} is {text!r}; a port is a number between 1 and 65535.")
    return int(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
