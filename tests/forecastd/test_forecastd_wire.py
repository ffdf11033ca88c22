"""What travels: targets, constraint violations, errors and serialization."""

import json
import re
import sys
import unicodedata
from typing import Any

import pytest
from botocore.model import StringShape

from forecastd.errors import SerializationFailed, UnknownOperation, ValidationFailed
from forecastd.spec import load_spec
from forecastd.wire.request import read_request
from forecastd.wire.response import serialize, write_response
from forecastd.wire.validation import pattern_of

SPEC = load_spec()
S3 = {"S3Config": {"Path": "s3://bucket/train", "RoleArn": "arn:aws:iam::000000000000:role/forecast"}}
DATASET_ARN = "arn:aws:forecast:us-east-1:000000000000:dataset/d"


def read(operation: str, **arguments: Any) -> Any:
    return read_request(SPEC, f"AmazonForecast.{operation}", json.dumps(arguments).encode())


def violation(operation: str, **arguments: Any) -> str:
    with pytest.raises(ValidationFailed) as raised:
        read(operation, **arguments)
    return raised.value.message


def test_a_name_with_a_hyphen_is_refused_in_the_services_words() -> None:
    arguments = {
        "ForecastHorizon": 1,
        "InputDataConfig": {"DatasetGroupArn": DATASET_ARN},
        "FeaturizationConfig": {"ForecastFrequency": "D"},
    }
    assert violation("CreatePredictor", PredictorName="compare_CNN-QR_algo", **arguments) == (
        "1 validation error detected: Value 'compare_CNN-QR_algo' at 'predictorName' failed to satisfy"
        " constraint: Member must satisfy regular expression pattern: ^[a-zA-Z][a-zA-Z0-9_]*"
    )


def test_all_violations_are_told_together_with_their_paths() -> None:
    message = violation(
        "CreateDataset",
        DatasetName="x" * 64,
        Domain="SPACE",
        Schema={"Attributes": [{"AttributeName": "1st", "AttributeType": "text"}]},
    )
    assert message.startswith("5 validation errors detected: ")
    assert "Value null at 'datasetType' failed to satisfy constraint: Member must not be null" in message
    assert (
        "at 'datasetName' failed to satisfy constraint: Member must have length less than or equal to 63"
        in message
    )
    assert (
        "Value 'SPACE' at 'domain' failed to satisfy constraint: Member must satisfy enum value set: [RETAIL"
        in message
    )
    assert "Value '1st' at 'schema.attributes.1.member.attributeName'" in message
    assert "Value 'text' at 'schema.attributes.1.member.attributeType'" in message


def test_numbers_have_a_range() -> None:
    assert "Member must have value less than or equal to 100" in violation("ListForecasts", MaxResults=101)
    assert "Member must have value greater than or equal to 1" in violation("ListForecasts", MaxResults=0)


def test_an_unknown_member_is_refused() -> None:
    assert "at 'colour' failed to satisfy constraint: Member is not known" in violation(
        "ListForecasts", Colour="red"
    )


@pytest.mark.parametrize("format_", ["CSVX", "XPARQUET", "csv"])
def test_the_format_is_csv_or_parquet_and_nothing_near_it(format_: str) -> None:
    message = violation(
        "CreateDatasetImportJob",
        DatasetImportJobName="i",
        DatasetArn=DATASET_ARN,
        DataSource=S3,
        Format=format_,
    )
    assert "at 'format'" in message


@pytest.mark.parametrize("frequency", ["45min", "2H", "3M"])
def test_frequencies_newer_than_the_models_pattern_pass(frequency: str) -> None:
    read(
        "CreateDataset",
        DatasetName="d",
        Domain="CUSTOM",
        DatasetType="TARGET_TIME_SERIES",
        DataFrequency=frequency,
        Schema={"Attributes": [{"AttributeName": "item_id", "AttributeType": "string"}]},
    )


def test_a_filter_compares_with_a_state_as_well_as_with_an_arn() -> None:
    read("ListPredictors", Filters=[{"Key": "Status", "Value": "ACTIVE", "Condition": "IS"}])


def test_a_role_is_an_iam_arn() -> None:
    wrong = {"S3Config": {"Path": "s3://bucket/x", "RoleArn": DATASET_ARN}}
    message = violation(
        "CreateDatasetImportJob", DatasetImportJobName="i", DatasetArn=DATASET_ARN, DataSource=wrong
    )
    assert "at 'dataSource.s3Config.roleArn'" in message
    assert message.endswith(r"regular expression pattern: arn:[a-z\d-]+:iam::\d{12}:role/.+")


