"""The report of a run: everything that is known, nothing that runs, nothing from elsewhere."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pipeline import report
from pipeline.accuracy import Accuracy, Window
from pipeline.drift import Finding
from pipeline.ledger import Score
from pipeline.record import Record
from pipeline.report import Facts, render
from pipeline.verdict import Check, Verdict, figure
from tests.pipeline.test_messages import MANIFEST

RUN = "0123456789ab"
EVIL = '<script>alert("x")</script>'
SCORE = Score(
    run="ba9876543210",
    first="2024-01-01T00:00:00",
    last="2024-01-01T23:00:00",
    steps=24,
    points=48,
    wape=0.1,
    naive_wape=0.25,
    bias=0.01,
    losses={"p50": 0.1},
    coverage={"p50": 0.5},
    history="",
)
FACTS = Facts(
    record=Record(RUN, params={"Name": EVIL}, training={"kind": "train", "reason": f"of {EVIL}"}),
    manifest=MANIFEST,
    accuracy=Accuracy((Window("ETS", "SUMMARY", None, None, None, {"WAPE": 0.123, "RMSE": 4.5}),)),
    verdict=Verdict(
        RUN, (Check("coverage of items", "passed", f"all, {EVIL} too", 1.0, 0.9, "MostOddItems"),)
    ),
    quality={
        "rows": 500,
        "bad_rows": 1,
        "files": [],
        "findings": [
            {
                "severity": "warning",
                "file": f"train/{EVIL}.csv",
                "column": "price",
                "count": 2,
                "rule": "negative",
                "remedy": "look",
                "examples": [{"row": 3, "value": "a secret"}, {"row": None, "value": ""}],
            }
        ],
    },
    drift=Finding(True, ("The level has moved.",), {"shift": 5.25}, "ba9876543210"),
    outcome=SCORE,
    picture=b"\x89PNG",
    links={"record": ("s3://b/r.json", "http://127.0.0.1/r.json?a=1&b=2")},
)


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_it_tells_all_that_is_known(workload):
    text = " ".join(Page(render(workload, RUN, FACTS)).text.split())
    for part in (
        "Forecast of demand/shop, run 0123456789ab",
        "Published: 144 rows for 2 items",
        "ETS were off by 12.3%",
        "was off by 10.0% of the total; a seasonal naive forecast of the same time by 25.0%: it was better.",
        "The level has moved.",
        "1 of 1 checks passed.",
        "Gate.MostOddItems",
        "500 rows were checked, 1 is bad.",
        "negative",
        "A predictor is trained, because of",
    ):
        assert part in text, part


def test_what_a_customer_wrote_is_text_and_values_of_rows_are_not_told(workload):
    page = render(workload, RUN, FACTS)
    assert "script" not in {tag for tag, _ in Page(page).tags}
    assert page.count("&lt;script&gt;") >= 4
    assert "a secret" not in page


def test_a_list_of_rows_wraps_and_comes_last(workload):
    finding = FACTS.quality["findings"][0] | {"examples": [{"row": n, "value": ""} for n in (102345, 102346)]}
    page = render(workload, RUN, replace(FACTS, quality={**FACTS.quality, "findings": [finding]}))
    names = re.findall(r'<th scope="col">([^<]*)</th>', page[page.index("Findings in the data") :])
    assert names[:7] == ["what", "rule", "remedy", "file", "column", "count", "row"]
    assert '<td class="list" data-name="row">102345, 102346</td></tr>' in page


def test_on_a_narrow_screen_each_cell_of_a_wide_table_says_its_column(workload):
    page = render(workload, RUN, FACTS)
    tables = re.findall(r'<table class="(\w+)">(.*?)</table>', page, re.DOTALL)
    assert {shape for shape, _ in tables} == {"pairs", "many"}
    for shape, table in tables:
        assert shape == "pairs" or table.count("<td") == table.count(" data-name=")
    assert "@media (max-width: 40rem)" in page


def test_nothing_is_fetched_to_show_it(workload):
    page = render(workload, RUN, FACTS)
    fetched = [
        value
        for _, attributes in Page(page).tags
        for name, value in attributes.items()
        if name in ("src", "srcset", "data", "action", "poster")
    ]
    assert fetched == ["data:image/png;base64,iVBORw=="]
    assert not re.search(r"<link|@import|url\(", page)


@pytest.mark.parametrize(("mase", "words"), [(0.714, "is better than"), (1.2, "is no better than")])
def test_the_backtests_stand_beside_a_naive_forecast(workload, mase, words):
    window = Window("ETS", "SUMMARY", "2024-01-01", "2024-01-02", None, {"WAPE": 0.123, "MASE": mase})
    text = Page(render(workload, RUN, replace(FACTS, accuracy=Accuracy((window,))))).text
    assert f"That {words} a seasonal naive forecast, whose MASE is 1: theirs is {mase:.2f}." in text


def test_a_failed_run_says_why_and_what_to_do(workload):
    failed = Facts(failure=("Check-Input", "2 rows are wrong.", "Correct them.\nUpload again."))
    text = Page(render(workload, RUN, failed)).text
    assert "No new forecast was published: Check-Input: 2 rows are wrong." in text
    assert "Upload again." in text
    assert "Accuracy" not in text


def test_a_run_that_failed_after_it_had_published_says_both(workload):
    failed = Facts(manifest=MANIFEST, failure=("Update-Resources", "The table is gone.", "Run it again."))
    text = Page(render(workload, RUN, failed)).text
    assert "Published: 144 rows for 2 items" in text
    assert "The run failed after that: Update-Resources: The table is gone." in text
    assert "No new forecast" not in text


def test_a_report_tells_of_the_publication_that_it_was_written_after(s3, workload):
    assert not report.tells_of(s3, workload, MANIFEST), "there is none"
    report.write(s3, workload, RUN, FACTS)
    assert report.tells_of(s3, workload, MANIFEST)
    assert not report.tells_of(s3, workload, replace(MANIFEST, published_at="2099-01-01T00:00:00Z"))
    assert not report.tells_of(s3, workload, replace(MANIFEST, published_at=None))


@pytest.mark.parametrize(("wape", "word"), [(0.1, "better"), (0.3, "worse")])
def test_the_last_forecast_stands_beside_a_naive_one(workload, wape, word):
    facts = replace(FACTS, outcome=replace(SCORE, wape=wape))
    assert f"it was {word}." in render(workload, RUN, facts)


def test_the_same_facts_give_the_same_bytes_as_a_page_that_browsers_show(s3, workload):
    uri = report.write(s3, workload, RUN, FACTS)
    assert uri == "s3://demand/shop/runs/0123456789ab/report.html"
    key = {"Bucket": "demand", "Key": "shop/runs/0123456789ab/report.html"}
    first = s3.get_object(**key)
    assert first["ContentType"] == "text/html; charset=utf-8"
    body = first["Body"].read()
    report.write(s3, workload, RUN, FACTS)
    assert s3.get_object(**key)["Body"].read() == body


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (17930.4, "17,930"),
        (-1234567.0, "-1,234,567"),
        (999.94, "999.9"),
        (0.012345, "0.01235"),
        (0.0, "0"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, text):
    assert figure(value) == text
