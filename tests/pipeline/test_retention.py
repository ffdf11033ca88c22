import datetime as dt
from dataclasses import replace

import pytest

from pipeline import decision, publish, record, resources, retention, storage
from pipeline.decision import Trained
from pipeline.domains import TARGET
from pipeline.names import Names
from pipeline.policy.retention import Retention
from pipeline.publish import Manifest
from pipeline.record import Record
from pipeline.retention import Owner, leftovers, plan
from pipeline.workload import Workload

ROLE = "arn:aws:iam::000000000000:role/forecast"
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def run_id(number):
    return f"{number:012x}"


def known(number, state="published"):
    return Record(run_id(number), state=state, updated_at=f"2024-01-{number:02}T00:00:00Z")


def numbers(runs):
    return [int(run, 16) for run in runs]


# -- the plan


def test_nothing_is_planned_where_nothing_is_limited():
    assert plan([known(n) for n in range(1, 9)], Retention(), set()) == retention.Plan((), ())


def test_the_newest_published_runs_keep_everything():
    planned = plan([known(n) for n in range(1, 6)], Retention(runs=2, history=4), set())
    assert numbers(planned.resources) == [1, 2, 3]
    assert numbers(planned.history) == [1]


def test_whoever_loses_the_history_loses_the_resources_too():
    planned = plan([known(n) for n in range(1, 6)], Retention(runs=4, history=2), set())
    assert numbers(planned.resources) == numbers(planned.history) == [1, 2, 3]


def test_a_run_that_did_not_publish_goes_with_those_that_are_as_old():
    runs = [known(1, "failed"), known(2), known(3, "refused"), known(4), known(5, "failed")]
    assert numbers(plan(runs, Retention(runs=1), set()).resources) == [1, 2, 3]
    assert numbers(plan(runs, Retention(runs=2), set()).resources) == [1]


def test_as_many_as_are_kept_lose_nothing():
    assert plan([known(1, "failed"), known(2)], Retention(runs=2), set()).resources == ()


def test_safe_runs_lose_nothing():
    planned = plan([known(n) for n in range(1, 5)], Retention(runs=1, history=1), {run_id(2)})
    assert numbers(planned.resources) == [1, 3]


def test_leftovers_are_what_did_not_publish():
    runs = [known(1, "failed"), known(2), known(3, "refused"), known(4, "started")]
    assert numbers(leftovers(runs, {run_id(4)})) == [1, 3]


# -- the removal


class Shop:
    """A workload with runs, and what else lies around them."""

    def __init__(self, s3, forecast, workload, params):
        self.s3, self.forecast, self.workload, self.params = s3, forecast, workload, params
        self.runs = {}

    def run(self, number, state="published", predictor=None, params=None):
        """One run that made everything; its ARNs."""
        name, params = run_id(number), params or self.params
        own = (self.forecast, ROLE, Names(self.workload, params, name), params)
        dataset = resources.ensure_dataset(*own, TARGET)
        group = resources.ensure_dataset_group(*own, [dataset])
        made = [resources.start_import(*own, TARGET, dataset, "s3://demand/x/", "CSV")]
        if predictor is None:
            predictor = resources.start_predictor(*own, group)
            made.append(predictor)
            self.trained(name, predictor)
        made.append(resources.start_forecast(*own, predictor))
        made.append(resources.start_export(*own[:3], made[-1], "s3://demand/y/"))
        written = Record(name, state, params.normalised(), arns={"predictor": predictor})
        record.write(self.s3, self.workload, written, lambda: DAY + dt.timedelta(days=number))
        for rel in ("history/clean/{}/forecast.csv", "history/raw/{}/a.csv", "runs/{}/export/a.csv"):
            self.put(rel.format(name))
        self.runs[number] = made
        return made

    def trained(self, name, arn):
        decision.remember(self.s3, self.workload, Trained(name, arn, "2024-01-01T00:00:00Z", {}, "x"))

    def put(self, rel):
        self.s3.put_object(Bucket=self.workload.bucket, Key=self.workload.key(rel), Body=b"x")

    def show(self, number, previous=None):
        """Make a run the published one."""
        manifest = Manifest(
            run=run_id(number), location="s3://x/", files=(), size=0, rows=0, items=0, horizon=1, types=(),
            columns=(), has_header=True, first=DAY, last=DAY, frequency="H", timestamp_format="yyyy-MM-dd",
            previous=run_id(previous) if previous else None,
        )  # fmt: skip
        storage.write_json(self.s3, self.workload, publish.MANIFEST, manifest.to_dict())

    def owner(self, number):
        return Owner(self.s3, self.forecast, ROLE, self.workload, run_id(number))

    def left(self):
        """The runs that still have resources of their own, with how many."""
        there = set(self.forecast.resources)
        return {n: len(there.intersection(made)) for n, made in self.runs.items() if there.intersection(made)}

    def archived(self):
        return numbers(one.run for one in publish.archived(self.s3, self.workload))

    def records(self):
        keys = storage.keys(self.s3, self.workload, "runs/")
        return {int(key.split("/")[-2], 16) for key in keys if key.endswith("/manifest.json")}