def test_tags_may_have_letters_of_any_language() -> None:
    read("TagResource", ResourceArn=DATASET_ARN, Tags=[{"Key": "Größe +/:", "Value": "größer 東京"}])
    assert "tagKeys.1.member" in violation("UntagResource", ResourceArn=DATASET_ARN, TagKeys=["a;b"])


def test_of_the_blanks_a_tag_may_have_those_that_unicode_calls_separators() -> None:
    blanks = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
    taken = [blank for blank in blanks if not _violates(blank)]
    assert taken == [blank for blank in blanks if unicodedata.category(blank)[0] == "Z"]


def _violates(value: str) -> bool:
    try:
        read("TagResource", ResourceArn=DATASET_ARN, Tags=[{"Key": "k", "Value": value}])
    except ValidationFailed:
        return True
    return False


def test_digits_are_those_of_ascii() -> None:
    message = violation("CreateForecast", ForecastName="f", PredictorArn=DATASET_ARN, ForecastTypes=[".٣"])
    assert message.endswith(r"regular expression pattern: (^0?\.\d\d?$|^mean$)")


@pytest.mark.parametrize("operation", sorted(SPEC.operations))
def test_every_pattern_of_the_model_compiles(operation: str) -> None:
    def strings(shape: Any, member: str, seen: set[str]) -> Any:
        if isinstance(shape, StringShape):
            yield shape, member
        for name, child in getattr(shape, "members", {}).items():
            if child.name not in seen:
                yield from strings(child, f"{shape.name}.{name}", seen | {child.name})
        for part in ("member", "key", "value"):
            if hasattr(shape, part):
                yield from strings(getattr(shape, part), member, seen)

    for shape, member in strings(SPEC.operations[operation].input_shape, "", set()):
        pattern = pattern_of(shape, member)
        assert pattern is None or re.compile(pattern)


def test_a_wrong_json_type_is_a_serialization_error() -> None:
    with pytest.raises(SerializationFailed, match="maxResults must be a JSON integer, but is str"):
        read("ListForecasts", MaxResults="ten")
    with pytest.raises(SerializationFailed, match="maxResults must be a JSON integer, but is bool"):
        read("ListForecasts", MaxResults=True)


DEEP = (50, 300, 450, 900, 980, 1_000, 100_000)  # levels, below and above Python's limit of calls


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"\xff", b'{"NextToken":"\\ud800"}', b'{"\\udfff":1}', *(b"[" * depth for depth in DEEP)],
)
def test_a_body_that_is_no_json_object_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(SerializationFailed):
        read_request(SPEC, "AmazonForecast.ListForecasts", body)


@pytest.mark.parametrize("depth", DEEP)
def test_members_nested_to_any_depth_are_refused(depth: int) -> None:
    body = b'{"Filters":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
    with pytest.raises((SerializationFailed, ValidationFailed)):
        read_request(SPEC, "AmazonForecast.ListForecasts", body)
    with pytest.raises((SerializationFailed, ValidationFailed)):
        read_request(SPEC, "AmazonForecast.ListForecasts", body.replace(b"Filters", b"Unknown"))


@pytest.mark.parametrize(
    "target", [None, "", "AmazonForecast.MakeTea", "ListForecasts", "AmazonForecastRuntime.ListForecasts"]
)
def test_a_target_that_names_no_operation_is_unknown(target: str | None) -> None:
    with pytest.raises(UnknownOperation):
        read_request(SPEC, target, b"{}")


def test_members_that_are_null_count_as_absent_at_any_depth() -> None:
    assert read("ListForecasts", NextToken=None).arguments == {}
    data = {"DatasetGroupArn": DATASET_ARN, "AttributeConfigs": None}
    call = read("CreateAutoPredictor", PredictorName="p", DataConfig=data)
    assert call.arguments["DataConfig"] == {"DatasetGroupArn": DATASET_ARN}
    config = {
        "ForecastFrequency": "D",
        "Featurizations": [{"AttributeName": "a", "FeaturizationPipeline": None}],
    }
    named = {"PredictorName": "p", "ForecastHorizon": 1, "InputDataConfig": {"DatasetGroupArn": DATASET_ARN}}
    call = read("CreatePredictor", FeaturizationConfig=config, **named)
    assert call.arguments["FeaturizationConfig"]["Featurizations"] == [{"AttributeName": "a"}]


def test_times_are_seconds_with_milliseconds_and_nothing_is_null() -> None:
    shape = SPEC.operations["DescribeForecast"].output_shape
    assert serialize(shape, {"CreationTime": 1564533087.9071, "Message": None}) == {
        "CreationTime": 1564533087.907
    }


def test_deletes_answer_an_empty_body_and_updates_an_empty_object() -> None:
    assert write_response(SPEC.operations["DeleteForecast"], None).body == b""
    assert write_response(SPEC.operations["UpdateDatasetGroup"], {}).body == b"{}"
