import datetime as dt

import pytest

from pipeline import publications, publish, rollback, storage
from pipeline.errors import Missing
from pipeline.reformat import Reformatted

WRITTEN = Reformatted(
    rows=9,
    items=1,
    horizon=3,
    types=("p10", "p50", "p90"),
    columns=("timestamp", "target_value", "item_id", "type"),
    has_header=True,
    first=dt.datetime(2024, 1, 2),
    last=dt.datetime(2024, 1, 2, 2),
    frequency="H",
    timestamp_format="yyyy-MM-dd HH:mm:ss",
)
HERE = "http://prefect/flow-run/here"


@pytest.fixture
def make(s3, workload, tmp_path, monkeypatch):
    """Archives and publishes forecasts one after the other, each an hour later than the one before."""
    made = []
    archived = publish.archived

    def at(*args):
        found = archived(*args)
        times = {run: dt.datetime(2024, 1, 3, hour, tzinfo=dt.UTC) for hour, run in enumerate(made)}
        dated = [publish.Archived(one.run, times[one.run], one.size) for one in found]
        return sorted(dated, key=lambda one: one.at, reverse=True)

    monkeypatch.setattr(publish, "archived", at)

    def run(*names):
        for name in names:
            made.append(name)
            clean = tmp_path / "forecast.csv"
            clean.write_text(f"the forecast of {name}\n")
            publish.archive(s3, workload, name, clean, WRITTEN, [])
            publish.publish(s3, workload, name, lambda: dt.datetime(2024, 1, 3, len(made), tzinfo=dt.UTC))

    return run


def go_back(s3, workload, run=None, by=HERE, content=None):
    chosen = rollback.target(s3, workload, run, by)
    held = rollback.put_aside(s3, workload, chosen, content)
    back = publish.publish(s3, workload, chosen, kind="rollback", by=by, held=held)
    publish.conclude(s3, workload, back)
    return back


def test_going_back_again_goes_further_back(s3, workload, make):
    make("one", "two", "three")
    assert go_back(s3, workload, by="first").run == "two"
    second = go_back(s3, workload, by="second")
    assert (second.run, second.previous) == ("one", "two")
    assert second.held == ("three", "two")
    with pytest.raises(Missing, match="no forecast older than the current one"):
        go_back(s3, workload, by="third")


def test_one_that_was_interrupted_goes_on_with_its_target(s3, workload, make):
    make("one", "two", "three")
    first = go_back(s3, workload)
    assert go_back(s3, workload) == first, "the same flow run, started again"
    assert len(publications.listed(s3, workload)) == 4


def test_going_forward_takes_the_run_out_of_what_is_put_aside(s3, workload, make):
    make("one", "two")
    go_back(s3, workload, by="first")
    assert go_back(s3, workload, "two", by="second").held == ("one",)


def test_content_that_was_published_is_put_aside_and_new_content_is_not(s3, workload, make):
    make("one", "two", "three")
    assert rollback.put_aside(s3, workload, "one", content="two") == ("three", "two")
    assert rollback.put_aside(s3, workload, "one", content="four") == ("three",)


def test_only_what_is_in_the_archive_can_come_back(s3, workload, make):
    with pytest.raises(Missing, match="has no published forecast"):
        rollback.target(s3, workload, None, None)
    make("one")
    with pytest.raises(Missing, match="Run two has no forecast in the archive"):
        rollback.target(s3, workload, "two", None)


def test_the_choices_tell_what_is_current_and_what_was_put_aside(s3, workload, make):
    assert rollback.lines(rollback.choices(s3, workload)) == ["There is no forecast in the archive."]
    make("one", "two")
    go_back(s3, workload)
    table = rollback.lines(rollback.choices(s3, workload))
    assert [line.split()[0] for line in table] == ["run", "two", "one"]
    assert "put aside 2024-01-03T02:00:00Z" in table[1]
    assert "2024-01-03 00:00" in table[2]
    assert "current" in table[2]


def test_the_one_before_is_the_one_that_was_replaced_last(s3, workload, make):
    make("one", "two", "three")
    publish.publish(s3, workload, "two", kind="republish")  # its content was uploaded again
    assert rollback.target(s3, workload, None, None) == "three"


def test_a_rollback_that_was_interrupted_is_finished_by_the_next(s3, workload, make):
    make("one", "two", "three")
    half = publish.publish(s3, workload, "two", kind="rollback", by="first", held=("three",))
    assert rollback.target(s3, workload, None, "second") == "two"
    publish.conclude(s3, workload, half)
    assert rollback.target(s3, workload, None, "second") == "one"


def test_a_forecast_of_which_nothing_tells_is_passed_over(s3, workload, make):
    make("one", "two", "three")
    storage.remove(s3, workload, "runs/two/forecast.json")
    assert rollback.target(s3, workload, None, None) == "one"
    assert [choice.archived.run for choice in rollback.choices(s3, workload)] == ["three", "one"]
