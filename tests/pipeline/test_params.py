import copy
import json
import re
from pathlib import Path

import pytest

from forecastd.operations import datasets
from forecastd.series import algorithms
from pipeline import decision, params, rules, shapes
from pipeline.domains import DOMAINS, RELATED, ROLE_OF_TYPE, TARGET
from pipeline.errors import BadInput
from pipeline.names import Names
from pipeline.policy import section
from pipeline.rules.draft import fillings
from pipeline.workload import Workload

ROOT = Path(__file__).parents[2]
ATTRIBUTES = "Datasets.0.Schema.Attributes"
RELATED_SPEC = {
    "DatasetName": "shop_related",
    "Domain": "CUSTOM",
    "DatasetType": RELATED,
    "DataFrequency": "H",
    "Schema": {
        "Attributes": [
            {"AttributeName": "item_id", "AttributeType": "string"},
            {"AttributeName": "timestamp", "AttributeType": "timestamp"},
            {"AttributeName": "price", "AttributeType": "float"},
        ]
    },
}
LEGACY = {
    "PredictorName": "p",
    "ForecastHorizon": 3,
    "FeaturizationConfig": {"ForecastFrequency": "H"},
    "PerformAutoML": True,
}
ETS = {**LEGACY, "PerformAutoML": False, "AlgorithmArn": "arn:aws:forecast:::algorithm/ETS"}


RULE_MODULES = (
    rules.datasets,
    rules.times,
    rules.predictor,
    rules.training,
    rules.filling,
    rules.sections,
)


def related(**changes):
    return {**copy.deepcopy(RELATED_SPEC), **changes}


def filling(attribute="target_value", **parameters):
    return {"AttributeConfigs": [{"AttributeName": attribute, "Transformations": parameters}]}


def holidays_of(country):
    further = {"Name": "holiday", "Configuration": {"CountryCode": [country]}}
    return {"AdditionalDatasets": [further]}


def trained(algorithm, **members):
    return {**ETS, "AlgorithmArn": f"arn:aws:forecast:::algorithm/{algorithm}", **members}


def tuned(kind, *ranges):
    config = {"ParameterRanges": {f"{kind}ParameterRanges": list(ranges)}}
    return trained("Deep_AR_Plus", PerformHPO=True, HPOConfig=config)


def problems_of(document):
    with pytest.raises(BadInput) as caught:
        params.load(json.dumps(document).encode())
    return [str(problem) for problem in caught.value.problems]


