"""The page in a real browser: what it shows, and whether hands without a mouse get everywhere."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.browser import Browser, program, until
from tests.dashboard.conftest import ITEMS, NEW, REASON, SHOP, day
from tests.local.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
# What the focused element is called, if it is something to act on.
FOCUS = """(one => one.getAttribute('aria-label')
    || (one.matches('a, button, summary') ? one.innerText : ''))(document.activeElement)"""

pytestmark = pytest.mark.skipif(program() is None, reason="Chromium is not installed")


@pytest.fixture
def address(environment: dict[str, str]) -> Iterator[str]:
    """The address of a server of the page."""
    port = free_port()
    variables = {**os.environ, **environment, "FORECAST_DASHBOARD_PORT": str(port)}
    command = [sys.executable, "-m", "dashboard"]
    server = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        assert any(f"127.0.0.1:{port}" in line for line in lines), "it says where it is"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def tab_to(browser: Browser, wanted: str) -> None:
    """Press Tab until something with this label has the focus."""
    for _ in range(60):
        if wanted in browser.run(FOCUS):
            return
        browser.press("Tab")
    raise AssertionError(f"Tab never came to {wanted!r}")


def test_everything_can_be_reached_and_done_with_the_keyboard(address: str) -> None:
    with Browser() as browser:
        browser.open(f"{address}/?workload={SHOP.slug}")
        browser.shows("plum / large")
        tab_to(browser, "Search")
        browser.type("bob")
        browser.press("Enter")
        browser.waits_for(
            f"document.querySelector('h3')?.innerText.startsWith({json.dumps(ITEMS[0])})", "Bob's chart"
        )
        tab_to(browser, "item_id / run")
        browser.press("ArrowDown")
        browser.press("ArrowDown")
        browser.press("Enter")
        browser.waits_for("document.querySelector('h3')?.innerText.includes('small')", "the other size")
        tab_to(browser, "Looking back")
        browser.press("Enter")
        browser.waits_for("document.querySelector('h1')?.innerText == 'Looking back'", "the other view")
        browser.shows("The lines are the forecasts of type p50.")
        tab_to(browser, "Accuracy")
        browser.press("Enter")
        browser.shows("What the backtests promised")
        tab_to(browser, "Forecast by its beginning")
        browser.press("ArrowDown")
        browser.press("ArrowDown")
        browser.press("Enter")
        chosen = f"[...document.querySelectorAll('input')].some(one => one.value == '{day(28)}')"
        browser.waits_for(chosen, "the earlier forecast")
        tab_to(browser, "Runs")
        browser.press("Enter")
        browser.shows("One run in detail")
        tab_to(browser, "Workload")
        browser.press("ArrowDown")
        browser.press("ArrowUp")
        browser.press("Enter")
        browser.shows(f"Workload {NEW.slug}")
        assert "Traceback" not in browser.text


def test_the_numbers_of_a_chart_open_and_download_with_the_keyboard(address: str) -> None:
    with Browser() as browser:
        browser.open(f"{address}/?workload={SHOP.slug}")
        browser.shows("The numbers")
        tab_to(browser, "The numbers")
        browser.press("Enter")
        browser.waits_for("!!document.querySelector('details[open] canvas')", "the table")
        tab_to(browser, "Download as CSV")


def test_a_narrow_screen_shows_the_view_and_not_the_menu(address: str) -> None:
    with Browser(width=500) as browser:
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=500, height=900, deviceScaleFactor=1, mobile=False
        )
        browser.open(f"{address}/?workload={SHOP.slug}")
        browser.waits_for("!!document.querySelector('[data-testid=stVegaLiteChart] svg')", "the chart")
        covered = "document.elementFromPoint(60, 300).closest('[data-testid=stSidebar]')"
        assert browser.run(f"!{covered}")
        wide = "document.querySelector('[data-testid=stVegaLiteChart] svg').getBoundingClientRect().right"
        assert browser.run(wide) <= 500


def test_the_browsers_tab_names_view_and_workload(address: str) -> None:
    with Browser() as browser:
        browser.open(f"{address}/accuracy?workload={SHOP.slug}")
        browser.waits_for(f"document.title == 'Accuracy · {SHOP.slug}'", "the title")


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_the_browsers_theme_and_draws_the_chart(address: str, is_dark: bool) -> None:
    with Browser(is_dark=is_dark) as browser:
        browser.open(f"{address}/?workload={SHOP.slug}")
        browser.waits_for("!!document.querySelector('[data-testid=stVegaLiteChart] svg')", "the chart")
        colour = browser.run("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        shades = [int(part) for part in colour.strip("rgba()").split(",")[:3]]
        titles = "[...document.querySelectorAll('.role-axis-title text')].map(one => one.textContent)"
        assert "target_value" in browser.run(titles)
        assert (sum(shades) < 200) == is_dark
        assert (sum(shades) > 600) == (not is_dark)


def test_nothing_is_asked_of_another_machine(address: str) -> None:
    with Browser() as browser:
        browser.open(f"{address}/runs?workload={NEW.slug}")
        browser.shows(REASON)
        script = "performance.getEntriesByType('resource').map(one => new URL(one.name).hostname)"
        hosts = until(lambda: browser.run(script), "resources", 10)
        assert set(hosts) == {"127.0.0.1"}