@pytest.fixture
def shop(s3, forecast, workload, make_params):
    return Shop(s3, forecast, workload, make_params())


def test_without_numbers_nothing_is_even_looked_at(shop):
    shop.run(1)
    calls = list(shop.forecast.calls)
    assert retention.apply(shop.owner(1), Retention()).words() is None
    assert shop.forecast.calls == calls


def test_older_runs_lose_their_resources_and_keep_their_history(shop, pauses):
    for number in range(1, 5):
        shop.run(number)
    shop.show(4, previous=3)
    swept = retention.apply(shop.owner(4), Retention(runs=2), **pauses)
    assert shop.left() == {3: 4, 4: 4}
    assert sorted(shop.archived()) == [1, 2, 3, 4]
    assert swept.words() == "Removed 8 resources of earlier runs."


def test_the_history_goes_with_the_record_as_the_last(shop, s3, workload, pauses, monkeypatch):
    for number in range(1, 4):
        shop.run(number)
    shop.show(3, previous=2)
    removed = []
    remove = storage.remove
    monkeypatch.setattr(storage, "remove", lambda s3, w, rel: (removed.append(rel), remove(s3, w, rel)))
    swept = retention.apply(shop.owner(3), Retention(history=2), **pauses)
    assert sorted(shop.archived()) == [2, 3]
    assert shop.records() == {2, 3}
    assert not [key for key in storage.keys(s3, workload, "") if run_id(1) in key]
    assert removed[-1] == f"runs/{run_id(1)}/"
    assert swept.words() == "Removed 4 resources of earlier runs and the history of 1 run."


def test_a_repetition_finds_nothing_to_do_and_asks_nobody(shop, pauses):
    for number in range(1, 4):
        shop.run(number)
    shop.show(3, previous=2)
    retention.apply(shop.owner(3), Retention(runs=2), **pauses)
    calls = len(shop.forecast.calls)
    assert retention.apply(shop.owner(3), Retention(runs=2), **pauses).words() is None
    assert len(shop.forecast.calls) == calls


def test_published_previous_and_present_run_are_safe_whatever_their_age(shop, pauses):
    for number in range(1, 6):
        shop.run(number)
    shop.show(1, previous=2)  # somebody rolled back
    retention.apply(shop.owner(3), Retention(runs=1, history=1), **pauses)
    assert set(shop.left()) == {1, 2, 3, 5}
    assert sorted(shop.archived()) == [1, 2, 3, 5]


def test_a_predictor_that_is_still_used_outlives_its_run(shop, pauses):
    trained = shop.run(1)[1]
    for number in (2, 3):
        shop.run(number, predictor=trained)
    shop.show(3, previous=2)
    retention.apply(shop.owner(3), Retention(runs=2, history=2), **pauses)
    assert trained in shop.forecast.resources
    assert shop.left()[1] == 1
    assert shop.records() == {1, 2, 3}, "who owns the predictor stays known"
    assert sorted(shop.archived()) == [2, 3]
    again = retention.apply(shop.owner(3), Retention(runs=2, history=2), **pauses)
    assert again.words() is None, "it is told once"
    shop.run(4)
    shop.run(5)
    shop.show(5, previous=4)
    retention.apply(shop.owner(5), Retention(runs=2, history=2), **pauses)
    assert trained not in shop.forecast.resources, "nobody uses it any more"
    assert shop.records() == {4, 5}


def test_the_import_that_the_datasets_content_is_from_stays(shop, pauses):
    for number in (3, 2, 1):  # the oldest run was run again, and imported last
        shop.run(number)
    shop.show(3, previous=2)
    retention.apply(shop.owner(3), Retention(runs=2), **pauses)
    assert shop.runs[1][0] in shop.forecast.resources
    assert shop.left() == {1: 2, 2: 4, 3: 4}, "its predictor was the last one, too"


def test_what_others_own_is_not_touched_whatever_its_name(shop, forecast, s3, make_params, pauses):
    for number in range(1, 4):
        shop.run(number)
    shop.show(3, previous=2)
    twin = Shop(s3, forecast, Workload(shop.workload.bucket, "twin/"), shop.params)
    twin.run(11)
    group = resources.arn_of(
        forecast, ROLE, "dataset-group", Names(shop.workload, shop.params, "x").dataset_group
    )
    own = shop.params.create_predictor_request(f"shop_predictor_{run_id(0xABC)}", group)
    forecast.create_auto_predictor(**own)  # a person's, in the same group, with a name like ours
    renamed = make_params(**{"Forecast.ForecastName": "theirs"})
    forecast.create_forecast(**renamed.create_forecast_request(f"theirs_{run_id(1)}", shop.runs[3][1]))
    shop.put("history/clean/by-hand/forecast.csv")
    shop.put("runs/notes/manifest.txt")
    foreign = set(forecast.resources) - {arn for made in shop.runs.values() for arn in made}
    retention.apply(shop.owner(3), Retention(runs=2, history=2), **pauses)
    assert foreign <= set(forecast.resources)
    keys = storage.keys(s3, shop.workload, "")
    assert shop.workload.key("history/clean/by-hand/forecast.csv") in keys
    assert shop.workload.key("runs/notes/manifest.txt") in keys
    assert twin.left() == {11: 4}


