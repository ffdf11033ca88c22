"""Notices become readable files: ordered by time, one each, whatever their subject."""

import json
from pathlib import Path
from typing import Any

from local.postman import Postman, write_mail
from local.settings import Settings


def notice(
    number: int = 1, subject: str | None = "Forecast published", time: str = "12:00:00"
) -> dict[str, Any]:
    return {
        "MessageId": f"{number:08d}-aaaa",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:forecast-notices",
        "Timestamp": f"2026-01-31T{time}.123Z",
        "Subject": subject,
        "Message": "It is there.\nAnd good.",
    }


def test_a_mail_is_a_text_file_named_by_time_and_subject(tmp_path: Path) -> None:
    path = write_mail(tmp_path, notice())
    assert path.name == "2026-01-31T120000Z Forecast published 00000001.txt"
    assert path.read_text().startswith("Subject: Forecast published\nDate: 2026-01-31T12:00:00.123Z\n")
    assert path.read_text().endswith("\n\nIt is there.\nAnd good.\n")


def test_the_same_mail_twice_is_one_file(tmp_path: Path) -> None:
    assert write_mail(tmp_path, notice()) == write_mail(tmp_path, notice())
    assert len(list(tmp_path.iterdir())) == 1


def test_files_sort_by_time(tmp_path: Path) -> None:
    late, early = notice(1, time="13:00:00"), notice(2, time="09:30:00")
    names = [write_mail(tmp_path, each).name for each in (late, early)]
    assert sorted(names) == names[::-1]


def test_a_subject_cannot_leave_the_folder(tmp_path: Path) -> None:
    path = write_mail(tmp_path, notice(subject="../../etc/passwd: x\n" + "y" * 300))
    assert path.parent == tmp_path
    assert len(path.name) < 130


def test_no_subject_is_a_notice(tmp_path: Path) -> None:
    assert " notice " in write_mail(tmp_path, notice(subject=None)).name


class FakeQueue:
    """An SQS client with messages of its own."""

    def __init__(self, bodies: list[str]) -> None:
        self.bodies = bodies
        self.deleted: list[str] = []

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {
            "Messages": [
                {"Body": body, "MessageId": f"m{n}", "ReceiptHandle": str(n)}
                for n, body in enumerate(self.bodies)
            ]
        }

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:
        self.deleted.append(ReceiptHandle)


def test_a_message_leaves_the_queue_when_its_file_is_there(tmp_path: Path) -> None:
    queue = FakeQueue([json.dumps(notice(1)), json.dumps(notice(2))])
    paths = Postman(Settings(tmp_path)).deliver(queue)
    assert sorted(paths) == sorted(tmp_path.glob("outbox/*.txt"))
    assert len(paths) == 2
    assert queue.deleted == ["0", "1"]


def test_what_is_no_notice_holds_up_none(tmp_path: Path) -> None:
    queue = FakeQueue(["hello", "[]", "{}", json.dumps(notice())])
    assert len(Postman(Settings(tmp_path)).deliver(queue)) == 1
    assert queue.deleted == ["0", "1", "2", "3"]
