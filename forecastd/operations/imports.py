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
# What an incremental import has in common with the data that it adds to.
_INHERITED = ("TimestampFormat", "Format", "TimeZone", "UseGeolocationForTimeZone", "GeolocationFormat")
_FORMATS = {DATE: "%Y-%m-%d", DATE_AND_TIME: "%Y-%m-%d %H:%M:%S"}


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check an import into a dataset.

    Raises:
        ResourceInUse: the dataset is being deleted, or another import into it runs.
        InvalidInput: the format of times does not suit the dataset, or an option is not offered.
    """
    [dataset] = parents
    _check_dataset(context, dataset)
    _check_options(request, dataset)
    previous = _previous(context, request, dataset)
    if previous is not None:
        request = {**_inherited(request, previous), **request}
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
        "imports": {"previous": previous.arn} if previous else {},
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


def _check_options(request: dict[str, Any], dataset: Record) -> None:
    zone = request.get("TimeZone")
    kinds = attributes_of(dataset.request["Schema"]).values()
    if request.get("UseGeolocationForTimeZone") and "geolocation" not in kinds:
        raise InvalidInput(
            f"UseGeolocationForTimeZone needs places, but the schema of {dataset.arn} has no attribute of"
            " type geolocation; leave it out, or give a TimeZone."
        )
    if zone and request.get("UseGeolocationForTimeZone"):
        raise InvalidInput("TimeZone and UseGeolocationForTimeZone exclude each other; give one of them.")
    if zone and zone not in zoneinfo.available_timezones():
        raise InvalidInput(f"The TimeZone {zone} is not known; use a name such as Europe/Berlin.")


def _previous(context: Context, request: dict[str, Any], dataset: Record) -> Record | None:
    """Give the import that an incremental one adds to."""
    if request.get("ImportMode") != "INCREMENTAL":
        return None
    jobs = context.store.children(dataset.arn, "DatasetImportJob")
    active = [job for job in jobs if job.status == "ACTIVE"]
    if not active:
        raise InvalidInput(
            f"The dataset {dataset.arn} has no data yet that an INCREMENTAL import could add to;"
            " begin with FULL."
        )
    return active[0]


def _inherited(request: dict[str, Any], previous: Record) -> dict[str, Any]:
    """Take over how the data before was written; what the request says itself must agree."""
    settings = {name: previous.request[name] for name in _INHERITED if name in previous.request}
    for name in _INHERITED:
        if name in request and request[name] != settings.get(name):
            raise InvalidInput(
                f"{name} is {request[name]}, but was {settings.get(name)} in the import that this one"
                " adds to; leave it out."
            )
    return settings


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
