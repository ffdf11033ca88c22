"""Who does the tasks of a training or a forecast: this process, processes beside it, or a cluster.

    for task, result, seconds in crew.each(subject, tasks): …

A task is a function of the subject (a panel, say, which is sent once) and of its own arguments, and of
nothing else. So its result is the same wherever it is done, and whatever is done at the same time.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any

from forecastd.errors import JobFailed
from forecastd.models.cores import single_threaded_algebra

LOOK_EVERY_S = 0.5
READY = 1  # tasks that wait beside those being done, so that nobody waits for one


@dataclass(frozen=True)
class Task:
    """Something to do with a subject."""

    do: Callable[..., Any]  # importable by name; called with the subject and the arguments
    arguments: tuple[Any, ...] = ()


Done = tuple[Task, Any, float]  # with the result, and the seconds that it took


class Crew:
    """Does one task after the other, here and now."""

    size = 1  # tasks that are done at the same time

    def each(
        self, subject: Any, tasks: Iterable[Task], meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[Done]:
        """Do the tasks, and give each with its result as soon as it is done.

        Args:
            subject: What all tasks are about.
            tasks: Taken one by one, when there is room for another.
            meanwhile: Called now and then; what it raises ends everything.
        """
        for task in tasks:
            meanwhile()
            yield task, *perform(subject, task.do, task.arguments)


def perform(subject: Any, do: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    """The result of a task, and the seconds that it took."""
    began = time.perf_counter()
    with single_threaded_algebra():
        return do(subject, *arguments), time.perf_counter() - began


def in_flight(
    submit: Callable[[Task], Future[tuple[Any, float]]],
    size: int,
    tasks: Iterable[Task],
    meanwhile: Callable[[], None],
) -> Iterator[Done]:
    """Keep ``size`` tasks submitted, and give each as soon as it is done."""
    waiting: dict[Future[tuple[Any, float]], Task] = {}
    source = iter(tasks)
    while True:
        waiting.update((submit(task), task) for task in islice(source, size - len(waiting)))
        if not waiting:
            return
        done, _ = wait(waiting, LOOK_EVERY_S, FIRST_COMPLETED)
        meanwhile()
        for future in done:
            yield waiting.pop(future), *future.result()


class Processes(Crew):
    """Does tasks in forked processes, which share the memory of this one."""

    def __init__(self, size: int) -> None:
        self.size = size

    def each(
        self, subject: Any, tasks: Iterable[Task], meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[Done]:
        """See ``Crew.each``.

        Raises:
            JobFailed: A process was killed.
        """
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(self.size, context, initializer=_begin, initargs=(subject,))
        before = set(multiprocessing.active_children())
        try:
            yield from in_flight(
                lambda task: pool.submit(_perform_here, task.do, task.arguments),
                self.size + READY,
                tasks,
                meanwhile,
            )
            pool.shutdown()
        except BrokenProcessPool as error:
            raise JobFailed(
                "A process that worked on this job was killed, probably because the machine has not enough "
                "memory: give it more, or import fewer series or a shorter history."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - before:
                process.kill()


_subject: Any = None  # in a forked process: what its tasks are about


def _begin(subject: Any) -> None:
    global _subject
    _subject = subject
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a child
    parent.join()
    os._exit(1)


def _perform_here(do: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    return perform(_subject, do, arguments)


def local_crew(size: int) -> Crew:
    """Processes on this machine; this one alone where there is one core, or where it may start no others."""
    if size < 2 or multiprocessing.current_process().daemon:
        return Crew()
    return Processes(size)
