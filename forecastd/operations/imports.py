"""CreateDatasetImportJob: where the data is and how it is written."""

import zoneinfo
from typing import Any

from forecastd.domains import DOMAINS, METADATA
from forecastd.errors import InvalidInput, ResourceInUse
from forecastd.operations.context import Context
from forecastd.operations.datasets import attributes_of
from forecastd.operations.drafts import Draft
from forecastd.operations.frequencies import parse_frequency
from forecastd.store.records import Record

DATE = "yyyy-MM-dd"
DATE_AND_TIME = "yyyy-MM-dd HH:mm:ss"
# The 12-hour letters were always read as hours of the day.
_SAME_FORMAT = {"yyyy-MM-dd hh:mm:ss": DATE_AND_TIME}
_FORMATS = {DATE: "%Y-%m-%d", DATE_AND_TIME: "%Y-%m-%d %H:%M:%S"}


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check an import into a dataset.

    Raises:
        ResourceInUse: the dataset is being deleted, or another import into it runs.
        InvalidInput: the format of times does not suit the dataset, or an option is not offered.
    """
    [dataset] = parents
    _check_dataset(context, dataset)
    _check_options(request)
    timestamp_format = _timestamp_format(request, dataset)
    filled = {
        "Format": "CSV",
        "ImportMode": "FULL",
        "UseGeolocationForTimeZone": False,
        **({"TimestampFormat": timestamp_format} if timestamp_format else {}),
        **request,
    }
    plan = {
        "dataset_type": dataset.request["DatasetType"],
        "item_key": DOMAINS[dataset.request["Domain"]].item_key,
        "attributes": attributes_of(dataset.request["Schema"]),
        "timestamp_format": _FORMATS.get(_SAME_FORMAT.get(timestamp_format, timestamp_format)),
    }
    return Draft(request=filled, plan=plan)


def _check_dataset(context: Context, dataset: Record) -> None:
    if dataset.deleting:
        raise ResourceInUse(f"The dataset {dataset.arn} is being deleted.")
    running = [job for job in context.store.children(dataset.arn) if job.creating]
    if running:
        raise ResourceInUse(
            f"The import {running[0].arn} into this dataset is still running; wait until it is done."
        )


def _check_options(request: dict[str, Any]) -> None:
    if request.get("ImportMode") == "INCREMENTAL":
        raise InvalidInput(
            "ImportMode INCREMENTAL is not offered by this server yet: import the whole data with FULL."
        )
    zone = request.get("TimeZone")
    if zone and request.get("UseGeolocationForTimeZone"):
        raise InvalidInput("TimeZone and UseGeolocationForTimeZone exclude each other; give one of them.")
    if zone and zone not in zoneinfo.available_timezones():
        raise InvalidInput(f"The TimeZone {zone} is not known; use a name such as Europe/Berlin.")


def _timestamp_format(request: dict[str, Any], dataset: Record) -> str:
    if dataset.request["DatasetType"] == METADATA:
        return request.get("TimestampFormat", DATE_AND_TIME)
    given = request.get("TimestampFormat", DATE_AND_TIME)
    if _SAME_FORMAT.get(given, given) not in _FORMATS:
        raise InvalidInput(f"The TimestampFormat {given} is not known; use {DATE} or {DATE_AND_TIME}.")
    frequency = dataset.request.get("DataFrequency")
    if given == DATE and frequency and parse_frequency(frequency, "DataFrequency").unit in ("H", "min"):
        raise InvalidInput(
            f"The TimestampFormat {DATE} has no time of day, but the dataset's frequency is {frequency};"
            f" use {DATE_AND_TIME}."
        )
    return given
