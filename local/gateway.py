"""One AWS endpoint for everything: looks at whom a request is for and lets the right back end answer.

    signed for forecast, or X-Amz-Target AmazonForecast….*  ─▶  forecastd, over HTTP
    a query, X-Amz-Target AmazonAthena.*Query…              ─▶  athena, in this process: DuckDB
    everything else                                         ─▶  moto, in this process  ─▶  vault

An answer leaves only when what it says is on disk. A failure of a back end becomes an error in the
protocol of the request, so that a client shows the sentence instead of retrying an HTML page.
"""

import io
import json
import logging
import re
import struct
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException

from local.athena.service import OPERATIONS, AthenaService
from local.memory import Memory
from local.proxy import Proxy, Unreachable, read_body

log = logging.getLogger("aws")

# For whoever watches the process; no bucket can have this name.
HEALTH = "/_health"

FORECAST_SERVICES = ("forecast", "forecastquery")
FORECAST_TARGETS = ("AmazonForecast.", "AmazonForecastRuntime.")
ATHENA_TARGET = "AmazonAthena."

# Operations that change nothing; anything else is saved after it was answered.
READING = re.compile(r"(Get|List|Describe|Head|BatchGet|Search|Query|Lookup)[A-Z]")

_SCOPE = re.compile(r"Credential=[^/,\s]*/\d{8}/[^/,\s]*/(?P<service>[^/,\s]*)/aws4_request")

# What a browser's request is taken to be signed with; nothing checks signatures here.
BROWSER = (
    "AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)

Answer = tuple[str, list[tuple[str, str]], Iterable[bytes]]


class Gateway:
    """The WSGI application.

    Args:
        moto: moto's dispatcher: `get_application(environ)` gives the application of the request's service.
        memory: what is told of every change.
        forecastd: where Forecast and ForecastQuery are answered.
        athena: runs queries; without it they are moto's, which answers every query with nothing.
    """

    def __init__(
        self, moto: Any, memory: Memory, forecastd: Proxy, athena: AthenaService | None = None
    ) -> None:
        self.moto = moto
        self.memory = memory
        self.forecastd = forecastd
        self.athena = athena

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == HEALTH:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return []
        if is_forecast(environ):
            return self._ask_forecastd(environ, start_response)
        query = query_operation(environ)
        if self.athena is not None and query is not None:
            return self._ask_athena(self.athena, query, environ, start_response)
        if is_a_person_looking(environ):
            environ["HTTP_AUTHORIZATION"] = BROWSER
        status, headers, body = self._ask_moto(environ)
        start_response(status, headers)
        return body

    def _ask_forecastd(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return self.forecastd(environ, start_response)
        except Unreachable as error:
            text = f"The forecasting server is down: {error}. Its log is .local/logs/forecastd.log."
            status, headers, body = failure(environ, "503 Service Unavailable", "ServiceUnavailable", text)
            start_response(status, headers)
            return body

    @staticmethod
    def _ask_athena(
        athena: AthenaService, operation: str, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        status, content = athena(operation, environ)
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(content)))]
        start_response(status, headers)
        return [content]

    def _ask_moto(self, environ: dict[str, Any]) -> Answer:
        operation = operation_of(environ)
        application = self._application(environ)
        if application is None:
            return _unsupported(environ, operation, "It has no such service.")
        try:
            answer = _call(application, environ)
            if _is_page(answer):
                return _unsupported(environ, operation, "")
            if not answer[0].startswith(("4", "5")):
                self._save(application.service, operation, environ)
            return answer
        except (NotImplementedError, HTTPException) as error:
            return _unsupported(environ, operation, str(error))
        except Exception as error:
            log.exception("%s failed", operation or environ["PATH_INFO"])
            text = f"The local AWS stand-in failed: {type(error).__name__}: {error}"
            return failure(environ, "500 Internal Server Error", "InternalFailure", text)

    def _application(self, environ: dict[str, Any]) -> Any | None:
        """The part of moto that a request is for; None if moto has none."""
        try:
            return self.moto.get_application(environ)
        except (AttributeError, KeyError, ImportError):  # what an unknown service runs into
            return None

    def _save(self, service: str, operation: str | None, environ: dict[str, Any]) -> None:
        if service in ("s3", "s3bucket_path"):
            place = place_of(environ)
            if "HTTP_X_AMZ_COPY_SOURCE" in environ:
                self.memory.drop_copied_checksum(*place)
            if environ["REQUEST_METHOD"] in ("PUT", "POST", "DELETE"):
                self.memory.objects_changed(*place)
        elif not (operation and READING.match(operation)):
            self.memory.changed(service, operation)


