"""Moves the news of an upload from SQS into Prefect, at least once, and merges what arrives together.

    receive ─▶ linger and receive again ─▶ is a run to come? ─▶ one event per workload ─▶ POST /api/events
                                                │ yes                                          │
    delete the messages ◀───────────────────────┴── an automation has started a run ◀── look ◀─┘
                                                                          (else: back to the queue)

A message leaves the queue only when Prefect has acted: an accepted event is in the server's memory
alone, and a server killed in the next seconds forgets it. Repetition is harmless, a run finds out by
itself that its content is already forecast; loss would not be.

Uploads that come while a run is at work start one more, however many they are: as long as that one has
not begun to look into the bucket, it will see them all. Therefore nothing more is received while an
event waits for its run. News that comes later than a run which saw the upload and ended well starts none.
What can never be read goes to the dead-letter queue at once, with the reason.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from bridge.announcer import Announcer, Refused
from bridge.event import Upload, merge
from bridge.notification import StoredObject, Unreadable, parse
from bridge.queue import Message, NoDeadLetters, Queue

log = logging.getLogger("bridge")

# One event tells of this many messages at most, so that a flood of uploads stays a stream of small events.
MOST_MESSAGES = 100
LONGEST_PAUSE_S = 30.0


class Stopped(BaseException):
    """Raised out of a long poll when the bridge is told to end."""


@dataclass(frozen=True)
class Pace:
    """How long the bridge waits, in seconds.

    poll_s: for the first message, 0 … 20 (longer is cheaper, not slower).
    linger_s: for more of the same burst, before an event is made of it.
    confirm_s: for Prefect to act, before the messages go back to the queue.
    look_s: between two looks whether Prefect has acted.
    """

    poll_s: int = 20
    linger_s: float = 0.3
    confirm_s: float = 30.0
    look_s: float = 0.5


@dataclass
class Awaited:
    """A message whose events Prefect has accepted but not yet been seen to act on."""

    message: Message
    event_ids: set[str]
    until: float


class Relay:
    """The loop. `stop` may be called from a signal handler; a long poll is then broken off."""

    def __init__(
        self,
        queue: Queue,
        announcer: Announcer,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = queue
        self.announcer = announcer
        self.pace = pace or Pace()
        self.clock = clock
        self.pending: list[Awaited] = []
        self._stop = threading.Event()
        self._polling = False
        self._announced: dict[str, list[set[str]]] = {}  # message id → the event ids of each attempt

    # -- the loop

    def run(self) -> None:
        """Relay until stopped; while Prefect or the queue is away, wait and try again."""
        pause = 1.0
        try:
            while not self._stop.is_set():
                try:
                    self.turn()
                    pause = 1.0
                except (httpx.HTTPError, BotoCoreError, ClientError) as error:
                    log.warning("%s: %s; trying again in %.0f s", type(error).__name__, error, pause)
                    self._wait(pause * random.uniform(0.8, 1.2))
                    pause = min(pause * 2, LONGEST_PAUSE_S)
        except Stopped:
            log.info("told to end")
        self._let_go()

    def stop(self) -> None:
        """End after the current step; breaks off a long poll (what it was about to get comes again)."""
        self._stop.set()
        if self._polling:
            raise Stopped

    def turn(self) -> None:
        """One look at what is pending or, if nothing is, one receive and if need be one announcement."""
        self.confirm()
        if self.pending:
            self._wait(self.pace.look_s)
        elif messages := self._receive():
            self.announce(messages)

    # -- from the queue

    def _receive(self) -> list[Message]:
        """A burst: the first messages, and those that follow within the linger time."""
        found = self._poll(self.pace.poll_s)
        while found and len(found) < MOST_MESSAGES:
            self._wait(self.pace.linger_s)
            more = self.queue.receive(0)
            if not more:
                break
            found += more
        return found

    def _poll(self, wait_s: int) -> list[Message]:
        with self._interruptible():
            return self.queue.receive(wait_s)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        if self._stop.is_set():
            raise Stopped
        self._polling = True
        try:
            yield
        finally:
            self._polling = False

    # -- to Prefect

    def announce(self, messages: list[Message]) -> None:
        """Post one event per workload for which no run is to come; nothing announced is deleted yet.

        Raises:
            httpx.HTTPError: Prefect did not take the events; the messages are back in the queue.
        """
        readable = self._read(messages)
        attempt = max((message.attempt for message in readable), default=1)
        try:
            self._drop_settled(readable)
            uploads = self._unawaited(merge(stored for objects in readable.values() for stored in objects))
            events = self._events_of(readable, uploads, attempt)
            for message in [m for m in readable if not events[m]]:
                self._settle(message)  # no input, replaced by a later write, or seen by a run to come
                del readable[message]
            refused = self._post(uploads, attempt)
        except httpx.HTTPError:
            self._return_when_prefect_is_back(list(readable))
            raise
        for message in [m for m in readable if events[m] & refused.keys()]:
            self._bury(message, next(reason for one, reason in refused.items() if one in events[message]))
            del readable[message]
        self._await(readable, events)

    def _unawaited(self, uploads: list[Upload]) -> list[Upload]:
        """The uploads that no run has seen or is to come and will see; the others need no event."""
        awaited = self.announcer.awaited({upload.workload for upload in uploads})
        rest = [each for each in uploads if each.workload not in awaited]
        seen = self.announcer.seen(rest)
        for upload in [each for each in uploads if each not in rest]:
            log.info("%s: a run that has not begun yet will see it", _described(upload))
        for upload in seen:
            log.info("%s: a run that began later has ended well", _described(upload))
        return [each for each in rest if each not in seen]

    def _post(self, uploads: list[Upload], attempt: int) -> dict[str, str]:
        """Post the events.

        Returns:
            The ids of those that Prefect will never take, with its reason; the others are posted.
        """
        if not uploads:
            return {}
        try:
            self.announcer.post([upload.event(attempt) for upload in uploads])
        except Refused as error:
            if len(uploads) == 1:
                return {uploads[0].event_id(attempt): str(error)}
            alone = [self._post([upload], attempt) for upload in uploads]  # find out which
            return {one: reason for refused in alone for one, reason in refused.items()}
        for upload in uploads:
            log.info("announced %s, attempt %d", _described(upload), attempt)
        return {}

    def _read(self, messages: list[Message]) -> dict[Message, list[StoredObject]]:
        readable = {}
        for message in messages:
            try:
                readable[message] = parse(message.body)
            except Unreadable as error:
                self._bury(message, str(error))
        return readable

    def _bury(self, message: Message, reason: str) -> None:
        """Move a message to the dead letters; where that cannot be, the queue does so in the end."""
        try:
            self.queue.bury(message, reason)
        except (NoDeadLetters, BotoCoreError, ClientError) as error:
            log.error("message %s (%s) could not be moved to the dead letters: %s", message.id, reason, error)
        else:
            log.error("message %s is a dead letter: %s; see `python -m bridge dead list`", message.id, reason)

    def _drop_settled(self, readable: dict[Message, list[StoredObject]]) -> None:
        """Leave out what came again although Prefect acted on it, only later than we had looked."""
        attempts = {m: self._announced.get(m.id, []) for m in readable}
        acted = self.announcer.acted_on({one for many in attempts.values() for ids in many for one in ids})
        for message in [m for m, many in attempts.items() if any(ids <= acted for ids in many)]:
            self._settle(message)
            del readable[message]

    @staticmethod
    def _events_of(
        readable: dict[Message, list[StoredObject]], uploads: list[Upload], attempt: int
    ) -> dict[Message, set[str]]:
        """For each message the events that tell of its objects."""
        event_of = {stored: upload.event_id(attempt) for upload in uploads for stored, _ in upload.objects}
        return {m: {event_of[o] for o in objects if o in event_of} for m, objects in readable.items()}

    def _await(self, messages: Iterable[Message], events: dict[Message, set[str]]) -> None:
        until = self.clock() + self.pace.confirm_s
        for message in messages:
            self._announced.setdefault(message.id, []).append(set(events[message]))
            self.pending.append(Awaited(message, set(events[message]), until))

    def _return_when_prefect_is_back(self, messages: list[Message]) -> None:
        """Hold no message while Prefect is away and take none: each receive counts for the dead letters."""
        for message in messages:
            self.queue.give_back(message, after_s=1)
        pause = 1.0
        while not self._stop.is_set() and not self.announcer.is_up():
            log.warning("Prefect does not answer; uploads stay in the queue, next look in %.0f s", pause)
            self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    # -- what came of it

    def confirm(self) -> None:
        """Delete the messages that Prefect has acted on; give back those it has had long enough."""
        acted = self.announcer.acted_on({one for entry in self.pending for one in entry.event_ids})
        waiting = []
        for entry in self.pending:
            entry.event_ids -= acted
            if not entry.event_ids:
                self._settle(entry.message)
            elif self.clock() >= entry.until:
                self._give_up(entry)
            else:
                waiting.append(entry)
        if acted:
            log.info(
                "%d event(s) started a run, %d message(s) still wait for theirs", len(acted), len(waiting)
            )
        self.pending = waiting

    def _settle(self, message: Message) -> None:
        self.queue.delete(message)
        self._announced.pop(message.id, None)

    def _give_up(self, entry: Awaited) -> None:
        log.warning(
            "no automation started a run for message %s within %.0f s, it goes back to the queue; "
            "is the deployment installed and its automation active?",
            entry.message.id,
            self.pace.confirm_s,
        )
        try:
            self.queue.give_back(entry.message)
        except ClientError as error:  # its time was up, and another bridge has dealt with it
            log.warning("message %s is no longer this bridge's: %s", entry.message.id, error)

    def _let_go(self) -> None:
        """On the way out: a last look, and what is still open is free for the next bridge."""
        try:
            self.confirm()
            for entry in self.pending:
                self.queue.give_back(entry.message, after_s=1)
        except (httpx.HTTPError, BotoCoreError, ClientError):
            log.info("%d message(s) return to the queue when their time is up", len(self.pending))

    def _wait(self, seconds: float) -> None:
        self._stop.wait(seconds)


def _described(upload: Upload) -> str:
    keys = [stored.key for stored, _ in upload.objects]
    rest = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return f"{keys[-1]}{rest} of {upload.workload.label}"
