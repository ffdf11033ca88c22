"""Which workload a flow run is about, told by its parameters."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import PipelineError
from pipeline.workload import Workload, one_line


def workload_of(bucket: str, key: str | None = None, folder: str | None = None) -> Workload:
    """The workload that the key belongs to or, without a key, the one in the folder.

    Raises:
        PipelineError: the key is no input of any workload.
    """
    found = Workload.meant_by(bucket, key, folder)
    if found is None:
        raise PipelineError(
            f"s3://{bucket}/{key} is no input of a workload.",
            "Inputs are params.json and what lies under train/, related/ and metadata/.",
        )
    return found


def label_of(parameters: Mapping[str, Any]) -> str:
    """What people call the workload of a flow run with these parameters; the bucket if they name none."""
    bucket = str(parameters["bucket"])
    found = Workload.meant_by(bucket, parameters.get("key"), parameters.get("folder"))
    return found.label if found else one_line(bucket)


def name_of(parameters: Mapping[str, Any]) -> str:
    """The name of a flow run: its workload and the file that it is about, in one line."""
    key = parameters.get("key") or "everything"
    return f"{label_of(parameters)} · {one_line(key.rsplit('/', 1)[-1])}"
