"""moto as a server of this machine that is asked often: its dispatcher and its request handler.

As moto brings them, each request lists moto's folder, ends its connection and writes a line into the log;
a run of the workflow asks some two hundred times.
"""

import logging
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)

log = logging.getLogger("aws")


class Dispatcher(DomainDispatcherApplication):
    """The WSGI application of all services of moto; looks a host up once."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


class Handler(MotoRequestHandler):
    """Keeps connections open, answers without Nagle's delay, and logs failures only."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        if str(code).startswith("5"):
            log.warning("%s: %s", self.requestline, code)

    def log(self, type: str, message: str, *args: Any) -> None:
        log.log(logging.ERROR if type == "error" else logging.INFO, message, *args)
