"""Puts what the SNS topic says into a folder, as a mail program would: one readable file per message.

    topic forecast-notices ─▶ queue forecast-mail ─▶ .local/outbox/<time> <subject> <id>.txt

A message is taken from the queue only when its file is on disk; one that comes twice has the same name.
"""

import json
import logging
import re
import threading
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import ACCOUNT, MAIL_QUEUE, REGION, Settings

log = logging.getLogger("postman")

POLL_S = 5
LONGEST_SUBJECT = 80


class Postman:
    """Delivers in a thread of its own until stopped."""

    def __init__(self, settings: Settings) -> None:
        self.outbox = settings.outbox
        self.queue_url = f"{settings.aws_url}/{ACCOUNT}/{MAIL_QUEUE}"
        self.endpoint = settings.aws_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more; a long poll that is under way is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        sqs = boto3.client(
            "sqs",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=POLL_S + 10),
        )
        while not self._stop.is_set():
            try:
                self.deliver(sqs)
            except (BotoCoreError, ClientError, OSError) as error:
                log.debug("no mail yet: %s", error)
                self._stop.wait(1)

    def deliver(self, sqs: Any) -> list[Path]:
        """Write the next messages, waiting a few seconds for the first.

        Returns:
            The files, in the order of delivery.
        """
        answer = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_S)
        written = []
        for message in answer.get("Messages", []):
            try:
                written.append(write_mail(self.outbox, json.loads(message["Body"])))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("message %s is no notice of SNS: %s", message["MessageId"], error)
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return written


def write_mail(outbox: Path, notice: dict[str, Any]) -> Path:
    """Write one SNS notification as a text file; a second time it is the same file.

    Args:
        notice: the envelope that SNS puts into a queue: MessageId, Timestamp, Subject, Message.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    subject = notice.get("Subject") or "notice"
    time = re.split(r"[.Z]", notice["Timestamp"])[0].replace(":", "") + "Z"
    name = f"{time} {_file_name(subject)} {notice['MessageId'][:8]}.txt"
    head = f"Subject: {subject}\nDate: {notice['Timestamp']}\nTopic: {notice['TopicArn']}\n"
    partial = outbox / f".{name}"
    partial.write_text(f"{head}\n{notice['Message']}\n", encoding="utf-8")
    partial.replace(outbox / name)
    return outbox / name


def _file_name(subject: str) -> str:
    return re.sub(r"[^\w .,=()-]+", "-", subject.replace(":", "")).strip()[:LONGEST_SUBJECT].strip()
