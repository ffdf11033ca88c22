"""ARNs: how resources are called."""

import secrets
import time

from forecastd.operations.kinds import Kind
from forecastd.settings import Settings

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26
_RANDOM_BITS = 80


def make_arn(kind: Kind, settings: Settings, name: str, parent_name: str | None = None) -> str:
    """Build the ARN of a new resource.

    Args:
        parent_name: for kinds named after their parent.
    """
    parts = [kind.arn_type, *([parent_name] if parent_name else []), name]
    suffix = f"_{make_ulid()}" if kind.ulid else ""
    return f"arn:aws:forecast:{settings.region}:{settings.account_id}:{'/'.join(parts)}{suffix}"


def make_ulid(at: float | None = None) -> str:
    """Make a ULID: 48 bits of milliseconds, then 80 random bits, in 26 characters that sort by time."""
    milliseconds = int((time.time() if at is None else at) * 1000)
    number = (milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    digits = [_CROCKFORD[(number >> (5 * place)) & 31] for place in range(_ULID_LENGTH)]
    return "".join(reversed(digits))
