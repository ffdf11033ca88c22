"""The forecasting service's resources of a run: found before they are made, adopted when they are there.

Every name is derived from the run or the workload, so a step that is repeated finds what its first attempt
left: an ACTIVE or growing resource is adopted, a failed or stopped one is removed and made again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import waiting
from pipeline.errors import Missing, NotYet, code_of, translated
from pipeline.names import Names
from pipeline.params import Params

BROKEN = ("CREATE_FAILED", "CREATE_STOPPED", "DELETE_FAILED")
GROWING = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
LEAVING = ("DELETE_PENDING", "DELETE_IN_PROGRESS", "CREATE_STOPPING")
ULID_LENGTH = 26  # letters and digits that the service appends to the ARN of an AutoPredictor
# A deletion takes minutes. Longer than this only something holds it up that the run did not make.
LONGEST_REMOVAL_S = 1800
ABSENT = ("ResourceNotFoundException",)
REFUSED = ("InvalidInputException", "ValidationException")


@dataclass(frozen=True)
class Kind:
    """A kind of resource: the word in its ARN, its calls and their argument."""

    word: str
    noun: str
    argument: str
    describe: str
    delete: str


def _kind(word: str, noun: str, stem: str) -> Kind:
    return Kind(word, noun, f"{stem}Arn", f"describe_{_snake(stem)}", f"delete_{_snake(stem)}")


def _snake(stem: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in stem).lstrip("_")


KINDS = {
    kind.word: kind
    for kind in (
        _kind("dataset", "dataset", "Dataset"),
        _kind("dataset-group", "dataset group", "DatasetGroup"),
        _kind("dataset-import-job", "import job", "DatasetImportJob"),
        _kind("predictor", "predictor", "Predictor"),
        _kind("forecast", "forecast", "Forecast"),
        _kind("forecast-export-job", "forecast export job", "ForecastExportJob"),
    )
}


def kind_of(arn: str) -> Kind:
    """The kind of resource that an ARN names."""
    word = arn.split(":", 5)[-1].split("/", 1)[0]
    if word not in KINDS:
        raise ValueError(f"{arn} names no resource that a run makes: {', '.join(KINDS)}.")
    return KINDS[word]


def arn_of(forecast: Any, role_arn: str, word: str, *segments: str) -> str:
    """The ARN that the service gives a resource.

    Args:
        forecast: the client; its region counts.
        role_arn: a role of the same account: the service refuses those of others.
        word: the kind's word: `forecast-export-job`.
        segments: the names, parents first.
    """
    _, partition, _, _, account, _ = role_arn.split(":", 5)
    region = forecast.meta.region_name
    return f"arn:{partition}:forecast:{region}:{account}:{word}/{'/'.join(segments)}"


def describe(forecast: Any, arn: str) -> dict[str, Any]:
    """What the service says of a resource; tells the two kinds of predictors apart by itself.

    Raises:
        Missing: if there is no such resource.
    """
    kind = kind_of(arn)
    with translated(f"describing {kind.noun} {name_of(arn)}"):
        if kind.word != "predictor":
            return getattr(forecast, kind.describe)(**{kind.argument: arn})
        return _describe_predictor(forecast, arn)


def _describe_predictor(forecast: Any, arn: str) -> dict[str, Any]:
    """Asks in the more likely form first: each form is refused for predictors of the other."""
    calls = [forecast.describe_auto_predictor, forecast.describe_predictor]
    first, second = calls if _has_ulid(arn) else reversed(calls)
    try:
        return first(PredictorArn=arn)
    except forecast.exceptions.ClientError as error:
        if code_of(error) not in (*REFUSED, *ABSENT):
            raise
        return second(PredictorArn=arn)


def _has_ulid(arn: str) -> bool:
    tail = arn.rsplit("_", 1)[-1]
    return len(tail) == ULID_LENGTH and tail.isalnum()


def name_of(arn: str) -> str:
    """The last segment of an ARN."""
    return arn.rsplit("/", 1)[-1]


def ensure_dataset(forecast: Any, role_arn: str, names: Names, params: Params, dataset_type: str) -> str:
    """The ARN of the workload's dataset of a type, made if it is not there."""
    name = names.dataset(dataset_type)
    request = params.create_dataset_request(dataset_type, name)
    arn = arn_of(forecast, role_arn, "dataset", name)
    return _ensure(forecast, arn, lambda: forecast.create_dataset(**request))


def ensure_dataset_group(
    forecast: Any, role_arn: str, names: Names, params: Params, dataset_arns: list[str]
) -> str:
    """The ARN of the workload's dataset group, made if it is not there, with exactly these datasets."""
    name = names.dataset_group
    request = params.create_dataset_group_request(name, dataset_arns)
    arn = arn_of(forecast, role_arn, "dataset-group", name)
    arn = _ensure(forecast, arn, lambda: forecast.create_dataset_group(**request))
    if sorted(describe(forecast, arn)["DatasetArns"]) != sorted(dataset_arns):
        with translated(f"putting the datasets into dataset group {name}"):
            forecast.update_dataset_group(DatasetGroupArn=arn, DatasetArns=dataset_arns)
    return arn


