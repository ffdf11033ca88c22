"""The names of a run's resources: stable for what a workload keeps, new for what a run makes."""

import hashlib
import json
from dataclasses import dataclass

from pipeline.params import Params
from pipeline.workload import Workload

LONGEST = 63  # the API's limit for every name


@dataclass(frozen=True)
class Names:
    """Names of one run. Datasets and their group are the workload's own and outlive the run.

    A dataset cannot be changed after it was made, so its name carries a hash of its definition: another
    schema gives another dataset. Whatever a run makes carries the run, so that no other run's is touched.
    """

    workload: Workload
    params: Params
    run: str

    @property
    def dataset_group(self) -> str:
        definition = [self.params.group_domain, [spec.definition() for spec in self.params.datasets]]
        return _named(self.params.dataset_group_name, self._stable(definition))

    def dataset(self, dataset_type: str) -> str:
        spec = self.params.spec(dataset_type)
        return _named(spec.name, self._stable(spec.definition()))

    def import_job(self, dataset_type: str) -> str:
        return _named(self.params.spec(dataset_type).name, self.run)

    @property
    def predictor(self) -> str:
        return _named(self.params.predictor_name, self.run)

    @property
    def forecast(self) -> str:
        return _named(self.params.forecast_name, self.run)

    @property
    def export_job(self) -> str:
        return _named(self.params.forecast_name, self.run)

    def _stable(self, definition: object) -> str:
        content = [self.workload.bucket, self.workload.folder, definition]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _named(given: str, suffix: str) -> str:
    return f"{given[: LONGEST - len(suffix) - 1]}_{suffix}"
