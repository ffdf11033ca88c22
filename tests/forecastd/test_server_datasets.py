"""Datasets and groups: schemas, domains, names, tags, lists and deletion, through stock boto3."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from forecastd.domains import DATASET_TYPES, DOMAINS
from forecastd.operations.datasets import attributes_of, check_schema

Schema = dict[str, str]
CUSTOM = {"item_id": "string", "timestamp": "timestamp", "target_value": "float"}
RELATED = {"item_id": "string", "timestamp": "timestamp"}
_numbers = itertools.count()


def new_name() -> str:
    return f"thing_{next(_numbers)}"


def schema_of(attributes: Schema) -> dict[str, Any]:
    return {"Attributes": [{"AttributeName": k, "AttributeType": v} for k, v in attributes.items()]}


def create(forecast: Any, attributes: Schema = CUSTOM, **options: Any) -> str:
    values = {
        "DatasetName": new_name(),
        "Domain": "CUSTOM",
        "DatasetType": "TARGET_TIME_SERIES",
        "DataFrequency": "H",
        "Schema": schema_of(attributes),
    }
    return forecast.create_dataset(**{**values, **options})["DatasetArn"]


def create_group(forecast: Any, **options: Any) -> str:
    values = {"DatasetGroupName": new_name(), "Domain": "CUSTOM"}
    return forecast.create_dataset_group(**{**values, **options})["DatasetGroupArn"]


def test_a_dataset_is_active_at_once_and_described_as_it_was_made(forecast: Any) -> None:
    arn = create(forecast, DatasetName="plain")
    described = forecast.describe_dataset(DatasetArn=arn)
    assert arn == "arn:aws:forecast:us-east-1:000000000000:dataset/plain"
    assert described["Status"] == "ACTIVE"
    assert described["Schema"] == schema_of(CUSTOM)
    assert described["EncryptionConfig"] == {}
    assert described["CreationTime"] == described["LastModificationTime"]
    assert described["CreationTime"].tzinfo is not None
    assert "Message" not in described
    assert "Tags" not in described


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=lambda domain: domain.name)
@pytest.mark.parametrize("dataset_type", DATASET_TYPES)
def test_every_domain_has_a_smallest_schema_for_every_type(
    forecast: Any, domain: Any, dataset_type: str
) -> None:
    attributes = {name: types[0] for name, types in domain.required(dataset_type).items()}
    if dataset_type == "RELATED_TIME_SERIES":
        attributes["price"] = "float"
    create(forecast, attributes, Domain=domain.name, DatasetType=dataset_type)
    missing = {"other": "float", **dict(list(attributes.items())[1:])}
    with pytest.raises(
        forecast.exceptions.InvalidInputException, match=f"needs the attribute {domain.item_key}"
    ):
        create(forecast, missing, Domain=domain.name, DatasetType=dataset_type)


@pytest.mark.parametrize(
    ("dataset_type", "attributes", "message"),
    [
        ("TARGET_TIME_SERIES", {**CUSTOM, "select": "string"}, "reserved word"),
        ("TARGET_TIME_SERIES", {**CUSTOM, "value": "string"}, "reserved word"),
        ("TARGET_TIME_SERIES", {**CUSTOM, "target_value": "string"}, "must be float or integer"),
        ("TARGET_TIME_SERIES", {**CUSTOM, "Item_ID": "string"}, "twice"),
        (
            "TARGET_TIME_SERIES",
            {**CUSTOM, "opened": "timestamp"},
            "exactly one attribute is of type timestamp",
        ),
        ("TARGET_TIME_SERIES", {**CUSTOM, "price": "float"}, "RELATED_TIME_SERIES"),
        (
            "TARGET_TIME_SERIES",
            {**CUSTOM, **{f"d{n}": "string" for n in range(11)}},
            "14 attributes; .* can have 13",
        ),
        ("RELATED_TIME_SERIES", {**CUSTOM}, "must not contain the target"),
        ("RELATED_TIME_SERIES", RELATED, "at least one attribute of type float or integer"),
        ("RELATED_TIME_SERIES", {**RELATED, "shop": "string"}, "at least one attribute of type float or"),
        (
            "RELATED_TIME_SERIES",
            {**RELATED, **{f"n{n}": "float" for n in range(14)}},
            "14 attributes of type float or integer; .* can have 13",
        ),
        ("ITEM_METADATA", {"item_id": "string", **{f"m{n}": "string" for n in range(10)}}, "can have 10"),
        ("ITEM_METADATA", {"item_id": "string", "timestamp": "timestamp"}, "cannot be part of"),
    ],
)
def test_a_schema_that_breaks_a_rule_is_refused_with_the_rule(
    forecast: Any, dataset_type: str, attributes: Schema, message: str
) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match=message):
        create(forecast, attributes, DatasetType=dataset_type)


def test_the_domains_own_names_are_legal_though_reserved() -> None:
    attributes = {"item_id": "string", "timestamp": "timestamp", "value": "float"}
    check_schema(DOMAINS["WEB_TRAFFIC"], "TARGET_TIME_SERIES", attributes_of(schema_of(attributes)))


def test_a_related_time_series_needs_a_frequency(forecast: Any) -> None:
    attributes = {"item_id": "string", "timestamp": "timestamp", "price": "float"}
    schema = schema_of(attributes)
    with pytest.raises(forecast.exceptions.InvalidInputException, match="needs a DataFrequency"):
        forecast.create_dataset(
            DatasetName=new_name(), Domain="CUSTOM", DatasetType="RELATED_TIME_SERIES", Schema=schema
        )


@pytest.mark.parametrize("frequency", ["60min", "24H", "7D", "5W", "12M", "2Y", "min5", "daily", "D\n", "٣D"])
def test_a_frequency_that_overlaps_the_next_unit_is_refused(forecast: Any, frequency: str) -> None:
    with pytest.raises(forecast.exceptions.InvalidInputException, match="DataFrequency"):
        create(forecast, DataFrequency=frequency)


def test_encryption_that_would_not_happen_is_refused(forecast: Any) -> None:
    config = {
        "RoleArn": "arn:aws:iam::000000000000:role/forecast",
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
    }
    with pytest.raises(forecast.exceptions.InvalidInputException, match="does not encrypt"):
        create(forecast, EncryptionConfig=config)


def test_a_taken_name_is_refused_with_the_arn_that_has_it(forecast: Any) -> None:
    arn = create(forecast, DatasetName="taken")
    with pytest.raises(forecast.exceptions.ResourceAlreadyExistsException) as raised:
        create(forecast, DatasetName="taken")
    assert raised.value.response["Error"]["Message"] == f"A dataset already exists with the arn: {arn}"
    assert raised.value.response["Message"] == raised.value.response["Error"]["Message"]


def test_an_unknown_arn_is_not_found_with_status_400(forecast: Any) -> None:
    arn = "arn:aws:forecast:us-east-1:000000000000:dataset/nowhere"
    with pytest.raises(forecast.exceptions.ResourceNotFoundException) as raised:
        forecast.describe_dataset(DatasetArn=arn)
    assert raised.value.response["Error"]["Message"] == f"No resource found {arn}"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_name_with_a_hyphen_is_a_validation_error(forecast: Any) -> None:
    with pytest.raises(ClientError) as raised:
        create(forecast, DatasetName="with-hyphen")
    assert raised.value.response["Error"]["Code"] == "ValidationException"


def test_a_group_replaces_its_datasets(forecast: Any) -> None:
    group, dataset = create_group(forecast), create(forecast)
    assert forecast.describe_dataset_group(DatasetGroupArn=group)["DatasetArns"] == []
    forecast.update_dataset_group(DatasetGroupArn=group, DatasetArns=[dataset])
    assert forecast.describe_dataset_group(DatasetGroupArn=group)["DatasetArns"] == [dataset]
    forecast.update_dataset_group(DatasetGroupArn=group, DatasetArns=[])
    assert forecast.describe_dataset_group(DatasetGroupArn=group)["DatasetArns"] == []


def test_a_group_refuses_datasets_that_do_not_exist_or_fit(forecast: Any) -> None:
    nowhere = "arn:aws:forecast:us-east-1:000000000000:dataset/nowhere"
    with pytest.raises(forecast.exceptions.InvalidInputException) as raised:
        create_group(forecast, DatasetArns=[nowhere])
    assert raised.value.response["Error"]["Message"] == f"Dataset arns: [{nowhere}] are not found"
    with pytest.raises(forecast.exceptions.InvalidInputException, match="can have one TARGET_TIME_SERIES"):
        create_group(forecast, DatasetArns=[create(forecast), create(forecast)])
    with pytest.raises(forecast.exceptions.InvalidInputException, match="of the domain CUSTOM"):
        create_group(forecast, Domain="RETAIL", DatasetArns=[create(forecast)])


def test_a_deleted_dataset_stays_in_its_group_by_name_only(forecast: Any, lab: Any) -> None:
    dataset = create(forecast)
    group = create_group(forecast, DatasetArns=[dataset])
    lab.wait_until_gone(lambda: forecast.delete_dataset(DatasetArn=dataset))
    assert forecast.describe_dataset_group(DatasetGroupArn=group)["DatasetArns"] == [dataset]


def test_a_group_is_deleted_at_once_and_its_datasets_stay(forecast: Any) -> None:
    dataset = create(forecast)
    group = create_group(forecast, DatasetArns=[dataset])
    forecast.delete_dataset_group(DatasetGroupArn=group)
    with pytest.raises(forecast.exceptions.ResourceNotFoundException):
        forecast.describe_dataset_group(DatasetGroupArn=group)
    assert forecast.describe_dataset(DatasetArn=dataset)["Status"] == "ACTIVE"


def test_lists_are_newest_first_and_page_one_by_one(forecast: Any) -> None:
    arns = [create_group(forecast) for _ in range(3)]
    pages = forecast.get_paginator("list_dataset_groups").paginate(PaginationConfig={"PageSize": 1})
    listed = [group["DatasetGroupArn"] for page in pages for group in page["DatasetGroups"]]
    assert listed[:3] == arns[::-1]
    assert len(listed) == len(set(listed))


def test_a_token_is_good_for_its_own_list_only(forecast: Any) -> None:
    for _ in range(2):
        create(forecast)
        create_group(forecast)
    token = forecast.list_datasets(MaxResults=1)["NextToken"]
    for wrong in (token[:-4] + "AAAA", "nonsense", "🙂"):
        with pytest.raises(forecast.exceptions.InvalidNextTokenException):
            forecast.list_datasets(NextToken=wrong)
    with pytest.raises(forecast.exceptions.InvalidNextTokenException):
        forecast.list_dataset_groups(NextToken=token)
    assert forecast.list_datasets(NextToken=token)["Datasets"]


def test_an_unknown_filter_is_refused_and_an_empty_list_is_a_list(forecast: Any) -> None:
    with pytest.raises(
        forecast.exceptions.InvalidInputException, match="knows DatasetGroupArn, PredictorArn, Status"
    ):
        forecast.list_forecasts(Filters=[{"Key": "Colour", "Value": "red", "Condition": "IS"}])
    empty = forecast.list_forecasts(Filters=[{"Key": "Status", "Value": "CREATE_STOPPED", "Condition": "IS"}])
    assert empty["Forecasts"] == []
    assert "NextToken" not in empty


def test_tags_are_added_overwritten_and_removed(forecast: Any) -> None:
    arn = create(forecast, Tags=[{"Key": "team", "Value": "a"}])
    forecast.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "cost", "Value": ""}])
    assert forecast.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "cost", "Value": ""},
        {"Key": "team", "Value": "b"},
    ]
    forecast.untag_resource(ResourceArn=arn, TagKeys=["cost", "never_there"])
    assert len(forecast.list_tags_for_resource(ResourceArn=arn)["Tags"]) == 1


def test_there_are_at_most_fifty_tags_and_none_of_aws(forecast: Any) -> None:
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    with pytest.raises(forecast.exceptions.LimitExceededException, match="50 tags"):
        create(forecast, Tags=many)
    with pytest.raises(forecast.exceptions.InvalidInputException, match="reserved"):
        create(forecast, Tags=[{"Key": "AWS:x", "Value": "v"}])
