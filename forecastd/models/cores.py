"""How the models use the cores: one thread inside linear algebra, and as many tasks side by side as allowed.

Threads inside one small matrix product wait for each other in busy loops. That makes a shared machine
crawl, and the order of their sums depends on how many there are. One thread each is fast enough, and
gives the same answer on any number of cores.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def single_threaded_algebra() -> threadpool_limits:
    """A context in which the linear algebra libraries use one thread."""
    return threadpool_limits(limits=1, user_api="blas")
