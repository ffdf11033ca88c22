"""Whether what lies in a workload's folder has been forgotten, and why a run of it should start or not."""

import datetime as dt
from dataclasses import dataclass

from pipeline.publish import Manifest
from pipeline.record import Record

# Where a run of the content came to an end of its own; starting another would end the same way.
ENDS = ("refused", "failed")
DONE = ("published", "expired")


@dataclass(frozen=True)
class Facts:
    """What is known of a workload's present content; times are UTC."""

    changed: dt.datetime  # when the newest input was written
    run: str | None  # the content's fingerprint; None if the configuration cannot be read
    record: Record | None  # what runs of this very content have left
    published: Manifest | None  # what readers see
    is_coming: bool  # a run of the workload is under way, or about to be
    last: str | None = None  # how the latest run ended that has seen this content: COMPLETED, FAILED, …
    last_ended: dt.datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """What was found, in a word, and the reason in a clause."""

    found: str
    reason: str

    @property
    def starts(self) -> bool:
        """Whether a run should be started."""
        return self.found == "forgotten"


def judge(facts: Facts, now: dt.datetime, patience: dt.timedelta) -> Verdict:
    """Whether the content was forgotten.

    Args:
        patience: how long an upload's event, or the restart of a crashed run, may be on its way.
    """
    if facts.is_coming:
        return Verdict("under way", "a run is scheduled or at work")
    return _settled(facts) or _ended(facts) or _recent(facts, now, patience) or _forgotten(facts)


def _settled(facts: Facts) -> Verdict | None:
    """Content that was forecast, or came to an end of its own, since it was last written."""
    live, record = facts.published, facts.record
    if live is not None and facts.run in (live.run, *live.held):
        return Verdict("forecast", f"its forecast is published, or was put aside by a {live.kind}")
    if record is None:
        return None
    if record.state in ENDS and not _is_after(facts.changed, record.updated_at):
        return Verdict(record.state, record.cause or f"a run of it was {record.state}")
    return None


def _ended(facts: Facts) -> Verdict | None:
    if facts.last == "FAILED":
        return Verdict("failed", "its last run failed, and said why")
    if facts.last == "CANCELLED":
        return Verdict("cancelled", "somebody cancelled its run; run it again to go on")
    return None


def _recent(facts: Facts, now: dt.datetime, patience: dt.timedelta) -> Verdict | None:
    if now - facts.changed < patience:
        return Verdict("just uploaded", "its event may be on its way")
    if facts.last_ended is not None and now - facts.last_ended < patience:
        return Verdict("under way", "its run has ended just now")
    return None


def _forgotten(facts: Facts) -> Verdict:
    if facts.record is None:
        return Verdict("forgotten", "no run has seen it: its event was lost")
    if facts.record.state in DONE:
        return Verdict("forgotten", "readers do not see its forecast, and nobody has put it aside")
    if facts.record.state in ENDS:
        return Verdict("forgotten", "it was uploaded again, and no run has seen that: its event was lost")
    return Verdict("forgotten", "its run came to no end")


def _is_after(moment: dt.datetime, text: str | None) -> bool:
    """Whether the moment is after the one in the text; the clocks tell whole seconds."""
    return text is not None and moment > dt.datetime.fromisoformat(text)
