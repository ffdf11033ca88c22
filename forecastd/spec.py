"""Amazon's published model of the API, read from botocore: operations, shapes and constraints.

Nothing of it is retyped here. `forecast` and `forecastquery` share one endpoint; the prefix of the
`X-Amz-Target` header tells them apart.
"""

from collections.abc import Iterator
from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

SERVICES = ("forecast", "forecastquery")


class Spec:
    """The operations of all served services."""

    def __init__(self) -> None:
        loader = Loader()
        self._services = [
            ServiceModel(loader.load_service_model(name, "service-2"), name) for name in SERVICES
        ]
        self._by_target = dict(self._targets())
        self._by_name = {operation.name: operation for operation in self._by_target.values()}

    def _targets(self) -> Iterator[tuple[str, OperationModel]]:
        for service in self._services:
            for name in service.operation_names:
                yield f"{service.metadata['targetPrefix']}.{name}", service.operation_model(name)

    @property
    def targets(self) -> dict[str, OperationModel]:
        """Every operation by the value of its `X-Amz-Target` header."""
        return dict(self._by_target)

    @property
    def operations(self) -> dict[str, OperationModel]:
        """Every operation by its name."""
        return dict(self._by_name)

    def by_target(self, target: str) -> OperationModel | None:
        """Find the operation that a target header names."""
        return self._by_target.get(target)

    def output_members(self, operation: str) -> list[str]:
        """Give the names of the members that an operation answers with."""
        shape = self._by_name[operation].output_shape
        return list(shape.members) if shape is not None else []

    def summary_members(self, operation: str) -> tuple[str, list[str]]:
        """Give a list operation's list member and the members of one entry of it."""
        shape = self._by_name[operation].output_shape
        lists = {name: member for name, member in shape.members.items() if member.type_name == "list"}
        [(name, member)] = lists.items()
        return name, list(member.member.members)


@cache
def load_spec() -> Spec:
    """Give the one spec of the process."""
    return Spec()
