"""The SQS queue that S3 writes its notifications to, and the one for its dead letters."""

import functools
import json
from dataclasses import dataclass
from typing import Any

# SQS hands out no more than this many messages at once.
BATCH = 10

# A message that Prefect did not act on comes back after 30 s, then 60 s, … at most 15 minutes later, so
# that an automation paused for an afternoon does not drive it into the dead-letter queue.
FIRST_RETURN_S = 30
LAST_RETURN_S = 900


# What a dead letter carries beside its text: why it is one, when S3 sent it, how often it was received.
REASON = "Reason"
SENT = "Sent"
RECEIVED = "Received"


class NoDeadLetters(Exception):
    """The queue has no redrive policy, so there is no queue for its dead letters."""


@dataclass(frozen=True)
class Message:
    """One received message; `attempt` counts how often the queue has handed it out, from 1.

    `sent_ms` is when it was sent, in milliseconds since 1970.
    """

    id: str
    receipt: str
    body: str
    attempt: int
    sent_ms: int = 0
    reason: str | None = None  # of a dead letter that the bridge has buried


class Queue:
    """Messages of one queue, received for `visibility_s` seconds at a time."""

    def __init__(self, sqs: Any, name: str, visibility_s: int = 120) -> None:
        self.sqs = sqs
        self.name = name
        self.visibility_s = visibility_s

    @functools.cached_property
    def url(self) -> str:
        """Looked up on first use: the queue may be created after the bridge has started."""
        if self.name.startswith(("http://", "https://")):
            return self.name
        return str(self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"])

    def receive(self, wait_s: int) -> list[Message]:
        """Up to ten messages; waits up to `wait_s` seconds (0 … 20) for the first."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=self.visibility_s,
            AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=[REASON, SENT, RECEIVED],
        )
        return [_message(raw) for raw in answer.get("Messages", [])]

    def delete(self, message: Message) -> None:
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt)

    def give_back(self, message: Message, after_s: int | None = None) -> None:
        """Let the queue hand the message out again after `after_s` seconds, later with each attempt."""
        if after_s is None:
            after_s = min(FIRST_RETURN_S * 2 ** (message.attempt - 1), LAST_RETURN_S)
        self.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=after_s
        )

    # -- dead letters

    @functools.cached_property
    def dead(self) -> "Queue":
        """The queue of the dead letters, which the redrive policy names.

        Raises:
            NoDeadLetters: there is none.
        """
        asked = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
        policy = json.loads(asked.get("Attributes", {}).get("RedrivePolicy", "{}"))
        if "deadLetterTargetArn" not in policy:
            raise NoDeadLetters(f"The queue {self.name} has no redrive policy; give it one.")
        return Queue(self.sqs, policy["deadLetterTargetArn"].rsplit(":", 1)[-1], visibility_s=60)

    def bury(self, message: Message, reason: str) -> None:
        """Move a message to the dead letters, at least once, with the reason."""
        self.dead.send(
            message.body,
            {REASON: reason, SENT: str(message.sent_ms), RECEIVED: str(message.attempt)},
        )
        self.delete(message)

    def send(self, body: str, attributes: dict[str, str] | None = None) -> None:
        """Put a message in."""
        told = {
            name: {"DataType": "String", "StringValue": text} for name, text in (attributes or {}).items()
        }
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=told)


def _message(raw: dict[str, Any]) -> Message:
    known = raw.get("Attributes", {})
    told = {name: one.get("StringValue") for name, one in raw.get("MessageAttributes", {}).items()}
    return Message(
        id=raw["MessageId"],
        receipt=raw["ReceiptHandle"],
        body=raw["Body"],
        attempt=int(told.get(RECEIVED) or known.get("ApproximateReceiveCount", "1")),
        sent_ms=int(told.get(SENT) or known.get("SentTimestamp", "0")),
        reason=told.get(REASON),
    )
