"""The seven dataset domains: which fields each dataset type must have, and what they are called."""

from dataclasses import dataclass

TARGET = "TARGET_TIME_SERIES"
RELATED = "RELATED_TIME_SERIES"
METADATA = "ITEM_METADATA"
DATASET_TYPES = (TARGET, RELATED, METADATA)

TIMESTAMP = "timestamp"
NUMERIC_TYPES = ("float", "integer")


@dataclass(frozen=True)
class Domain:
    """The fields that a domain requires; only their names tell the domains apart."""

    name: str
    item_key: str
    target: str
    suggested: frozenset[str] = frozenset()

    def required(self, dataset_type: str) -> dict[str, tuple[str, ...]]:
        """Give the required attributes of a dataset type with the types each may have."""
        fields: dict[str, tuple[str, ...]] = {self.item_key: ("string",)}
        if dataset_type != METADATA:
            fields[TIMESTAMP] = ("timestamp",)
        if dataset_type == TARGET:
            fields[self.target] = NUMERIC_TYPES
        return fields

    @property
    def own_names(self) -> frozenset[str]:
        """Names that the domain itself gives out; they are legal even where SQL reserves them."""
        return frozenset({self.item_key, TIMESTAMP, self.target}) | self.suggested


DOMAINS = {
    domain.name: domain
    for domain in (
        Domain(
            "RETAIL",
            "item_id",
            "demand",
            frozenset(
                {
                    "location",
                    "price",
                    "promotion_applied",
                    "inventory_onhand",
                    "webpage_hits",
                    "category",
                    "brand",
                    "color",
                    "genre",
                }
            ),
        ),
        Domain("CUSTOM", "item_id", "target_value", frozenset({"category"})),
        Domain(
            "INVENTORY_PLANNING",
            "item_id",
            "demand",
            frozenset({"location", "price", "category", "brand", "lead_time", "order_cycle", "safety_stock"}),
        ),
        Domain("EC2_CAPACITY", "instance_type", "number_of_instances", frozenset({"location"})),
        Domain(
            "WORK_FORCE",
            "workforce_type",
            "workforce_demand",
            frozenset({"wages", "shift_length", "location"}),
        ),
        Domain("WEB_TRAFFIC", "item_id", "value", frozenset({"category"})),
        Domain("METRICS", "metric_name", "metric_value", frozenset({"category"})),
    )
}
