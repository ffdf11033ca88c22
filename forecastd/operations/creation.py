"""Create, for every kind: find the parents, ask the kind's rule, mind the quotas, write the record.

All of it happens in one transaction, so a Create that is refused leaves nothing behind and one that
is repeated finds its first attempt.
"""

from collections.abc import Callable
from typing import Any

from forecastd.errors import LimitExceeded, ResourceAlreadyExists
from forecastd.operations.context import Context
from forecastd.operations.drafts import Draft
from forecastd.operations.kinds import Kind, kinds_with_prefix, look_up
from forecastd.operations.naming import make_arn
from forecastd.operations.rules import RULES
from forecastd.operations.tagging import check_tags
from forecastd.store.records import CREATING, Record


def operation(kind: Kind) -> Callable[[Context, dict[str, Any]], dict[str, Any]]:
    """Give the Create operation of a kind."""

    def create(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
        with context.store.transaction():
            return {kind.arn_member: _create(context, kind, dict(arguments))}

    return create


def _create(context: Context, kind: Kind, arguments: dict[str, Any]) -> str:
    name = arguments.pop(kind.name_member)
    tags = check_tags(arguments.pop("Tags", []))
    parents = _find_parents(context, kind, arguments)
    arn = make_arn(kind, context.settings, name, _parent_name(kind, parents))
    _check_free(context, kind, name, arn)
    draft = RULES[kind.name](context, arguments, parents)
    _check_quotas(context, kind)
    all_parents = [parent.arn for parent in (*parents, *draft.more_parents)]
    context.store.insert(_record(context, kind, name, arn, draft), all_parents, tags)
    return arn


def _find_parents(context: Context, kind: Kind, arguments: dict[str, Any]) -> list[Record]:
    arns = {path: look_up(arguments, path) for path in kind.parents}
    return [context.find(arn, *kind.parents[path]) for path, arn in arns.items() if arn]


def _parent_name(kind: Kind, parents: list[Record]) -> str | None:
    return parents[0].name if kind.named_after_parent else None


def _check_free(context: Context, kind: Kind, name: str, arn: str) -> None:
    taken = context.store.get(arn)
    if taken is None and not kind.named_after_parent:
        siblings = [sibling.name for sibling in kinds_with_prefix(kind.prefix)]
        taken = next(iter(context.store.by_name(siblings, name)), None)
    if taken is not None:
        raise ResourceAlreadyExists(f"A {kind.noun} already exists with the arn: {taken.arn}")


def _check_quotas(context: Context, kind: Kind) -> None:
    running, total = (_limit(context, kind, which) for which in ("running", "total"))
    if running is not None and context.store.count(kind.name, CREATING) >= running:
        raise LimitExceeded(f"Quota limit of {running} concurrently creating {kind.plural} has been reached")
    if total is not None and context.store.count(kind.name) >= total:
        raise LimitExceeded(f"Quota limit of {total} {kind.plural} has been reached")


def _limit(context: Context, kind: Kind, which: str) -> int | None:
    if not context.settings.enforce_quotas:
        return None
    return context.settings.quotas.get(f"{kind.name}.{which}", getattr(kind, which))


def _record(context: Context, kind: Kind, name: str, arn: str, draft: Draft) -> Record:
    now = context.store.now()
    return Record(
        arn=arn,
        kind=kind.name,
        name=name,
        status="CREATE_PENDING" if kind.has_job else "ACTIVE",
        created=now,
        modified=now,
        request=draft.request,
        facts=draft.facts,
        plan=draft.plan,
    )
