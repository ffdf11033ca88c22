"""`python -m bridge dead`: look at the messages that could never be processed, and send them again.

    python -m bridge dead list               what lies there, and why
    python -m bridge dead replay --all       back into the queue, as if S3 had sent it just now
    python -m bridge dead replay --id 1a2b   only the one whose id begins so
    python -m bridge dead drop --id 1a2b     away for good

Of a message only the keys that it names are shown, never its text.
"""

import argparse
import datetime as dt
from dataclasses import dataclass
from typing import Self

from bridge.notification import Unreadable, parse
from bridge.queue import Message, Queue

# Why the queue itself has moved a message here: it knows no reason, only a number of receives.
GIVEN_UP = "received too often without a run being started"

MOST_LETTERS = 10_000


class UnknownLetter(Exception):
    """No dead letter, or more than one, has an id that begins so."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be processed."""

    message: Message

    @property
    def reason(self) -> str:
        return self.message.reason or GIVEN_UP

    @property
    def keys(self) -> list[str]:
        """The objects that it names; empty if it cannot be read."""
        try:
            return [stored.uri for stored in parse(self.message.body)]
        except Unreadable:
            return []

    def age(self, now: dt.datetime) -> dt.timedelta:
        """How long ago S3 sent it."""
        return now - dt.datetime.fromtimestamp(self.message.sent_ms // 1000, dt.UTC)

    def line(self, now: dt.datetime) -> str:
        """Id, age, receives, reason and keys, for a person."""
        keys = ascii(self.keys[0]).strip("'") if self.keys else "no key"
        more = f" and {len(self.keys) - 1} more" if len(self.keys) > 1 else ""
        age = dt.timedelta(seconds=int(self.age(now).total_seconds()))
        return f"{self.message.id}  {age} old  received {self.message.attempt}×  {self.reason}  {keys}{more}"


class Graveyard:
    """The dead letters of a queue: kept from others while the block lasts, then let go.

    Args:
        queue: the queue whose dead letters they are.
        wait_s: how long to look for more, 0 … 20; a short look at SQS may overlook some.
    """

    def __init__(self, queue: Queue, wait_s: int = 1) -> None:
        self.queue = queue
        self.wait_s = wait_s
        self._held: dict[str, Message] = {}

    def __enter__(self) -> Self:
        while len(self._held) < MOST_LETTERS and (found := self.queue.dead.receive(self.wait_s)):
            self._held |= {message.id: message for message in found}
        return self

    def __exit__(self, *_: object) -> None:
        for message in self._held.values():
            self.queue.dead.give_back(message, after_s=0)

    @property
    def letters(self) -> list[DeadLetter]:
        """Those that are there, the oldest first."""
        return [DeadLetter(each) for each in sorted(self._held.values(), key=lambda m: m.sent_ms)]

    def replay(self, letter: DeadLetter) -> None:
        """Send one again; it leaves the dead only when it is in the queue."""
        self.queue.send(letter.message.body)
        self.drop(letter)

    def drop(self, letter: DeadLetter) -> None:
        """Remove one for good."""
        self.queue.dead.delete(letter.message)
        del self._held[letter.message.id]


def chosen(found: list[DeadLetter], beginning: str | None) -> list[DeadLetter]:
    """The letter whose id begins so, or all without a beginning.

    Raises:
        UnknownLetter: none begins so, or several do.
    """
    if beginning is None:
        return found
    fitting = [letter for letter in found if letter.message.id.startswith(beginning)]
    if len(fitting) != 1:
        many = f"{len(fitting)} of {len(found)} dead letters have"
        raise UnknownLetter(f"{many} an id that begins with {beginning!r}; `python -m bridge dead list`.")
    return fitting


def main(queue: Queue, asked: argparse.Namespace) -> int:
    """Do what the arguments after `dead` say, which `define` describes.

    Returns:
        0, or 1 if there is no such letter.
    """
    now = dt.datetime.now(dt.UTC)
    with Graveyard(queue) as graveyard:
        act = {"list": lambda _: None, "replay": graveyard.replay, "drop": graveyard.drop}[asked.verb]
        try:
            meant = chosen(graveyard.letters, getattr(asked, "id", None))
        except UnknownLetter as error:
            print(error)
            return 1
        for letter in meant:
            print(letter.line(now))
            act(letter)
    words = {"list": "lie in", "replay": "sent again from", "drop": "removed from"}[asked.verb]
    print(f"{len(meant)} dead letter{'' if len(meant) == 1 else 's'} {words} {queue.dead.name}")
    return 0


def define(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments after `dead`."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="what lies there, and why")
    for verb, words in (("replay", "send again"), ("drop", "remove for good")):
        which = verbs.add_parser(verb, help=words).add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="every dead letter")
        which.add_argument("--id", help="the one whose id begins so")
