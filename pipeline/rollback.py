"""Which earlier forecast to go back to, and what is put aside by that.

A rollback holds until other content arrives: neither the content that lies in the bucket now, nor the
forecast that is replaced, comes back by itself. The manifest names their runs in `held`.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from pipeline import publications, publish, storage
from pipeline.errors import Missing
from pipeline.publish import Archived, Manifest
from pipeline.workload import PARAMS, Workload


@dataclass(frozen=True)
class Choice:
    """An archived forecast as a person chooses one."""

    archived: Archived
    described: Manifest
    is_current: bool
    is_held: bool  # put aside by a rollback
    published: tuple[str, ...]  # when it was made the current one, UTC


def is_workload(s3: Any, workload: Workload) -> bool:
    """Whether something lies in the folder that a workload has: its configuration, or a forecast."""
    return storage.head(s3, workload, PARAMS) is not None or publish.current(s3, workload) is not None


def choices(s3: Any, workload: Workload) -> list[Choice]:
    """All forecasts that can be made the current one, newest first."""
    live = publish.current(s3, workload)
    times: dict[str, list[str]] = {}
    for entry in publications.listed(s3, workload):
        times.setdefault(entry.run, []).append(entry.at)
    return [
        Choice(
            archived=one,
            described=publish.description(s3, workload, one.run),
            is_current=live is not None and live.run == one.run,
            is_held=live is not None and one.run in live.held,
            published=tuple(times.get(one.run, ())),
        )
        for one in publish.archived(s3, workload)
        if publish.is_archived(s3, workload, one.run)
    ]


def lines(found: list[Choice]) -> list[str]:
    """The choices as a table for a terminal."""
    if not found:
        return ["There is no forecast in the archive."]
    return [f"{'run':14}{'archived (UTC)':18}{'rows':>9}  {'period':44}{'':10}last published"] + [
        f"{one.archived.run:14}{one.archived.at:%Y-%m-%d %H:%M}  {one.described.rows:>9}  "
        f"{one.described.period:44}{_state(one):10}{one.published[-1] if one.published else 'never'}"
        for one in found
    ]


def _state(one: Choice) -> str:
    return "current" if one.is_current else ("put aside" if one.is_held else "")


def target(s3: Any, workload: Workload, run: str | None, by: str | None) -> str:
    """The run to go back to.

    Args:
        run: as somebody asked for it; None for the one that the current one has replaced or, where a
            rollback has put that aside, the newest that is older than the current one.
        by: the page of the flow run that goes back; one that was interrupted goes on with its target, and
            so does whoever asks again after an interruption.

    Raises:
        Missing: if there is nothing to go back to.
    """
    live = publish.current(s3, workload)
    if live is None:
        raise Missing(
            f"{workload.label} has no published forecast.", "Upload data; there is nothing to undo."
        )
    known = publish.archived(s3, workload)
    if run is not None:
        if run not in {one.run for one in known}:
            raise Missing(
                f"Run {run} has no forecast in the archive of {workload.label}.",
                "Choose a run that `--list` shows.",
            )
        return run
    is_mine = live.by is not None and live.by == by
    if live.kind == "rollback" and (is_mine or not publish.is_concluded(s3, workload, live)):
        return live.run
    since = next((one.at for one in known if one.run == live.run), dt.datetime.max.replace(tzinfo=dt.UTC))
    before = [live.previous, *(one.run for one in known if one.at <= since)]
    usable = (one for one in before if one and one not in (live.run, *live.held))
    found = next((one for one in usable if publish.is_archived(s3, workload, one)), None)
    if found is None:
        raise Missing(
            f"{workload.label} has no forecast older than the current one, run {live.run}.",
            "Choose any archived run by its name; `--list` shows them.",
        )
    return found


def put_aside(s3: Any, workload: Workload, run: str, content: str | None) -> tuple[str, ...]:
    """The runs that must not come back by themselves when `run` becomes the current one.

    Args:
        content: the run of what lies in the bucket now, if that can be told. It counts if it was published
            before: else it is new content, and its forecast will be published.
    """
    live = publish.current(s3, workload)
    replaced = [*live.held, live.run] if live else []
    if content is not None and content in publications.runs(s3, workload):
        replaced.append(content)
    return tuple(other for other in dict.fromkeys(replaced) if other != run)
