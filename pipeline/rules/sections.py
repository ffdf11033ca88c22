"""Rules of the sections of params.json that are our own."""

from collections.abc import Iterator

from pipeline.errors import Problem
from pipeline.quantiles import DEFAULT_TYPES, has_interval
from pipeline.rules.draft import Draft, Rule, object_of, strings_of
from pipeline.rules.predictor import labels_of
from pipeline.shapes import shown


def _recalibrated_types(draft: Draft) -> Iterator[Problem]:
    if object_of(draft.document, "Recalibration").get("When") != "needed":
        return
    forecast, predictor = (object_of(draft.document, name) for name in ("Forecast", "Predictor"))
    types = strings_of(forecast, "ForecastTypes") or strings_of(predictor, "ForecastTypes") or DEFAULT_TYPES
    if not has_interval(labels_of(types)):
        rule = "it moves the quantiles about the median, and needs 0.5 and one on either side of it"
        yield Problem("Forecast.ForecastTypes", ", ".join(types), rule, 'Add them, or set When to "never".')


def _limits(draft: Draft) -> Iterator[Problem]:
    least, most = (object_of(draft.document, "Checks").get(name) for name in ("LeastValue", "MostValue"))
    both = [value for value in (least, most) if isinstance(value, int | float) and value is not False]
    if len(both) == 2 and both[0] > both[1]:
        rule = f"it is above MostValue, {shown(most)}, so that no value is left"
        yield Problem("Checks.LeastValue", shown(least), rule, "Exchange or correct them.")


RULES: tuple[Rule, ...] = (
    _recalibrated_types,
    _limits,
)
