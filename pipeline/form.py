"""What the checked input files look like: enough to import them, and to write the forecast in their form."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

CSV = "CSV"
PARQUET = "PARQUET"


@dataclass(frozen=True)
class FileForm:
    """One input file: its key, its size, and how its lines are to be read."""

    key: str
    size: int
    rows: int
    format: str = CSV
    has_header: bool = False
    columns: tuple[str, ...] = ()  # as the file names them; the schema's names where it names none
    types: tuple[str, ...] = ()  # Parquet only: Arrow's names of the column types


@dataclass(frozen=True)
class InputForm:
    """All input files of a run, by role, and what was counted in the target's."""

    files: Mapping[str, tuple[FileForm, ...]]
    items: int  # distinct item × forecast dimensions
    first: dt.datetime
    last: dt.datetime
    steps: int  # from first to last at the forecast's frequency
    missing: int  # target cells that are empty or NaN
    warnings: tuple[str, ...] = field(default=())

    @property
    def has_header(self) -> bool:
        """Whether the forecast gets a header line: if a target file has one."""
        return any(file.has_header for file in self.files["train"])

    @property
    def mixes_headers(self) -> bool:
        """Whether some CSV files of the target have a header line, and others have none."""
        return len({file.has_header for file in self.files["train"]}) > 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The target's column names as its files have them."""
        named = [file for file in self.files["train"] if file.has_header]
        return (named or list(self.files["train"]))[0].columns

    @property
    def rows(self) -> int:
        """Rows of the target."""
        return sum(file.rows for file in self.files["train"])

    def format(self, role: str) -> str:
        """CSV or PARQUET, as import jobs are told; files of one role share it."""
        return self.files[role][0].format

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "first": self.first.isoformat(), "last": self.last.isoformat()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "InputForm":
        """What `to_dict` wrote."""
        moments = {name: dt.datetime.fromisoformat(stored[name]) for name in ("first", "last")}
        files = {role: tuple(_file(entry) for entry in entries) for role, entries in stored["files"].items()}
        return cls(**{**stored, **moments, "files": files, "warnings": tuple(stored["warnings"])})


def _file(stored: Mapping[str, Any]) -> FileForm:
    return FileForm(**{**stored, "columns": tuple(stored["columns"]), "types": tuple(stored["types"])})
