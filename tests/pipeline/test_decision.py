import datetime as dt
from dataclasses import replace

import pytest

from pipeline import decision
from pipeline.decision import Decision, Facts, Trained, Wish, decide
from pipeline.inputs import InputObject, Inputs
from pipeline.policy.retraining import Retraining

NOW = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
SETTINGS = {"Datasets": [{"Domain": "CUSTOM"}], "Predictor": {"ForecastHorizon": 6}, "DatasetGroupArn": "g"}
TRAINED = Trained("111111111111", "arn:p", "2024-02-20T00:00:00Z", SETTINGS, data="old data")
FACTS = Facts(SETTINGS, data="new data", imported=False, trained=TRAINED, status="ACTIVE")
NEEDED = Retraining(when="needed")
ALWAYS = Retraining()


def settings(**changes):
    return {**SETTINGS, **changes}


def not_fallen():
    return None


def fallen():
    return "the last forecast turned out 50% worse than promised"


def never_asked():
    raise AssertionError("the accuracy is read only where it decides")


# name: facts, policy, what accuracy says, what is decided, words of the reason
CASES = {
    "first": (replace(FACTS, trained=None), NEEDED, never_asked, "train", "there is no predictor yet"),
    "first, although the data are imported": (
        replace(FACTS, trained=None, imported=True),
        ALWAYS,
        never_asked,
        "train",
        "there is no predictor yet",
    ),
    "deleted": (replace(FACTS, status=None), NEEDED, never_asked, "train", "was deleted"),
    "failed": (replace(FACTS, status="CREATE_FAILED"), NEEDED, never_asked, "train", "is CREATE_FAILED"),
    "being deleted": (
        replace(FACTS, status="DELETE_PENDING"),
        NEEDED,
        never_asked,
        "train",
        "is DELETE_PENDING",
    ),
    "another horizon": (
        replace(FACTS, settings=settings(Predictor={"ForecastHorizon": 12})),
        NEEDED,
        never_asked,
        "train",
        "Predictor.ForecastHorizon has changed from 6 to 12",
    ),
    "a new setting": (
        replace(FACTS, settings=settings(Predictor={"ForecastHorizon": 6, "ForecastTypes": ["0.5", "mean"]})),
        NEEDED,
        never_asked,
        "train",
        'Predictor.ForecastTypes has changed from nothing to ["0.5", "mean"]',
    ),
    "another schema": (
        replace(FACTS, settings=settings(Datasets=[{"Domain": "RETAIL"}])),
        NEEDED,
        never_asked,
        "train",
        "the datasets have changed",
    ),
    "another group": (
        replace(FACTS, settings=settings(DatasetGroupArn="h")),
        NEEDED,
        never_asked,
        "train",
        "the dataset group is another one",
    ),
    "refused": (
        replace(FACTS, refused=True),
        NEEDED,
        never_asked,
        "train",
        "the forecast of run 111111111111, which trained the last predictor, was refused",
    ),
    "asked for": (
        replace(FACTS, wish=Wish("prices have changed.", NOW)),
        NEEDED,
        never_asked,
        "train",
        "it was asked for: prices have changed",
    ),
    "asked for, with the same data": (
        replace(FACTS, data="old data", imported=True, wish=Wish("drift", NOW)),
        NEEDED,
        never_asked,
        "train",
        "it was asked for: drift",
    ),
    "asked for before it was trained": (
        replace(FACTS, wish=Wish("drift", dt.datetime(2024, 2, 19, tzinfo=dt.UTC))),
        NEEDED,
        not_fallen,
        "reuse",
        "settings are the same",
    ),
    "always": (FACTS, ALWAYS, never_asked, "train", 'the data are new and Retraining.When is "always"'),
    "too old": (
        FACTS,
        Retraining("needed", most_age_days=7),
        never_asked,
        "train",
        "trained on 2024-02-20 at 00:00 UTC, is 10.0 days old; 7 are allowed",
    ),
    "just young enough": (
        FACTS,
        Retraining("needed", most_age_days=10),
        not_fallen,
        "reuse",
        "10.0 days old of 10 allowed",
    ),
    "as old as it likes": (
        FACTS,
        Retraining("needed", most_age_days=None),
        not_fallen,
        "reuse",
        "10.0 days old",
    ),
    "accuracy fell": (FACTS, NEEDED, fallen, "train", "turned out 50% worse"),
    "accuracy does not matter": (
        FACTS,
        Retraining("needed", most_accuracy_fall=None),
        never_asked,
        "reuse",
        "settings are the same",
    ),
    "good": (FACTS, NEEDED, not_fallen, "reuse", "no fall of its accuracy is known"),
    "good, and imported by an earlier run": (
        replace(FACTS, imported=True),
        NEEDED,
        not_fallen,
        "re-forecast",
        "no fall of its accuracy is known",
    ),
    "the same data": (
        replace(FACTS, data="old data", imported=True),
        ALWAYS,
        never_asked,
        "re-forecast",
        "it was trained on these very data",
    ),
    "the same data of a refused forecast": (
        replace(FACTS, data="old data", imported=True, refused=True),
        ALWAYS,
        never_asked,
        "re-forecast",
        "it was trained on these very data",
    ),
    "the same data, replaced since": (
        replace(FACTS, data="old data"),
        ALWAYS,
        never_asked,
        "reuse",
        "it was trained on these very data",
    ),
}