def test_what_a_person_still_uses_stays_and_is_told(shop, forecast, pauses):
    for number in range(1, 4):
        shop.run(number)
    shop.show(3, previous=2)
    theirs = shop.params.create_forecast_request("a_persons_own", shop.runs[1][1])
    forecast.create_forecast(**theirs)
    swept = retention.apply(shop.owner(3), Retention(runs=2, history=2), **pauses)
    assert shop.left() == {1: 1, 2: 4, 3: 4}, (swept, set(forecast.resources) & set(shop.runs[1]))
    assert "stays for now" in swept.words()
    assert "in use" in swept.words()
    assert shop.records() == {1, 2, 3}


def test_an_interrupted_removal_is_finished_by_the_next(shop, forecast, pauses, monkeypatch):
    for number in range(1, 4):
        shop.run(number)
    shop.show(3, previous=2)
    left = [0]

    def killed(*_args):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    steps = 0
    while True:
        left[0] = steps
        with monkeypatch.context() as patch:
            for module, name in ((resources, "delete"), (storage, "remove"), (record, "write")):
                done = getattr(module, name)
                patch.setattr(module, name, lambda *a, done=done, **k: (killed(), done(*a, **k)))
            try:
                retention.apply(shop.owner(3), Retention(runs=2, history=2), **pauses)
                break
            except KeyboardInterrupt:
                steps += 1
        known_now = record.read(shop.s3, shop.workload, run_id(1))
        if known_now and known_now.is_published:
            assert 1 in shop.archived(), "what counts as published can be published again"
    assert steps >= 4
    assert shop.left() == {2: 4, 3: 4}
    assert shop.records() == {2, 3}


def test_a_full_quota_takes_the_leftovers_of_runs_that_did_not_publish(shop, pauses):
    shop.run(1)
    shop.run(2, state="failed")
    shop.run(3, state="refused")
    shop.run(4)
    shop.show(1)
    shop.run(5, state="started")
    retention.make_room(shop.owner(5), Retention(), **pauses)
    assert set(shop.left()) == {1, 4, 5}
    retention.make_room(shop.owner(5), Retention(runs=1), **pauses)
    assert set(shop.left()) == {1, 4, 5}, "the newest published run and what readers see stay"


def deletes(shop, number):
    """The run was to delete what it made."""
    known = record.read(shop.s3, shop.workload, run_id(number))
    written = DAY + dt.timedelta(days=number)
    record.write(shop.s3, shop.workload, replace(known, deletes=True), lambda: written)


def test_a_deletion_that_a_run_was_kept_from_is_finished_by_a_later_one_once(shop, forecast, pauses):
    shop.run(1)
    deletes(shop, 1)
    shop.run(2)
    deletes(shop, 2)
    shop.show(2, previous=1)
    assert retention.apply(shop.owner(2), Retention(), **pauses).words() is None, "nobody deletes any more"
    retention.apply(shop.owner(2), Retention(), deletes=True, **pauses)
    assert shop.left() == {2: 4}, "the present run deletes its own at its end"
    forecast.calls.clear()
    assert retention.apply(shop.owner(2), Retention(), deletes=True, **pauses).words() is None
    assert forecast.calls == []


def test_a_full_quota_takes_what_a_run_was_kept_from_deleting(shop, pauses):
    shop.run(1)
    deletes(shop, 1)
    shop.run(2)
    shop.show(1)
    shop.run(3, state="started")
    retention.make_room(shop.owner(3), Retention(), **pauses)
    assert set(shop.left()) == {2, 3}


def test_a_run_that_is_done_again_after_its_clean_up_is_cleaned_up_again(shop, pauses):
    for number in range(1, 4):
        shop.run(number)
    shop.show(3, previous=2)
    retention.apply(shop.owner(3), Retention(runs=2), **pauses)
    shop.run(1)
    again = replace(record.read(shop.s3, shop.workload, run_id(1)))
    assert again.is_published
    marker = shop.workload.key(f"runs/{run_id(1)}/cleared")
    shop.s3.delete_object(Bucket=shop.workload.bucket, Key=marker)
    shop.trained(run_id(3), shop.runs[3][1])
    shop.forecast.resources[shop.runs[3][0]]["described"]["LastModificationTime"] += dt.timedelta(days=9)
    retention.apply(shop.owner(3), Retention(runs=2), **pauses)
    assert shop.left() == {2: 4, 3: 4}


def test_the_predictor_of_the_run_before_stays_although_that_run_was_cleared(shop, pauses):
    predictor = shop.run(1)[1]
    shop.run(2, predictor=predictor)
    shop.run(3, predictor=predictor)
    shop.run(4)
    shop.show(4, previous=3)
    retention.apply(shop.owner(4), Retention(runs=1), **pauses)  # clears the second run
    shop.show(2, previous=4)  # a rollback
    shop.run(5)
    shop.show(5, previous=2)
    retention.apply(shop.owner(5), Retention(runs=1), **pauses)
    assert predictor in shop.forecast.resources
