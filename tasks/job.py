"""One run of one workload, as its steps see it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from blocks.installation import Installation
from pipeline.inputs import Inputs
from pipeline.names import Names
from pipeline.params import Params
from pipeline.retention import Owner
from pipeline.workload import Workload


@dataclass(frozen=True)
class Job:
    """What is to be done, for whom, and under which names.

    Attributes:
        run: the fingerprint of the content.
        replaces: the number of the publication that readers saw when the content was found; 0: none.
    """

    place: Installation
    workload: Workload
    params: Params
    inputs: Inputs
    run: str
    replaces: int = 0

    @cached_property
    def names(self) -> Names:
        return Names(self.workload, self.params, self.run)

    @property
    def forecast(self) -> Any:
        """A client of the forecasting service."""
        return self.place.client("forecast")

    @property
    def s3(self) -> Any:
        return self.place.client("s3")

    @property
    def own(self) -> tuple[Any, str, Names, Params]:
        """What creating and finding a resource of this run takes: client, role, names, params."""
        return self.forecast, self.place.role_arn, self.names, self.params

    @property
    def owner(self) -> Owner:
        """On whose behalf the resources of earlier runs are removed."""
        return Owner(self.s3, self.forecast, self.place.role_arn, self.workload, self.run)
