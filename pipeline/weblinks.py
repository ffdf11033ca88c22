"""Addresses under which a person's browser shows what lies in a bucket."""

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

CONSOLE = "https://s3.console.aws.amazon.com/s3"


def weblink(s3: Any, uri: str) -> str:
    """The page of an object, or of a prefix if `uri` ends with a slash.

    On AWS it is a page of the console, for those who may sign in; elsewhere the store's own address.

    Args:
        s3: the client through which the object is reached.
        uri: s3://bucket/key.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    is_prefix = key.endswith("/") or not key
    endpoint = s3.meta.endpoint_url
    if (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")):
        kind = "buckets" if is_prefix else "object"
        return f"{CONSOLE}/{kind}/{bucket}?{urlencode({'region': s3.meta.region_name, 'prefix': key})}"
    if is_prefix:
        return f"{endpoint}/{bucket}?{urlencode({'list-type': 2, 'prefix': key})}"
    return f"{endpoint}/{bucket}/{quote(key)}"
