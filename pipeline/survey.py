"""The workloads that lie in a bucket, found without listing what runs have written."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import translated
from pipeline.workload import OUTPUTS, PARAMS, ROLES, Workload


@dataclass(frozen=True)
class Input:
    """An input of a workload; `written` is the bucket's own clock."""

    role: str
    key: str
    etag: str
    written: dt.datetime


@dataclass(frozen=True)
class Found:
    """A workload with a params.json and data to learn from."""

    workload: Workload
    inputs: tuple[Input, ...]

    @property
    def newest(self) -> Input:
        """What was written last."""
        return max(self.inputs, key=lambda one: (one.written, one.key))

    @property
    def misplaced(self) -> tuple[str, ...]:
        """Keys of configurations that are data of this workload, with a folder called like a prefix."""
        return tuple(
            one.key for one in self.inputs if one.role != "params" and one.key.endswith(f"/{PARAMS}")
        )


def survey(s3: Any, bucket: str) -> Iterator[Found]:
    """Every workload of the bucket, the one at the root first.

    A folder is looked into unless it holds inputs or what runs have written; so the number of requests
    depends on the number of folders and inputs, not on the length of the history.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        objects, below = _level(s3, bucket, folder)
        workload = Workload(bucket, folder)
        found = [one for entry in objects if (one := _input(workload, entry))]
        for role in ROLES:
            if role in below:
                found += [
                    one for entry in _all(s3, bucket, f"{folder}{role}/") if (one := _input(workload, entry))
                ]
        if {"params", "train"} <= {one.role for one in found}:
            yield Found(workload, tuple(found))
        folders += [f"{folder}{name}/" for name in sorted(below - {*ROLES, *OUTPUTS}, reverse=True)]


def _input(workload: Workload, entry: dict[str, Any]) -> Input | None:
    owner = Workload.of(workload.bucket, entry["Key"])
    if owner is None or owner[0] != workload:
        return None
    return Input(owner[1], entry["Key"], entry["ETag"].strip('"'), entry["LastModified"])


def _level(s3: Any, bucket: str, folder: str) -> tuple[list[dict[str, Any]], set[str]]:
    """What lies directly in a folder that may be an input, and the names of the folders in it."""
    objects: list[dict[str, Any]] = []
    below: set[str] = set()
    for page in _pages(s3, bucket, folder, Delimiter="/"):
        objects += [entry for entry in page.get("Contents", []) if entry["Key"] == folder + PARAMS]
        below |= {entry["Prefix"][len(folder) : -1] for entry in page.get("CommonPrefixes", [])}
    return objects, below


def _all(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in _pages(s3, bucket, prefix):
        yield from page.get("Contents", [])


def _pages(s3: Any, bucket: str, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
    with translated(f"listing s3://{bucket}/{prefix}"):
        yield from s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **more)
