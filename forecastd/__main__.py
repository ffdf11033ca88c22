"""The command line: `python -m forecastd serve` and `python -m forecastd worker`."""

import argparse
import ctypes
import logging
import os
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from forecastd.errors import StartFailed
from forecastd.settings import DEFAULT_PORT, Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 0, or 1 with a sentence on standard error.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("botocore", "boto3", "urllib3", "s3transfer", "cmdstanpy", "prophet"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        options.run(_settings(options), options)
    except StartFailed as failure:
        print(f"forecastd: {failure.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("forecastd", description="An Amazon-Forecast-compatible server.")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="answer requests, with workers beside")
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help=f"port to listen on ({DEFAULT_PORT}; 0 = any free one)")
    serve.add_argument("--workers", type=int, help="worker processes (one per core, at most 2)")
    serve.set_defaults(run=_serve)
    worker = commands.add_parser("worker", help="do jobs of a data directory that another process serves")
    worker.add_argument("--seat", help=argparse.SUPPRESS)  # given by `serve` to its own workers
    worker.set_defaults(run=_work)
    for command in (serve, worker):
        command.add_argument("--data-dir", type=Path, help="where everything is kept (.forecastd)")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given = {name: getattr(options, name, None) for name in ("data_dir", "host", "port", "workers")}
    try:
        settings = Settings.from_environment(os.environ, **given)
    except ValueError as error:
        raise StartFailed(str(error)) from error
    if settings.cluster and find_spec("distributed") is None:
        raise StartFailed(
            f"FORECASTD_CLUSTER is {settings.cluster}, which needs the package distributed: install it with"
            " `pip install -r requirements-cluster.txt -c constraints.txt`."
        )
    return settings


def _require_lightgbm() -> None:
    """LightGBM's own library, without the rest: what it needs of the system is missing on small images."""
    found = find_spec("lightgbm")
    for folder in (found and found.submodule_search_locations) or ():
        for library in Path(folder, "lib").glob("lib_lightgbm.*"):
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                raise StartFailed(
                    f"LightGBM cannot be loaded: {error}. It needs the OpenMP runtime: install libgomp1"
                    " (Debian, Ubuntu), libgomp (Fedora, RHEL) or libomp (macOS, Homebrew)."
                ) from error


def _serve(settings: Settings, options: argparse.Namespace) -> None:
    from forecastd.app import serve

    _require_lightgbm()
    serve(settings)


def _work(settings: Settings, options: argparse.Namespace) -> None:
    for variable, value in settings.numeric_environment.items():
        os.environ.setdefault(variable, value)  # before anything numeric is loaded
    _require_lightgbm()
    from forecastd.jobs.objects import Objects
    from forecastd.jobs.runners import RUNNERS, load_training_libraries
    from forecastd.jobs.worker import Worker
    from forecastd.locks import as_worker
    from forecastd.store.blobs import Blobs
    from forecastd.store.database import Store
    from forecastd.supervision import end_with_parent

    name = f"{options.seat}-{os.getpid()}" if options.seat else None
    if options.seat:
        end_with_parent()
    with as_worker(settings.data_dir):
        objects = Objects.from_environment(settings.region)
        store, blobs = Store(settings.database_path), Blobs(settings.data_dir)
        worker = Worker(store, blobs, settings, RUNNERS, objects, name, load_training_libraries)
        worker.run(threading.Event())


if __name__ == "__main__":
    sys.exit(main())
