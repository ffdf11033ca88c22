"""Small objects of a workload: JSON documents read and written whole, folders listed and removed."""

import json
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from pipeline.errors import translated
from pipeline.workload import Workload

# Up to S3's limit for one request a copy is one: it is there in full or not at all, and keeps its ETag.
ONE_REQUEST = TransferConfig(multipart_threshold=5 * 1024**3, use_threads=False)
MOST_DELETED = 1000  # keys of one DeleteObjects request


def read_json(s3: Any, workload: Workload, rel: str) -> dict[str, Any] | None:
    """The document at a path of the workload, or None if there is none."""
    with translated(f"reading {workload.uri(rel)}"):
        try:
            body = s3.get_object(Bucket=workload.bucket, Key=workload.key(rel))["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
    return json.loads(body)


def write_json(s3: Any, workload: Workload, rel: str, document: dict[str, Any]) -> None:
    """Writes the document in one step; equal documents give equal bytes."""
    body = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    with translated(f"writing {workload.uri(rel)}"):
        s3.put_object(
            Bucket=workload.bucket, Key=workload.key(rel), Body=body, ContentType="application/json"
        )


def keys(s3: Any, workload: Workload, rel: str) -> list[str]:
    """All object keys under a path of the workload."""
    with translated(f"listing {workload.uri(rel)}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=workload.bucket, Prefix=workload.key(rel))
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def folders(s3: Any, workload: Workload, rel: str) -> list[str]:
    """The names of the folders directly under a path of the workload."""
    prefix = workload.key(rel)
    with translated(f"listing {workload.uri(rel)}"):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=workload.bucket, Prefix=prefix, Delimiter="/"
        )
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    return [name[len(prefix) :].rstrip("/") for name in found]


def copy(s3: Any, workload: Workload, source: str, target: str) -> None:
    """Copies an object inside the bucket, without moving its bytes through this machine."""
    with translated(f"copying {source} to {target}"):
        s3.copy({"Bucket": workload.bucket, "Key": source}, workload.bucket, target, Config=ONE_REQUEST)


def remove(s3: Any, workload: Workload, rel: str) -> None:
    """Removes all objects under a path of the workload."""
    found = keys(s3, workload, rel)
    with translated(f"removing {workload.uri(rel)}"):
        for start in range(0, len(found), MOST_DELETED):
            batch = [{"Key": key} for key in found[start : start + MOST_DELETED]]
            answer = s3.delete_objects(Bucket=workload.bucket, Delete={"Objects": batch, "Quiet": True})
            for failed in answer.get("Errors", []):  # told in an answer of success
                raise ClientError({"Error": failed}, "DeleteObjects")
