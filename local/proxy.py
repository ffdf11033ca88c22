"""Hands a request over to another HTTP server on this machine and its answer back."""

import http.client
import select
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

# Longer than any client waits (boto3: 60 s), so that it is the client who gives up first.
TIMEOUT_S = 90

# These belong to one connection, not to the request.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}


class Unreachable(Exception):
    """The server does not answer."""


class Proxy:
    """One server; each calling thread keeps a connection of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._local = threading.local()

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a WSGI request with what the server says.

        Raises:
            Unreachable: there is no server, or it went away before it answered.
        """
        body = read_body(environ)
        connection = self._connection()
        try:
            connection.request(environ["REQUEST_METHOD"], _target(environ), body, _headers(environ))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self.address} does not answer: {type(error).__name__}: {error}") from error
        headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in HOP_BY_HOP | {"content-length"}]
        start_response(f"{answer.status} {answer.reason}", [*headers, ("Content-Length", str(len(content)))])
        return [content]

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection, without one that the server has closed in the meantime."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
            self._local.connection = connection
        elif connection.sock is not None and _is_readable(connection.sock):
            connection.close()  # between two requests that is the end of the stream
        return connection


def _is_readable(sock: socket.socket) -> bool:
    """Whether something lies there to be read; `select` knows no descriptors above 1,023."""
    watch = select.poll()
    watch.register(sock, select.POLLIN)
    return bool(watch.poll(0))


def read_body(environ: dict[str, Any]) -> bytes:
    """The whole body of a WSGI request, whatever its framing."""
    if environ.get("CONTENT_LENGTH"):
        return bytes(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    return b""


def _target(environ: dict[str, Any]) -> str:
    return str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"] or "/")


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    headers = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return headers
