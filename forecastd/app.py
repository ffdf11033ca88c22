"""The server put together: HTTP in front, operations behind, workers and the remover beside.

POST /         AWS JSON 1.1, both services; X-Amz-Target says which operation
GET  /health   200 with the number of operations and workers, for whoever watches the process
"""

import json
import logging
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from forecastd.errors import ApiError, InternalFailure, StartFailed
from forecastd.jobs.removal import Remover
from forecastd.locks import only_server, without_workers
from forecastd.operations.context import Context
from forecastd.operations.service import Service
from forecastd.settings import Settings
from forecastd.spec import Spec, load_spec
from forecastd.store.blobs import Blobs
from forecastd.store.database import Store
from forecastd.supervision import Supervisor
from forecastd.wire.request import read_request
from forecastd.wire.response import Response, write_error, write_response

logger = logging.getLogger(__name__)

_LARGEST_BODY = 16 * 2**20
_MOST_DIGITS = 20  # of a length that is worth reading as a number
_PATIENCE_S = 5.0  # for the workers of a killed server to end


class App:
    """Turns a target and a body into a response; knows nothing of HTTP."""

    def __init__(self, service: Service, spec: Spec) -> None:
        self._service = service
        self._spec = spec

    def answer(self, target: str | None, body: bytes) -> Response:
        """Answer one request, whatever happens."""
        try:
            call = read_request(self._spec, target, body)
            result = self._service.call(call.operation.name, call.arguments)
            return write_response(call.operation, result)
        except ApiError as error:
            return write_error(error)
        except Exception:  # the last resort: our mistake, told as such
            response = write_error(InternalFailure("An internal error occurred; the server's log has it."))
            logger.exception("request %s to %s broke", response.request_id, target)
            return response


class Server(ThreadingHTTPServer):
    """HTTP/1.1 with connections that stay open; a thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: App, health: Callable[[], dict[str, object]]) -> None:
        self.app = app
        self.health = health
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Note a connection that broke; a client that hangs up is no event for standard error."""
        logger.debug("the connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "forecastd"
    disable_nagle_algorithm = True  # an answer in two packets would wait for the client's acknowledgement
    wbufsize = -1
    server: Server

    def do_POST(self) -> None:
        body = self._body()
        if body is not None:
            self._send(self.server.app.answer(self.headers.get("X-Amz-Target"), body))

    def do_GET(self) -> None:
        if self.path != "/health":
            return self._send(_plain(404, {"Message": f"There is nothing at {self.path}; see /health."}))
        self._send(_plain(200, self.server.health()))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        is_number = length.isascii() and length.isdigit()
        if not is_number or len(length) > _MOST_DIGITS or int(length) > _LARGEST_BODY:
            self.close_connection = True
            message = f"The request needs a Content-Length of at most {_LARGEST_BODY} bytes."
            self._send(_plain(413 if is_number else 411, {"Message": message}))
            return None
        return self.rfile.read(int(length))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)


def _plain(status: int, content: dict[str, object]) -> Response:
    return Response(status, json.dumps(content).encode(), "application/json")


def make_app(settings: Settings, store: Store) -> App:
    """Put the answering side together."""
    spec = load_spec()
    context = Context(store, Blobs(settings.data_dir), settings, spec)
    return App(Service(context), spec)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, with workers.

    Raises:
        StartFailed: the port is taken, or another server works on the data directory.
    """
    with only_server(settings.data_dir):
        store = Store(settings.database_path)
        recover(settings, store)
        supervisor = Supervisor(settings, store)
        server = _bind(settings, make_app(settings, store), supervisor)
        remover = Remover(store, Blobs(settings.data_dir), settings)
        _end_on_signals(server)
        supervisor.start()
        remover.start()
        try:
            host, port = server.server_address[:2]
            print(f"forecastd listens on http://{host!s}:{port}", flush=True)
            server.serve_forever(poll_interval=0.1)
        finally:
            server.server_close()
            remover.stop()
            supervisor.stop()


def recover(settings: Settings, store: Store) -> None:
    """Give back the jobs of workers that are gone, and clear away what they left half-done.

    The workers of a server that was killed end by themselves within moments. One that lives on belongs
    to somebody else and holds the workers' lock; then its lease decides.
    """
    with without_workers(settings.data_dir, _PATIENCE_S) as alone:
        if not alone:
            logger.warning(
                "other workers use %s; jobs that nobody does are found by their lease", settings.data_dir
            )
            return
        jobs = store.release_all()
        orphans = Blobs(settings.data_dir).sweep(store.blobs())
        if jobs or orphans:
            logger.info("recovered %d jobs, removed %d unfinished folders", jobs, orphans)


def _bind(settings: Settings, app: App, supervisor: Supervisor) -> Server:
    def health() -> dict[str, object]:
        return {"status": "ok", "operations": len(load_spec().operations), "workers": len(supervisor.pids)}

    try:
        return Server((settings.host, settings.port), app, health)
    except OSError as error:
        raise StartFailed(
            f"forecastd cannot listen on {settings.host}:{settings.port}: {error.strerror or error};"
            " choose another --port or --host, or end what uses it."
        ) from error


def _end_on_signals(server: Server) -> None:
    def end(number: int, frame: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for the loop we are in

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
