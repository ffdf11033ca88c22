"""The seven dataset domains and the fields that each of them requires."""

from dataclasses import dataclass

TARGET = "TARGET_TIME_SERIES"
RELATED = "RELATED_TIME_SERIES"
METADATA = "ITEM_METADATA"
ROLE_OF_TYPE = {TARGET: "train", RELATED: "related", METADATA: "metadata"}
MOST_FEATURES = 13  # numbers of related data
MOST_COLUMNS = {TARGET: 13, RELATED: 25, METADATA: 10}
NUMBERS = ("float", "integer")
TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Domain:
    """The names of a domain's item key and of its target."""

    item_key: str
    target: str

    def required(self, dataset_type: str) -> dict[str, tuple[str, ...]]:
        """The fields that a dataset of the type has to have, each with the types it may take."""
        fields: dict[str, tuple[str, ...]] = {self.item_key: ("string",)}
        if dataset_type != METADATA:
            fields[TIMESTAMP] = ("timestamp",)
        if dataset_type == TARGET:
            fields[self.target] = NUMBERS
        return fields


DOMAINS = {
    "RETAIL": Domain("item_id", "demand"),
    "CUSTOM": Domain("item_id", "target_value"),
    "INVENTORY_PLANNING": Domain("item_id", "demand"),
    "EC2_CAPACITY": Domain("instance_type", "number_of_instances"),
    "WORK_FORCE": Domain("workforce_type", "workforce_demand"),
    "WEB_TRAFFIC": Domain("item_id", "value"),
    "METRICS": Domain("metric_name", "metric_value"),
}
