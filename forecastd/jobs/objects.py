"""Objects in S3, found through the standard AWS environment; every trouble becomes a sentence."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from s3transfer.exceptions import S3DownloadFailedError

from forecastd.errors import JobFailed

_REMEDIES = {
    "NoSuchBucket": "the bucket does not exist; check the path.",
    "NoSuchKey": "the object does not exist any more; import again.",
    "404": "it does not exist; check the path.",
    "AccessDenied": "access is denied; allow s3:GetObject, s3:ListBucket and s3:PutObject there.",
    "403": "access is denied; allow s3:GetObject, s3:ListBucket and s3:PutObject there.",
    "PreconditionFailed": "the object was replaced while it was read; import again.",
}
_TROUBLES = (BotoCoreError, Boto3Error, S3DownloadFailedError)
_MOST_BREAKS = 4  # of a connection, at one place of an object
_BUFFER_BYTES = 2**20


@dataclass(frozen=True)
class ObjectRef:
    """One object of S3."""

    bucket: str
    key: str
    size_bytes: int

    @property
    def uri(self) -> str:
        """Give its address, s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"


class Objects:
    """Reads, lists and writes objects."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def from_environment(cls, region: str) -> "Objects":
        """Connect as boto3 is configured (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, credentials)."""
        config = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10)
        client = boto3.client("s3", region_name=region, config=config)
        if not client.meta.endpoint_url.endswith("amazonaws.com"):  # stand-ins know buckets by path only
            path_style = config.merge(Config(s3={"addressing_style": "path"}))
            client = boto3.client("s3", region_name=region, config=path_style)
        return cls(client)

    def list(self, path: str) -> list[ObjectRef]:
        """Give the objects at a path: the one of that name, or all below it; empty ones are left out.

        Raises:
            JobFailed: the bucket cannot be read, or there is nothing at the path.
        """
        bucket, key = split(path)
        found = [ref for ref in self._below(bucket, key) if ref.size_bytes and _belongs(ref.key, key)]
        if not found:
            raise JobFailed(f"There is no data at {path}: no object has this name or lies below it.")
        return found

    def open(self, ref: ObjectRef) -> IO[bytes]:
        """Open an object as a binary stream, which goes on where a connection breaks.

        Raises:
            JobFailed: it cannot be read, at once or in the midst of it.
        """
        with _told(f"Reading {ref.uri}"):
            answer = self._client.get_object(Bucket=ref.bucket, Key=ref.key)
        return io.BufferedReader(_ObjectBytes(self._client, ref, answer), _BUFFER_BYTES)

    def download(self, ref: ObjectRef, path: Path) -> None:
        """Copy an object to a local file.

        Raises:
            JobFailed: it cannot be read.
        """
        with _told(f"Reading {ref.uri}"):
            self._client.download_file(ref.bucket, ref.key, str(path))

    def put(self, uri: str, body: bytes | IO[bytes], kms_key: str | None = None) -> None:
        """Write an object, encrypted with a KMS key if one is given.

        Raises:
            JobFailed: it cannot be written.
        """
        bucket, key = split(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        with _told(f"Writing {uri}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=body, **encryption)

    def _below(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        with _told(f"Listing s3://{bucket}/{prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield ObjectRef(bucket, entry["Key"], entry["Size"])


class _ObjectBytes(io.RawIOBase):
    """The bytes of one object; where the connection breaks, reading goes on there.

    Args:
        answer: of GetObject.
    """

    def __init__(self, client: Any, ref: ObjectRef, answer: Any) -> None:
        self._client, self._ref = client, ref
        self._body, self._version = answer["Body"], answer["ETag"]
        self._given = 0  # bytes

    def readable(self) -> bool:
        """See ``io.IOBase``."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See ``io.RawIOBase``.

        Raises:
            JobFailed: the connection breaks again and again, or the object was replaced meanwhile.
        """
        with _told(f"Reading {self._ref.uri}"):
            piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        self._given += len(piece)
        return len(piece)

    def close(self) -> None:
        """End the connection."""
        self._body.close()
        super().close()

    def _next(self, size: int) -> bytes:
        for _ in range(_MOST_BREAKS):
            try:
                return bytes(self._body.read(size))
            except BotoCoreError:
                rest = self._rest()
                if "ContentRange" not in rest:  # a stand-in that knows whole objects only
                    raise
                self._body = rest["Body"]
        return bytes(self._body.read(size))

    def _rest(self) -> Any:
        """Ask for the rest of the same content; the client has its own patience with a silent server."""
        where = {"Bucket": self._ref.bucket, "Key": self._ref.key}
        return self._client.get_object(**where, Range=f"bytes={self._given}-", IfMatch=self._version)


def split(path: str) -> tuple[str, str]:
    """Split s3://bucket/key into bucket and key; the key may be empty."""
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key


def _belongs(key: str, path: str) -> bool:
    """A prefix without a slash at its end means an object or a folder, not every name that begins so."""
    return not path or path.endswith("/") or key == path or key.startswith(f"{path}/")


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        reason = _REMEDIES.get(code, f"S3 answered {code}: {error.response.get('Error', {}).get('Message')}")
        raise JobFailed(f"{what} failed: {reason}") from error
    except NoCredentialsError as error:
        raise JobFailed(
            f"{what} failed: the server has no AWS credentials; set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY where it runs."
        ) from error
    except _TROUBLES as error:
        reason = getattr(error, "last_exception", error)  # of a download that was tried several times
        raise JobFailed(f"{what} failed: {reason}") from error
