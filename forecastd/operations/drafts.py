"""A draft: what the rule of a kind makes of a Create request."""

from dataclasses import dataclass, field
from typing import Any

from forecastd.store.records import Record


@dataclass(frozen=True)
class Draft:
    """A resource about to be written.

    Attributes:
        request: what Describe echoes, defaults filled in.
        facts: what is known already and shows in Describe or lists.
        plan: what the job needs.
        more_parents: parents that the request does not name itself.
    """

    request: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    more_parents: tuple[Record, ...] = ()
