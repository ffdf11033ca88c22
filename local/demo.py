"""`make demo`: upload data to the local stack and follow it to a published forecast.

up ─▶ data and params.json into the bucket ─▶ event ─▶ run, step by step ─▶ what was published, and where
"""

import io
import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import household, stack, uci
from local.run_view import Run, RunView, ServerAway, Step
from local.screen import Screen, table
from local.settings import BUCKET, DATABASE, ROOT, Settings

# So long may an upload take to become a run before something is wrong; the median is below two seconds.
RUN_APPEARS_S = 90
LOOK_EVERY_S = 0.5
MAIL_S = 10
FIRST_ROWS = 6

SIGNS = {"COMPLETED": "✓", "FAILED": "✗", "CRASHED": "✗", "CANCELLED": "✗"}


class DemoFailed(Exception):
    """No forecast was published; the text says why."""


@dataclass(frozen=True)
class Upload:
    """One workload's data, ready to be put into the bucket."""

    file: Path
    folder: str
    params: bytes | None  # None: the params.json that lies there already
    reasons: tuple[str, ...] = ()  # why the proposed params.json is as it is
    unknown: tuple[str, ...] = ()  # what the data could not tell, and where to say it

    @property
    def key(self) -> str:
        return f"{self.folder}train/{self.file.name}"


def demo(settings: Settings, data: str | None, params: str | None, keep: bool = True) -> int:
    """Run the demo.

    Args:
        data: a CSV of one's own, or the UCI household file; None makes the demo's data.
        params: its params.json; None proposes one.
        keep: leave the stack running afterwards.

    Returns:
        0 if a forecast of the data is published, otherwise 1.
    """
    screen = Screen(sys.stdout)
    try:
        upload = prepared(settings, data, params, screen.say)
    except DemoFailed as error:  # nothing was started, so there are no logs to read and nothing to stop
        screen.say(f"\nNo forecast was published. {error}")
        return 1
    try:
        screen.title("Starting the local stack")
        stack.up(settings, screen.say)
        screen.say(f"  Prefect UI  {settings.prefect_url}")
        return _run(settings, upload, screen)
    except (DemoFailed, ServerAway, stack.StackError) as error:
        screen.say(f"\nNo forecast was published. {error}")
        screen.say(f"Logs: {settings.logs}")
        return 1
    finally:
        if not keep:
            screen.say("\nStopping the stack …")
            stack.down(settings)


def _run(settings: Settings, upload: Upload, screen: Screen) -> int:
    os.environ.update(settings.environment(os.environ))
    view = RunView(settings.prefect_url, screen.say)
    since = datetime.now(UTC)
    _put(upload, screen)
    began = time.monotonic()
    run = _first_run(view, upload, since, began, screen)
    run = follow(view, run, screen)
    if run.state != "COMPLETED":
        raise DemoFailed(f"The run ended as {run.state_name}: {run.message}")
    _show(settings, upload, view, run, since, screen)
    screen.say(f"\nDone in {time.monotonic() - began:.0f} s after the upload.")
    _next(settings, upload, screen)
    return 0


# -- the data


def prepared(settings: Settings, data: str | None, params: str | None, say: Callable[[str], None]) -> Upload:
    """The file to upload, made, converted or as it is, and the params.json that goes with it.

    Raises:
        DemoFailed: a file is missing or cannot be forecast.
    """
    if data is None:
        return _demo_data(settings, params)
    source = Path(data).expanduser()
    if not source.is_file():
        raise DemoFailed(f"There is no file {data}; DATA must name a CSV file.")
    if uci.is_uci(source):
        say(f"{source.name} is the UCI household file: converting its minutes to hours …")
        source = _converted(settings, source)
    folder = f"{_folder_name(source.stem)}/"
    if params is not None:
        return Upload(source, folder, _read_params(params))
    return _proposed(source, folder)


def _demo_data(settings: Settings, params: str | None) -> Upload:
    """Some twenty households over two years; the same bytes every time."""
    file = settings.folder / "demo" / "households.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        household.write(out)
    return Upload(file, "", _read_params(params) if params else None)


def _converted(settings: Settings, source: Path) -> Path:
    file = settings.folder / "demo" / f"{source.stem}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("w", newline="") as out:
            uci.convert(source, out)
    except uci.NotThatFile as error:
        raise DemoFailed(f"{source}: {error}") from error
    return file


def _read_params(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise DemoFailed(
            f"{path} cannot be read ({error.strerror}); PARAMS must name a JSON file."
        ) from error


def _proposed(source: Path, folder: str) -> Upload:
    from pipeline.errors import BadInput
    from pipeline.proposal import propose

    try:
        proposal = propose(source)
    except BadInput as error:
        raise DemoFailed(f"{source} cannot be forecast as it is: {error}") from error
    text = json.dumps(proposal.params, indent=2) + "\n"
    return Upload(source, folder, text.encode(), tuple(proposal.reasons), tuple(proposal.unknown))


def _folder_name(stem: str) -> str:
    """A folder of the bucket named after a file; it must not look like one of a workload's own prefixes."""
    plain = (
        "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-") or "data"
    )
    own = ("train", "related", "metadata", "forecast", "history", "runs")
    return f"{plain}-data" if plain in own else plain


