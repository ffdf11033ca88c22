"""GetAccuracyMetrics: how good a predictor was in its backtests."""

from typing import Any

from forecastd.operations.context import Context
from forecastd.operations.kinds import PREDICTORS
from forecastd.operations.views import select, view


def get_accuracy_metrics(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Give the metrics of every algorithm that was tried, best first.

    Raises:
        ResourceInUse: the predictor is still being trained.
        InvalidInput: its training failed.
    """
    predictor = context.find_active(arguments["PredictorArn"], *PREDICTORS)
    return select(view(context, predictor), context.spec.output_members("GetAccuracyMetrics"))
