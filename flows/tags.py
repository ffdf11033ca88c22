"""The tags of the present flow run, by which others see what it is about and whether it is at work."""

from collections.abc import Callable
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.runtime import flow_run

from tasks.log import logger
from tasks.runs import CONTENT

AIM = "back to "


def retag(client: SyncPrefectClient, given: str | None, replaced: Callable[[str], bool]) -> None:
    """Take away the tags to be replaced, and set one instead, if one is given."""
    mine = client.read_flow_run(UUID(flow_run.get_id()))
    kept = [tag for tag in mine.tags if not replaced(tag)]
    client.update_flow_run(mine.id, tags=[*kept, given] if given else kept)


def say_content(run: str) -> None:
    """Tag this flow run with the fingerprint of the content that it has found.

    Should it fail, reconciliation leaves this content alone, and no other. Where the server cannot be
    told, it takes the run for one of whatever content lies there.
    """
    _say(CONTENT, run)


def say_aim(aim: str | None) -> None:
    """Tag this flow run with what it has decided to do, or with nothing, as it may start again."""
    _say(AIM, aim)


def said_aim() -> str | None:
    """What this flow run decided to do before it was started again; None if it decided nothing yet."""
    if flow_run.get_id() is None:  # outside of a server
        return None
    with get_client(sync_client=True) as client:
        tags = client.read_flow_run(UUID(flow_run.get_id())).tags
    return next((tag.removeprefix(AIM) for tag in tags if tag.startswith(AIM)), None)


def _say(prefix: str, text: str | None) -> None:
    if flow_run.get_id() is None:
        return
    tag = None if text is None else f"{prefix}{text}"
    try:
        with get_client(sync_client=True) as client:
            retag(client, tag, lambda tag: tag.startswith(prefix))
    except httpx.HTTPError as error:
        logger().warning("The server was not told “%s%s” of this run: %s", prefix, text or "", error)
