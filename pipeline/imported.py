"""Which run gave a dataset its content last: `runs/dataset-<type>.json`.

The service's list of import jobs tells it only while the newest of them is there. When that one was deleted,
an older one looks like the last, and whether the dataset still holds what the deleted one brought is the
service's affair. It is written down before an import begins, so that none is ever taken for another's.
"""

from typing import Any

from pipeline import storage
from pipeline.workload import Workload


def last(s3: Any, workload: Workload, dataset_type: str) -> str | None:
    """The run that last began to import into the dataset of this type; None if nobody wrote it down."""
    stored = storage.read_json(s3, workload, _path(dataset_type))
    return str(stored["run"]) if stored else None


def remember(s3: Any, workload: Workload, dataset_type: str, run: str) -> None:
    """Write down that the content of the dataset is this run's from here on."""
    storage.write_json(s3, workload, _path(dataset_type), {"run": run})


def _path(dataset_type: str) -> str:
    return f"runs/dataset-{dataset_type}.json"
