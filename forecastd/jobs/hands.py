"""Who does the work of a job: processes on this machine, or the cluster of the settings."""

from forecastd.models.cluster import cluster_crew
from forecastd.models.crew import Crew
from forecastd.settings import Settings


def crew_of(settings: Settings) -> Crew | None:
    """Give the cluster's crew; None where there is no cluster and the models choose processes themselves.

    Raises:
        JobFailed: the cluster does not answer, or its package is not installed.
    """
    return cluster_crew(settings.cluster) if settings.cluster else None
