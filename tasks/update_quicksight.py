"""Update-QuickSight: the dashboard there shows the tables that the run has left; its troubles fail no run."""

from pipeline.errors import translate
from pipeline.quicksight.upkeep import bring_up_to_date
from tasks.job import Job
from tasks.log import logger
from tasks.step import step


@step("Update-QuickSight")
def update_quicksight(job: Job) -> list[str]:
    """Create or update what QuickSight shows of the workload; what the message should say of it."""
    place = job.place
    assert place.quicksight_principal  # without one there is no such step
    try:
        for change in bring_up_to_date(
            place.client("quicksight"),
            place.client("glue"),
            place.database,
            job.workload,
            job.params,
            place.quicksight_principal,
            place.workgroup,
        ):
            logger().info("QuickSight: %s", change)
    except Exception as error:  # the forecast is out, and the next run tries again
        told = translate(error, "updating QuickSight")
        logger().warning("QuickSight was not updated: %s", told, exc_info=error)
        return [f"QuickSight was not updated. {told}"]
    return []
