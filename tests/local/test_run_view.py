"""The view of a Prefect server that is busy, away or refuses; a real server on loopback plays each part."""

import json
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import create_server

import pytest

from local.run_view import PATIENCE_S, RunView, ServerAway

RUN = {
    "id": "1",
    "name": "shop · a.csv",
    "state_type": "RUNNING",
    "state_name": "Running",
    "state": {"message": ""},
    "created": "2026-01-31T00:00:00Z",
    "start_time": None,
    "parameters": {},
}
DROPPED = 0  # in place of a status: the connection is closed without an answer


class Answers(HTTPServer):
    """Gives one prepared answer after the other, then the run."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        self.server.asked += 1
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == DROPPED:
            return
        body = json.dumps(RUN if status == 200 else {"exception_message": "database is locked"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output stays readable."""


@pytest.fixture
def server() -> Iterator[Answers]:
    answers = Answers()
    thread = threading.Thread(target=answers.serve_forever)
    thread.start()
    yield answers
    answers.shutdown()
    thread.join()
    answers.server_close()


class Clock:
    """A clock that only a rest moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds


def a_view(url: str, said: list[str]) -> RunView:
    clock = Clock()
    return RunView(url, said.append, clock, clock.rest)


def test_a_busy_server_is_asked_again_and_the_person_is_told_once(server: Answers) -> None:
    server.statuses = [503, DROPPED, 429, 500]
    said: list[str] = []
    assert a_view(server.url, said).run("1").name == "shop · a.csv"
    assert server.asked == 5
    assert len(said) == 1
    assert "busy" in said[0]
    assert "503" in said[0]


def test_what_the_server_refuses_is_not_asked_again(server: Answers) -> None:
    server.statuses = [404]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        a_view(server.url, []).run("1")
    assert server.asked == 1


def test_a_server_that_stays_away_ends_the_view_with_its_address_and_what_to_do() -> None:
    with closing(create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    said: list[str] = []
    with pytest.raises(
        ServerAway, match=rf"127.0.0.1:{port} gave no answer for {PATIENCE_S} s .*local status"
    ):
        a_view(f"http://127.0.0.1:{port}", said).run("1")
    assert len(said) == 1
