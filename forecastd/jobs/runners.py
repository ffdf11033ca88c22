"""Which job makes which kind of resource. Training libraries are loaded when the first job needs them."""

from forecastd.jobs.exporting import run_export
from forecastd.jobs.importing import run_import
from forecastd.jobs.job import Facts, Job
from forecastd.jobs.worker import Runner


def _train(job: Job) -> Facts:
    from forecastd.jobs.training import run_training

    return run_training(job)


def _export_backtests(job: Job) -> Facts:
    from forecastd.jobs.backtests import run_backtest_export

    return run_backtest_export(job)


def _forecast(job: Job) -> Facts:
    from forecastd.jobs.forecasting import run_forecast

    return run_forecast(job)


RUNNERS: dict[str, Runner] = {
    "DatasetImportJob": run_import,
    "Predictor": _train,
    "AutoPredictor": _train,
    "PredictorBacktestExportJob": _export_backtests,
    "Forecast": _forecast,
    "ForecastExportJob": run_export,
}


def load_training_libraries() -> None:
    """Import what training needs, so that the first training does not wait for it."""
    import lightgbm  # noqa: F401

    import forecastd.jobs.forecasting
    import forecastd.jobs.training  # noqa: F401