def service_of(environ: dict[str, Any]) -> str | None:
    """The service that a request was signed for, in its header or its query; None if it is not signed."""
    query = unquote(environ.get("QUERY_STRING") or "")
    found = _SCOPE.search(environ.get("HTTP_AUTHORIZATION") or "") or _SCOPE.search(
        query.replace("X-Amz-Credential=", "Credential=")
    )
    return found["service"].lower() if found else None


def is_a_person_looking(environ: dict[str, Any]) -> bool:
    """Whether a link to an object was followed: an unsigned read of this machine, not on behalf of a website.

    A script of a website has an Origin; one that made its own name point here asks for another host.
    """
    host = (environ.get("HTTP_HOST") or "").rsplit(":", 1)[0]
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and host in ("127.0.0.1", "localhost")
        and "HTTP_ORIGIN" not in environ
        and "HTTP_AUTHORIZATION" not in environ
        and "X-Amz-" not in (environ.get("QUERY_STRING") or "")
    )


def is_forecast(environ: dict[str, Any]) -> bool:
    """Whether a request is one of Forecast or ForecastQuery."""
    target = environ.get("HTTP_X_AMZ_TARGET") or ""
    return target.startswith(FORECAST_TARGETS) or service_of(environ) in FORECAST_SERVICES


def query_operation(environ: dict[str, Any]) -> str | None:
    """The operation of Athena that the query engine answers, if the request is for one."""
    target = environ.get("HTTP_X_AMZ_TARGET") or ""
    operation = target.removeprefix(ATHENA_TARGET)
    return operation if target.startswith(ATHENA_TARGET) and operation in OPERATIONS else None


def operation_of(environ: dict[str, Any]) -> str | None:
    """The name of the operation that a request asks for; None where only method and path tell (S3)."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rsplit(".", 1)[-1]
    if "/operation/" in environ["PATH_INFO"]:
        return str(environ["PATH_INFO"]).rsplit("/", 1)[-1]
    if (environ.get("CONTENT_TYPE") or "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(_reread(environ).decode("utf-8", "replace")).get("Action", [None])[0]
    return None


def _reread(environ: dict[str, Any]) -> bytes:
    """The body, left in place for whoever reads it next."""
    body = read_body(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def place_of(environ: dict[str, Any]) -> tuple[str | None, str | None]:
    """Bucket and key in the path of an S3 request (path style, as every client uses on an IP address)."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket or None, key or None


def _call(application: Any, environ: dict[str, Any]) -> Answer:
    """Run a WSGI application and hold its answer back."""
    begun: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        begun[:] = [status, headers]
        return lambda _: None

    body = application(environ, start_response)
    return begun[0], begun[1], body


def _is_page(answer: Answer) -> bool:
    """An HTML error page: moto's way to say that it does not know something."""
    status, headers, _ = answer
    return status.startswith("5") and any(
        name.lower() == "content-type" and value.startswith("text/html") for name, value in headers
    )


def _unsupported(environ: dict[str, Any], operation: str | None, reason: str) -> Answer:
    what = f"{service_of(environ) or 'this service'}: {operation or environ['REQUEST_METHOD']}"
    text = f"The local AWS stand-in does not support {what}. {reason}".strip()
    # 501: the one server error that SDKs do not retry.
    return failure(environ, "501 Not Implemented", "NotImplemented", text)


def failure(environ: dict[str, Any], status: str, code: str, text: str) -> Answer:
    """An error in the protocol that the request speaks: JSON, CBOR, query XML or S3's XML."""
    if "cbor" in (environ.get("CONTENT_TYPE") or environ.get("HTTP_SMITHY_PROTOCOL") or ""):
        return _answer(status, "application/cbor", _cbor({"__type": code, "message": text}), code, cbor=True)
    if environ.get("HTTP_X_AMZ_TARGET") or "json" in (environ.get("CONTENT_TYPE") or ""):
        body = json.dumps({"__type": code, "message": text}).encode()
        return _answer(status, "application/x-amz-json-1.1", body, code)
    inner = f"<Code>{code}</Code><Message>{escape(text)}</Message>"
    if (environ.get("CONTENT_TYPE") or "").startswith("application/x-www-form-urlencoded"):
        xml = f"<ErrorResponse><Error>{inner}</Error><RequestId>local</RequestId></ErrorResponse>"
    else:
        xml = f"<Error>{inner}<RequestId>local</RequestId></Error>"
    return _answer(status, "application/xml", xml.encode(), code)


def _answer(status: str, content_type: str, body: bytes, code: str, cbor: bool = False) -> Answer:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", code),
    ]
    if cbor:
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    return status, headers, [body]


def _cbor(members: dict[str, str]) -> bytes:
    """A CBOR map of short texts (RFC 8949: major type 5, then text strings of major type 3)."""
    parts = [bytes([0xA0 + len(members)])]
    for text in (word for pair in members.items() for word in pair):
        encoded = text.encode()
        parts.append(b"\x79" + struct.pack(">H", len(encoded)) + encoded)
    return b"".join(parts)
