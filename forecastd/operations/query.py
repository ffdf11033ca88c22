"""QueryForecast: the values of one series, read from the stored forecast."""

import datetime as dt
from pathlib import Path
from typing import Any

from forecastd.errors import InvalidInput, InvalidNextToken, ResourceNotFound
from forecastd.operations.context import Context
from forecastd.store.forecasts import Key, StoredForecast, open_forecast


def query_forecast(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Give the predictions of the one series that the filters name.

    Raises:
        ResourceNotFound: there is no such forecast, or no such series in it.
        InvalidInput: a filter is missing or unknown, several series differ from the filters in their case
            alone, or a date is none.
    """
    if "NextToken" in arguments:
        raise InvalidNextToken("A query is answered in one page; there are no tokens for it.")
    record = context.find_active(arguments["ForecastArn"], "Forecast")
    assert record.blob is not None  # every ACTIVE forecast has its values
    try:
        return _answer(context.blobs.folder(record.blob), record.arn, arguments)
    except FileNotFoundError:  # its values go while it is deleted: answer as for any that is
        context.find_active(arguments["ForecastArn"], "Forecast")
        raise


def _answer(folder: Path, arn: str, arguments: dict[str, Any]) -> dict[str, Any]:
    forecast = open_forecast(folder)
    key = _key(forecast, arguments["Filters"])
    found = forecast.find(key)
    if not found:
        raise ResourceNotFound(f"No series of {arn} has {_words(forecast, key)}.")
    if len(found) > 1:
        alike = " / ".join(_words(forecast, each) for each in list(found)[:2])
        raise InvalidInput(
            f"Filters: no series of {arn} has {_words(forecast, key)}, but {len(found)} differ from it in"
            f" their case alone, such as {alike}; write it as one of them."
        )
    [series] = found.values()
    first, last = (_date(arguments, name) for name in ("StartDate", "EndDate"))
    return {"Forecast": {"Predictions": forecast.predictions(series, first, last)}}


def _key(forecast: StoredForecast, filters: dict[str, str]) -> Key:
    unknown = [name for name in filters if name not in forecast.key_columns]
    missing = [name for name in forecast.key_columns if name not in filters]
    if unknown or missing:
        problem = f"{unknown[0]} is no key of this forecast" if unknown else f"{missing[0]} is missing"
        raise InvalidInput(f"Filters: {problem}; give exactly {', '.join(forecast.key_columns)}.")
    return tuple(filters[name] for name in forecast.key_columns)


def _words(forecast: StoredForecast, key: Key) -> str:
    return " and ".join(f"{name} = {value}" for name, value in zip(forecast.key_columns, key, strict=True))


def _date(arguments: dict[str, Any], name: str) -> dt.datetime | None:
    text = arguments.get(name)
    if text is None:
        return None
    try:
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        raise InvalidInput(f"The {name} {text} is no date; write it like 2024-01-31T00:00:00.") from None
