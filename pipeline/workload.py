"""A workload: one params.json and the prefixes beside it, at a bucket's root or under a folder."""

import hashlib
import re
from dataclasses import dataclass

PARAMS = "params.json"
ROLES = ("train", "related", "metadata")
OUTPUTS = ("forecast", "history", "runs")
NAMES_TAKEN = f"no folder of a workload may be called {', '.join((*ROLES, *OUTPUTS))}"


@dataclass(frozen=True, order=True)
class Workload:
    """A bucket and a folder in it: an empty string, or a path that ends with a slash."""

    bucket: str
    folder: str = ""

    def __post_init__(self) -> None:
        if self.folder and not self.folder.endswith("/"):
            raise ValueError(f"The folder {self.folder!r} has to end with a slash, or to be empty.")

    @classmethod
    def of(cls, bucket: str, key: str) -> "tuple[Workload, str] | None":
        """The workload that an object belongs to and the object's role in it.

        Returns:
            The workload and `train`, `related`, `metadata` or `params`; None for an object that is no input:
            an output, a folder marker, a hidden file (leading dot or underscore) or anything else.
        """
        *folders, name = key.split("/")
        if not name or name[0] in "._":
            return None
        for place, segment in enumerate(folders):
            if segment in OUTPUTS:
                return None
            if segment in ROLES:
                return cls(bucket, _folder(folders[:place])), segment
        return (cls(bucket, _folder(folders)), "params") if name == PARAMS else None

    @classmethod
    def meant_by(cls, bucket: str, key: str | None = None, folder: str | None = None) -> "Workload | None":
        """The workload that a key belongs to or, without a key, the one in the folder.

        Returns:
            None if the key is no input of a workload.
        """
        if key is None:
            path = (folder or "").strip("/")
            return cls(bucket, f"{path}/" if path else "")
        owner = cls.of(bucket, key)
        return owner[0] if owner else None

    def key(self, rel: str) -> str:
        """The object key of a path inside the workload."""
        return self.folder + rel

    def uri(self, rel: str = "") -> str:
        """The `s3://` address of the workload, or of a path inside it."""
        return f"s3://{self.bucket}/{self.folder}{rel}"

    @property
    def label(self) -> str:
        """What people call it: the bucket, and the folder if there is one; always a single line."""
        return one_line(f"{self.bucket}/{self.folder}".removesuffix("/"))

    @property
    def slug(self) -> str:
        """A name for tables: lower-case letters, digits, underscores; different for different workloads."""
        plain = re.sub(r"[^a-z0-9]+", "_", self.label.lower()).strip("_")
        reversible = re.fullmatch(r"[a-z0-9-]+", self.label) is not None
        return plain if reversible else f"{plain[:80]}_{hashlib.sha256(self.label.encode()).hexdigest()[:6]}"


def one_line(text: str) -> str:
    """The text with every character spelled out that would break a line or hide something from a reader."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _folder(segments: list[str]) -> str:
    return "".join(f"{segment}/" for segment in segments)
