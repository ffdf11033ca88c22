"""An HTTP proxy between boto3 and an AWS endpoint: writes down every call, and breaks those it is told to.

    boto3 ──▶ FaultProxy ──▶ gateway        real sockets: what breaks here breaks as it does on a network

Each call is put to a plan, which answers with a fault or with none. Faults that come before the call is
forwarded leave the service as it was; those that come after leave it changed, and the caller in the dark.
"""

import http.client
import json
import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.gateway import failure

UPSTREAM_S = 90
SLOW_S = 1.5

# These belong to one connection, not to the request.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}


class Fault(StrEnum):
    """What can happen to one call."""

    THROTTLED = "throttled"
    FAILED = "failed with 500"
    UNAVAILABLE = "failed with 503"
    RESET_BEFORE = "reset before it was forwarded"
    RESET_AFTER = "reset after the server committed"
    TRUNCATED = "answered with half a body"
    SLOW = "answered slowly"
    KILL_BEFORE = "killed before it was forwarded"
    KILL_AFTER = "killed after the server committed"


KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)

# The faults of a bad network and a busy service, which end no process.
WEATHER = (
    Fault.THROTTLED,
    Fault.FAILED,
    Fault.UNAVAILABLE,
    Fault.RESET_BEFORE,
    Fault.RESET_AFTER,
    Fault.TRUNCATED,
)


@dataclass
class Call:
    """One AWS call as it was seen on the wire; `status` is the service's answer, 0 if none was asked for."""

    service: str
    operation: str
    subject: str  # the object's key, or the name of the resource
    fault: Fault | None = None
    status: int = 0

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.operation.startswith(("Get", "List", "Describe", "Head"))

    @property
    def has_created(self) -> bool:
        """Whether it made a resource of the forecasting service, if the service's answer came back or not."""
        return self.service == "forecast" and self.operation.startswith("Create") and self.status == 200

    def __str__(self) -> str:
        return f"{self.operation} {self.subject}".strip()


Plan = Callable[[Call], Fault | None]


def no_fault(call: Call) -> None:
    """The plan of an undisturbed run."""
    return


class Weather:
    """A plan: a seeded share of all calls goes wrong, each in a way that is drawn, too."""

    def __init__(self, seed: int, share: float = 0.2, faults: tuple[Fault, ...] = WEATHER) -> None:
        self.share, self.faults = share, faults
        self._random = random.Random(seed)

    def __call__(self, call: Call) -> Fault | None:
        drawn, kind = self._random.random(), self._random.choice(self.faults)
        return kind if drawn < self.share else None


