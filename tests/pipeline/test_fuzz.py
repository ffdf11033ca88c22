"""Whatever is uploaded, the answer is a form or a list of problems, never another error."""

import copy
import io
import json
import random

import pytest

from pipeline import params, proposal
from pipeline.cells import Expectation
from pipeline.errors import BadInput
from pipeline.inspection import Inspection

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


def test_no_file_leads_to_anything_but_a_proposal_or_problems():
    chance = random.Random(2)
    proposed = 0
    for _ in range(CASES // 4):
        try:
            found = proposal.propose(io.StringIO(damaged_csv(chance).decode(errors="replace")))
            assert params.load(json.dumps(found.params).encode())
            proposed += 1
        except BadInput:
            continue
    assert proposed > 0
