"""A moto of one's own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import make_server

from local.moto_server import Dispatcher, Handler


@contextmanager
def serve() -> Iterator[str]:
    """The address of the AWS services on a free port of this machine."""
    server = make_server("127.0.0.1", 0, Dispatcher(), threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()