class FaultProxy:
    """One proxy on a free port of this machine.

    Attributes:
        calls: every call so far, in the order of arrival.
        plan: what decides about each call; exchange it between two runs.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.plan: Plan = no_fault
        self.calls: list[Call] = []
        self._victim: int | None = None
        self._victim_is_known = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def aim(self, pid: int | None) -> None:
        """Say which process a kill is for."""
        self._victim = pid
        self._victim_is_known.set() if pid else self._victim_is_known.clear()

    def arrived(self, call: Call) -> None:
        """Write a call down and decide what happens to it."""
        with self._lock:
            self.calls.append(call)
            call.fault = self.plan(call)

    def kill(self) -> None:
        """End the victim as the machine's out-of-memory killer would."""
        assert self._victim_is_known.wait(10), "nobody has said whom to kill"
        assert self._victim is not None
        os.kill(self._victim, signal.SIGKILL)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed, or whose connection was reset on purpose, is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """The calls are written down instead."""

    def handle_call(self) -> None:
        body = _body_of(self)
        call = call_of(self.command, self.path, self.headers, body)
        proxy = self.server.proxy
        proxy.arrived(call)
        if call.fault in (Fault.KILL_BEFORE, Fault.RESET_BEFORE):
            if call.fault is Fault.KILL_BEFORE:
                proxy.kill()
            return self._reset()
        if call.fault in _REFUSALS:
            return self._refuse(call)
        if call.fault is Fault.SLOW:
            time.sleep(SLOW_S)
        answer = self._forwarded(body)
        call.status = answer.status
        if call.fault is Fault.KILL_AFTER:
            proxy.kill()
        if call.fault in (Fault.KILL_AFTER, Fault.RESET_AFTER):
            return self._reset()
        return self._answer(answer, cut=call.fault is Fault.TRUNCATED)

    # The names that http.server looks for.
    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_call  # noqa: N815

    def _forwarded(self, body: bytes) -> "_Answer":
        to = self.server.proxy.upstream
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=UPSTREAM_S)
        try:
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP | {"content-length"}
            }
            connection.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            return _Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _answer(self, answer: "_Answer", cut: bool = False) -> None:
        if cut and not answer.body:  # there is nothing to halve
            return self._reset()
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        length = next((v for n, v in answer.headers if n.lower() == "content-length"), str(len(answer.body)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        self.close_connection = self.close_connection or cut
        return None

    def _refuse(self, call: Call) -> None:
        status, code = _REFUSALS[call.fault or Fault.FAILED](call.service)
        environ = {
            "HTTP_X_AMZ_TARGET": self.headers.get("X-Amz-Target"),
            "CONTENT_TYPE": self.headers.get("Content-Type"),
            "HTTP_SMITHY_PROTOCOL": self.headers.get("smithy-protocol"),
        }
        line, headers, body = failure(environ, status, code, f"{code}, as asked for by the test.")
        content = b"" if self.command == "HEAD" else b"".join(body)
        self._answer(_Answer(int(line.split()[0]), headers, content))

    def _reset(self) -> None:
        """Break the connection off as a crashed machine or an impatient firewall does: with RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def _throttled(service: str) -> tuple[str, str]:
    """Each service says it in its own way."""
    known = {
        "s3": ("503 Slow Down", "SlowDown"),
        "sns": ("400 Bad Request", "Throttling"),
        "sqs": ("400 Bad Request", "RequestThrottled"),
        "monitoring": ("400 Bad Request", "Throttling"),
    }
    return known.get(service, ("400 Bad Request", "ThrottlingException"))


def _failed(service: str) -> tuple[str, str]:
    codes = {"s3": "InternalError", "glue": "InternalServiceException", "monitoring": "InternalServiceFault"}
    return "500 Internal Server Error", codes.get(service, "InternalFailure")


def _unavailable(service: str) -> tuple[str, str]:
    return "503 Service Unavailable", "ServiceUnavailable"


_REFUSALS = {Fault.THROTTLED: _throttled, Fault.FAILED: _failed, Fault.UNAVAILABLE: _unavailable}


# -- what a request asks for


def call_of(method: str, target: str, headers: Any, body: bytes) -> Call:
    """The call that a request is, told by its headers and, for S3, by its method and path."""
    service = _service(headers.get("Authorization") or "")
    if aim := headers.get("X-Amz-Target"):
        return Call(service, aim.rsplit(".", 1)[-1], _subject(json.loads(body or b"{}")))
    if "/operation/" in target:
        return Call(service, target.rsplit("/", 1)[-1], "")
    if "x-www-form-urlencoded" in (headers.get("Content-Type") or ""):
        form = parse_qs(body.decode())
        return Call(service, form.get("Action", ["?"])[0], form.get("Subject", [""])[0])
    return _s3_call(method, target, headers)


def _service(authorization: str) -> str:
    scope = authorization.partition("Credential=")[2].split(",")[0].split("/")
    return scope[3] if len(scope) > 3 else "s3"


def _subject(request: dict[str, Any]) -> str:
    """The resource that a JSON request is about: what it names first, its own name before its parents'."""
    named = [str(v) for k, v in request.items() if k.endswith(("Name", "Arn")) and k != "DatabaseName"]
    inner = [v for k, v in request.items() if k in ("TableInput", "DatabaseInput")]
    listed = [str(each.get("Value")) for each in request.get("Filters", [])]
    found = [*(str(each.get("Name")) for each in inner), *named, *listed, str(request.get("Name", ""))]
    return found[0].rsplit("/", 1)[-1]


def _s3_call(method: str, target: str, headers: Any) -> Call:
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = unquote(parts.path.lstrip("/").partition("/")[2])
    if method == "GET" and not key:
        return Call("s3", "ListObjectsV2", query.get("prefix", [""])[0])
    if method == "POST" and "delete" in query:
        return Call("s3", "DeleteObjects", "")
    if method == "PUT" and headers.get("x-amz-copy-source"):
        return Call("s3", "CopyObject", key)
    return Call("s3", f"{method.capitalize()}Object", key)


def _body_of(request: BaseHTTPRequestHandler) -> bytes:
    """The whole body, whatever its framing."""
    if (request.headers.get("Transfer-Encoding") or "").lower() == "chunked":
        return b"".join(iter(lambda: _chunk(request), b""))
    return request.rfile.read(int(request.headers.get("Content-Length") or 0))


def _chunk(request: BaseHTTPRequestHandler) -> bytes:
    size = int(request.rfile.readline().split(b";")[0], 16)
    data = request.rfile.read(size)
    request.rfile.readline()
    return data
