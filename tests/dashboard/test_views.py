"""What each view shows of a workload's tables, and what it says where there is nothing to show."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.athena import Source, Unanswered
from dashboard.workloads import Workload, numbers
from tests.dashboard.conftest import (
    DRIFT,
    HORIZON,
    ITEMS,
    NEW,
    REASON,
    RECALIBRATION,
    SHOP,
    SIZES,
    STEPS,
    actual,
    day,
)

pytestmark = pytest.mark.usefixtures("environment")

PAGE = Path(__file__).resolve().parents[2] / "dashboard" / "page.py"

SCRIPT = """
import streamlit
from dashboard import views
from dashboard.workloads import workloads
streamlit.session_state["shown"] = next(one for one in workloads() if one.slug == {slug!r})
views.{view}()
"""


def view(name: str, workload: Any = SHOP) -> AppTest:
    page = AppTest.from_string(SCRIPT.format(slug=workload.slug, view=name), default_timeout=60).run()
    assert not page.exception
    return page


def test_the_page_lists_workloads_and_begins_with_the_forecast_of_the_first() -> None:
    page = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not page.exception
    assert page.sidebar.selectbox[0].options == sorted([SHOP.slug, NEW.slug])


def test_the_forecast_of_an_item_follows_its_past() -> None:
    page = view("forecast")
    assert [each.value for each in page.title] == ["Forecast"]
    said = " ".join(each.value for each in page.markdown)
    for fact in (f"**{len(ITEMS) * len(SIZES)}**", f"**{day(STEPS)}**", f"**{day(STEPS + HORIZON - 1)}**"):
        assert fact in said
    told = [each.value for each in page.caption]
    assert told == [f"Workload {SHOP.slug}", RECALIBRATION]
    choice = page.selectbox[0]
    assert choice.options[0] == "plum / large", "the largest comes first"
    assert len(choice.options) == len(ITEMS) * len(SIZES)
    shown = page.dataframe[0].value
    past = shown[shown["actual"].notna()]
    assert list(past["actual"]) == pytest.approx([actual(3, step) for step in range(STEPS)])
    ahead = shown[shown["actual"].isna()]
    assert len(ahead) == HORIZON
    assert list(ahead["p10"]) == pytest.approx([actual(3, STEPS + n) - 2.0 * (n + 1) for n in range(HORIZON)])


def test_the_search_finds_parts_of_names_and_of_dimensions() -> None:
    page = view("forecast")
    page.text_input[0].set_value("aPPle").run()
    assert page.selectbox[0].options == ["apple / large", "apple / small"]
    page.text_input[0].set_value("SMALL").run()
    assert len(page.selectbox[0].options) == len(ITEMS)
    page.text_input[0].set_value("nobody's").run()
    assert [each.value for each in page.info] == ["No item's name contains “nobody's”."]


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_with_an_awkward_name_is_found_and_shown(item: str) -> None:
    page = view("forecast")
    page.text_input[0].set_value(f"{item} small").run()
    assert page.selectbox[0].options == [f"{item} / small"]
    assert [each.value for each in page.subheader] == [f"{item} / small"]
    assert len(page.dataframe[0].value) == STEPS + HORIZON


def test_a_workload_that_drifts_says_so_on_every_view_but_one() -> None:
    for name in ("forecast", "accuracy", "runs"):
        assert DRIFT in view(name).warning[0].value
    assert not view("runs", NEW).warning


def test_earlier_forecasts_stand_over_what_came() -> None:
    page = view("looking_back")
    assert page.multiselect[0].value == ["run_a", "run_b"], "of run_c nothing has come yet"
    shown = page.dataframe[0].value
    assert len(shown) == 2 * HORIZON
    first = shown[shown["run"] == "run_a"].reset_index(drop=True)
    assert list(first["actual"]) == pytest.approx([actual(3, 28 + n) for n in range(HORIZON)])
    assert list(first["p50"]) == pytest.approx([actual(3, 28 + n) + 0.25 * (n + 1) for n in range(HORIZON)])
    assert page.multiselect[0].options == [day(28), day(32)], "each is called by its beginning"
    assert "The shaded ranges are p10 to p90." in page.caption[1].value
    page.multiselect[0].set_value(["run_b"]).run()
    assert set(page.dataframe[0].value["run"]) == {"run_b"}
    page.multiselect[0].set_value([]).run()
    assert [each.value for each in page.info] == ["Choose a run."]


def test_the_accuracy_of_a_run_is_what_arithmetic_says() -> None:
    page = view("accuracy")
    outcome = page.dataframe[0].value.set_index("run")
    size = sum(actual(number, 28 + n) for number in range(4) for n in range(HORIZON)) * 2
    off = sum(0.25 * (n + 1) for n in range(HORIZON)) * 8
    assert outcome.loc["run_a", "wape"] == pytest.approx(off / size)
    coverage = page.dataframe[1].value
    of_high = coverage[(coverage["type"] == "p90") & (coverage["run"] == "run_a")]
    assert list(of_high["coverage"]) == [1.0]
    worst = page.dataframe[3].value
    assert list(worst["item_id"][:2]) == [ITEMS[0], ITEMS[0]], "the smallest item is off by the largest share"
    promised = page.dataframe[4].value
    assert promised.iloc[0][["run", "WAPE", "average wQL"]].to_list() == ["run_c", 0.07, 0.05]
    assert {"RMSE", "MASE"} <= set(promised.columns)


def test_runs_tell_how_they_ended_and_why() -> None:
    page = view("runs")
    assert list(page.dataframe[0].value["state"]) == ["refused", "published"]
    assert REASON in [each.value for each in page.text]
    page.multiselect[0].set_value(["published"]).run()
    said = [each.value for each in page.text]
    assert DRIFT in said
    assert RECALIBRATION in said


@pytest.mark.parametrize("name", ["forecast", "looking_back", "accuracy"])
def test_a_workload_without_a_forecast_says_what_there_is_to_do(name: str) -> None:
    page = view(name, NEW)
    assert page.info
    assert not page.dataframe


def test_without_a_workload_the_page_says_how_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_DATABASE", "unused")
    page = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not page.exception
    assert not page.error
    assert "There is no workload yet. Upload a CSV file" in page.info[0].value


def test_a_database_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_DATABASE", "mistyped")
    page = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not page.exception
    assert "mistyped" in page.error[0].value


def test_an_athena_that_is_away_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    page = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not page.exception
    assert "Athena does not answer" in page.error[0].value
    assert "make up" in page.error[0].value


def test_a_query_that_fails_says_why() -> None:
    with pytest.raises(Unanswered, match="no_such_table"):
        Source.of_environment().rows("SELECT * FROM no_such_table")


def test_what_is_forecast_is_the_one_number_among_the_columns() -> None:
    assert numbers(f"{SHOP.slug}_forecast") == ["target_value"]
    assert numbers(f"{SHOP.slug}_history") == ["target_value"]
    assert numbers(f"{SHOP.slug}_chart") == ["value"]


def test_a_workload_knows_its_tables() -> None:
    one = Workload("shop", frozenset({"shop_runs", "shop_items"}))
    assert one.has("_items")
    assert not one.has("_chart")
