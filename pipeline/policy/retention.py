"""`Retention` in params.json: how many runs of a workload keep what they made."""

from dataclasses import dataclass

from pipeline.policy.section import whole


@dataclass(frozen=True)
class Retention:
    """How many of the newest runs keep their resources and their history; the rest is removed."""

    runs: int | None = whole(None, least=1, off=True)