# The change (path, value; ... removes), and what the problem has to say.
WRONG = {
    "a required part is missing": ("Forecast", ..., "params.json: Forecast: it is missing"),
    "a required member is missing": (
        "Predictor.PredictorName",
        ...,
        "Predictor.PredictorName: it is missing",
    ),
    "a member is misspelt": ("DatasetGruop", {}, "Did you mean DatasetGroup?"),
    "a nested member is misspelt": ("Predictor.ForecastHorizen", 3, "Did you mean ForecastHorizon?"),
    "a number is a text": ("Predictor.ForecastHorizon", "24", "a whole number without quotes"),
    "a number is a boolean": ("Predictor.ForecastHorizon", True, "a whole number without quotes"),
    "a number is a fraction": ("Predictor.ForecastHorizon", 2.5, "a whole number without quotes"),
    "a boolean is a text": ("PerformDelete", "yes", "true or false without quotes"),
    "a list is an object": ("Forecast.ForecastTypes", {}, "a list in square brackets"),
    "an object is a list": ("DatasetGroup", [], "an object in braces"),
    "a text is a number": ("DatasetGroup.DatasetGroupName", 5, "a text in double quotes"),
    "datasets are empty": ("Datasets", [], "one to three datasets"),
    "a dataset is no object": ("Datasets", ["x"], "Datasets[0]"),
    "a name has a hyphen": (
        "Forecast.ForecastName",
        "a-b",
        "letter followed by letters, digits and underscores",
    ),
    "a name is too long": ("Forecast.ForecastName", "a" * 64, "the limit is 63"),
    "a name is empty": ("Forecast.ForecastName", "", "at least 1 characters"),
    "an enumeration is misspelt": (
        "Datasets.0.DatasetType",
        "TARGET_TIMESERIES",
        "Did you mean TARGET_TIME_SERIES?",
    ),
    "a domain is unknown": ("DatasetGroup.Domain", "SHOPPING", "it has to be one of RETAIL"),
    "an ARN is given that the run fills in": (
        "Forecast.PredictorArn",
        "arn:aws:forecast:::x",
        "each run fills it in",
    ),
    "dataset ARNs are given": ("DatasetGroup.DatasetArns", [], "each run fills it in"),
    "a reference predictor is given": (
        "Predictor.ReferencePredictorArn",
        "arn:x",
        "trains on the data as they are",
    ),
    "a monitor is wanted": ("Predictor.MonitorConfig", {"MonitorName": "m"}, "CloudWatch"),
    "an explanation is wanted": ("Predictor.ExplainPredictor", True, "Leave it out"),
    "the domains differ": ("Datasets.0.Domain", "RETAIL", "the dataset group's domain is CUSTOM"),
    "no dataset is the target": (
        "Datasets.0.DatasetType",
        RELATED,
        "none of them is of type TARGET_TIME_SERIES",
    ),
    "the target is missing": (f"{ATTRIBUTES}.1", ..., "requires the field target_value"),
    "the target is a text": (f"{ATTRIBUTES}.1.AttributeType", "string", "of type float or integer"),
    "the timestamp is a text": (
        f"{ATTRIBUTES}.0.AttributeType",
        "string",
        "timestamp has to be of type timestamp",
    ),
    "the timestamp has another name": (
        f"{ATTRIBUTES}.0.AttributeName",
        "date",
        "requires the field timestamp",
    ),
    "the item key is a number": (
        f"{ATTRIBUTES}.2.AttributeType",
        "integer",
        "item_id has to be of type string",
    ),
    "an attribute has no type": (f"{ATTRIBUTES}.2.AttributeType", ..., "AttributeType: it is missing"),
    "an attribute has an unknown type": (f"{ATTRIBUTES}.2.AttributeType", "text", "one of string, integer"),
    "the schema has no attributes": ("Datasets.0.Schema.Attributes", ..., "Schema.Attributes: it is missing"),
    "the frequency is unknown": ("Predictor.ForecastFrequency", "hourly", "is no frequency"),
    "the frequency is the next unit": ("Predictor.ForecastFrequency", "60min", "out of range"),
    "the frequency is zero": ("Predictor.ForecastFrequency", "0H", "out of range"),
    "the forecast is finer than the data": ("Predictor.ForecastFrequency", "30min", "must not be finer"),
    "the data's frequency is unknown": ("Datasets.0.DataFrequency", "1X", "is no frequency"),
    "there is no frequency": ("Predictor.ForecastFrequency", ..., "and so is FeaturizationConfig"),
    "there is no horizon": ("Predictor.ForecastHorizon", ..., "ForecastHorizon: it is missing"),
    "the horizon is zero": ("Predictor.ForecastHorizon", 0, "from 1 to 500"),
    "the horizon is too long": ("Predictor.ForecastHorizon", 501, "from 1 to 500"),
    "the timestamp format is foreign": ("TimestampFormat", "dd.MM.yyyy", "reads yyyy-MM-dd and"),
    "the timestamp format lacks the hour": ("TimestampFormat", "yyyy-MM-dd", "need a time of day"),
    "a quantile is a number": ("Forecast.ForecastTypes", [0.5], "a text in double quotes"),
    "a quantile is a percentage": ("Forecast.ForecastTypes", ["p50"], "a quantile such as"),
    "a quantile is zero": ("Forecast.ForecastTypes", ["0.00"], "from 0.01 to 0.99"),
    "a quantile is there twice": ("Forecast.ForecastTypes", ["0.5", ".50"], "p50: it is listed twice"),
    "there are six types": ("Forecast.ForecastTypes", [f"0.{n}" for n in range(1, 7)], "there can be 5"),
    "a dimension is unknown": ("Predictor.ForecastDimensions", ["shop"], "There are: none"),
    "a dimension is the item": ("Predictor.ForecastDimensions", ["item_id"], "other than the item key"),
    "the metric needs a quantile": (
        "Predictor",
        {
            "PredictorName": "p",
            "ForecastHorizon": 3,
            "ForecastFrequency": "H",
            "ForecastTypes": ["mean"],
            "OptimizationMetric": "AverageWeightedQuantileLoss",
        },
        "it needs a quantile",
    ),
    "the boundary does not fit": (
        "Predictor.TimeAlignmentBoundary",
        {"DayOfWeek": "SUNDAY"},
        "it can hold nothing.",
    ),
    "a switch is a text": ("UseGeolocationForTimeZone", "x", "true or false"),
    "a filling is for another field": (
        "Predictor.DataConfig",
        filling("price", middlefill="zero"),
        "neither the target",
    ),
    "a filling is unknown": ("Predictor.DataConfig", filling(middlefill="linear"), "one of nan, zero"),
    "a target is filled ahead": (
        "Predictor.DataConfig",
        filling(futurefill="zero"),
        "the target cannot have it",
    ),
    "a fill value is missing": (
        "Predictor.DataConfig",
        filling(middlefill="value"),
        "middlefill_value is missing",
    ),
    "a fill value is no number": (
        "Predictor.DataConfig",
        filling(middlefill="value", middlefill_value="much"),
        "a number in quotes",
    ),
    "an unknown filling parameter": ("Predictor.DataConfig", filling(sidefill="zero"), "cannot have it"),
    "the weather has no place": (
        "Predictor.DataConfig",
        {"AdditionalDatasets": [{"Name": "weather"}]},
        "type geolocation",
    ),
    "the zone has no place to come from": (
        "UseGeolocationForTimeZone",
        True,
        "a field of type geolocation, and Datasets[0] has none",
    ),
    "places are written in no known way": ("GeolocationFormat", "LATLONG", "Did you mean LAT_LONG?"),
    "there are too many tags": (
        "Forecast.Tags",
        [{"Key": f"k{n}", "Value": "v"} for n in range(51)],
        "can have 50 tags",
    ),
    "a tag's key is there twice": (
        "Forecast.Tags",
        [{"Key": "team", "Value": "a"}, {"Key": "team", "Value": "b"}],
        'Forecast.Tags is "team": 2 tags have this key',
    ),
    "a tag's key is Amazon's": ("Forecast.Tags", [{"Key": "AWS:x", "Value": "v"}], "Amazon's own"),
    "a tag has a control character": ("Forecast.Tags", [{"Key": "k", "Value": "v\n"}], "a tag holds letters"),
    "the time zone is none": ("TimeZone", "Europe/Berlni", "Did you mean Europe/Berlin?"),
    "a field has a reserved name": (
        f"{ATTRIBUTES}.2.AttributeName",
        "State",
        "Call the field State_name, say",
    ),
    "a dimension is called as a column of exports": (
        "Predictor.ForecastDimensions",
        ["P90"],
        "the service's exports have a column of this name",
    ),
    "digits are not those of ASCII": ("Predictor.ForecastFrequency", "\u0662H", "is no frequency"),
    "a quantile has digits that are not those of ASCII": (
        "Forecast.ForecastTypes",
        ["0.\u0661"],
        "it has to be a quantile",
    ),
    "a fill value is not finite": (
        "Predictor.DataConfig",
        filling(middlefill="value", middlefill_value="1e999"),
        "a number in quotes",
    ),
    "a field is filled in two ways": (
        "Predictor.DataConfig",
        {"AttributeConfigs": 2 * filling(middlefill="zero")["AttributeConfigs"]},
        "two fillings are of this field",
    ),
    "the further data are unknown": (
        "Predictor.DataConfig",
        {"AdditionalDatasets": [{"Name": "moon"}]},
        'Give "holiday" or "weather".',
    ),
    "the holidays are nobody's": (
        "Predictor.DataConfig",
        {"AdditionalDatasets": [{"Name": "holiday"}]},
        "the holiday calendar needs one country",
    ),
    "the holidays are of two countries": (
        "Predictor.DataConfig",
        {"AdditionalDatasets": [holidays_of(code)["AdditionalDatasets"][0] for code in ("US", "DE")]},
        'AdditionalDatasets is "holiday": 2 entries have this name. Keep one.',
    ),
    "the holidays are of no country": (
        "Predictor.DataConfig",
        holidays_of("XX"),
        'AdditionalDatasets is "XX": no country has this code',
    ),
    "no value lies between the limits": (
        "Checks",
        {"LeastValue": 10, "MostValue": 5},
        "it is above MostValue, 5",
    ),
    "a limit is beyond all numbers": ("Checks", {"MostValue": 10**400}, "has 401 digits"),
    "there are too many text fields": (
        ATTRIBUTES,
        [
            *({"AttributeName": f"d{n}", "AttributeType": "string"} for n in range(11)),
            {"AttributeName": "item_id", "AttributeType": "string"},
        ],
        "a time series can have 10 text fields",
    ),
    "no algorithm is chosen": ("Predictor", {**LEGACY, "PerformAutoML": False}, "PerformAutoML is not true"),
    "the algorithm is unknown": (
        "Predictor",
        {**ETS, "AlgorithmArn": "arn:aws:forecast:::algorithm/Profet"},
        "Did you mean arn:aws:forecast:::algorithm/Prophet?",
    ),
    "the algorithm has no prefix": (
        "Predictor",
        {**ETS, "AlgorithmArn": "NPTS"},
        "Did you mean arn:aws:forecast:::algorithm/NPTS?",
    ),
    "AutoML is overridden but not asked for": (
        "Predictor",
        {**ETS, "AutoMLOverrideStrategy": "AccuracyOptimized"},
        "it says how PerformAutoML chooses",
    ),
    "the algorithm has no parameters": (
        "Predictor",
        {**ETS, "TrainingParameters": {"epochs": "5"}},
        "TrainingParameters.epochs: ETS has no such parameter. There are: none.",
    ),
    "a training parameter is misspelt": (
        "Predictor",
        {
            **ETS,
            "AlgorithmArn": "arn:aws:forecast:::algorithm/NPTS",
            "TrainingParameters": {"kernel": "uniform"},
        },
        "Did you mean kernel_type?",
    ),
    "a training parameter has words for a number": (
        "Predictor",
        trained("Deep_AR_Plus", TrainingParameters={"epochs": "many"}),
        'TrainingParameters.epochs is "many": it has to be a whole number from 1 to 10000',
    ),
    "a training parameter is written as in Python": (
        "Predictor",
        trained("NPTS", TrainingParameters={"context_length": "1_0"}),
        "it has to be a whole number from 1 on",
    ),
    "a training parameter is out of range": (
        "Predictor",
        trained("Deep_AR_Plus", TrainingParameters={"learning_rate": "0"}),
        "it has to be a number above 0, at most 1",
    ),
    "a training parameter is none of its choices": (
        "Predictor",
        trained("NPTS", TrainingParameters={"kernel_type": "cubic"}),
        "it has to be one of exponential, uniform",
    ),
    "a parameter cannot be tuned": (
        "Predictor",
        tuned("Integer", {"Name": "epochs", "MinValue": 1, "MaxValue": 9}),
        'IntegerParameterRanges[0] is "epochs": Deep_AR_Plus has no such parameter to tune',
    ),
    "a parameter is tuned in the wrong list": (
        "Predictor",
        tuned("Continuous", {"Name": "context_length", "MinValue": 1, "MaxValue": 9}),
        "There are: learning_rate.",
    ),
    "a range is upside down": (
        "Predictor",
        tuned("Integer", {"Name": "context_length", "MinValue": 9, "MaxValue": 8}),
        "MinValue is 9: it is above MaxValue, 8",
    ),
    "a range begins below what can be": (
        "Predictor",
        tuned("Continuous", {"Name": "learning_rate", "MinValue": 0, "MaxValue": 0.1}),
        "MinValue is 0: it has to be a number above 0, at most 1",
    ),
    "a range is given twice": (
        "Predictor",
        tuned("Integer", *2 * [{"Name": "context_length", "MinValue": 8, "MaxValue": 9}]),
        "two ranges are of this parameter",
    ),
    "AutoML has an algorithm": (
        "Predictor",
        {**ETS, "PerformAutoML": True},
        "the service chooses the algorithm",
    ),
    "AutoML has parameters": (
        "Predictor",
        {**LEGACY, "TrainingParameters": {"epochs": "5"}},
        "the service chooses the algorithm",
    ),
    "the algorithm cannot be tuned": ("Predictor", {**ETS, "PerformHPO": True}, "tuning is for CNN-QR"),
    "a tuning is not asked for": (
        "Predictor",
        {**ETS, "HPOConfig": {"ParameterRanges": {}}},
        "it needs PerformHPO",
    ),
    "there are too many windows": (
        "Predictor",
        {**ETS, "EvaluationParameters": {"NumberOfBacktestWindows": 6}},
        "there can be 1 to 5",
    ),
    "the offset is less than the horizon": (
        "Predictor",
        {**ETS, "EvaluationParameters": {"BackTestWindowOffset": 2}},
        "less than the horizon, 3",
    ),
    "the group's ARN is given": (
        "Predictor",
        {**ETS, "InputDataConfig": {"DatasetGroupArn": "arn:x"}},
        "each run fills it in",
    ),
    "the frequency stands in the wrong place": (
        "Predictor",
        {**ETS, "ForecastFrequency": "H"},
        "Predictor.ForecastFrequency: there is no such member",
    ),
}


