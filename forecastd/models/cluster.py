"""A crew of Dask workers: the tasks of a job spread over a cluster, with the same answer as on one machine.

    tcp://host:8786, tls://host:8786   the scheduler of a cluster that runs already
    local:2                            two workers on this machine, to try it

Workers have one thread each and the same versions of everything that computes; others are refused, because
their answers might differ. The package `distributed` is an optional extra.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from forecastd.errors import JobFailed
from forecastd.models.crew import Crew, Done, Task, in_flight, perform

CONNECT_S = 30  # for the scheduler to answer, and for a worker to be there
# Dask's own setting has workers return memory at once. Then each large array costs new pages, and what numpy
# does takes two to three times as long. 32 MiB is the most that glibc allows for the one, in bytes.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 256 * 1024**2, "MALLOC_MMAP_THRESHOLD_": 32 * 1024**2}
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1)
_COMPUTING = ("numpy", "scipy", "pandas", "lightgbm", "statsforecast", "coreforecast", "prophet", "holidays")


class Cluster(Crew):
    """Does tasks on the workers of a Dask cluster."""

    def __init__(self, address: str, client: Any) -> None:
        self._address = address
        self._client = client

    @property
    def size(self) -> int:  # type: ignore[override]
        """The number of workers at this moment, at least 1."""
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def each(
        self, subject: Any, tasks: Iterable[Task], meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[Done]:
        """See ``Crew.each``.

        Raises:
            JobFailed: The cluster or too many of its workers were lost.
        """
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        self._check_workers()
        own, executor = versions(), self._client.get_executor(pure=False)
        try:
            sent = self._client.scatter(subject, broadcast=True, hash=False)
            yield from in_flight(
                lambda task: executor.submit(perform_alike, own, sent, task.do, task.arguments),
                2 * self.size,
                tasks,
                meanwhile,
            )
        except (KilledWorker, CommClosedError, CancelledError, TimeoutError) as error:
            raise JobFailed(
                f"The Dask cluster at {self._address} lost this job ({type(error).__name__}: {error}): see "
                "the logs of its workers, whose memory may not have been enough, and start the job again."
            ) from error
        finally:
            executor.shutdown(wait=False)  # whatever is not done yet is cancelled

    def close(self) -> None:
        """Disconnect, and end workers that were started here."""
        cluster = self._client.cluster
        self._client.close()
        if cluster is not None:
            cluster.close()

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
            found = self._client.run(versions)
        except TimeoutError as error:
            raise JobFailed(
                f"The Dask cluster at {self._address} has no worker after {CONNECT_S} s: start some with "
                f"`dask worker {self._address} --nthreads 1`."
            ) from error
        except ImportError as error:
            raise JobFailed(
                f"The workers of the Dask cluster at {self._address} cannot load forecastd ({error}): "
                "install this version there, or set PYTHONPATH to it."
            ) from error
        threads = {address: facts["nthreads"] for address, facts in self._workers().items()}
        check_equal(found, versions(), threads)

    def _workers(self) -> dict[str, Any]:
        workers: dict[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        return workers


def perform_alike(
    expected: dict[str, str], subject: Any, do: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, float]:
    """Perform a task on a worker, one that joined later too, if it is like the server.

    Raises:
        JobFailed: It has other versions.
    """
    node = platform.node()
    check_equal({node: versions()}, expected, {})
    return perform(subject, do, arguments)


def check_equal(found: dict[str, dict[str, str]], own: dict[str, str], threads: dict[str, int]) -> None:
    """Refuse a cluster whose answers might differ from those of this process.

    Raises:
        JobFailed: A worker has other versions, or more than one thread.
    """
    for worker, theirs in found.items():
        different = [name for name in own if theirs.get(name) != own[name]]
        if different:
            name = different[0]
            raise JobFailed(
                f"The Dask worker {worker} has {name} {theirs.get(name)}, the server {own[name]}: install "
                "the same versions, so that the same data gives the same forecast."
            )
    for worker, count in threads.items():
        if count != 1:
            raise JobFailed(
                f"The Dask worker {worker} has {count} threads: start one worker per core "
                "with `--nthreads 1`, so that the same data gives the same forecast."
            )


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """What decides about results: versions of the libraries that compute, of Python and of this code."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].glob("[ms]*/*.py")):  # models and series
        code.update(path.read_bytes())
    packages = {name: version(name) for name in _COMPUTING}
    return {**packages, "Python": platform.python_version(), "forecastd": code.hexdigest()[:12]}


_connections: dict[str, Any] = {}  # one per process: connecting takes longer than a small job


def cluster_crew(address: str) -> Cluster:
    """The crew of the cluster at an address.

    Raises:
        JobFailed: The package is not installed, or the scheduler does not answer.
    """
    client = _connections.get(address)
    if client is None or client.status != "running":
        client = _connections[address] = _connected(address)
    return Cluster(address, client)


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise JobFailed(
            "FORECASTD_CLUSTER needs the package distributed: install it with "
            "`pip install -r requirements-cluster.txt -c constraints.txt`."
        ) from error
    try:
        return Client(_local(address) or address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise JobFailed(
            f"The Dask cluster at {address} does not answer within {CONNECT_S} s: start its scheduler with "
            "`dask scheduler`, or correct FORECASTD_CLUSTER."
        ) from error


def _local(address: str) -> Any:
    """A cluster on this machine, if the address asks for one."""
    kind, _, workers = address.partition(":")
    if kind != "local":
        return None
    import dask
    from distributed import LocalCluster

    with dask.config.set({"distributed.nanny.pre-spawn-environ": {**_ONE_THREAD, **KEEP_MEMORY}}):
        return LocalCluster(
            n_workers=int(workers),
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            host="127.0.0.1",
        )
