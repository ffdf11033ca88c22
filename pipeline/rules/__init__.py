"""The rules between the members of params.json, which the API's model does not hold.

Each rule is a generator of problems over a `Draft`, the file as far as it is well formed: what a shape
check has already reported is left out, so that one mistake is told once.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import Problem
from pipeline.rules import datasets, filling, predictor, sections, times, training
from pipeline.rules.draft import Draft

RULES = datasets.RULES + times.RULES + predictor.RULES + training.RULES + filling.RULES + sections.RULES


def check(document: Mapping[str, Any]) -> list[Problem]:
    """All breaches of rules between members, in the order of the rules."""
    draft = Draft(document)
    return [problem for rule in RULES for problem in rule(draft)]
