"""What every operation works with, and the look-ups that all of them share."""

from dataclasses import dataclass

from forecastd.errors import InvalidInput, ResourceInUse, ResourceNotFound
from forecastd.operations.kinds import KINDS
from forecastd.settings import Settings
from forecastd.spec import Spec
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.store.records import Record


@dataclass(frozen=True)
class Context:
    """The parts that operations are made from."""

    store: Store
    blobs: Blobs
    settings: Settings
    spec: Spec

    def find(self, arn: str, *kinds: str) -> Record:
        """Find a resource of one of some kinds (any when none is named).

        Raises:
            ResourceNotFound: there is none.
        """
        record = self.store.get(arn)
        if record is None or (kinds and record.kind not in kinds):
            raise ResourceNotFound(f"No resource found {arn}")
        return record

    def find_active(self, arn: str, *kinds: str) -> Record:
        """Find a resource that must be ready for use.

        Raises:
            ResourceNotFound: there is none.
            ResourceInUse: it is still being made, or already being deleted.
            InvalidInput: it never became ready.
        """
        return require_active(self.find(arn, *kinds))


def require_active(record: Record) -> Record:
    """Give the record back if it is ACTIVE.

    Raises:
        ResourceInUse: waiting may help.
        InvalidInput: waiting does not help.
    """
    if record.status == "ACTIVE":
        return record
    noun = KINDS[record.kind].noun
    sentence = f"The {noun} {record.arn} is {record.status}, but must be ACTIVE."
    if record.creating or record.deleting:
        raise ResourceInUse(sentence)
    raise InvalidInput(f"{sentence} Create another one.")