def _put(upload: Upload, screen: Screen) -> None:
    from local.aws_setup import client
    from pipeline.datafile import format_of
    from pipeline.form import CSV

    s3 = client("s3")
    _show_proposal(upload, screen)
    screen.title("Uploading")
    if upload.params is not None:
        s3.put_object(Bucket=BUCKET, Key=f"{upload.folder}params.json", Body=upload.params)
        screen.say(f"  s3://{BUCKET}/{upload.folder}params.json")
    s3.upload_file(str(upload.file), BUCKET, upload.key)
    screen.say(f"  s3://{BUCKET}/{upload.key}  ({_size(upload.file.stat().st_size)})")
    if format_of(upload.file.name) == CSV:
        for line in first_lines(upload.file.open("rb"), 3):
            screen.say(f"      {line}")


def _size(size_bytes: int) -> str:
    """A size for people: `612 bytes`, `31 kB`, `11.8 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1e3:.0f} kB" if size_bytes < 999_500 else f"{size_bytes / 1e6:.1f} MB"


def _show_proposal(upload: Upload, screen: Screen) -> None:
    """Why the proposed params.json is as it is, and what somebody who knows better may change."""
    if upload.reasons:
        screen.title("A params.json for your file")
        for reason in upload.reasons:
            screen.say(_folded(reason, "  · "))
    if upload.unknown:
        screen.title("What your file does not tell (docs/params.md; pass your own with PARAMS=…)")
        for line in upload.unknown:
            screen.say(_folded(line, "  ? "))


def _folded(text: str, start: str = "  ") -> str:
    """Lines of a paragraph."""
    return textwrap.fill(
        text,
        100,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,  # addresses have some, and somebody may copy them
        break_long_words=False,
    )


# -- the run


def _first_run(view: RunView, upload: Upload, since: datetime, began: float, screen: Screen) -> Run:
    """The run that the upload starts, as soon as it is there."""
    screen.title("What happens")
    while time.monotonic() < began + RUN_APPEARS_S:
        runs = view.runs_since(BUCKET, upload.folder, since)
        if runs:
            run = runs[-1]
            screen.say(f"  event  s3.object.created fired the automation “{run.created_by}”")
            screen.say(f"  run    created {time.monotonic() - began:.1f} s after the upload; watch it:")
            screen.say(f"         {view.link(run)}\n")
            return run
        time.sleep(LOOK_EVERY_S / 2)
    raise DemoFailed(
        f"The upload started no run within {RUN_APPEARS_S} s; "
        "the bridge's log says whether its event reached Prefect (python -m local logs bridge)."
    )


def follow(
    view: RunView,
    run: Run,
    screen: Screen,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Show each step of a run with its time and progress until the run has ended.

    Returns:
        The run as it ended.
    """
    began = clock()
    shown: set[str] = set()
    while True:
        run = view.run(run.id)
        steps = view.steps(run)
        for step in steps:
            if step.is_final and step.id not in shown:
                shown.add(step.id)
                screen.say(f"  {SIGNS[step.state]} {step.name:34s} {step.seconds:7.1f} s{_unusual(step)}")
        if run.is_final:
            screen.clear()
            return run
        if run.state == "RUNNING" and "start" not in shown:
            shown.add("start")
            screen.say(f"  ▸ {run.name}")
        screen.status(_now(view, run, [step for step in steps if not step.is_final]), clock() - began)
        sleep(LOOK_EVERY_S)


def _unusual(step: Step) -> str:
    return "" if step.state == "COMPLETED" else f"  {step.state_name}"


def _now(view: RunView, run: Run, open_steps: list[Step]) -> str:
    """What is going on, in one line."""
    if not open_steps:
        return {"SCHEDULED": "waiting for the worker", "PENDING": "starting Python"}.get(run.state, "working")
    progress = view.progress(run)
    words = [progress.get(step.id) or f"{step.name}: {step.state_name}" for step in open_steps]
    return " · ".join(words)


# -- what came of it