def start_import(
    forecast: Any,
    role_arn: str,
    names: Names,
    params: Params,
    dataset_type: str,
    dataset_arn: str,
    path: str,
    file_format: str,
) -> str:
    """The ARN of the run's import job, started if it is not there.

    An import of this run that another run's import has since replaced does not count: training would see
    the other's data. It is removed and made again.

    Args:
        path: `s3://` prefix with the files. file_format: `CSV` or `PARQUET`.
    """
    name = names.import_job(dataset_type)
    arn = _import_arn(forecast, role_arn, names, dataset_type, dataset_arn)
    if _is_replaced(_imports(forecast, dataset_arn), arn):
        remove(forecast, arn)
    request = params.create_import_request(dataset_type, name, dataset_arn, path, role_arn, file_format)
    return _ensure(forecast, arn, lambda: forecast.create_dataset_import_job(**request))


def remove_import(
    forecast: Any, role_arn: str, names: Names, params: Params, dataset_type: str, dataset_arn: str
) -> None:
    """Delete the run's import job, if there is one, and return when it is gone."""
    remove(forecast, _import_arn(forecast, role_arn, names, dataset_type, dataset_arn))


def _import_arn(forecast: Any, role_arn: str, names: Names, dataset_type: str, dataset_arn: str) -> str:
    job = names.import_job(dataset_type)
    return arn_of(forecast, role_arn, "dataset-import-job", name_of(dataset_arn), job)


def current_import(forecast: Any, dataset_arn: str) -> str | None:
    """The ARN of the import that a dataset's content is from; None without one, or while it may change."""
    found = _imports(forecast, dataset_arn)
    if any(entry["Status"] in GROWING for entry in found):
        return None
    active = [entry for entry in found if entry["Status"] == "ACTIVE"]
    if not active:
        return None
    newest: str = max(active, key=lambda entry: entry["LastModificationTime"])["DatasetImportJobArn"]
    return newest


def _is_replaced(imports: list[dict[str, Any]], arn: str) -> bool:
    """Whether another import came after this one.

    Raises:
        NotYet: while another import is under way: which of the two will hold is open.
    """
    others = [entry for entry in imports if entry["DatasetImportJobArn"] != arn]
    if any(entry["Status"] in GROWING for entry in others):
        raise NotYet("Another import into the dataset is under way.", "The step waits for its end.")
    times = {e["DatasetImportJobArn"]: e["LastModificationTime"] for e in imports if e["Status"] == "ACTIVE"}
    return arn in times and times[arn] < max(times.values())


def _imports(forecast: Any, dataset_arn: str) -> list[dict[str, Any]]:
    filters = [{"Key": "DatasetArn", "Value": dataset_arn, "Condition": "IS"}]
    return _listed(forecast, "list_dataset_import_jobs", "DatasetImportJobs", filters)


def start_predictor(
    forecast: Any, role_arn: str, names: Names, params: Params, dataset_group_arn: str
) -> str:
    """The ARN of the run's predictor, its training started if it is not there.

    The ARN of an AutoPredictor ends in letters that the service chooses, so it is looked up in the list.
    """
    request = params.create_predictor_request(names.predictor, dataset_group_arn)
    create = forecast.create_auto_predictor if params.auto else forecast.create_predictor

    def find() -> str | None:
        return find_predictor(forecast, names.predictor, dataset_group_arn)

    return _ensure_found(forecast, find, lambda: create(**request), f"predictor {names.predictor}")


def find_predictor(forecast: Any, name: str, dataset_group_arn: str) -> str | None:
    """The ARN of the predictor of this name in the group, newest first; None if there is none."""
    filters = [{"Key": "DatasetGroupArn", "Value": dataset_group_arn, "Condition": "IS"}]
    found = _listed(forecast, "list_predictors", "Predictors", filters)
    named = [entry for entry in found if entry["PredictorName"] == name]
    newest = sorted(named, key=lambda entry: entry["CreationTime"], reverse=True)
    return newest[0]["PredictorArn"] if newest else None


def start_forecast(forecast: Any, role_arn: str, names: Names, params: Params, predictor_arn: str) -> str:
    """The ARN of the run's forecast, started if it is not there.

    One that an earlier attempt made with another predictor is removed, with its export, and made again.
    """
    request = params.create_forecast_request(names.forecast, predictor_arn)
    arn = arn_of(forecast, role_arn, "forecast", names.forecast)
    found = _found(forecast, arn)
    if found is not None and found["PredictorArn"] != predictor_arn:
        remove(forecast, arn_of(forecast, role_arn, "forecast-export-job", names.forecast, names.export_job))
        remove(forecast, arn)
    return _ensure(forecast, arn, lambda: forecast.create_forecast(**request))


