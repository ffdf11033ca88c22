"""Makes QuickSight's resources what they should be: creates what is missing, updates what has changed.

    describe ─▶ missing ─▶ create ─┐
        └─▶ digest differs, or failed ─▶ update ─┴─▶ wait ─▶ publish (dashboard) ─▶ note the digest as a tag
        └─▶ digest equal ─▶ leave alone

QuickSight gives a definition back with members of its own, so what it holds is not compared with what was
sent. The digest of what was sent is kept beside it, and only once QuickSight has accepted it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import FOREIGN, Missing, ResourceFailed, code_of, translate
from pipeline.params import Params
from pipeline.quicksight.resources import DASHBOARD, Account, Resource, wanted
from pipeline.quicksight.tables import existing
from pipeline.waiting import wait_until_active
from pipeline.workload import Workload

TAG = "forecast-definition"
LIMIT_S = 180  # a definition is taken in within seconds; a run does not wait for more
DELETED = "DELETED"  # an analysis stays restorable for thirty days, and its id taken
REMEDIES = {
    "ResourceNotFoundException": "Sign this account up for QuickSight (Enterprise edition), and check that "
    "principal and region are right; without a principal, QuickSight is left out.",
    "UnsupportedUserEditionException": "Analyses and dashboards from a definition need the Enterprise "
    "edition of QuickSight: upgrade it, or leave the principal out.",
    "InvalidParameterValueException": "Check that the principal is a user or group of this account's "
    "QuickSight, with the role of an author.",
    "AccessDeniedException": "Allow the action to the identity that runs the flow, as the stack of "
    "infra/forecast.yaml does when it is given a QuickSightPrincipal.",
}
FAILED = (
    "In QuickSight, under Manage QuickSight, Security & permissions, allow Athena and the buckets of the "
    "workload and of the query results; then run again."
)


@dataclass(frozen=True)
class Change:
    """What became of one resource."""

    resource: Resource
    what: Literal["created", "updated", "left alone"]

    def __str__(self) -> str:
        return f"{self.what}: {self.resource}"


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Lets QuickSight's refusals out as sentences with a remedy."""
    try:
        yield
    except FOREIGN as error:
        known = translate(error, doing)
        raise type(known)(known.what, REMEDIES.get(code_of(error), known.remedy)) from error


def bring_up_to_date(
    quicksight: Any,
    glue: Any,
    database: str,
    workload: Workload,
    params: Params,
    principal: str,
    workgroup: str,
    again: bool = False,
    **pauses: Any,
) -> Iterator[Change]:
    """Everything that QuickSight shows of a workload is made, or made new where it has to be.

    Args:
        principal: ARN of the QuickSight user or group that it belongs to.
        workgroup: the Athena work group that runs the queries.
        again: send everything again, for what somebody has changed by hand.
        pauses: those of `pipeline.waiting.Pauses`.

    Raises:
        PipelineError: with the remedy; what came before it is done.
    """
    account = Account.of(principal, quicksight.meta.region_name)
    tables = existing(glue, database, workload)
    if not tables:
        raise Missing(
            f"The catalogue has no tables of {workload.label} in the database {database}.",
            "The first forecast of a workload makes them: upload its data first, or name another database.",
        )
    resources = wanted(account, workload, params, database, tables, workgroup)
    yield from Upkeep(quicksight, account, **pauses).keep(resources, again)


