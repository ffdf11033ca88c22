"""Proposes a params.json for a sample of past demand, and says why and what it could not know.

    python -m pipeline.proposal my.csv > params.json
    python -m pipeline.proposal my.parquet --related prices.csv --metadata products.csv > params.json

The columns keep their order: params.json lists them as the files have them, so nothing has to be renamed.

    columns   what each column holds ──▶ steps   how long, how many ahead ──▶ demand   what values mean
                                                                                │
    further   related data, metadata ◀── target   the configuration ◀───────────┘
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import BadInput
from pipeline.params import load
from pipeline.proposal.further import add_metadata, add_related
from pipeline.proposal.target import Target
from pipeline.sample import Sample, plain


@dataclass(frozen=True)
class Proposal:
    """A configuration that passes the checks, the reason for each choice, and what the sample cannot tell."""

    params: dict[str, Any]
    reasons: list[str]
    unknown: list[str] = field(default_factory=list)


def propose(
    source: str | Path | Iterable[str],
    name: str = "",
    related: str | Path | Iterable[str] | None = None,
    metadata: str | Path | Iterable[str] | None = None,
) -> Proposal:
    """A configuration for a CSV or Parquet file.

    Args:
        source: the target's path, or its lines.
        name: what the resources are called; the file's name if it is not given.
        related: a sample of related data, which is left out with the reason if it does not fit.
        metadata: a sample of item metadata, likewise.

    Raises:
        BadInput: if the target cannot be forecast as it is, with what to add or change.
    """
    if isinstance(source, str | Path):
        name = name or Path(source).stem
    target = Target(Sample.of(source))
    draft = target.params(plain(name or "data"))
    unknown = target.unknown()
    if related is not None:
        unknown += _tried(lambda: add_related(draft, target, Sample.of(related)), "related")
    if metadata is not None:
        unknown += _tried(
            lambda: add_metadata(draft, target, Sample.of(metadata, target.names_columns)), "metadata"
        )
    load(json.dumps(draft).encode())
    return Proposal(draft, target.reasons, unknown)


def _tried(add: Callable[[], None], what: str) -> list[str]:
    """Why a further file is left out, if it is."""
    try:
        add()
    except BadInput as error:
        (problem,) = error.problems
        return [f"The {what} file is left out: {problem.rule}. {problem.remedy}"]
    return []
