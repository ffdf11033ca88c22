"""A QuickSight that keeps what it is told, behind a real client: nothing of it reaches a network.

Requests are held against all of the service's model: botocore's own check, and the patterns, choices and
lengths that botocore leaves to the service. Answers are held against the model, too.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.validate import ParamValidator

ACCOUNT = "111122223333"
PRINCIPAL = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:user/default/ann"
KINDS = ("DataSource", "DataSet", "Analysis", "Dashboard")
CALL = re.compile(rf"([A-Z][a-z]+)({'|'.join(KINDS)})(\w*)")
EXACTLY_ONE = ("Visual", "Filter", "FilterControl", "DimensionField", "MeasureField", "PhysicalTable")


class Refused(Exception):
    """An error that the service answers with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status


class FakeQuickSight:
    """One account. `client` is a real boto3 client whose requests end here."""

    def __init__(self) -> None:
        self.client = boto3.client("quicksight", region_name="eu-west-1")
        self.resources: dict[str, dict[str, Any]] = {}  # by ARN
        self.tags: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []  # operations
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.refusals: dict[str, Refused] = {}  # by operation
        self.busy_answers = 0  # how often a resource is in progress after each change
        self.outcome = "SUCCESSFUL"
        self._asked: dict[str, Any] = {}
        events = self.client.meta.events
        events.register("provide-client-params.quicksight", self._keep)
        events.register("before-call.quicksight", self._answer)

    @property
    def changes(self) -> list[str]:
        """The operations that changed something, and that were not only questions."""
        return [call for call in self.calls if not call.startswith(("Describe", "List"))]

    def forget_calls(self) -> None:
        self.calls.clear()
        self.requests.clear()

    def sent(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.requests if name == operation]

    def one(self, kind: str, ending: str = "") -> dict[str, Any]:
        """The only resource of a kind, or the one whose id ends so."""
        found = [r for arn, r in self.resources.items() if r["kind"] == kind and arn.endswith(ending)]
        assert len(found) == 1
        return found[0]

    def _keep(self, params: dict[str, Any], **_: Any) -> None:
        self._asked = copy.deepcopy(params)

    def _answer(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        """What the client takes for the service's answer; botocore's own check has passed."""
        self.calls.append(model.name)
        self.requests.append((model.name, self._asked))
        try:
            answer = self._served(model)
        except Refused as refused:
            error = {"Code": refused.code, "Message": refused.message}
            return AWSResponse("", refused.status, {}, None), {"Error": error, "ResponseMetadata": {}}
        report = ParamValidator().validate(answer, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return AWSResponse("", 200, {}, None), answer

    def _served(self, model: Any) -> dict[str, Any]:
        if model.name in self.refusals:
            raise self.refusals[model.name]
        for problem in broken_rules(self._asked, model.input_shape):
            raise Refused("InvalidParameterValueException", problem)
        found = CALL.fullmatch(model.name)
        if found is None:
            return self._tagged(model.name, self._asked)
        verb, kind, ending = found.groups()
        self._kind, self._id = kind, self._asked[f"{kind}Id"]
        serve = getattr(self, f"_{verb.lower()}{ending.lower()}")
        answer: dict[str, Any] = serve(self._asked)
        return answer

    @property
    def _arn(self) -> str:
        return f"arn:aws:quicksight:eu-west-1:{ACCOUNT}:{self._kind.lower()}/{self._id}"

    @property
    def _own(self) -> dict[str, Any]:
        if self._arn not in self.resources:
            raise Refused("ResourceNotFoundException", f"{self._kind} {self._id} is not found", 404)
        return self.resources[self._arn]

    def _tagged(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        own = self.tags[asked["ResourceArn"]]
        if operation == "TagResource":
            own |= {tag["Key"]: tag["Value"] for tag in asked["Tags"]}
            return {}
        assert operation == "ListTagsForResource"
        return {"Tags": [{"Key": key, "Value": value} for key, value in own.items()]} if own else {}

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._arn in self.resources:
            raise Refused("ResourceExistsException", f"{self._id} exists", 409)
        self._insist_on_parents(asked)
        grants = {one["Principal"]: set(one["Actions"]) for one in asked.get("Permissions", ())}
        self.resources[self._arn] = {"kind": self._kind, "versions": [], "grants": grants, "published": 1}
        self.tags[self._arn] = {}
        return self._taken(asked, "CREATION")

    def _update(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._version(None)["Status"] == "DELETED":
            raise Refused("ResourceNotFoundException", f"{self._id} is deleted", 404)
        self._insist_on_parents(asked)
        return self._taken(asked, "UPDATE")

    def _taken(self, asked: dict[str, Any], verb: str) -> dict[str, Any]:
        """A new version, which is at work for as many questions as `busy_answers` says."""
        version = {"asked": asked, "busy": self.busy_answers, "verb": verb, "Status": None}
        version["end"] = f"{verb}_{self.outcome}"
        versions = self._own["versions"]
        versions.append(version)
        if not self._is_dashboard:
            self._own["published"] = len(versions)
        answer = {"Arn": self._arn, f"{self._kind}Id": self._id}
        return answer | ({"VersionArn": f"{self._arn}/version/{len(versions)}"} if self._is_dashboard else {})

    @property
    def _is_dashboard(self) -> bool:
        return self._kind == "Dashboard"

    def _version(self, number: int | None) -> dict[str, Any]:
        found: dict[str, Any] = self._own["versions"][(number or self._own["published"]) - 1]
        if found["Status"] != "DELETED":
            found["Status"] = f"{found['verb']}_IN_PROGRESS" if found["busy"] else found["end"]
        found["busy"] = max(found["busy"] - 1, 0)
        return found

    def _describe(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = self._version(asked.get("VersionNumber"))
        told: dict[str, Any] = {"Arn": self._arn, f"{self._kind}Id": self._id, "Name": found["asked"]["Name"]}
        failed = found["Status"].endswith("FAILED")
        if self._kind == "DataSet":
            return {"DataSet": told | {"ImportMode": found["asked"]["ImportMode"]}}
        state: dict[str, Any] = {"Status": found["Status"]}
        if failed and self._kind == "DataSource":
            state["ErrorInfo"] = {"Type": "ACCESS_DENIED", "Message": "Athena may not be used."}
        elif failed:
            state["Errors"] = [{"Type": "DATA_SET_NOT_FOUND", "Message": "No such column."}]
        return {self._kind: told | ({"Version": state} if self._is_dashboard else state)}

    def _describepermissions(self, asked: dict[str, Any]) -> dict[str, Any]:
        grants = self._own["grants"].items()
        return {"Permissions": [{"Principal": who, "Actions": sorted(held)} for who, held in grants if held]}

    def _updatepermissions(self, asked: dict[str, Any]) -> dict[str, Any]:
        for one in asked["GrantPermissions"]:
            self._own["grants"].setdefault(one["Principal"], set()).update(one["Actions"])
        return {}

    def _updatepublishedversion(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._version(asked["VersionNumber"])["Status"].endswith("SUCCESSFUL"):
            raise Refused("InvalidParameterValueException", "The version cannot be published")
        self._own["published"] = asked["VersionNumber"]
        return {}

    def _restore(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._version(None)["Status"] = None
        return {"Arn": self._arn, f"{self._kind}Id": self._id}

    def _insist_on_parents(self, asked: dict[str, Any]) -> None:
        missing = [arn for arn in _parents(asked) if arn not in self.resources]
        if missing:
            raise Refused("InvalidParameterValueException", f"There is no {missing[0]}")


def _parents(asked: dict[str, Any]) -> Iterator[str]:
    for table in asked.get("PhysicalTableMap", {}).values():
        yield table["RelationalTable"]["DataSourceArn"]
    for declared in asked.get("Definition", {}).get("DataSetIdentifierDeclarations", ()):
        yield declared["DataSetArn"]


def broken_rules(value: Any, shape: Any, where: str = "request") -> Iterator[str]:
    """What the model forbids and botocore lets pass."""
    if shape.type_name == "structure":
        if shape.name in EXACTLY_ONE and len(value) != 1:
            yield f"{where}: one of {', '.join(shape.members)}"
        for name, part in value.items():
            yield from broken_rules(part, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        yield from _out_of_range(len(value), shape.metadata, where)
        for place, part in enumerate(value):
            yield from broken_rules(part, shape.member, f"{where}[{place}]")
    elif shape.type_name == "map":
        for key, part in value.items():
            yield from broken_rules(key, shape.key, f"{where} key {key}")
            yield from broken_rules(part, shape.value, f"{where}[{key}]")
    else:
        yield from _broken_scalar(value, shape, where)


def _broken_scalar(value: Any, shape: Any, where: str) -> Iterator[str]:
    if shape.type_name == "string":
        yield from _out_of_range(len(value), shape.metadata, where)
        if shape.enum and value not in shape.enum:
            yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"
        if "pattern" in shape.metadata and not re.fullmatch(shape.metadata["pattern"], value):
            yield f"{where}: {value!r} is not {shape.metadata['pattern']}"
    elif shape.type_name in ("integer", "long"):
        yield from _out_of_range(value, shape.metadata, where)


def _out_of_range(size: int, limits: Mapping[str, Any], where: str) -> Iterator[str]:
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{where}: {size} is not from {limits.get('min')} to {limits.get('max')}"
