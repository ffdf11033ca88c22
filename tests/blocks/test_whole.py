"""Answers that break off: noticed, and asked for again."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from blocks.whole import insist_on_whole_answers

NO_KEY = b"<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>"
BODY = b'{"Predictors": [{"PredictorArn": "a"}]}'


class Server:
    """Answers in half as often as told, then in full."""

    def __init__(self, halves: int, status: bytes = b"200 OK", body: bytes = BODY) -> None:
        self.halves, self.status, self.body, self.asked = halves, status, body, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.recv(65536)
            self.asked += 1
            head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (
                self.status,
                len(self.body),
            )
            connection.sendall(head + (self.body[:10] if self.asked <= self.halves else self.body))
            connection.close()

    def client(self, attempts: int, service: str = "forecast") -> Any:
        made = boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.socket.getsockname()[1]}",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
        )
        return insist_on_whole_answers(made)


@pytest.fixture
def half_once() -> Iterator[Server]:
    server = Server(halves=1)
    yield server
    server.socket.close()


def test_half_an_answer_is_asked_for_again(half_once: Server) -> None:
    assert half_once.client(2).list_predictors()["Predictors"] == [{"PredictorArn": "a"}]
    assert half_once.asked == 2


def test_an_answer_that_stays_half_is_a_lost_connection(half_once: Server) -> None:
    with pytest.raises(ConnectionClosedError):
        half_once.client(1).list_predictors()


def test_half_an_error_is_asked_for_again_where_a_stream_was_expected() -> None:
    server = Server(halves=1, status=b"404 Not Found", body=NO_KEY)
    s3 = server.client(2, "s3")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="demand", Key="a")
    assert server.asked == 2
    server.socket.close()