class Upkeep:
    """The resources of an account, as one client sees them."""

    def __init__(self, client: Any, account: Account, **pauses: Any) -> None:
        """Needs a client of the account's region; `pauses` are those of `pipeline.waiting.Pauses`."""
        self._client, self._account = client, account
        self._pauses = {"limit_s": LIMIT_S, **pauses}

    def keep(self, resources: Iterable[Resource], again: bool = False) -> Iterator[Change]:
        """Each resource is there, as it should be, when its change is told.

        Args:
            again: send everything again, for what somebody has changed by hand.

        Raises:
            PipelineError: with the remedy; what came before it is done.
        """
        for resource in resources:
            yield Change(resource, self._put(resource, again))

    def _put(self, resource: Resource, again: bool) -> Literal["created", "updated", "left alone"]:
        found = self._at_rest(resource)
        if found is None:
            self._conclude(resource, self._create(resource))
            return "created"
        if _status(found) == DELETED:
            found = self._restored(resource)
        self._share(resource)
        if not again and _is_well(found) and self._digest(resource) == resource.digest:
            return "left alone"
        self._conclude(resource, self._call("update", resource, **resource.settings))
        return "updated"

    def _call(self, verb: str, resource: Resource, ending: str = "", **more: Any) -> dict[str, Any]:
        """An operation about the resource: `describe_data_set`, `update_dashboard_permissions` …"""
        call = getattr(self._client, f"{verb}_{resource.kind.call}{ending}")
        own = {"AwsAccountId": self._account.id, resource.kind.id_member: resource.id}
        words = {"create": "creating", "update": "updating", "describe": "asking for", "restore": "restoring"}
        what = f"the {ending.strip('_').replace('_', ' ')} of " if ending else ""
        with _told(f"{words[verb]} {what}QuickSight's {resource}"):
            answer: dict[str, Any] = call(**own, **more)
        return answer

    def _create(self, resource: Resource) -> dict[str, Any]:
        grants = [self._grant(resource)]
        return self._call("create", resource, **resource.settings, **resource.fixed, Permissions=grants)

    def _restored(self, resource: Resource) -> dict[str, Any]:
        self._call("restore", resource)
        return self._at_rest(resource) or {"Status": DELETED}

    def _described(self, resource: Resource, **version: Any) -> dict[str, Any] | None:
        """The resource as QuickSight describes it, or None; of a dashboard, what is published by default."""
        try:
            found: dict[str, Any] = self._call("describe", resource, **version)[resource.kind.member]
        except Missing:
            return None
        return found

    def _at_rest(self, resource: Resource, **version: Any) -> dict[str, Any] | None:
        """The same, when nothing is in progress any more."""

        def asked() -> dict[str, Any]:
            found = self._described(resource, **version)
            is_under_way = found is not None and _status(found).endswith("_IN_PROGRESS")
            return {"Status": _status(found) if found and is_under_way else "ACTIVE", "Found": found}

        found: dict[str, Any] | None = wait_until_active(asked, **self._pauses)["Found"]
        return found

    def _conclude(self, resource: Resource, answer: Mapping[str, Any]) -> None:
        """Waits until what was sent is accepted, lets readers see it, and notes what it was."""
        version = {}
        if resource.kind is DASHBOARD:
            version = {"VersionNumber": int(answer["VersionArn"].rsplit("/", 1)[-1])}
        found = self._at_rest(resource, **version)
        if found is None or not _is_well(found):
            raise _failure(resource, found or {})
        if version:
            self._call("update", resource, "_published_version", **version)
        tags = [{"Key": TAG, "Value": resource.digest}]
        with _told(f"tagging QuickSight's {resource}"):
            self._client.tag_resource(ResourceArn=self._arn(resource), Tags=tags)

    def _digest(self, resource: Resource) -> str | None:
        """What was sent when QuickSight last accepted something."""
        with _told(f"asking for the tags of QuickSight's {resource}"):
            tags = self._client.list_tags_for_resource(ResourceArn=self._arn(resource)).get("Tags", ())
        return next((tag["Value"] for tag in tags if tag["Key"] == TAG), None)

    def _arn(self, resource: Resource) -> str:
        return self._account.arn(resource.kind, resource.id)

    def _grant(self, resource: Resource) -> dict[str, Any]:
        return {"Principal": self._account.principal, "Actions": list(resource.kind.actions)}

    def _share(self, resource: Resource) -> None:
        """The principal may do with the resource what its owner does; nothing is taken from anybody."""
        told = self._call("describe", resource, "_permissions")["Permissions"]
        held = {
            action for one in told if one["Principal"] == self._account.principal for action in one["Actions"]
        }
        if not held.issuperset(resource.kind.actions):
            self._call("update", resource, "_permissions", GrantPermissions=[self._grant(resource)])


def _status(found: Mapping[str, Any]) -> str:
    """A data set has no status: it is there, or it is not."""
    return str(found.get("Status") or found.get("Version", {}).get("Status") or "CREATION_SUCCESSFUL")


def _is_well(found: Mapping[str, Any]) -> bool:
    return _status(found).endswith("_SUCCESSFUL")


def _failure(resource: Resource, found: Mapping[str, Any]) -> ResourceFailed:
    errors = [*found.get("Errors", []), *found.get("Version", {}).get("Errors", [])]
    told = [one for one in (found.get("ErrorInfo"), *errors) if one]
    reason = "; ".join(f"{one.get('Type')}: {one.get('Message', '')}".rstrip(". :") for one in told)
    state = _status(found) if found else "gone again"
    return ResourceFailed(
        f"QuickSight's {resource} is {state}: {reason or 'the service gave no reason'}.", FAILED
    )
