"""Dataset groups: at most one dataset per type, all of one domain."""

from typing import Any

from forecastd.errors import InvalidInput, ResourceInUse
from forecastd.operations.context import Context
from forecastd.operations.drafts import Draft
from forecastd.operations.kinds import PREDICTORS
from forecastd.store.records import Record


def draft(context: Context, request: dict[str, Any], parents: list[Record]) -> Draft:
    """Check the datasets of a new group.

    Raises:
        InvalidInput: they do not exist or do not fit together.
    """
    arns = request.get("DatasetArns", [])
    check_datasets(context, request["Domain"], arns)
    return Draft(request={**request, "DatasetArns": arns})


def update(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Replace the datasets of a group (UpdateDatasetGroup).

    Raises:
        ResourceInUse: a predictor is being trained on the group.
        InvalidInput: the datasets do not exist or do not fit together.
    """
    with context.store.transaction():
        group = context.find(arguments["DatasetGroupArn"], "DatasetGroup")
        training = [child for kind in PREDICTORS for child in context.store.children(group.arn, kind)]
        busy = [predictor.arn for predictor in training if predictor.creating]
        if busy:
            raise ResourceInUse(
                f"The predictor {busy[0]} is being trained on {group.arn}; wait until it is done."
            )
        check_datasets(context, group.request["Domain"], arguments["DatasetArns"])
        request = {**group.request, "DatasetArns": arguments["DatasetArns"]}
        context.store.update(group.arn, request=request, modified=context.store.now())
    return {}


def check_datasets(context: Context, domain: str, arns: list[str]) -> None:
    """Check that datasets exist, share the group's domain and differ in type.

    Raises:
        InvalidInput: they do not.
    """
    datasets = {arn: context.store.get(arn) for arn in arns}
    found = {
        arn: record for arn, record in datasets.items() if record is not None and record.kind == "Dataset"
    }
    missing = [arn for arn in arns if arn not in found or found[arn].deleting]
    if missing:
        raise InvalidInput(f"Dataset arns: [{', '.join(missing)}] are not found")
    _check_domains(domain, list(found.values()))
    _check_types([found[arn] for arn in arns])


def _check_domains(domain: str, datasets: list[Record]) -> None:
    for dataset in datasets:
        if dataset.request["Domain"] != domain:
            raise InvalidInput(
                f"The dataset {dataset.arn} is of the domain {dataset.request['Domain']},"
                f" but its group is of the domain {domain}."
            )


def _check_types(datasets: list[Record]) -> None:
    seen: dict[str, Record] = {}
    for dataset in datasets:
        kind = dataset.request["DatasetType"]
        if kind in seen:
            raise InvalidInput(
                f"A dataset group can have one {kind} dataset, but {seen[kind].arn} and"
                f" {dataset.arn} both are."
            )
        seen[kind] = dataset
