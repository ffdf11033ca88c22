"""Small objects of a workload: JSON documents read and written whole, folders listed and removed."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from pipeline.errors import PipelineError, code_of, translated
from pipeline.workload import Workload

# Up to S3's limit for one request a copy is one: it is there in full or not at all, and keeps its ETag.
ONE_REQUEST = TransferConfig(multipart_threshold=5 * 1024**3, use_threads=False)
BLOCK_BYTES = 1024 * 1024
MOST_DELETED = 1000  # keys of one DeleteObjects request
AT_ONCE = 8  # questions that wait for S3 at the same time; a client keeps ten connections
# How S3 says that an object is not, or is no longer, what a conditional request expects.
NOT_AS_EXPECTED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def at_once(ask: Callable[[Thing], Answer], things: Sequence[Thing]) -> list[Answer]:
    """What S3 answers to small questions about many things, in their order: an archive may hold thousands."""
    if len(things) <= AT_ONCE:
        return [ask(thing) for thing in things]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, things))


def read_json(s3: Any, workload: Workload, rel: str) -> dict[str, Any] | None:
    """The document at a path of the workload, or None if there is none."""
    return read_json_and_etag(s3, workload, rel)[0]


def read_json_and_etag(s3: Any, workload: Workload, rel: str) -> tuple[dict[str, Any] | None, str | None]:
    """The document at a path of the workload and its ETag; None for both if there is none.

    Raises:
        PipelineError: it is damaged, or cannot be read.
    """
    with translated(f"reading {workload.uri(rel)}"):
        try:
            answer = s3.get_object(Bucket=workload.bucket, Key=workload.key(rel))
            body = answer["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None, None
    try:
        return json.loads(body), answer["ETag"]
    except ValueError as error:
        raise PipelineError(
            f"{workload.uri(rel)} is damaged: it is no JSON ({error}).",
            "Restore an earlier version of it, or remove it; then run again.",
        ) from error


def write_json(s3: Any, workload: Workload, rel: str, document: dict[str, Any], **condition: str) -> None:
    """Writes the document in one step; equal documents give equal bytes.

    Args:
        condition: more arguments of PutObject, such as `IfMatch`.
    """
    body = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    place = {"Bucket": workload.bucket, "Key": workload.key(rel)}
    with translated(f"writing {workload.uri(rel)}"):
        s3.put_object(**place, Body=body, ContentType="application/json", **condition)


def replace_json(s3: Any, workload: Workload, rel: str, document: dict[str, Any], etag: str | None) -> bool:
    """Writes the document if what is there still has the ETag or, for None, if nothing is there.

    Returns:
        Whether it was written; False if somebody else has written meanwhile.
    """
    try:
        write_json(s3, workload, rel, document, **({"IfMatch": etag} if etag else {"IfNoneMatch": "*"}))
    except PipelineError as error:
        if error.__cause__ is None or code_of(error.__cause__) not in NOT_AS_EXPECTED:
            raise
        return False
    return True


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


def size(s3: Any, workload: Workload, rel: str) -> int | None:
    """The size of an object of the workload in bytes; None if there is none."""
    found = head(s3, workload, rel)
    return int(found["ContentLength"]) if found else None


def head(s3: Any, workload: Workload, rel: str) -> dict[str, Any] | None:
    """What S3 tells of an object of the workload without its bytes; None if there is none."""
    with translated(f"looking for {workload.uri(rel)}"):
        try:
            found: dict[str, Any] = s3.head_object(Bucket=workload.bucket, Key=workload.key(rel))
            return found
        except ClientError as error:
            if code_of(error) not in ("404", "NoSuchKey"):
                raise
            return None


def digest(s3: Any, workload: Workload, rel: str) -> tuple[int, str]:
    """Size in bytes and SHA-256 of an object of the workload, read in a stream."""
    hashed, size = hashlib.sha256(), 0
    with translated(f"reading {workload.uri(rel)}"):
        body = s3.get_object(Bucket=workload.bucket, Key=workload.key(rel))["Body"]
        for block in body.iter_chunks(BLOCK_BYTES):
            hashed.update(block)
            size += len(block)
    return size, hashed.hexdigest()


def remove(s3: Any, workload: Workload, rel: str) -> None:
    """Removes all objects under a path of the workload."""
    found = keys(s3, workload, rel)
    with translated(f"removing {workload.uri(rel)}"):
        for start in range(0, len(found), MOST_DELETED):
            batch = [{"Key": key} for key in found[start : start + MOST_DELETED]]
            answer = s3.delete_objects(Bucket=workload.bucket, Delete={"Objects": batch, "Quiet": True})
            for failed in answer.get("Errors", []):  # told in an answer of success
                raise ClientError({"Error": failed}, "DeleteObjects")
