"""From an upload to a published forecast.

    Take-Stock ─▶ Check-Input ─▶ Keep-Ledger ─▶ Create-Dataset ×1…3 ─▶ Create-DatasetGroup
                                                                                │
    Create-Predictor ◀────────────── Import-Data ×1…3 ◀──────────────── Choose-Predictor
        │ unless one is used again        unless imported
        ▼
    Measure-Accuracy ─▶ Create-Forecast ─▶ Export-Forecast ─▶ Check-Forecast ─▶ Update-Resources
                                                                                │
    Strategy-Choice ◀─ Notify ◀─ Write-Report ◀─ Apply-Retention ◀─ Update-QuickSight
           │ PerformDelete
           └─▶ Delete-Forecast ─▶ Delete-Predictor ─▶ Delete-ImportJob

Update-QuickSight is left out where the installation names nobody there. Every step asks first what
exists, so a run that failed, crashed or was cancelled goes on where it stopped when it is run again. A run is
known by the fingerprint of its content: the same content is not forecast twice.
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from blocks.installation import Installation
from flows.crashes import refuse_to_crash_for_ever
from flows.notices import tell_of_end
from flows.subject import name_of, workload_of
from flows.tags import say_content
from flows.turn import turn
from pipeline.errors import InputChanged
from pipeline.workload import Workload
from tasks.apply_retention import apply_retention
from tasks.check_forecast import check_forecast
from tasks.check_input import Checked, check_input
from tasks.choose_predictor import choose_predictor
from tasks.create_dataset import create_dataset
from tasks.create_dataset_group import create_dataset_group
from tasks.create_forecast import create_forecast
from tasks.create_predictor import create_predictor
from tasks.delete_forecast import delete_forecast
from tasks.delete_import_job import delete_import_job
from tasks.delete_predictor import delete_predictor
from tasks.export_forecast import export_forecast
from tasks.import_data import import_data
from tasks.job import Job
from tasks.keep_ledger import keep_ledger
from tasks.log import logger
from tasks.measure_accuracy import measure_accuracy
from tasks.notify import notify, notify_of_failure
from tasks.roll_back import Wanted, notify_of_rollback, roll_back
from tasks.step import StepFailed
from tasks.strategy_choice import strategy_choice
from tasks.take_stock import Stock, take_stock, was_overtaken
from tasks.update_quicksight import update_quicksight
from tasks.update_resources import republish, update_resources
from tasks.write_report import write_report

# Files that are replaced while they are being checked: look again, but not for ever. Each upload has an
# event of its own, so nothing is lost by giving up.
MOST_STOCKTAKINGS = 5


def run_name() -> str:
    """The name of a flow run: its workload and the file that it is about."""
    return name_of(flow_run.get_parameters())


@flow(
    name="forecast",
    flow_run_name=run_name,
    on_crashed=[tell_of_end],
    on_cancellation=[tell_of_end],
)
def forecast_workload(
    bucket: str,
    key: str | None = None,
    etag: str | None = None,
    version_id: str | None = None,
    folder: str | None = None,
    installation: str = "default",
) -> State[Any]:
    """Forecast one workload: check its files, train, forecast, publish, tell, clean up.

    Args:
        bucket: The bucket of the workload.
        key: Any input of the workload, such as train/demand.csv; it tells which workload is meant.
        etag: The upload's ETag, for the record: what counts is what lies in the bucket when the run starts.
        version_id: The upload's version, where the bucket keeps versions; for the record, too.
        folder: The workload's folder, where no key is given; empty for the root of the bucket.
        installation: The name of the Installation block.
    """
    place = Installation.named(installation)
    workload = Workload(bucket)
    try:
        refuse_to_crash_for_ever()
        workload = workload_of(bucket, key, folder)
        return _in_turn(place, workload)
    except Exception as error:
        return _end_badly(place, workload, StepFailed.of(error, "Start"))


def _in_turn(place: Installation, workload: Workload) -> State[Any]:
    """Do what there is to do as soon as no other run works on it.

    A run can lose its turn without knowing, as when its machine is asleep, and another publish meanwhile. It
    replaces nothing then, nor is it to blame if its resources are gone or others: it takes another turn.
    """
    try:
        with turn(workload.label):
            return _work(place, workload)
    except StepFailed as failed:
        if failed.job is None or not was_overtaken(failed.job):
            raise
        logger().warning("Another run published while this one was at work, looking again (%s)", failed)
    with turn(workload.label):
        return _work(place, workload)


def _work(place: Installation, workload: Workload) -> State[Any]:
    """Find out what there is to do, and do it."""
    for _ in range(MOST_STOCKTAKINGS):
        stock = take_stock(place, workload)
        if stock.is_empty:
            return Completed(message=f"Nothing to forecast yet: no data under {workload.uri('train/')}.")
        say_content(stock.job.run)
        if stock.is_current:
            return _already_done(stock)
        if stock.is_held:
            return _put_aside(stock)
        if stock.was_published:
            return _publish_again(stock)
        try:
            checked = check_input(stock.job)
        except StepFailed as failed:
            if not isinstance(failed.cause, InputChanged):
                raise
            logger().info("The input changed while it was being checked; looking again")
        else:
            return _forecast(stock.job, checked)
    raise InputChanged(
        f"The input changed during each of {MOST_STOCKTAKINGS} checks.",
        "Nothing is lost: the last upload starts a run of its own.",
    )


def _forecast(job: Job, checked: Checked) -> State[Any]:
    """The whole way, from the data to the notice."""
    keep_ledger(job, return_state=True)  # a forecast is due whether or not earlier ones can be scored
    types = [spec.type for spec in job.params.datasets]
    datasets = {one: create_dataset(job, one) for one in types}
    group = create_dataset_group(job, list(datasets.values()))
    choice = choose_predictor(job, datasets, group)
    imports = [import_data.submit(job, checked, one, datasets[one]) for one in types if choice.imports]
    for done in imports:
        done.result()
    predictor = choice.predictor or create_predictor(job, group)
    accuracy = measure_accuracy(job, predictor)
    forecast = create_forecast(job, predictor)
    exported = export_forecast(job, forecast)
    check_forecast(job, checked.form, exported)
    published = update_resources(job, checked.form)
    warnings = _show_in_quicksight(job)
    apply_retention(job)
    write_report(job, published, accuracy, return_state=True)  # whatever becomes of it
    notify(job, published, accuracy, warnings)
    _clean_up(job)
    return Completed(message=f"Published {published.words()}. {accuracy.words()} {choice.words()}")


def _publish_again(stock: Stock) -> State[Any]:
    """This content was forecast before and another forecast has replaced it since."""
    published = republish(stock.job, stock.form)
    warnings = _show_in_quicksight(stock.job)
    apply_retention(stock.job)
    write_report(stock.job, published, stock.accuracy, return_state=True)
    notify(stock.job, published, stock.accuracy, warnings)
    _clean_up(stock.job)
    return Completed(message=f"Already forecast; published again from history: {published.words()}.")


def _show_in_quicksight(job: Job) -> list[str]:
    """Warnings for the message; nothing is done where QuickSight is not set up."""
    return update_quicksight(job) if job.place.quicksight_principal else []


def _already_done(stock: Stock) -> State[Any]:
    """Nothing to do, unless the run that did it was killed while it was cleaning up, or more is to go now."""
    apply_retention(stock.job)
    _clean_up(stock.job)
    return Completed(message=f"Already forecast: run {stock.job.run} of the same content is published.")


def _put_aside(stock: Stock) -> State[Any]:
    """A rollback holds until other content arrives; the same content again does not undo it.

    One that was killed before its table and its notice is finished.
    """
    job, live = stock.job, stock.published.run if stock.published else ""
    if not stock.is_concluded:
        notify_of_rollback(job.place, job.workload, roll_back(job.place, job.workload, Wanted(live, None)))
    _clean_up(job)
    return Completed(
        message=f"Rolled back: run {live} stays published until other content is uploaded. "
        f"A rollback to run {stock.job.run} brings the forecast of this content back."
    )


def _clean_up(job: Job) -> None:
    made = strategy_choice(job)
    if made:
        delete_forecast(job, made)
        delete_predictor(job, made)
        delete_import_job(job, made)


def _end_badly(place: Installation, workload: Workload, failed: StepFailed) -> State[Any]:
    """A failed run says so in its state, in the log, in the run's record and to those who wait for it."""
    logger().error("%s", failed, exc_info=None if failed.is_expected else failed)
    notify_of_failure(place, workload, failed, return_state=True)  # whatever becomes of the notice
    return Failed(message=str(failed))
