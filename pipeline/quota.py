"""What to do about a quota that is used up: make room once, then wait, but not for ever."""

import logging
from collections.abc import Callable

from pipeline.errors import FOREIGN, PipelineError, QuotaUsedUp, WaitedInVain

HOUR_S = 3600
LOG = logging.getLogger(__name__)


class Quota:
    """Told of every refusal for a used-up quota, by `waiting.patiently`.

    Args:
        make_room: removes what may go; called at the first refusal only.
        most_wait_s: the longest wait from the first attempt.
    """

    def __init__(self, make_room: Callable[[], object], most_wait_s: float) -> None:
        self._make_room: Callable[[], object] | None = make_room
        self._most_wait_s = most_wait_s

    def __call__(self, reason: QuotaUsedUp, waited_s: float) -> None:
        """Make room, or look whether the wait has lasted too long.

        Raises:
            WaitedInVain: the longest wait is over.
        """
        make_room, self._make_room = self._make_room, None
        if make_room is not None:
            _try(make_room)
        elif waited_s >= self._most_wait_s:
            raise WaitedInVain(
                f"{reason.what.rstrip('.')}; it stayed so for {_hours(self._most_wait_s)}.",
                "Delete resources of that kind that are no longer needed, let `Retention` in params.json do "
                "it, or ask for a higher quota; `Retention.MostQuotaWaitHours` is the longest wait. "
                "Then run again: it goes on where it stopped.",
            )


def _try(make_room: Callable[[], object]) -> None:
    try:
        make_room()
    except (PipelineError, *FOREIGN) as error:
        LOG.warning("No room could be made: %s", error)


def _hours(seconds: float) -> str:
    hours = seconds / HOUR_S
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
