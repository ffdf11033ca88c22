"""What can be configured: environment variables, overridden by the command line.

Every variable is named `FORECASTD_<FIELD>`; S3 is found through the standard AWS variables, which
boto3 reads itself (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, credentials).
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_PORT = 8600
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """How one server and its workers run.

    `quotas` replaces single default limits by "<Kind>.total" or "<Kind>.running" (None = no limit);
    `bad_rows` says what an import does with a row that does not fit the schema: "fail" or "drop".
    """

    data_dir: Path = Path(".forecastd")
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    account_id: str = "000000000000"
    region: str = "us-east-1"
    workers: int = 1
    enforce_quotas: bool = True
    quotas: Mapping[str, int | None] = field(default_factory=dict)
    strict_deletes: bool = False  # refuse DeleteDataset while import jobs exist, instead of taking them along
    bad_rows: str = "fail"
    seed: int = 0
    training_limit_s: float | None = None
    memory_gib: float | None = None  # that one job may plan with; None: what the machine has
    cluster: str | None = None  # of Dask workers: "tcp://host:8786", or "local:<workers>"
    lease_s: float = 60.0  # a job whose worker gave no sign of life for so long is claimed again
    poll_s: float = 0.2  # how often an idle worker looks for work

    @property
    def database_path(self) -> Path:
        """The SQLite file with every resource."""
        return self.data_dir / "forecastd.sqlite"

    @property
    def threads(self) -> int:
        """Tasks that one worker does side by side.

        One worker more than trainings is expected at a time, so that quick jobs need not wait: the cores
        are shared among the others.
        """
        return max(1, (os.cpu_count() or 1) // max(1, self.workers - 1))

    @property
    def memory_bytes(self) -> int:
        """Memory that one job may plan with."""
        return int(self.memory_gib * 2**30) if self.memory_gib else _memory_of_the_machine()

    @property
    def numeric_environment(self) -> dict[str, str]:
        """Give the variables that numeric libraries read when they are loaded.

        One thread each, because whole tasks are done side by side, in processes; and one that has started
        OpenMP threads cannot safely fork. Passive waiting: threads that spin while others need the core
        made a training seven times slower.
        """
        threads = dict.fromkeys(_THREAD_VARIABLES, "1")
        return {**threads, "OMP_WAIT_POLICY": "PASSIVE"}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **overrides: Any) -> "Settings":
        """Read the settings; an override that is None counts as not given.

        Raises:
            ValueError: a variable or an override has a value that cannot be used.
        """
        given = {
            name: _read(name, environ[variable], variable) for name, variable in _variables(environ).items()
        }
        given.setdefault("region", _region(environ))
        given.setdefault("workers", _default_workers())
        overriding = {name: str(value) for name, value in overrides.items() if value is not None}
        given |= {name: _read(name, text, _option(name)) for name, text in overriding.items()}
        return cls(**given)

    def to_environment(self) -> dict[str, str]:
        """Give the variables from which `from_environment` makes an equal object (for worker processes)."""
        return {
            f"FORECASTD_{name.upper()}": _written(getattr(self, name))
            for name in self.__dataclass_fields__
            if getattr(self, name) is not None
        }


def _memory_of_the_machine() -> int:
    """The memory of the machine, or of the container."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    names = {name: f"FORECASTD_{name.upper()}" for name in Settings.__dataclass_fields__}
    return {name: variable for name, variable in names.items() if environ.get(variable)}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read(name: str, text: str, source: str) -> Any:
    try:
        return _READERS.get(name, str)(text)
    except ValueError:
        raise ValueError(
            f"{source} is {text!r}, which cannot be read as {_EXPECTED.get(name, 'text')}."
        ) from None


def _flag(text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false", "yes", "no", "on", "off"):
        raise ValueError(text)
    return text.lower() in ("1", "true", "yes", "on")


def _row_policy(text: str) -> str:
    if text not in ("fail", "drop"):
        raise ValueError(text)
    return text


def _positive(text: str) -> float:
    if not 0 < float(text) < float("inf"):
        raise ValueError(text)
    return float(text)


def _port(text: str) -> int:
    if not 0 <= int(text) < 65536:
        raise ValueError(text)
    return int(text)


def _count(text: str) -> int:
    if int(text) < 0:
        raise ValueError(text)
    return int(text)


def _quotas(text: str) -> dict[str, int | None]:
    given = json.loads(text)
    limits = given.values() if isinstance(given, dict) else [text]
    if not all(limit is None or (isinstance(limit, int) and not isinstance(limit, bool)) for limit in limits):
        raise ValueError(text)
    return dict(given)


def _cluster(text: str) -> str:
    if not re.fullmatch(r"(tcp|tls|ws|wss)://\S+:\d+|local:[1-9]\d*", text):
        raise ValueError(text)
    return text


_READERS: dict[str, Any] = {
    "data_dir": Path,
    "port": _port,
    "workers": _count,
    "enforce_quotas": _flag,
    "quotas": _quotas,
    "strict_deletes": _flag,
    "bad_rows": _row_policy,
    "seed": int,
    "training_limit_s": _positive,
    "memory_gib": _positive,
    "cluster": _cluster,
    "lease_s": _positive,
    "poll_s": _positive,
}
_EXPECTED = {
    "port": "a whole number from 0 to 65535",
    "workers": "a whole number from 0 on",
    "enforce_quotas": "yes or no",
    "quotas": "a JSON object of whole numbers or null",
    "strict_deletes": "yes or no",
    "bad_rows": "fail or drop",
    "seed": "a whole number",
    "training_limit_s": "a number of seconds above 0",
    "memory_gib": "a number of GiB above 0",
    "cluster": "tcp://<host>:<port> of a Dask scheduler, or local:<workers>",
    "lease_s": "a number of seconds above 0",
    "poll_s": "a number of seconds above 0",
}


def _region(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _default_workers() -> int:
    """One worker on a single core, otherwise two: a long training must not hold up every import."""
    return min(2, os.cpu_count() or 1)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(dict(value)) if isinstance(value, Mapping) else str(value)
