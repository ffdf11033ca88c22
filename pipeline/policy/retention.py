"""`Retention` in params.json: how many runs of a workload keep what they made."""

from dataclasses import dataclass

from pipeline.policy.section import number, whole


@dataclass(frozen=True)
class Retention:
    """How many of the newest published runs keep what they made, and what a full quota means."""

    # Runs that keep their resources at the forecasting service.
    runs: int | None = whole(None, least=1, off=True)
    # Runs that keep their history and their record in the bucket.
    history: int | None = whole(None, least=2, off=True)
    # The longest wait for a quota that is used up, in hours; then the run fails.
    most_quota_wait_hours: float = number(6.0, least=0, most=240)

    @property
    def limits_anything(self) -> bool:
        """Whether anything is ever removed because of its age."""
        return self.runs is not None or self.history is not None
