"""The SQS queue that S3 writes its notifications to."""

import functools
from dataclasses import dataclass
from typing import Any

# SQS hands out no more than this many messages at once.
BATCH = 10

# A message that Prefect did not act on comes back after 30 s, then 60 s, … at most 15 minutes later, so
# that an automation paused for an afternoon does not drive it into the dead-letter queue.
FIRST_RETURN_S = 30
LAST_RETURN_S = 900


@dataclass(frozen=True)
class Message:
    """One received message; `attempt` counts how often the queue has handed it out, from 1."""

    id: str
    receipt: str
    body: str
    attempt: int


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
            AttributeNames=["ApproximateReceiveCount"],
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


def _message(raw: dict[str, Any]) -> Message:
    attempt = int(raw.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
    return Message(raw["MessageId"], raw["ReceiptHandle"], raw["Body"], attempt)
