"""Whatever is uploaded, the answer is a form or a list of problems, never another error."""

import copy
import io
import json
import random

import pandas as pd
import pytest

from pipeline import contract, inputs, params
from pipeline.cells import Expectation
from pipeline.errors import BadInput
from pipeline.inspection import Inspection
from pipeline.proposal import propose

CASES = 300
VALUES = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "a" * 300,
    [],
    {},
    [1],
    {"a": 1},
    [None],
    "mean",
    "0.5",
    1e400,
    "é☃",
    "\n",
]
BYTES = [b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b'""', b",,,", b"NaN", b"\n\n", b""]
CSV = b"timestamp,target_value,item_id\n" + b"".join(
    b"2024-01-%02d 00:00:00,%d.5,a\n" % (n % 28 + 1, n) for n in range(40)
)
LEGACY = {
    "PredictorName": "p",
    "ForecastHorizon": 3,
    "FeaturizationConfig": {
        "ForecastFrequency": "H",
        "Featurizations": [
            {
                "AttributeName": "target_value",
                "FeaturizationPipeline": [
                    {
                        "FeaturizationMethodName": "filling",
                        "FeaturizationMethodParameters": {"middlefill": "zero"},
                    }
                ],
            }
        ],
    },
    "AlgorithmArn": "arn:aws:forecast:::algorithm/ETS",
    "EvaluationParameters": {"NumberOfBacktestWindows": 1},
    "InputDataConfig": {"SupplementaryFeatures": [{"Name": "holiday", "Value": "US"}]},
}


def places(node, above=()):
    """The paths of all members below a node."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in list(inner):
        yield (*above, name)
        yield from places(child, (*above, name))


def damage(document, chance):
    """Removes or replaces a member anywhere."""
    found = list(places(document))
    if not found:
        return
    *parents, last = chance.choice(found)
    for name in parents:
        document = document[name]
    if chance.random() < 0.2:
        del document[last]
    else:
        document[last] = copy.deepcopy(chance.choice(VALUES))


@pytest.mark.parametrize("form", ["auto", "legacy"])
def test_no_configuration_leads_to_anything_but_problems(document, form):
    chance = random.Random(form)
    if form == "legacy":
        document["Predictor"] = LEGACY
    refused = 0
    for _ in range(CASES):
        damaged = copy.deepcopy(document)
        for _ in range(chance.randint(1, 3)):
            damage(damaged, chance)
        try:
            loaded = params.load(json.dumps(damaged).encode())
            assert loaded.normalised()["Forecast"]["ForecastTypes"] == loaded.type_labels
            assert loaded.create_predictor_request("name", "arn")["PredictorName"] == "name"
            assert loaded.frequency.minutes > 0
        except BadInput:
            refused += 1
    assert refused > CASES / 2


def damaged_csv(chance):
    body = bytearray(CSV)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(body) + 1)
        body[place : place + chance.choice([0, 1, 5, 40])] = chance.choice(BYTES)
    return bytes(body)


def test_no_file_leads_to_anything_but_a_form_or_problems(make_params):
    chance = random.Random(1)
    loaded = make_params()
    expectation = Expectation(
        loaded.target, ("item_id",), loaded.timestamp_format, frozenset(["target_value"])
    )
    refused = 0
    for _ in range(CASES):
        body = damaged_csv(chance)
        inspection = Inspection(expectation)
        inspection.file("k", "train/a.csv", len(body), io.BytesIO(body))
        assert inspection.forms or inspection.findings
        assert all(found.rule and found.remedy and found.count for found in inspection.findings)
        refused += bool(inspection.findings)
        inspection.close()
    assert refused > CASES / 2


def test_no_parquet_file_leads_to_anything_but_a_form_or_problems(make_params):
    chance = random.Random(3)
    loaded = make_params()
    expectation = Expectation(
        loaded.target, ("item_id",), loaded.timestamp_format, frozenset(["target_value"])
    )
    hours = [str(moment) for moment in pd.date_range("2024-01-01", periods=40, freq="h")]
    sound = io.BytesIO()
    pd.DataFrame({"timestamp": hours, "target_value": 1.5, "item_id": "a"}).to_parquet(sound, index=False)
    refused = 0
    for _ in range(CASES):
        body = bytearray(sound.getvalue())
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        inspection = Inspection(expectation)
        inspection.file("k.parquet", "train/k.parquet", len(body), io.BytesIO(body))
        assert inspection.forms or inspection.findings
        assert all(found.rule and found.remedy and found.count for found in inspection.findings)
        refused += bool(inspection.findings)
        inspection.close()
    assert refused > CASES / 4


def contents(s3, workload, prefix):
    """The objects under a path, as a run would list them."""
    listed = s3.list_objects_v2(Bucket=workload.bucket, Prefix=workload.key(prefix)).get("Contents", [])
    return [inputs.InputObject("train", e["Key"], e["Size"], e["ETag"].strip('"')) for e in listed]


def test_whatever_is_uploaded_what_is_imported_keeps_the_strictest_contract(s3, workload, put, make_params):
    """Random damage, random policies: refused with reasons, or the copies pass with nothing tolerated."""
    chance = random.Random(4)
    accepted = 0
    for n in range(CASES // 3):
        checks = {
            "Duplicates": chance.choice(["refuse", "last", "sum"]),
            "MostBadRows": chance.choice([0, 0.2, 1]),
            "LeastValue": chance.choice([False, 2]),
        }
        put("train/a.csv", damaged_csv(chance))
        put("train/b.csv", damaged_csv(chance))
        configured = make_params(Checks=checks)
        stock = inputs.take_stock(s3, workload, configured)
        with contract.examine(s3, workload, configured, stock) as examination:
            assert json.dumps([examination.report.to_dict(), examination.report.table()])
            assert all(found.rule and found.remedy for found in examination.report.findings)
            if examination.report.is_refused:
                assert examination.report.refusal("address").problems
                continue
            form = examination.accepted("address")
            examination.stage(f"run{n}")
        copies = inputs.Inputs(tuple(contents(s3, workload, f"runs/run{n}/input/train/")))
        strict = contract.check(s3, workload, make_params(), copies)
        assert (strict.rows, strict.first, strict.last) == (form.rows, form.first, form.last)
        accepted += 1
    assert accepted > 10


def damaged_document(document, chance):
    """A configuration with a few of our own members, one to three of all its members damaged."""
    damaged = copy.deepcopy(document)
    damaged["Checks"] = {"Duplicates": "last", "MostBadRows": 0.1, "LeastValue": 0, "LongestText": 50}
    for _ in range(chance.randint(1, 3)):
        damage(damaged, chance)
    return damaged


def test_no_configuration_and_file_together_lead_to_anything_but_a_form_or_problems(
    s3, workload, put, document
):
    chance = random.Random(6)
    put("train/a.csv", CSV)
    refused = 0
    for _ in range(CASES // 3):
        put("params.json", json.dumps(damaged_document(document, chance)).encode())
        try:
            configured = params.read(s3, workload)
            contract.check(s3, workload, configured, inputs.take_stock(s3, workload, configured))
        except BadInput:
            refused += 1
    assert refused > CASES / 6


def test_no_file_leads_to_anything_but_a_proposal_or_problems():
    chance = random.Random(2)
    proposed = 0
    for _ in range(CASES // 4):
        try:
            found = propose(io.StringIO(damaged_csv(chance).decode(errors="replace")))
            assert params.load(json.dumps(found.params).encode())
            proposed += 1
        except BadInput:
            continue
    assert proposed > 0
