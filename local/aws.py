"""`python -m local.aws`: the AWS endpoint of the local stack, until it is told to end.

FORECAST_AWS_PORT     where it listens, on 127.0.0.1 (8500)
FORECASTD_PORT        where forecastd listens (8600)
FORECAST_LOCAL_DIR    folder of all local state (.local); this one's is aws/ in it
"""

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType

# moto reads these while it is imported; accounts, keys and signatures mean nothing on this machine.
os.environ.update(MOTO_ACCOUNT_ID="000000000000", MOTO_S3_DEFAULT_KEY_BUFFER_SIZE=str(1 << 20))

from werkzeug.serving import BaseWSGIServer, make_server

from local.athena.service import AthenaService
from local.gateway import Gateway
from local.memory import Memory
from local.moto_server import Dispatcher, Handler
from local.postman import Postman
from local.proxy import Proxy
from local.settings import Settings
from local.vault import Vault

log = logging.getLogger("aws")


def make_gateway(folder: Path, port: int, forecastd_port: int) -> tuple[BaseWSGIServer, Memory]:
    """The server, bound but not yet serving, with everything loaded that `folder` holds."""
    memory = Memory(Vault(folder))
    memory.start()
    athena = AthenaService(f"http://127.0.0.1:{port}", folder / "athena")
    gateway = Gateway(Dispatcher(), memory, Proxy("127.0.0.1", forecastd_port), athena)
    server = make_server("127.0.0.1", port, gateway, threaded=True, request_handler=Handler)
    return server, memory


def main() -> None:
    """Serve until SIGTERM or SIGINT; everything is on disk when the process ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = Settings.from_environment(os.environ)
    server, memory = make_gateway(settings.folder / "aws", settings.aws_port, settings.forecastd_port)
    postman = Postman(settings)

    def end(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    postman.start()
    log.info("serving on http://127.0.0.1:%d, state in %s", server.port, settings.folder / "aws")
    server.serve_forever()
    postman.stop()
    memory.close()


if __name__ == "__main__":
    main()