@pytest.mark.parametrize(("facts", "policy", "accuracy", "kind", "words"), CASES.values(), ids=CASES)
def test_each_reason_is_taken_and_told(facts, policy, accuracy, kind, words):
    found = decide(facts, policy, NOW, accuracy)
    assert found.kind == kind
    assert words in found.reason
    assert words in found.words()
    assert found.predictor == (None if kind == "train" else "arn:p")


def test_a_run_that_is_taken_up_again_does_what_it_began():
    began = decide(FACTS, NEEDED, NOW, not_fallen)
    later = NOW + dt.timedelta(days=300)
    assert decide(FACTS, NEEDED, later, never_asked, began) == began, "too old only by waiting"
    trains = Decision("train", "there is no predictor yet")
    assert decide(FACTS, NEEDED, NOW, never_asked, trains) == trains, "its own predictor may be half trained"


def test_a_run_that_is_taken_up_again_sees_what_has_become_impossible():
    began = decide(FACTS, NEEDED, NOW, not_fallen)
    assert decide(replace(FACTS, status=None), NEEDED, NOW, never_asked, began).trains
    asked = replace(FACTS, wish=Wish("the gate refused its forecast", NOW))
    assert "the gate refused" in decide(asked, NEEDED, NOW, never_asked, began).reason
    only_forecast = replace(began, kind="re-forecast")
    assert decide(FACTS, NEEDED, NOW, never_asked, only_forecast).imports, "the import has been replaced"


def test_a_decision_survives_being_written_down():
    found = decide(FACTS, NEEDED, NOW, not_fallen)
    assert Decision.from_dict(found.to_dict()) == found


def test_the_identity_of_the_data_ignores_predictor_and_forecast(make_params):
    inputs = [{"role": "train", "key": "train/a.csv", "size": 1, "etag": "x"}]
    base = decision.data_of(make_params().normalised(), inputs)
    same = make_params(**{"Forecast.ForecastTypes": ["0.9"], "Predictor.ForecastHorizon": 2})
    assert decision.data_of(same.normalised(), inputs) == base
    daily = make_params(TimestampFormat="yyyy-MM-dd HH:mm:ss", TimeZone="Europe/Paris")
    assert decision.data_of(daily.normalised(), inputs) != base
    assert decision.data_of(make_params().normalised(), [{**inputs[0], "etag": "y"}]) != base


def test_the_order_of_uploads_is_part_of_the_data_where_the_newest_row_counts(make_params):
    def data(first, second, order_matters=True):
        files = (
            InputObject("train", "train/a.csv", 1, "x", modified=first),
            InputObject("train", "train/b.csv", 1, "y", modified=second),
        )
        return decision.data_of(make_params().normalised(), Inputs(files, (), order_matters).to_list())

    early, late = "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00"
    assert data(early, late) != data(late, early)
    assert data(early, late, order_matters=False) == data(late, early, order_matters=False)
    assert data(early, late) != data(early, late, order_matters=False), "as written by earlier releases"


def test_names_and_tags_are_no_settings_of_a_predictor(make_params):
    named = make_params(
        **{"Predictor.PredictorName": "other", "Predictor.Tags": [{"Key": "a", "Value": "b"}]}
    )
    assert decision.settings_of(named, "g") == decision.settings_of(make_params(), "g")


def test_the_last_predictor_is_remembered(s3, workload):
    assert decision.last_trained(s3, workload) is None
    decision.remember(s3, workload, TRAINED)
    assert decision.last_trained(s3, workload) == TRAINED


def test_a_wish_for_training_is_found_with_its_time(s3, workload):
    assert decision.wish(s3, workload) is None
    decision.ask_for_training(s3, workload, "the ledger sees a bias of 30%")
    found = decision.wish(s3, workload)
    assert found.reason == "the ledger sees a bias of 30%"
    assert abs(found.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"new tariff\n", "new tariff"),
        (b'{"because": "a\\nb"}', "a b"),
        (b'{"why": 1}', '{"why": 1}'),
        (b"", "no reason was given"),
        (b"\xff", "\ufffd"),
        (b"x" * 1000, "x" * 300),
    ],
)
def test_a_wish_may_have_any_form(workload, s3, put, text, reason):
    put("runs/retrain.json", text)
    assert decision.wish(s3, workload).reason == reason
