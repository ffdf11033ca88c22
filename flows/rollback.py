"""Back to an earlier forecast: Choose-Forecast ─▶ Roll-Back ─▶ Notify.

It takes turns with the other runs of the workload; should one of them publish meanwhile, nothing is changed.

python -m flows.rollback --list              which forecasts there are
python -m flows.rollback                     to the one before the current one
python -m flows.rollback --run 0123456789ab  to any of them, earlier or later
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from blocks.installation import Installation
from flows.crashes import refuse_to_crash_for_ever
from flows.subject import label_of, workload_of
from flows.tags import said_aim, say_aim
from flows.turn import turn
from pipeline import rollback as archive
from pipeline.errors import PipelineError
from pipeline.workload import Workload
from tasks.log import logger
from tasks.notify import note_told, notify_of_failure
from tasks.roll_back import Wanted, choose_forecast, notify_of_rollback, roll_back
from tasks.step import StepFailed

_NO_WORKLOAD = (
    "{} has neither a params.json nor a forecast, so nothing was done. Give the folder of a workload; "
    "the root of the bucket is the empty one."
)


def run_name() -> str:
    """The name of a flow run: its workload and where it goes back to."""
    given = flow_run.get_parameters()
    named = label_of(given) if given.get("bucket") else str(given.get("folder") or "own workload")
    return f"{named} · back to {given.get('run') or 'the one before'}"


@flow(name="rollback", flow_run_name=run_name)
def roll_back_workload(
    bucket: str | None = None,
    folder: str | None = None,
    run: str | None = None,
    installation: str = "default",
) -> State[Any]:
    """Make an archived forecast the current one again. It stays until other content is uploaded.

    Args:
        bucket: The bucket of the workload; the installation's own if none is given.
        folder: The workload's folder; empty for the root of the bucket.
        run: The run whose forecast comes back; the one before the current one if none is given.
        installation: The name of the Installation block.
    """
    place = Installation.named(installation)
    workload = workload_of(bucket or place.bucket, folder=folder)
    try:
        refuse_to_crash_for_ever()
        if not archive.is_workload(place.client("s3"), workload):
            note_told()  # only who mistyped the folder wants to know
            return Failed(message=_NO_WORKLOAD.format(workload.uri()))
        wanted = _meant(place, workload, run)
        with turn(workload.label):
            published = roll_back(place, workload, wanted)
        notify_of_rollback(place, workload, published)
        return Completed(message=f"Rolled back to run {published.manifest.run}: {published.words()}.")
    except Exception as error:
        return _end_badly(place, workload, StepFailed.of(error, "Roll-Back"))


def _meant(place: Installation, workload: Workload, run: str | None) -> Wanted:
    """What to go back to: chosen once, as others may have published when a crashed run starts again."""
    if (aim := said_aim()) is not None:
        return Wanted.of(aim)
    wanted = choose_forecast(place, workload, run)
    say_aim(str(wanted))
    return wanted


def _end_badly(place: Installation, workload: Workload, failed: StepFailed) -> State[Any]:
    say_aim(None)  # whoever has it run again has seen why it failed, and means what is published then
    logger().error("%s", failed, exc_info=None if failed.is_expected else failed)
    notify_of_failure(place, workload, failed, return_state=True)
    return Failed(message=str(failed))


def main(arguments: Sequence[str] | None = None) -> int:
    """List what can be rolled back to, or roll back."""
    parser = argparse.ArgumentParser(prog="python -m flows.rollback", description=__doc__.splitlines()[0])
    parser.add_argument("--bucket", help="of the workload; the installation's own if not given")
    parser.add_argument("--folder", help="of the workload; the root of the bucket if not given")
    parser.add_argument("--installation", default="default", help="the Installation block")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="show the archived forecasts, and do nothing")
    what.add_argument("--run", help="the run whose forecast comes back")
    what.add_argument("--previous", action="store_true", help="the one before the current one (the default)")
    given = parser.parse_args(arguments)
    try:
        if given.list:
            print("\n".join(_listed(given)))
            return 0
        state = roll_back_workload(
            given.bucket, given.folder, given.run, given.installation, return_state=True
        )
    except (PipelineError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(state.message, file=sys.stdout if state.is_completed() else sys.stderr)
    return 0 if state.is_completed() else 1


def _listed(given: argparse.Namespace) -> list[str]:
    place = Installation.named(given.installation)
    workload: Workload = workload_of(given.bucket or place.bucket, folder=given.folder)
    return [workload.uri(), *archive.lines(archive.choices(place.client("s3"), workload))]


if __name__ == "__main__":
    sys.exit(main())
