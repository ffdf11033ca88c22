"""Which rule makes a draft of which Create request; a rule knows what the service model cannot say."""

from collections.abc import Callable
from typing import Any

from forecastd.operations import autopredictors, datasets, exports, forecasts, groups, imports, predictors
from forecastd.operations.context import Context
from forecastd.operations.drafts import Draft
from forecastd.store.records import Record

Rule = Callable[[Context, dict[str, Any], list[Record]], Draft]

RULES: dict[str, Rule] = {
    "Dataset": datasets.draft,
    "DatasetGroup": groups.draft,
    "DatasetImportJob": imports.draft,
    "Predictor": predictors.draft,
    "AutoPredictor": autopredictors.draft,
    "PredictorBacktestExportJob": exports.draft,
    "Forecast": forecasts.draft,
    "ForecastExportJob": exports.draft,
}
