"""Deletion: what holds what, what goes at once, trees, and stopping."""

from typing import Any

import pytest


@pytest.fixture
def chain(lab: Any, forecast: Any, hourly: Any) -> dict[str, str]:
    """One of everything."""
    dataset = lab.dataset()
    job = lab.imported(dataset, hourly(items=1, days=4))["DatasetImportJobArn"]
    group = lab.group(dataset)
    predictor = lab.predictor(group, ForecastHorizon=12)
    ready = lab.forecasted(predictor)
    export = forecast.create_forecast_export_job(
        ForecastExportJobName=lab.name(), ForecastArn=ready, Destination=lab.s3_config(lab.name("out"))
    )["ForecastExportJobArn"]
    lab.wait(lambda: forecast.describe_forecast_export_job(ForecastExportJobArn=export))
    return {
        "dataset": dataset,
        "import": job,
        "group": group,
        "predictor": predictor,
        "forecast": ready,
        "export": export,
    }


def left(forecast: Any, chain: dict[str, str]) -> set[str]:
    """Say what of a chain is still there."""

    def exists(arn: str) -> bool:
        try:
            forecast.list_tags_for_resource(ResourceArn=arn)
        except forecast.exceptions.ResourceNotFoundException:
            return False
        return True

    return {name for name, arn in chain.items() if exists(arn)}


def test_parents_are_held_by_their_children_and_go_in_order(
    lab: Any, forecast: Any, chain: dict[str, str]
) -> None:
    in_use = forecast.exceptions.ResourceInUseException
    with pytest.raises(in_use, match="1 resources depend on"):
        forecast.delete_forecast(ForecastArn=chain["forecast"])
    with pytest.raises(in_use):
        forecast.delete_predictor(PredictorArn=chain["predictor"])
    with pytest.raises(in_use):
        forecast.delete_dataset_group(DatasetGroupArn=chain["group"])
    lab.wait_until_gone(lambda: forecast.delete_forecast_export_job(ForecastExportJobArn=chain["export"]))
    lab.wait_until_gone(lambda: forecast.delete_forecast(ForecastArn=chain["forecast"]))
    lab.wait_until_gone(lambda: forecast.delete_predictor(PredictorArn=chain["predictor"]))
    lab.wait_until_gone(lambda: forecast.delete_dataset_import_job(DatasetImportJobArn=chain["import"]))
    lab.wait_until_gone(lambda: forecast.delete_dataset_group(DatasetGroupArn=chain["group"]))
    lab.wait_until_gone(lambda: forecast.delete_dataset(DatasetArn=chain["dataset"]))
    assert left(forecast, chain) == set()


def test_a_tree_below_a_group_spares_datasets_and_imports(
    forecast: Any, until: Any, server: Any, chain: dict[str, str]
) -> None:
    before = len(list((server.data_dir / "blobs").iterdir()))
    forecast.delete_resource_tree(ResourceArn=chain["group"])
    until(lambda: left(forecast, chain) == {"dataset", "import"})
    assert len(list((server.data_dir / "blobs").iterdir())) == before - 2  # of predictor and forecast


def test_a_dataset_takes_its_imports_along(forecast: Any, until: Any, chain: dict[str, str]) -> None:
    forecast.delete_dataset(DatasetArn=chain["dataset"])
    until(lambda: not left(forecast, chain) & {"dataset", "import"})
    assert {"group", "predictor", "forecast", "export"} <= left(forecast, chain)


def test_a_deletion_does_not_wait_behind_a_training(lab: Any, forecast: Any, until: Any, hourly: Any) -> None:
    def status() -> str:
        return forecast.describe_auto_predictor(PredictorArn=predictor)["Status"]

    group, doomed = lab.filled_group(hourly(items=10, days=60)), lab.dataset()
    predictor = lab.start_auto_predictor(group)
    until(lambda: status() == "CREATE_IN_PROGRESS")
    lab.wait_until_gone(lambda: forecast.delete_dataset(DatasetArn=doomed))
    assert status() == "CREATE_IN_PROGRESS"
    forecast.stop_resource(ResourceArn=predictor)
    lab.wait(lambda: forecast.describe_auto_predictor(PredictorArn=predictor))


def test_a_name_is_free_again_once_the_deletion_is_done(lab: Any, forecast: Any) -> None:
    arn = lab.dataset(DatasetName="phoenix")
    lab.wait_until_gone(lambda: forecast.delete_dataset(DatasetArn=arn))
    assert lab.dataset(DatasetName="phoenix") == arn


def test_a_job_that_is_done_cannot_be_stopped_and_a_dataset_has_none(
    lab: Any, forecast: Any, chain: dict[str, str]
) -> None:
    with pytest.raises(
        forecast.exceptions.InvalidInputException, match="is ACTIVE; only a job that is not done"
    ):
        forecast.stop_resource(ResourceArn=chain["export"])
    with pytest.raises(forecast.exceptions.InvalidInputException, match="A dataset has no job"):
        forecast.stop_resource(ResourceArn=chain["dataset"])