def _show(
    settings: Settings, upload: Upload, view: RunView, run: Run, since: datetime, screen: Screen
) -> None:
    from local.aws_setup import client
    from pipeline import publish, record
    from pipeline.workload import Workload

    s3 = client("s3")
    workload = Workload(BUCKET, upload.folder)
    current = publish.current(s3, workload)
    if current is None:
        raise DemoFailed(f"The run ended well but {workload.uri('forecast/')} is empty: {run.message}")
    known = record.read(s3, workload, current.run)
    if known is None or upload.key not in [each["key"] for each in known.inputs]:
        raise DemoFailed(f"The forecast at {current.location} is not of this upload: {run.message}")
    screen.say("")
    screen.say(_folded(run.message))
    _show_accuracy(known.accuracy, screen)
    screen.title(f"The forecast: {current.rows:,} rows, {current.item_count}, {', '.join(current.types)}")
    body = s3.get_object(Bucket=BUCKET, Key=f"{upload.folder}forecast/{current.run}/{current.files[0]}")[
        "Body"
    ]
    for line in first_lines(io.BytesIO(body.read(4096)), FIRST_ROWS + 1):
        screen.say(f"  {line}")
    screen.title("Where things are")
    for name, place in _places(settings, workload, current, view, run, since).items():
        screen.say(f"  {name:11s} {place}")


def _places(
    settings: Settings, workload: Any, current: Any, view: RunView, run: Run, since: datetime
) -> dict[str, str]:
    """Where what was published lies, by what it is."""
    is_new = not run.message.startswith("Already")  # of this content; else the run sends and draws nothing
    mail = newest_mail(settings.outbox, run, since) if is_new else None
    places = {
        "forecast": current.location,
        "history": f"{workload.uri('history/raw/')} and {workload.uri('history/clean/')}",
        "record": workload.uri(f"runs/{current.run}/"),
        "tables": _tables(workload.slug),
        "message": str(mail or settings.outbox),
    }
    if is_new:
        places["chart"] = f"{view.link(run)} (Artifacts)"
    return {**places, "Prefect UI": settings.prefect_url}


def _show_accuracy(accuracy: Any, screen: Screen) -> None:
    """The mean over the backtest windows of every algorithm that was tried, best first."""
    if not accuracy:
        return
    rows = [window for window in accuracy["windows"] if window["window"] == "SUMMARY"]
    screen.title("How accurate the predictor was in its backtests")
    names = ["WAPE", "AverageWeightedQuantileLoss", "RMSE", "MASE"]
    quantiles = sorted({quantile for row in rows for quantile in row["quantile_losses"]})
    head = ["algorithm", "WAPE", "avg wQL", "RMSE", "MASE", *[f"wQL[{quantile}]" for quantile in quantiles]]
    body = [
        [
            row["algorithm"],
            *[_figure(row["metrics"].get(name)) for name in names],
            *[_figure(row["quantile_losses"].get(quantile)) for quantile in quantiles],
        ]
        for row in rows
    ]
    for line in table(head, body):
        screen.say(f"  {line}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _tables(slug: str) -> str:
    from local.aws_setup import client

    pages = client("glue").get_paginator("get_tables").paginate(DatabaseName=DATABASE)
    found = [each["Name"] for page in pages for each in page["TableList"]]
    names = sorted(tables_of(slug, found))
    return ", ".join(f"{DATABASE}.{name}" for name in names) + "  (Glue)"


def tables_of(slug: str, tables: Iterable[str]) -> list[str]:
    """Those of a workload: each workload has a table of its runs, which tells how its tables' names begin."""
    names = list(tables)
    others = [name.removesuffix("runs") for name in names if name.endswith("_runs")]
    longer = tuple(start for start in others if start.startswith(f"{slug}_") and start != f"{slug}_")
    return [name for name in names if name.startswith(f"{slug}_") and not name.startswith(longer)]


def newest_mail(outbox: Path, run: Run, since: datetime, patience_s: float = MAIL_S) -> Path | None:
    """The last mail that came after `since` and links the run's page; waits a moment for it."""
    until = time.monotonic() + patience_s
    while True:
        mails = [each for each in sorted(outbox.glob("*.txt")) if each.stat().st_mtime >= since.timestamp()]
        mails = [each for each in mails if run.id in each.read_text(encoding="utf-8")]
        if mails or time.monotonic() > until:
            return mails[-1] if mails else None
        time.sleep(0.2)


def first_lines(source: Any, count: int) -> list[str]:
    """The first lines of a binary file, for showing on a terminal; closes it."""
    from pipeline.workload import one_line

    with source:
        lines = [source.readline(400).decode("utf-8-sig", "replace").rstrip("\r\n") for _ in range(count)]
    return [one_line(line) for line in lines if line]


def _next(settings: Settings, upload: Upload, screen: Screen) -> None:
    env = settings.folder / "env"
    shown = env.relative_to(ROOT) if env.is_relative_to(ROOT) else env
    screen.title("What next")
    screen.say(f"  the dashboard     {settings.dashboard_url}")
    screen.say("  your own data     make demo DATA=my.csv")
    screen.say(f"  more of the same  source {shown}; aws s3 cp more.csv s3://{BUCKET}/{upload.folder}train/")
    screen.say("  which parts run   make status")
    screen.say("  stop              make down   (objects and trained models stay)")
    if not shutil.which("aws"):
        screen.say("  (without the aws CLI: any S3 tool, or boto3, does after `source`)")