@pytest.mark.parametrize(("path", "value", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_configuration_is_refused_with_the_reason(document, change, path, value, expected):
    change(document, path, value)
    told = problems_of(document)
    assert any(expected in problem for problem in told), told


WRONG_RELATED = {
    "it has no frequency": (related(DataFrequency=...), "DataFrequency: it is missing"),
    "its frequency is another": (related(DataFrequency="D"), "equal the related data's frequency"),
    "it has the target's type": (related(DatasetType=TARGET), "is of this type already"),
    "it has the target's name": (related(DatasetName="SHOP_target"), "has this name already"),
    "it has no number": ([("string", "colour")], "at least one numeric field"),
    "it holds the target": ([("float", "target_value")], "must not hold the target"),
    "it has a text that is no dimension": (
        [("float", "price"), ("string", "colour")],
        "a text field of the target",
    ),
    "it has too many numbers": ([("float", f"f{n}") for n in range(14)], "can have 13 numeric fields"),
    "it has too many fields": ([("float", f"f{n}") for n in range(24)], "can have 25 fields"),
    "two fields share a name": ([("float", "price"), ("float", "Price")], "two fields have this name"),
}


@pytest.mark.parametrize(("dataset", "expected"), WRONG_RELATED.values(), ids=WRONG_RELATED.keys())
def test_wrong_related_data_are_refused_with_the_reason(document, dataset, expected):
    if isinstance(dataset, list):
        fields = [{"AttributeName": name, "AttributeType": kind} for kind, name in dataset]
        dataset = related(Schema={"Attributes": [*RELATED_SPEC["Schema"]["Attributes"][:2], *fields]})
    document["Datasets"].append({key: value for key, value in dataset.items() if value is not ...})
    told = problems_of(document)
    assert any(expected in problem for problem in told), told


def test_a_number_in_the_target_data_is_refused_but_a_text_is_not(document):
    fields = document["Datasets"][0]["Schema"]["Attributes"]
    fields.append({"AttributeName": "store", "AttributeType": "integer"})
    assert "text fields only" in problems_of(document)[0]
    fields[-1]["AttributeType"] = "string"
    assert params.load(json.dumps(document).encode()).target.dimensions == ("store",)


def test_metadata_have_no_timestamp(document):
    fields = [("item_id", "string"), ("timestamp", "timestamp")]
    attributes = [{"AttributeName": name, "AttributeType": kind} for name, kind in fields]
    own = {"DatasetName": "m", "Domain": "CUSTOM", "DatasetType": "ITEM_METADATA"}
    document["Datasets"].append({**own, "Schema": {"Attributes": attributes}})
    assert "metadata have none" in problems_of(document)[0]


def test_all_problems_are_told_together(document, change):
    change(document, "Predictor.ForecastHorizon", 501)
    change(document, "Forecast.ForecastName", "a-b")
    change(document, "TimestampFormat", "yyyy-MM-dd")
    change(document, "Extra", 1)
    assert len(problems_of(document)) == 4


def test_one_mistake_is_told_once(document, change):
    change(document, "Forecast.ForecastTypes", ["2"])
    assert len(problems_of(document)) == 1


def test_what_a_domain_itself_names_may_be_a_reserved_word(domain_params):
    assert "VALUE" in rules.datasets.reserved_names()
    assert domain_params("WEB_TRAFFIC", []).target.target_field == "value"


@pytest.mark.parametrize("country", ["US", "UK", "KR", "ID"])
def test_holidays_of_any_country_can_be_had(document, change, country):
    change(document, "Predictor.DataConfig", holidays_of(country))
    assert params.load(json.dumps(document).encode()).predictor["DataConfig"] == holidays_of(country)


def test_the_values_of_training_parameters_are_those_that_forecastd_takes():
    """Both sides know them; a value that one side refuses and the other takes is a surprise for somebody."""
    tried = ("0", "1", "5", "6", "10", "11", "500", "10000", "10001", "0.5", "1.5", "-1", "nan", "1e999", "x")
    for algorithm, known in rules.training.PARAMETERS.items():
        theirs = {each.name: each for each in algorithms.hyperparameters(algorithm)}
        assert list(known) == list(theirs)
        tunable = {name for name, each in theirs.items() if each.tunable}
        assert set(rules.training.TUNABLE.get(algorithm, {})) == tunable
        for name, values in known.items():
            for text in (*tried, *theirs[name].choices, "TRUE", "student-T"):
                assert values.fit(text) == taken(theirs[name], text), (algorithm, name, text)


def taken(parameter: algorithms.Hyperparameter, text: str) -> bool:
    try:
        parameter.check(text)
    except ValueError:
        return False
    return True


def test_both_sides_know_the_same_reserved_words():
    """Each has a list of its own; where they part, one of them is not the service's."""
    assert rules.datasets.reserved_names() == datasets.reserved_names()
    assert len(rules.datasets.reserved_names()) == 821  # as the service's documentation lists them


def test_the_time_zone_comes_from_one_place(document):
    document |= {"UseGeolocationForTimeZone": True, "TimeZone": "Europe/Paris"}
    assert "not from both" in problems_of(document)[0]


def test_the_weather_index_needs_to_know_how_places_are_written(document):
    document["Datasets"][0]["Schema"]["Attributes"].append(
        {"AttributeName": "place", "AttributeType": "geolocation"}
    )
    document["Predictor"] |= {
        "ForecastDimensions": ["place"],
        "DataConfig": {"AdditionalDatasets": [{"Name": "weather"}]},
    }
    document["UseGeolocationForTimeZone"] = True
    assert ["GeolocationFormat is missing" in problem for problem in problems_of(document)] == [True]
    params.load(json.dumps({**document, "GeolocationFormat": "LAT_LONG"}).encode())


SYNTAX = {
    "a comma is missing": (b'{\n  "a": 1\n  "b": 2}', "line 3, column 3"),
    "it ends early": (b'{"a": 1', "line 1, column 8"),
    "it is empty": (b"", "line 1, column 1"),
    "it is no object": (b"[]", "an object in braces"),
    "it is not UTF-8": (b'{"a": "\xff"}', "byte 7"),
    "a member is there twice": (b'{"a": 1, "a": 2}', "the member a is given twice"),
    "it has NaN": (b'{"a": NaN}', "NaN is no JSON number"),
    "it is nested without end": (b"[" * 100_000, "nested too deeply"),
    "it has a comment": (b'{\n  // mine\n  "a": 1}', "Remove the comment: JSON has none."),
    "a number is longer than Python reads": (b'{"a": 1' + b"0" * 5000 + b"}", "has 5001 digits"),
    "half a character": (b'{"a": ["\\ud83d"]}', r"\ud83d in a text is half a character"),
    "half a character in a name that is there twice": (b'{"\\ud83d": 1, "\\ud83d": 1}', "is given twice"),
    "a name with a line break": (b'{"a\\nb": 1}', "params.json: a\ufffdb: there is no such member"),
    "an endless name": (b'{"' + b"a" * 9000 + b'": 1}', "aaa…: there is no such member"),
}


@pytest.mark.parametrize(("raw", "expected"), SYNTAX.values(), ids=SYNTAX.keys())
def test_a_syntax_error_names_its_place(raw, expected):
    with pytest.raises(BadInput) as caught:
        params.load(raw)
    assert expected in str(caught.value)
    assert str(caught.value).encode(), "it can be sent"


def test_a_file_that_cannot_be_meant_is_not_read(s3, workload, put):
    put("params.json", b" " * (params.MOST_BYTES + 1))
    with pytest.raises(BadInput, match=r"params\.json is 262145 bytes: the file has to be 256 KB"):
        params.read(s3, workload)


def test_a_hundred_thousand_members_are_told_at_once():
    document = {"x" * (number % 7 + 1) + str(number): number for number in range(100_000)}
    raw = json.dumps(document).encode()
    with pytest.raises(BadInput, match="the member x0 is given twice"):
        params.load(raw[:-1] + b', "x0": 1}')


def test_a_byte_order_mark_is_no_mistake(document):
    assert params.load(b"\xef\xbb\xbf" + json.dumps(document).encode()).horizon == 3


def test_the_worked_example_is_valid():
    example = params.load((ROOT / "params.json").read_bytes())
    assert example.auto
    assert (example.horizon, str(example.frequency)) == (24, "H")
    assert example.target.columns == ("timestamp", "target_value", "item_id")
    assert example.type_labels == ["mean", "p10", "p50", "p90"]


def test_the_older_form_with_its_own_predictor_runs_unchanged(document):
    legacy = {**LEGACY, "InputDataConfig": {"SupplementaryFeatures": [{"Name": "holiday", "Value": "US"}]}}
    document["Predictor"] = legacy
    document["Forecast"].pop("ForecastTypes")
    loaded = params.load(json.dumps(document).encode())
    assert not loaded.auto
    assert loaded.forecast_types == ["0.1", "0.5", "0.9"]
    request = loaded.create_predictor_request("name", "arn:group")
    assert request["InputDataConfig"]["DatasetGroupArn"] == "arn:group"
    assert request["InputDataConfig"]["SupplementaryFeatures"] == [{"Name": "holiday", "Value": "US"}]
    assert request["PerformAutoML"] is True


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_has_its_required_fields(domain_params, domain):
    loaded = domain_params(domain, ["place", "shelf"])
    assert loaded.key_columns == (DOMAINS[domain].item_key, "place", "shelf")
    assert loaded.target.target_field == DOMAINS[domain].target


def test_defaults_do_not_change_what_is_asked_for(make_params):
    plain = make_params(TimestampFormat=...)
    spelt = make_params(**{"PerformDelete": False, "Forecast.ForecastTypes": ["mean", ".50", "0.10"]})
    assert plain.normalised() == spelt.normalised()
    assert make_params(Checks={"Duplicates": "sum"}).normalised() != plain.normalised()


def test_what_becomes_of_a_forecast_is_no_part_of_what_it_is(make_params):
    changed = make_params(PerformDelete=True, Gate={"LeastCoverage": 0.5}, Retention={"Runs": 3})
    assert changed.normalised() == make_params().normalised()


def test_every_member_of_the_configuration_is_documented():
    """What a person may write stands in docs/params.md: our own members and each of the API's."""
    text = (ROOT / "docs" / "params.md").read_text()
    names = set(params.MEMBERS)
    for operation in ("CreateDatasetGroup", "CreateDataset", "CreateForecast"):
        names |= set(shapes.request_shape(operation).members)
    for operation in ("CreatePredictor", "CreateAutoPredictor"):
        names |= set(shapes.request_shape(operation).members)
    missing = sorted(name for name in names if not re.search(rf"`{name}\b", text))
    assert not missing
    assert all(domain in text for domain in DOMAINS)


@pytest.mark.parametrize("name", params.SECTIONS)
def test_every_member_of_a_section_of_ours_is_documented_with_its_default(name):
    text = (ROOT / "docs" / "params.md").read_text()
    own = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for member, default in section.written(params.SECTIONS[name]()).items():
        rows = (line.split("|") for line in own.splitlines() if line.startswith("| `"))
        row = next(row for row in rows if f"`{member}`" in row[1])
        assert row[2].strip() == f"`{json.dumps(default)}`".replace(".0`", "`"), member


def test_recalibration_needs_an_interval_about_the_median(document):
    document["Recalibration"] = {"When": "needed"}
    document["Forecast"]["ForecastTypes"] = ["0.1", "0.9", "mean"]
    with pytest.raises(BadInput, match=r"0.1, 0.9, mean.*one on either side of it"):
        params.load(json.dumps(document).encode())
    document["Forecast"]["ForecastTypes"] = ["0.05", ".50", "0.9", "mean"]
    assert params.load(json.dumps(document).encode()).recalibration.is_on
    del document["Forecast"]["ForecastTypes"]
    assert params.load(json.dumps(document).encode()).recalibration.is_on, "the API's own have one"


@pytest.mark.parametrize("name", ["p10", "Mean", "p5"])
def test_a_dimension_cannot_be_called_as_a_column_of_every_export(document, name):
    own = {"AttributeName": name, "AttributeType": "string"}
    document["Datasets"][0]["Schema"]["Attributes"].append(own)
    params.load(json.dumps(document).encode())
    document["Predictor"]["ForecastDimensions"] = [name]
    with pytest.raises(BadInput, match="have a column of this name themselves"):
        params.load(json.dumps(document).encode())


def test_recalibration_is_part_of_what_a_forecast_is_once_it_is_on(make_params):
    types = {"Forecast.ForecastTypes": ["0.1", "0.5", "0.9"]}
    plain, on = make_params(**types), make_params(**types, Recalibration={"When": "needed"})
    assert make_params(**types, Recalibration={"Tolerance": 0.1}).normalised() == plain.normalised()
    assert on.normalised() != plain.normalised()
    assert decision.data_of(on.normalised(), []) == decision.data_of(plain.normalised(), [])


def test_every_rule_is_in_use():
    generators = {
        value
        for module in RULE_MODULES
        for value in vars(module).values()
        if callable(value) and getattr(value, "__annotations__", {}).keys() == {"draft", "return"}
    }
    assert generators - {fillings} == set(rules.RULES)


def test_names_fit_the_service_and_tell_workloads_runs_and_definitions_apart(make_params):
    long = make_params(**{"Predictor.PredictorName": "p" * 63, "Datasets.0.DatasetName": "d" * 63})
    names = Names(Workload("b"), long, "0123456789ab")
    every = [
        names.dataset_group,
        names.dataset(TARGET),
        names.import_job(TARGET),
        names.predictor,
        names.forecast,
        names.export_job,
    ]
    assert all(re.fullmatch("[a-zA-Z][a-zA-Z0-9_]{0,62}", name) for name in every)
    assert names.predictor.endswith("_0123456789ab")
    other_run = Names(Workload("b"), long, "ffffffffffff")
    assert (other_run.dataset(TARGET), other_run.dataset_group) == (
        names.dataset(TARGET),
        names.dataset_group,
    )
    assert other_run.import_job(TARGET) != names.import_job(TARGET)
    assert Names(Workload("b", "x/"), long, "0123456789ab").dataset(TARGET) != names.dataset(TARGET)
    daily = make_params(**{"Datasets.0.DatasetName": "d" * 63, "Datasets.0.DataFrequency": "30min"})
    assert Names(Workload("b"), daily, "0123456789ab").dataset(TARGET) != names.dataset(TARGET)


def test_roles_cover_the_dataset_types():
    assert set(ROLE_OF_TYPE.values()) == {"train", "related", "metadata"}


def test_a_number_of_the_api_that_python_reads_as_infinite_is_told_with_its_place():
    span = b'{"Name": "learning_rate", "MinValue": 0.001, "MaxValue": 1e999}'
    tuning = b'{"ParameterRanges": {"ContinuousParameterRanges": [%s]}}' % span
    raw = b'{"Predictor": {"InputDataConfig": {}, "HPOConfig": %s}}' % tuning
    with pytest.raises(BadInput) as refused:
        params.load(raw)
    (problem,) = [one for one in refused.value.problems if "MaxValue" in one.where]
    assert problem.value == "Infinity"
    assert problem.rule == "it has to be a finite number"
