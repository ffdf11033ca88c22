"""Delete-Forecast: the export job first, which the forecast cannot go without."""

from collections.abc import Mapping
from typing import Any

from pipeline.resources import remove
from tasks.job import Job
from tasks.log import logger
from tasks.step import step


@step("Delete-Forecast")
def delete_forecast(job: Job, made: Mapping[str, Any]) -> None:
    """Delete this run's export job and forecast, as far as they exist; the exported files stay."""
    for kind in ("export_job", "forecast"):
        if made.get(kind):
            remove(job.forecast, made[kind])
            logger().info("Deleted %s", made[kind])
