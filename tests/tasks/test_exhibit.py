"""What a run shows of its progress."""

import httpx
import pytest

from pipeline.waiting import Progress
from pipeline.workload import Workload
from tasks import exhibit
from tasks.exhibit import ProgressBar, key, percent, remaining, show_table

WORKLOAD = Workload("My.Bucket", "shop/")


@pytest.mark.parametrize(
    ("status", "minutes_left", "waited_s", "expected"),
    [
        ("CREATE_PENDING", None, 10, 0),
        ("CREATE_IN_PROGRESS", 3.0, 60, 25),
        ("CREATE_IN_PROGRESS", 0.0001, 10_000, 99),
        ("ACTIVE", None, 5, 100),
    ],
)
def test_progress_is_the_part_of_the_wait_that_is_over(
    status: str, minutes_left: float | None, waited_s: float, expected: float
) -> None:
    assert percent(Progress(status, minutes_left, waited_s)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("minutes_left", "words"),
    [
        (None, ""),
        (12.2, ", about 12 minutes left"),
        (1, ", about 1 minute left"),
        (0.3, ", under a minute left"),
    ],
)
def test_the_time_left_is_told_in_words(minutes_left: float | None, words: str) -> None:
    assert remaining(Progress("CREATE_IN_PROGRESS", minutes_left, 1)) == words


def test_a_bar_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[float, str]] = []
    monkeypatch.setattr(
        exhibit, "create_progress_artifact", lambda p, description: shown.append((p, description)) or 1
    )
    monkeypatch.setattr(exhibit, "update_progress_artifact", lambda _, p, text: shown.append((p, text)))
    bar = ProgressBar("Training of x")
    for minutes, waited in ((1.0, 60), (4.0, 70)):
        bar(Progress("CREATE_IN_PROGRESS", minutes, waited))
    bar(Progress("ACTIVE", None, 80))
    assert [p for p, _ in shown] == [50, 50, 100]
    assert shown[1][1] == "Training of x: CREATE_IN_PROGRESS, about 4 minutes left"


def test_work_goes_on_when_nothing_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise httpx.ConnectError("the server is away")

    monkeypatch.setattr(exhibit, "create_progress_artifact", away)
    monkeypatch.setattr(exhibit, "create_table_artifact", away)
    ProgressBar("Training")(Progress("ACTIVE", None, 1))
    show_table(WORKLOAD, "accuracy", [{"a": 1}], "Accuracy")


def test_rows_of_a_table_get_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[list[dict]] = []
    monkeypatch.setattr(exhibit, "create_table_artifact", lambda rows, **_: tables.append(rows))
    show_table(WORKLOAD, "accuracy", [{"a": 1}, {"b": 2}], "Accuracy")
    assert tables == [[{"a": 1, "b": None}, {"a": None, "b": 2}]]


def test_an_artifacts_key_is_what_prefect_allows() -> None:
    assert set(key("accuracy", WORKLOAD)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
