"""What a run shows in the Prefect UI: progress, tables, pictures and texts.

Showing is a courtesy: when the Prefect server is away for a moment, the work goes on without it.
"""

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException

from pipeline.waiting import Progress
from pipeline.workload import Workload
from tasks.log import logger

# An artifact is part of the server's database and of every page that shows it.
LARGEST_PICTURE_BYTES = 400_000


class ProgressBar:
    """Called with every state of a resource that is waited for; shows how far it is and what it does."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._artifact: UUID | None = None
        self._percent = 0.0
        self._told = ""

    def __call__(self, progress: Progress) -> None:
        """Show and, when the state is new, log it."""
        if progress.status != self._told:
            self._told = progress.status
            logger().info("%s: %s", self.what, progress.status)
        self._percent = max(self._percent, percent(progress))
        self._show(f"{self.what}: {progress.status}{remaining(progress)}")

    def _show(self, text: str) -> None:
        if self._artifact is None:
            self._artifact = _shown(lambda: create_progress_artifact(self._percent, description=text))
        else:
            artifact = self._artifact
            _shown(lambda: update_progress_artifact(artifact, self._percent, text))


def percent(progress: Progress) -> float:
    """The part of the whole wait that is over, by the service's estimate; 0 as long as it gives none."""
    if progress.status == "ACTIVE":
        return 100.0
    if not progress.minutes_left:
        return 0.0
    return min(99.0, 100 * progress.waited_s / (progress.waited_s + 60 * progress.minutes_left))


def remaining(progress: Progress) -> str:
    """`, about 3 minutes left`, or nothing when the service gives no estimate."""
    if not progress.minutes_left or progress.status == "ACTIVE":
        return ""
    minutes = round(progress.minutes_left)
    return (
        f", about {minutes} minute{'s' if minutes != 1 else ''} left" if minutes else ", under a minute left"
    )


def show_table(workload: Workload, name: str, rows: list[dict[str, Any]], description: str) -> None:
    """A table with every column that has a value in some row; numbers to four digits, as people read them."""
    columns = list(dict.fromkeys(column for row in rows for column in row if row[column] not in (None, "")))
    full = [{column: _legible(row.get(column)) for column in columns} for row in rows]
    _shown(lambda: create_table_artifact(full, key=key(name, workload), description=description))


def _legible(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def show_picture(workload: Workload, name: str, png: bytes, description: str) -> None:
    """A picture that needs no file server: it is part of its own address."""
    if len(png) > LARGEST_PICTURE_BYTES:
        logger().warning("The picture %s has %d bytes and is not shown", name, len(png))
        return
    uri = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    _shown(lambda: create_image_artifact(uri, key=key(name, workload), description=description))


def show_text(workload: Workload, name: str, lines: Iterable[str], description: str) -> None:
    """A page of Markdown."""
    text = "\n".join(lines)
    _shown(lambda: create_markdown_artifact(text, key=key(name, workload), description=description))


def key(name: str, workload: Workload) -> str:
    """An artifact's key: small letters, digits and dashes; the same for every run of a workload."""
    return re.sub(r"[^a-z0-9]+", "-", f"{name}-{workload.slug}".lower()).strip("-")


def _shown(create: Callable[[], Any]) -> UUID | None:
    try:
        made: UUID = create()
    except (httpx.HTTPError, PrefectException) as error:
        logger().warning("Could not show an artifact: %s", error)
        return None
    return made