def start_export(forecast: Any, role_arn: str, names: Names, forecast_arn: str, path: str) -> str:
    """The ARN of the run's forecast export job, started if it is not there.

    Args:
        path: `s3://` prefix for the files.
    """
    name = names.export_job
    arn = arn_of(forecast, role_arn, "forecast-export-job", name_of(forecast_arn), name)
    destination = {"S3Config": {"Path": path, "RoleArn": role_arn}}
    return _ensure(
        forecast,
        arn,
        lambda: forecast.create_forecast_export_job(
            ForecastExportJobName=name, ForecastArn=forecast_arn, Destination=destination, Format="CSV"
        ),
    )


def run_resources(forecast: Any, role_arn: str, names: Names, params: Params) -> dict[str, Any]:
    """What exists of a run, in the order in which it can be deleted.

    Returns:
        The ARNs under `export_job`, `forecast`, `predictor` (each only if it is there) and `import_jobs`.
    """
    group = arn_of(forecast, role_arn, "dataset-group", names.dataset_group)
    predictor = find_predictor(forecast, names.predictor, group)
    imports = [
        arn_of(
            forecast, role_arn, "dataset-import-job", names.dataset(spec.type), names.import_job(spec.type)
        )
        for spec in params.datasets
    ]
    forecast_arn = arn_of(forecast, role_arn, "forecast", names.forecast)
    export = arn_of(forecast, role_arn, "forecast-export-job", names.forecast, names.export_job)
    found: dict[str, Any] = {"export_job": export, "forecast": forecast_arn, "predictor": predictor}
    there = {role: arn for role, arn in found.items() if arn and _exists(forecast, arn)}
    return {**there, "import_jobs": [arn for arn in imports if _exists(forecast, arn)]}


def delete(forecast: Any, arn: str) -> None:
    """Asks the service to delete a resource; one that is not there counts as deleted.

    Raises:
        NotYet: while something still uses it.
    """
    kind = kind_of(arn)
    try:
        with translated(f"deleting {kind.noun} {name_of(arn)}"):
            getattr(forecast, kind.delete)(**{kind.argument: arn})
    except Missing:
        return


def remove(forecast: Any, arn: str, on_progress: waiting.OnProgress | None = None, **pauses: Any) -> None:
    """Deletes a resource and returns when the service no longer knows it.

    Raises:
        WaitedInVain: if something holds the deletion up for longer than LONGEST_REMOVAL_S.
    """
    limited = {"limit_s": LONGEST_REMOVAL_S, **pauses}
    waiting.patiently(lambda: delete(forecast, arn), on_progress, **limited)
    waiting.wait_until_gone(lambda: describe(forecast, arn), on_progress, **limited)


def _ensure(forecast: Any, arn: str, create: Callable[[], Mapping[str, Any]]) -> str:
    def find() -> str | None:
        return arn if _exists(forecast, arn) else None

    return _ensure_found(forecast, find, create, f"{kind_of(arn).noun} {name_of(arn)}")


def _ensure_found(
    forecast: Any, find: Callable[[], str | None], create: Callable[[], Mapping[str, Any]], what: str
) -> str:
    """The ARN of what `find` finds, or of what `create` then makes."""
    found = find()
    if found is not None and _is_usable(forecast, found):
        return found
    with translated(f"creating {what}"):
        try:
            answer = create()
        except forecast.exceptions.ClientError as error:
            if code_of(error) != "ResourceAlreadyExistsException":
                raise
            return _adopted(find, what)
    return next(value for key, value in answer.items() if key.endswith("Arn"))


def _adopted(find: Callable[[], str | None], what: str) -> str:
    """What an earlier request made whose answer was lost."""
    found = find()
    if found is None:
        raise NotYet(f"The name of {what} is still taken by one being deleted.", "The step waits.")
    return found


def _is_usable(forecast: Any, arn: str) -> bool:
    """Whether a resource can be adopted; one that failed is removed first.

    Raises:
        NotYet: while it is being stopped or deleted.
    """
    status = describe(forecast, arn)["Status"]
    if status in LEAVING:
        raise NotYet(f"The {kind_of(arn).noun} {name_of(arn)} is {status}.", "The step waits.")
    if status in BROKEN:
        remove(forecast, arn)
        return False
    return True


def _exists(forecast: Any, arn: str) -> bool:
    return _found(forecast, arn) is not None


def _found(forecast: Any, arn: str) -> dict[str, Any] | None:
    try:
        return describe(forecast, arn)
    except Missing:
        return None


def _listed(forecast: Any, call: str, member: str, filters: list[dict[str, str]]) -> list[dict[str, Any]]:
    with translated(f"listing {member}"):
        try:
            pages = forecast.get_paginator(call).paginate(Filters=filters)
            return [entry for page in pages for entry in page[member]]
        except forecast.exceptions.ClientError as error:
            if (
                code_of(error) in ABSENT
            ):  # the parent that is asked for is not there: neither are its children
                return []
            raise
