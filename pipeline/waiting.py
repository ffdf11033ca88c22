"""Waiting for the forecasting service: growing pauses, a little chance in them, and nothing hung silently."""

import random as _random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.errors import (
    FOREIGN,
    Missing,
    PipelineError,
    QuotaUsedUp,
    ResourceFailed,
    WaitedInVain,
    translate,
)

T = TypeVar("T")

FIRST_S = 0.4  # local jobs finish in seconds …
CAP_S = 30.0  # … Amazon's in tens of minutes, where half a minute more does not matter
SHARE = 0.1  # a pause is a tenth of the wait so far, so a job is noticed at most a tenth too late
JITTER = 0.25  # of a pause, so that runs that started together do not ask together

_EXPECTED = (PipelineError, *FOREIGN)
GONE = "GONE"  # our own word for the state of what the service does not know (any more)
FAILED = ("CREATE_FAILED", "CREATE_STOPPED", "UPDATE_FAILED", "DELETE_FAILED")


# A description names its resource and its parents; children stand before their parents here.
_OWN_ARN = (
    "DatasetImportJobArn",
    "ForecastExportJobArn",
    "ForecastArn",
    "PredictorArn",
    "DatasetGroupArn",
    "DatasetArn",
)


@dataclass(frozen=True)
class Progress:
    """How a wait stands: the state, the service's own estimate if it gives one, and the time so far."""

    status: str
    minutes_left: float | None
    waited_s: float


OnProgress = Callable[[Progress], None]
OnQuota = Callable[[QuotaUsedUp, float], None]


class Pauses:
    """Pauses that grow with the wait to a cap, each made shorter or longer at random by up to a quarter."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        first_s: float = FIRST_S,
        cap_s: float = CAP_S,
        limit_s: float | None = None,
    ) -> None:
        self._clock, self._sleep, self._random = clock, sleep, random
        self._first_s, self._cap_s, self._limit_s = first_s, cap_s, limit_s
        self._start = clock()

    @property
    def waited_s(self) -> float:
        return self._clock() - self._start

    def pause(self, what: str) -> None:
        """Sleeps until the next attempt.

        Raises:
            WaitedInVain: if the limit is reached.
        """
        if self._limit_s is not None and self.waited_s >= self._limit_s:
            raise WaitedInVain(
                f"{what} after {self.waited_s:.0f} seconds; the limit is {self._limit_s:.0f}.",
                "Run again later: it continues where it stopped.",
            )
        pause_s = min(max(self._first_s, SHARE * self.waited_s), self._cap_s)
        self._sleep(pause_s * (1 + JITTER * (2 * self._random() - 1)))


def wait_until_active(
    describe: Callable[[], Mapping[str, Any]], on_progress: OnProgress | None = None, **pauses: Any
) -> dict[str, Any]:
    """The resource's description once it is ACTIVE.

    Throttling, quotas and broken connections only lengthen the wait.

    Args:
        describe: asks the service; returns the description with `Status`.
        on_progress: told every state, once per question.
        pauses: clock, sleep, random, first_s, cap_s, limit_s of `Pauses`.

    Raises:
        Missing: if there is no such resource.
        ResourceFailed: if the resource failed or was stopped; it carries the service's message.
        WaitedInVain: if `limit_s` is given and passed.
    """
    return _watch(describe, "ACTIVE", FAILED, on_progress, **pauses)


def wait_until_gone(
    describe: Callable[[], Mapping[str, Any]], on_progress: OnProgress | None = None, **pauses: Any
) -> None:
    """Returns when the service no longer knows the resource.

    Raises:
        ResourceFailed: if the deletion failed.
        WaitedInVain: if `limit_s` is given and passed.
    """
    _watch(_or_gone(describe), GONE, ("DELETE_FAILED",), on_progress, **pauses)


def _watch(
    describe: Callable[[], Mapping[str, Any]],
    wanted: str,
    failed: tuple[str, ...],
    on_progress: OnProgress | None,
    **pauses: Any,
) -> dict[str, Any]:
    """The description once its state is the wanted one."""
    between = Pauses(**pauses)
    while True:
        try:
            found = dict(describe())
        except _EXPECTED as error:
            _raise_unless_waiting_helps(error, "asking for a resource's state")
            found = {"Status": "no answer"}
        status = found["Status"]
        _tell(on_progress, status, found, between)
        if status == wanted:
            return found
        if status in failed:
            raise _failure(found)
        between.pause(f"The resource is still {status}")


def _or_gone(describe: Callable[[], Mapping[str, Any]]) -> Callable[[], Mapping[str, Any]]:
    def asked() -> Mapping[str, Any]:
        try:
            return describe()
        except _EXPECTED as error:
            if isinstance(translate(error, "asking for a resource's state"), Missing):
                return {"Status": GONE}
            raise

    return asked


def patiently(
    call: Callable[[], T],
    on_progress: OnProgress | None = None,
    on_quota: OnQuota | None = None,
    **pauses: Any,
) -> T:
    """What the call returns, repeated for as long as waiting helps.

    Args:
        call: asks the service for something.
        on_progress: told every reason to wait.
        on_quota: called with each refusal for a used-up quota and the seconds waited so far, before the
            next pause; it may make room, or raise.
        pauses: as for `wait_until_active`.

    Raises:
        PipelineError: the first error that waiting does not help, or WaitedInVain at `limit_s`.
    """
    between = Pauses(**pauses)
    while True:
        try:
            return call()
        except _EXPECTED as error:
            reason = _raise_unless_waiting_helps(error, "calling the service")
        _tell(on_progress, f"waiting: {reason.what}", {}, between)
        if on_quota is not None and isinstance(reason, QuotaUsedUp):
            on_quota(reason, between.waited_s)
        between.pause(reason.what.rstrip("."))


def _raise_unless_waiting_helps(error: Exception, doing: str) -> PipelineError:
    reason = translate(error, doing)
    if reason.waiting_helps:
        return reason
    if reason is error:
        raise error
    raise reason from error


def _tell(on_progress: OnProgress | None, status: str, found: Mapping[str, Any], between: Pauses) -> None:
    if on_progress is not None:
        on_progress(Progress(status, found.get("EstimatedTimeRemainingInMinutes"), between.waited_s))


def _failure(found: Mapping[str, Any]) -> ResourceFailed:
    arn = next((str(found[member]) for member in _OWN_ARN if found.get(member)), "")
    name = arn.split(":", 5)[-1] or "The resource"
    message = found.get("Message") or "the service gave no reason"
    return ResourceFailed(
        f"{name} is {found['Status']}: {message.rstrip('.')}.",
        "Correct what the message names, in the data or in params.json, and upload again; "
        "or run again if the cause is gone.",
    )
