"""Which workload a flow run is about, told by its parameters."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import PipelineError
from pipeline.workload import Workload


def workload_of(bucket: str, key: str | None = None, folder: str | None = None) -> Workload:
    """The workload that the key belongs to or, without a key, the one in the folder.

    Raises:
        PipelineError: the key is no input of any workload.
    """
    if key is None:
        path = (folder or "").strip("/")
        return Workload(bucket, f"{path}/" if path else "")
    owner = Workload.of(bucket, key)
    if owner is None:
        raise PipelineError(
            f"s3://{bucket}/{key} is no input of a workload.",
            "Inputs are params.json and what lies under train/, related/ and metadata/.",
        )
    return owner[0]


def label_of(parameters: Mapping[str, Any]) -> str:
    """What people call the workload of a flow run with these parameters; the bucket if they name none."""
    bucket = str(parameters["bucket"])
    try:
        return workload_of(bucket, parameters.get("key"), parameters.get("folder")).label
    except PipelineError:
        return bucket
