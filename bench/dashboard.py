"""`python -m bench.dashboard`: how long the page takes in a real browser, for a workload of many items.

The workload of `bench.tables` is looked at through the page as an analyst would do it. Times are from the key
that is pressed to the chart that stands on the page. Chromium is needed.
"""

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from bench.tables import BUCKET, DATABASE, ROOT, RUN, make_up, params, published, stand_in
from pipeline import charttable, runtables
from pipeline.runtables import Ended
from pipeline.workload import Workload
from tests.dashboard.browser import Browser
from tests.local.conftest import free_port

TRIES = 7
FOCUS_SEARCH = "document.querySelector('[aria-label=Search]').focus()"
CLEAR = "document.querySelector('[aria-label=Search]').select()"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
CHART = "!!document.querySelector('[data-testid=stVegaLiteChart] svg')"


@contextmanager
def page(aws_port: int) -> Iterator[str]:
    """The address of the page over the stand-in."""
    port = free_port()
    own = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FORECAST_DASHBOARD_PORT": str(port),
    }
    command = [sys.executable, "-m", "dashboard"]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own}, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        while str(port) not in server.stdout.readline():
            pass
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def fill(port: int, items: int, folder: Path) -> None:
    """The tables of a workload with one published forecast."""
    session = boto3.Session("local", "local", region_name="us-east-1")
    s3, glue, athena = (
        session.client(name, endpoint_url=f"http://127.0.0.1:{port}") for name in ("s3", "glue", "athena")
    )
    workload = Workload(BUCKET)
    s3.create_bucket(Bucket=BUCKET)
    place = {"OutputLocation": f"s3://{BUCKET}/results/"}
    athena.create_work_group(Name="forecast", Configuration={"ResultConfiguration": place})
    make_up(s3, workload, items, folder)
    charttable.keep(s3, workload, params(), RUN, [f"runs/{RUN}/input/train/a.parquet"])
    manifest = published(s3, glue, workload, items)
    runtables.register(glue, DATABASE, workload)
    runtables.keep_end(s3, workload, Ended.well("published", manifest), dt.datetime.now(dt.UTC))


def look(address: str, items: int) -> Iterator[tuple[str, list[float]]]:
    """What an analyst does, and the seconds that each took."""
    opened, paints = [], []
    for _ in range(3):
        with Browser() as browser:
            browser.open(address)
            opened.append(browser.waits_for(CHART, "the first chart"))
            paints.append(browser.run(PAINT) / 1000)
    yield "first paint", paints
    yield "opened, with the chart of the largest item", opened
    with Browser() as browser:
        browser.open(address)
        browser.waits_for(CHART, "the first chart")
        yield "search, and the chart of what is found", [_search(browser, items, n) for n in range(TRIES)]


def _search(browser: Browser, items: int, number: int) -> float:
    wanted = f"item {items * (number + 1) // (TRIES + 2):06} of the shop"
    browser.run(FOCUS_SEARCH)
    browser.run(CLEAR)
    browser.type(wanted[:11])
    browser.press("Enter")
    shown = f"document.querySelector('h3')?.innerText == '{wanted}' && {CHART}"
    idle = "!document.querySelector('[data-testid=stStatusWidget]')"
    return browser.waits_for(f"{shown} && {idle}", wanted)


def main() -> None:
    """Fill, look, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory() as name, stand_in(Path(name) / "state") as port:
        fill(port, items, Path(name))
        print(f"| {items} items | median, s | longest, s |\n|---|---|---|", flush=True)
        with page(port) as address:
            for what, took in look(address, items):
                print(f"| {what} | {sorted(took)[len(took) // 2]:.2f} | {max(took):.2f} |", flush=True)


if __name__ == "__main__":
    main()
