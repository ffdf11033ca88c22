"""Where an export goes: a path of S3, with Amazon's file names and markers.

`_CHECK` is written first, to find out at once whether writing is allowed; `_SUCCESS` last. The export of
a forecast also has `_METHODS_…`, which is ours: the method that forecast each item. The time in the file
names was given to this job alone when it was created: a job that is done again after a crash overwrites its
own files, and no other's.
"""

import datetime as dt
from typing import Any

import pandas as pd

from forecastd.jobs.job import Job


class Destination:
    """The files of one export job."""

    def __init__(self, job: Job) -> None:
        target: dict[str, Any] = job.record.request["Destination"]["S3Config"]
        self._job = job
        self._path = target["Path"].rstrip("/")
        self._kms_key = target.get("KMSKeyArn")
        self._format: str = job.record.request["Format"]

    @property
    def is_parquet(self) -> bool:
        """Whether the files are Parquet, which has types, rather than CSV."""
        return self._format == "PARQUET"

    def begin(self) -> None:
        """Test that writing is allowed.

        Raises:
            JobFailed: it is not.
        """
        self._mark("_CHECK")

    def write(self, values: pd.DataFrame, number: int, folder: str = "") -> None:
        """Write one part, with a header.

        Raises:
            JobFailed: S3 refuses it.
        """
        local = self._job.folder / "part"
        if self.is_parquet:
            values.to_parquet(local, index=False)
        else:
            values.to_csv(local, index=False, lineterminator=_line_end(values))
        prefix = f"{folder}/" if folder else ""
        with local.open("rb") as file:
            self._job.objects.put(f"{self._path}/{prefix}{self._file_name(number)}", file, self._kms_key)
        local.unlink()

    def note(self, name: str, values: pd.DataFrame) -> None:
        """Write a table beside the parts, as CSV whatever the format, into `<name>_<job>_<time>`.

        Args:
            name: starts with an underscore, like the markers, and the object has no ending: readers of all
                parts of a folder (Athena, Spark, `*.csv`) pass over it.
        """
        body = values.to_csv(index=False, lineterminator=_line_end(values)).encode()
        self._job.objects.put(f"{self._path}/{name}_{self._job_and_time}", body, self._kms_key)

    def finish(self) -> None:
        """Say that the export is complete."""
        self._mark("_SUCCESS")

    def _mark(self, name: str) -> None:
        self._job.objects.put(f"{self._path}/{name}", b"", self._kms_key)

    def _file_name(self, number: int) -> str:
        return f"{self._job_and_time}_part{number}.{self._format.lower()}"

    @property
    def _job_and_time(self) -> str:
        record = self._job.record
        at = dt.datetime.fromtimestamp(record.plan.get("second", record.created), dt.UTC)
        return f"{record.name}_{at:%Y-%m-%dT%H-%M-%SZ}"


def _line_end(values: pd.DataFrame) -> str:
    r"""Give the line end of a CSV file: \n, or \r\n where a text has a carriage return.

    Python's csv writer quotes only characters of its line end: with \n, such a text would be left bare, and
    readers would take it for two rows.
    """
    columns = (values[name].unique() for name in values.select_dtypes(object))
    has_return = any("\r" in text for texts in columns for text in texts if isinstance(text, str))
    return "\r\n" if has_return else "\n"
