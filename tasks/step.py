"""What every step of the workflow has in common: its name, its retries, and how it says that it failed."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from pipeline.errors import PipelineError, translate
from tasks.job import Job

P = ParamSpec("P")
R = TypeVar("R")

# Together four to five minutes: enough for a service that is being restarted. Inside a step, waiting for a
# resource has no limit; this is for what interrupts the step itself.
RETRIES = 6
FIRST_DELAY_S = 5
LONGEST_DELAY_S = 120
JITTER = 0.5


class StepFailed(Exception):
    """A step of the workflow came to an end without its result: which one, why, and in which run."""

    def __init__(self, step: str, cause: PipelineError, job: Job | None = None) -> None:
        super().__init__(step, cause, job)
        self.step = step
        self.cause = cause
        self.job = job

    def __str__(self) -> str:
        return f"{self.step}: {self.cause}"

    @property
    def is_expected(self) -> bool:
        """The pipeline knows this kind of failure; anything else wants a traceback in the log."""
        return type(self.cause) is not PipelineError

    @classmethod
    def of(cls, error: Exception, step: str, job: Job | None = None) -> "StepFailed":
        """The error as a failure of this step, unless it is the failure of a step already."""
        if isinstance(error, cls):
            return error
        failed = cls(step, translate(error, f"running {step}"), job)
        failed.__cause__ = error
        return failed


def waiting_helps(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect's question whether to try a failed step again."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StepFailed) and error.cause.waiting_helps


def step(name: str, task_run_name: str | None = None) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Makes a function a step of the workflow.

    Nothing is cached: the service knows what exists, and a step that is run again asks it.

    Args:
        name: as in the workflow's diagram, such as `Create-Predictor`.
        task_run_name: with the step's arguments in braces, where one step runs several times.
    """

    def made(function: Callable[P, R]) -> Task[P, R]:
        @wraps(function)
        def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                jobs = (argument for argument in args if isinstance(argument, Job))
                raise StepFailed.of(error, name, next(jobs, None)) from error

        return Task(
            attempt,
            name=name,
            task_run_name=task_run_name or name,
            cache_policy=NO_CACHE,
            retries=RETRIES,
            retry_delay_seconds=_delays,
            retry_jitter_factor=JITTER,
            retry_condition_fn=waiting_helps,
        )

    return made


def _delays(retries: int) -> list[float]:
    """Seconds before each retry: doubling, up to the longest."""
    return [min(delay, LONGEST_DELAY_S) for delay in exponential_backoff(FIRST_DELAY_S)(retries)]
